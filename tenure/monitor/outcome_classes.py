"""The names of an endpoint's classes, by which outcomes may be told: which number each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenure.deploy import endpoints
from tenure.manage import model_files
from tenure.store import profiles, releases
from tenure.store.database import Transaction

NONE_KNOWN = (
    "Outcomes may be told by a class's name once the model's file names the classes (`prediction.classes`), or the "
    "version's baseline does (`tenure.log_baseline(classes=…)`)."
)
MOST_NAMED = 20


class Classes(NamedTuple):
    """The number of each class by its name; `said`: which names there are, or why there are none, for a message."""

    number: Mapping[str, float]
    said: str


def classes_at(tx: Transaction, endpoint: str) -> Classes:
    """The classes of the model at an endpoint: as its file names them, else as the baselines of the versions do that
    answered there (of a model that answers elsewhere, all of its versions).

    An outcome may come before its prediction, so versions that number a class differently give no names at all.
    """
    model = endpoints.get(tx, endpoint).model
    applied = model_files.current(tx, model)
    if applied and applied.file.prediction and applied.file.prediction.classes:
        return _named(applied.file.prediction.classes)
    answered = {one.version for one in releases.history(tx, endpoint) if one.model == model}
    known = profiles.class_names(tx, model)
    told = {version: names for version, names in known.items() if version in answered or not answered}
    different = {tuple(names) for names in told.values()}
    if len(different) > 1:
        one, other = sorted(told)[-1], next(v for v in sorted(told) if told[v] != told[sorted(told)[-1]])
        return Classes(
            {}, f"Versions {other} and {one} have other classes or another order: name them by `prediction.classes` in "
            "the model's file.",
        )  # fmt: skip
    return _named(list(next(iter(different)))) if different else Classes({}, NONE_KNOWN)


def _named(names: list[str]) -> Classes:
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    return Classes({name: float(place) for place, name in enumerate(names)}, f"The classes are: {listed}.")
