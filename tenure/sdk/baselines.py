"""The baseline of a version: what its training data, its scores and its accuracy looked like when it was made.

Every later window is counted in the bins that are cut here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from tenure.errors import InvalidInput
from tenure.records.profiles import ColumnProfile, OutcomeKind, Profile, Reference
from tenure.sdk import frames, profiles, scores, tables


class _Version(NamedTuple):
    name: str
    number: int


def log_baseline(
    model: Any,
    version: int | str | None = None,
    frame: Any = None,
    y: Any = None,
    score: Any = None,
    *,
    value: Any = None,
    holdout: Any = None,
    outcome: OutcomeKind | None = None,
    classes: Sequence[str] | None = None,
    texts: Collection[str] = (),
    url: str | None = None,
) -> Profile:
    """Store the baseline of a registered version; see `profile_of` for what is given.

    Parameters
    ----------
    model, version
        A registered model's name and a version; or, in place of both, what `log_model` returned when it registered
        the model (`registered_model_name=`), or what `mlflow.register_model` returned.
    frame
        The training columns; or, when they are not in memory, a .parquet or .csv file (a path, or an artifact such as
        `runs:/<run id>/training.parquet`), or what `mlflow.data.from_pandas` returned. A file is read in parts, and
        its SHA-256 is kept with the baseline.

    Raises
    ------
    InvalidInput
        When something is not as `profile_of` describes it, or the model was not registered.
    TenureError
        The server's refusal, such as NotFound for a version that is not registered.
    """
    from tenure.sdk.client import Client

    target = _version_of(model, version)
    profile = profile_of(frame, y, score, value, holdout=holdout, outcome=outcome, classes=classes, texts=texts)
    with Client(url) as client:
        client.put(f"/api/v1/models/{quote(target.name, safe='')}/versions/{target.number}/profile", profile)
    return profile


def profile_of(
    frame: Any,
    y: Any = None,
    score: Any = None,
    value: Any = None,
    *,
    holdout: Any = None,
    outcome: OutcomeKind | None = None,
    classes: Sequence[str] | None = None,
    texts: Collection[str] = (),
) -> Profile:
    """The profile of a table and, when scores are given, of the scores and of how good they are.

    Give `y` and `score` of rows the version was *not* trained on. On training rows a model looks better than it is,
    so its scores would seem to drift, and its accuracy to be lost, on the first day of service.

    Parameters
    ----------
    frame
        The input columns: a DataFrame, a dict of arrays, or what `log_baseline` names. Booleans, texts and categories
        are counted by level (the 1,024 most frequent, and the others), numbers in 256 quantile bins, moments by
        themselves and by their hour of the week. Free texts (most of them different) are counted by length, words,
        and shares of letters, digits and marks; nothing of what they say is kept. The order of the columns is kept.
    y
        The outcome, shape (n,); needs `score`. 0 or 1; of a regression a number; of several classes their names or
        places. Rows without an outcome are not judged.
    score
        The chance of 1, between 0 and 1, shape (n,), or (n, 2) as `predict_proba` gives it; of several classes their
        chances, shape (n, classes), or the classes that were said, shape (n,); of a regression the predictions; of a
        ranking, scores on any scale. n may differ from the rows of `frame`.
    value
        Money for each of these rows, shape (n,), when it is known. Of binary outcomes only.
    holdout
        `(y, score)` or `(y, score, value)`, or a dict with these keys: the same as giving them one by one, when `y`
        and `score` are better kept apart from the training rows.
    outcome
        `binary`, `multiclass`, `regression`, `ranking` or `none`. By default multiclass for more than two columns of
        scores, none without scores, else binary.
    classes
        The classes' names, in the order of the score's columns; by default 0, 1, 2, …. Of a yes or no the names of 0
        and 1; outcomes may be told by these names later.
    texts
        Columns that are free texts although their values repeat.

    Raises
    ------
    InvalidInput
        When a column, `y` or `score` is not as described, or only one outcome of a binary one occurs.
    """
    rows, columns, reference = _columns(frame, texts)
    told = scores.counted(_given(y, score, value, holdout), outcome, classes)
    return Profile(rows=rows, columns=columns, reference=reference, **told)


def columns_profile(columns: dict[str, Any], texts: Collection[str] = ()) -> dict[str, ColumnProfile]:
    """Every column's profile by its kind; moments and free texts by what can be measured of them."""
    found: dict[str, ColumnProfile] = {}
    for name, column in columns.items():
        found |= _column(name, column, name in texts)
    return found


def _columns(frame: Any, texts: Collection[str]) -> tuple[int, dict[str, ColumnProfile], Reference]:
    if isinstance(frame, str | os.PathLike):
        profile = tables.profile_of_file(frame, texts)
        return profile.rows, profile.columns, profile.reference
    reference = Reference(kind="training")
    if hasattr(frame, "digest") and hasattr(frame, "df"):  # a dataset of mlflow.data, as the run logs it
        reference = Reference(kind="artifact", name=f"{frame.name} ({frame.digest})")
        frame = frame.df
    if frame is None:
        raise InvalidInput("A baseline needs the training columns. Give frame=, a table or a file.", where="frame")
    columns = frames.columns_of(frame)
    return len(next(iter(columns.values()))), columns_profile(columns, texts), reference


def _version_of(model: Any, version: int | str | None) -> _Version:
    """The registered version that is meant, by its name or by what mlflow returned."""
    if isinstance(model, str):
        if version is None:
            raise InvalidInput(
                "A name needs a version: tenure.log_baseline('flight-delay', 3, …). Or give what log_model returned.",
                where="version",
            )
        return _Version(model, int(version))
    name, number = getattr(model, "name", None), getattr(model, "version", None)
    if isinstance(name, str) and number is not None:
        return _Version(name, int(number))
    registered = getattr(model, "registered_model_version", None)
    if registered is None:
        raise InvalidInput(
            f"The model must be registered before its baseline is kept. Got {type(model).__name__} without a version. "
            "Give log_model registered_model_name='…', or call mlflow.register_model first and give what it returns.",
            where="model",
        )
    import mlflow

    found = mlflow.MlflowClient().search_model_versions(f"run_id = '{model.run_id}'")
    mine = [one for one in found if int(one.version) == int(registered) and _is_of(one, model)]
    if not mine:
        raise InvalidInput(f"No registered version {registered} comes from run {model.run_id!r}.", where="model")
    return _Version(mine[0].name, int(mine[0].version))


def _is_of(version: Any, model: Any) -> bool:
    """Whether a version was made of this very model: a run may log several."""
    told = getattr(version, "model_id", None)
    return not told or told == getattr(model, "model_id", None)


def _column(name: str, column: Any, is_text: bool) -> dict[str, ColumnProfile]:
    from tenure.stats import histograms, measures

    named = getattr(getattr(column, "dtype", None), "name", "")
    values = _array(column)
    kind = "category" if named == "category" and not is_text else _kind(values)
    if kind == "duration":
        return {}
    if kind == "moment":
        return profiles.moments(name, values)
    if kind == "number":
        return {name: profiles.cut(values)}
    if is_text or (named != "category" and measures.is_free(values)):
        return profiles.free_text(name, values)
    return {name: profiles.count_categorical(values, *histograms.vocabulary(values))}


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
        return {"i": "number", "u": "number", "f": "number", "M": "moment", "m": "duration"}.get(
            values.dtype.kind, "category"
        )
    missing = {type(None), *(kind for kind in set(map(type, values)) if kind.__name__ in ("NAType", "NaTType"))}
    kinds = set(map(type, values)) - missing
    if kinds and bool not in kinds and all(issubclass(kind, Real | np.number) for kind in kinds):
        return "number"
    texts = kinds - {float}  # a NaN among texts is a missing text
    return "moment" if texts and all(issubclass(kind, date | np.datetime64) for kind in texts) else "category"


def _given(y: Any, score: Any, value: Any, holdout: Any) -> scores.Given:
    if holdout is None:
        return scores.Given(score, y, value)
    if y is not None or score is not None or value is not None:
        raise InvalidInput(
            "Give y, score and value either one by one or as holdout, not both: only rows that the version was not "
            "trained on can judge it.",
            where="holdout",
        )
    if isinstance(holdout, dict) and set(holdout) <= {"y", "score", "value"}:
        return scores.Given(holdout.get("score"), holdout.get("y"), holdout.get("value"))
    if isinstance(holdout, tuple | list) and len(holdout) in (2, 3):
        return scores.Given(holdout[1], holdout[0], holdout[2] if len(holdout) == 3 else None)
    raise InvalidInput(
        "holdout must be (y, score), (y, score, value) or a dict with these keys.",
        where="holdout",
    )
