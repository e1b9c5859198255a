"""The baseline of a version: what its training data, its scores and its accuracy looked like when it was made.

Every later window is counted in the bins that are cut here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tenure.errors import InvalidInput
from tenure.records.profiles import ColumnProfile, Judged, NumericProfile, Profile
from tenure.sdk import frames, profiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

CONFIDENCE = 0.95


class _Scored(NamedTuple):
    score: Numbers
    y: Numbers | None
    value: Numbers | None


def log_baseline(
    model_name: str,
    version: int | str,
    frame: Any,
    y: Any = None,
    score: Any = None,
    *,
    value: Any = None,
    holdout: Any = None,
    url: str | None = None,
) -> Profile:
    """Store the baseline of a registered version; see `profile_of` for what is given.

    Raises the server's refusal, such as NotFound for a version that is not registered.
    """
    from tenure.sdk.client import Client

    profile = profile_of(frame, y, score, value, holdout=holdout)
    with Client(url) as client:
        client.put(f"/api/v1/models/{quote(model_name, safe='')}/versions/{int(version)}/profile", profile)
    return profile


def profile_of(frame: Any, y: Any = None, score: Any = None, value: Any = None, *, holdout: Any = None) -> Profile:
    """The profile of a table and, when scores are given, of the scores and of how good they are.

    Give `y` and `score` of rows the version was *not* trained on. On training rows a model looks better than it is,
    so its scores would seem to drift, and its accuracy to be lost, on the first day of service.

    Parameters
    ----------
    frame
        The input columns: a DataFrame or a dict of arrays. Booleans, texts and categories are counted by level (the
        1,024 most frequent, and the others), numbers in 256 quantile bins; moments are left out, since time
        always moves on. The order of the columns is kept.
    y
        The outcome, 0 or 1, shape (n,); needs `score`. Rows without an outcome are not judged.
    score
        The chance of 1, between 0 and 1, shape (n,), or (n, 2) as `predict_proba` gives it. n may differ from the
        rows of `frame`.
    value
        Money for each of these rows, shape (n,), when it is known.
    holdout
        `(y, score)` or `(y, score, value)`, or a dict with these keys: the same as giving them one by one, when `y`
        and `score` are better kept apart from the training rows.

    Raises
    ------
    InvalidInput
        When a column, `y` or `score` is not as described, or only one outcome occurs.
    """
    columns = frames.columns_of(frame)
    rows = len(next(iter(columns.values())))
    counted = {name: _column(column) for name, column in columns.items()}
    kept = {name: profile for name, profile in counted.items() if profile is not None}
    scored = _scored(*_given(y, score, value, holdout))
    if scored is None:
        return Profile(rows=rows, columns=kept)
    whole = _cut(scored.score)
    if scored.y is None:
        return Profile(rows=rows, columns=kept, score=whole)
    return Profile(
        rows=rows,
        columns=kept,
        score=whole,
        score_of_positives=profiles.count_numeric(scored.score[scored.y == 1], whole.edges, whole.points),
        score_of_negatives=profiles.count_numeric(scored.score[scored.y == 0], whole.edges, whole.points),
        judged=_judge(scored.y, scored.score, scored.value),
    )


def _column(column: Any) -> ColumnProfile | None:
    """The profile of one column; None for moments."""
    from tenure.stats import histograms

    named = getattr(getattr(column, "dtype", None), "name", "")
    values = _array(column)
    kind = "category" if named == "category" else _kind(values)
    if kind == "moment":
        return None
    if kind == "number":
        return _cut(values)
    return profiles.count_categorical(values, *histograms.vocabulary(values))


def _array(column: Any) -> Any:
    """A column as a numpy array; a list keeps its own types, so that numbers among texts stay numbers."""
    import numpy as np

    if hasattr(column, "to_numpy"):
        return column.to_numpy()
    if isinstance(column, np.ndarray):
        return column
    array = np.empty(len(column), dtype=object)
    array[:] = list(column)
    return array


def _kind(values: Any) -> str:
    from datetime import date
    from numbers import Real

    import numpy as np

    if values.dtype.kind != "O":
        return {"i": "number", "u": "number", "f": "number", "M": "moment", "m": "moment"}.get(
            values.dtype.kind, "category"
        )
    missing = {type(None), *(kind for kind in set(map(type, values)) if kind.__name__ in ("NAType", "NaTType"))}
    kinds = set(map(type, values)) - missing
    if kinds and bool not in kinds and all(issubclass(kind, Real | np.number) for kind in kinds):
        return "number"
    texts = kinds - {float}  # a NaN among texts is a missing text
    return "moment" if texts and all(issubclass(kind, date | np.datetime64) for kind in texts) else "category"


def _cut(values: Any) -> NumericProfile:
    """A numeric column, counted in bins that are cut at its own quantiles."""
    from tenure.stats import histograms

    edges, points = histograms.quantile_edges(values)
    return profiles.count_numeric(values, edges.tolist(), points.tolist())


def _given(y: Any, score: Any, value: Any, holdout: Any) -> tuple[Any, Any, Any]:
    if holdout is None:
        return y, score, value
    if y is not None or score is not None or value is not None:
        raise InvalidInput(
            "Give y, score and value either one by one or as holdout, not both: only rows that the version was not "
            "trained on can judge it.",
            where="holdout",
        )
    if isinstance(holdout, dict) and set(holdout) <= {"y", "score", "value"}:
        return holdout.get("y"), holdout.get("score"), holdout.get("value")
    if isinstance(holdout, tuple | list) and len(holdout) in (2, 3):
        return holdout[0], holdout[1], holdout[2] if len(holdout) == 3 else None
    raise InvalidInput(
        "holdout must be (y, score), (y, score, value) or a dict with these keys.",
        where="holdout",
    )


def _scored(y: Any, score: Any, value: Any) -> _Scored | None:
    if score is None:
        if y is not None or value is not None:
            raise InvalidInput("y and value need the score of the same rows. Got no score.", where="score")
        return None
    scores = _numbers(score, "score")
    outside = scores[~((scores >= 0) & (scores <= 1)) & (scores == scores)]  # noqa: PLR0124 - NaN is missing
    if len(outside):
        raise InvalidInput(
            f"Scores must be chances between 0 and 1. Got {outside[0]:g}. Give what predict_proba answers.",
            where="score",
        )
    outcomes = None if y is None else _numbers(y, "y")
    worth = None if value is None else _numbers(value, "value")
    for name, column in (("y", outcomes), ("value", worth)):
        if column is not None and len(column) != len(scores):
            raise InvalidInput(f"{name} must have one value for each score. Got {len(column)} for {len(scores)}.")
    return _Scored(scores, outcomes, worth)


def _numbers(values: Any, name: str) -> Numbers:
    import numpy as np

    from tenure.stats.columns import numbers_of

    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 2 and name == "score":
        array = array[:, 1]  # the chance of 1, as predict_proba gives it
    if array.ndim != 1:
        raise InvalidInput(f"{name} must have one value for each row. Got shape {array.shape}.", where=name)
    return numbers_of(array).astype(np.float64)


def _judge(y: Numbers, score: Numbers, value: Numbers | None) -> Judged:
    from tenure.stats import accuracy, intervals

    known = ~((y != y) | (score != score))  # noqa: PLR0124 - NaN is missing
    try:
        area = accuracy.roc_auc_interval(y, score, CONFIDENCE)
    except ValueError as problem:
        raise InvalidInput(str(problem), where="y") from None
    loss = accuracy.brier(y, score)
    if area.value is None or area.low is None or area.high is None or loss is None:
        raise InvalidInput(
            f"y must hold both 0 and 1, or nothing can be judged. Got {int(known.sum())} known outcomes, "
            f"{int((y == 1).sum())} of them 1.",
            where="y",
        )
    return Judged(
        rows=int(known.sum()),
        positives=int((y[known] == 1).sum()),
        roc_auc=area.value,
        roc_auc_low=area.low,
        roc_auc_high=area.high,
        brier=loss,
        value_per_row=None if value is None else intervals.mean_interval(value).value,
    )
