"""Scores of every kind as counts, told apart by what became of the rows: chances, predictions, classes, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenure.errors import InvalidInput
from tenure.records.profiles import ErrorProfile, Judged, NumericProfile, OutcomeKind, Profile
from tenure.sdk import class_scores, profiles
from tenure.sdk.class_scores import Chosen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

CONFIDENCE = 0.95
KINDS = ("binary", "regression", "multiclass", "ranking")


class Given(NamedTuple):
    """Scores as they were given, with what became of the rows and what these were worth."""

    score: Any
    y: Any = None
    value: Any = None


def counted(given: Given, outcome: OutcomeKind | None, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """The fields of a profile that tell of scores; `outcome` is guessed from the scores' shape when it is None.

    Raises InvalidInput when scores, outcomes and kind do not fit together.
    """
    if given.score is None:
        if given.y is not None or given.value is not None:
            raise InvalidInput("y and value need the score of the same rows. Got no score.", where="score")
        return {"outcome": outcome or "none"}
    several = max(_columns_in(given.score), len(classes or ())) > 2
    kind = outcome or ("multiclass" if several else "binary")
    if kind not in KINDS:
        raise InvalidInput(f"Scores have one of these outcomes: {', '.join(KINDS)}. Got {kind!r}.", where="outcome")
    if kind == "multiclass":
        return class_scores.counted(given.score, given.y, classes)
    scores = numbers(given.score, "score")
    names = _two(classes) if kind == "binary" and classes is not None else []
    y = None if given.y is None else _outcomes(given.y, names, len(scores))
    value = None if given.value is None else numbers(given.value, "value")
    for name, column in (("y", y), ("value", value)):
        if column is not None and len(column) != len(scores):
            raise InvalidInput(f"{name} must have one value for each score. Got {len(column)} for {len(scores)}.")
    if kind == "regression":
        return _of_regression(scores, y)
    if kind == "binary":
        _check_chances(scores)
    judged = _judge(y, scores, value) if kind == "binary" and y is not None else None
    if kind == "ranking" and y is not None:
        _check_yes_no(y)
    return {"outcome": kind, "judged": judged, "class_names": names, **_apart(profiles.cut(scores), scores, y)}


def like(baseline: Profile, scores: Numbers, y: Numbers, chosen: Chosen | None = None) -> dict[str, Any]:
    """The fields of a window's profile that tell of scores, in the bins of its baseline; y is NaN where not known.

    `chosen`: of several classes, their chances and which was said.
    """
    import numpy as np

    found: dict[str, Any] = {"outcome": baseline.outcome, "reference": baseline.reference}
    if baseline.outcome == "multiclass":
        return found | class_scores.like(baseline, chosen, y, len(scores))
    found["class_names"] = list(baseline.class_names)
    if baseline.score is None:
        return found
    if baseline.outcome in ("binary", "ranking"):
        return found | _apart(baseline.score, scores, y)
    found["score"] = profiles.numbers_like(baseline.score, scores)
    if baseline.errors is not None:
        known = ~np.isnan(y) & ~np.isnan(scores)
        found["errors"] = _errors(baseline.errors, scores[known], y[known])
    return found


def _apart(bins: NumericProfile, scores: Numbers, y: Numbers | None) -> dict[str, NumericProfile]:
    """All scores, and those of each outcome, in the same bins."""
    found = {"score": profiles.numbers_like(bins, scores)}
    if y is not None:
        found["score_of_positives"] = profiles.numbers_like(bins, scores[y == 1])
        found["score_of_negatives"] = profiles.numbers_like(bins, scores[y == 0])
    return found


def _of_regression(scores: Numbers, y: Numbers | None) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {"outcome": "regression", "score": profiles.cut(scores)}
    if y is not None:
        known = ~np.isnan(y) & ~np.isnan(scores)
        error = scores[known] - y[known]
        bins = ErrorProfile(outcome=profiles.cut(y[known]), error=profiles.cut(error), size=profiles.cut(np.abs(error)))
        found["errors"] = bins
    return found


def _errors(bins: ErrorProfile, scores: Numbers, y: Numbers) -> ErrorProfile:
    import numpy as np

    error = scores - y
    counted = [
        profiles.count_numeric(values, one.edges, one.points)
        for one, values in ((bins.outcome, y), (bins.error, error), (bins.size, np.abs(error)))
    ]
    return ErrorProfile(outcome=counted[0], error=counted[1], size=counted[2])


def _two(classes: Sequence[str]) -> list[str]:
    names = [str(name) for name in classes]
    if len(names) != 2 or names[0] == names[1]:
        raise InvalidInput(f"classes of a yes or no must name 0 and then 1. Got {names}.", where="classes")
    return names


def _outcomes(y: Any, names: list[str], rows: int) -> Numbers:
    """Outcomes as numbers; those of a yes or no with names may be given by them."""
    import numpy as np

    array = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if not names or array.dtype.kind in "biuf":
        return numbers(y, "y")
    codes = class_scores.places_of(array, names, rows)
    return np.where(codes < 0, np.nan, codes.astype(np.float64))


def _columns_in(score: Any) -> int:
    shape = getattr(score, "shape", None)
    if shape is None:
        import numpy as np

        shape = np.shape(score)
    return int(shape[1]) if len(shape) == 2 else 1


def _check_chances(scores: Numbers) -> None:
    outside = scores[~((scores >= 0) & (scores <= 1)) & (scores == scores)]  # noqa: PLR0124 - NaN is missing
    if len(outside):
        raise InvalidInput(
            f"Scores must be chances between 0 and 1. Got {outside[0]:g}. Give what predict_proba answers, or say "
            "outcome='regression' or outcome='ranking' if they are none.",
            where="score",
        )


def _check_yes_no(y: Numbers) -> None:
    other = y[(y != 0) & (y != 1) & (y == y)]  # noqa: PLR0124 - NaN is missing
    if len(other):
        raise InvalidInput(f"y must be 0 or 1. Got {other[0]:g}.", where="y")


def numbers(values: Any, name: str) -> Numbers:
    """A column as floats, one for each row. Raises InvalidInput for another shape."""
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
