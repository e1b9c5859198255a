"""Choices between several classes as counts: of each class its chances, and how often each was said.

Of more than 12 classes the 11 with the greatest mean chance are counted by themselves and the rest together; which that
is stays as it was at training. How often a class was said is counted for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tenure.errors import InvalidInput
from tenure.records.profiles import CategoricalProfile, ClassProfile, Profile
from tenure.sdk import profiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

MOST_CLASSES = 12
MOST_LEVELS = 1_024
REST = "other classes"


class Chosen(NamedTuple):
    """What was answered: chances, shape (n, classes), NaN where there were none; and the name of the class that was
    said, shape (n,), None where none was."""

    chances: Any
    said: Any


def counted(score: Any, y: Any, classes: Sequence[str] | None) -> dict[str, Any]:
    """The fields of a profile that tell of choices; `y` names the class of each row, or gives its place.

    `score`: chances, shape (n, classes), or the classes that were said, shape (n,). Raises InvalidInput when scores,
    outcomes and classes do not fit together.
    """
    import numpy as np

    given = np.asarray(score.to_numpy() if hasattr(score, "to_numpy") else score)
    if given.ndim == 1:
        return _of_names(given, y, classes)
    if given.ndim != 2 or given.shape[1] < 2:
        raise InvalidInput(
            f"Scores of several classes must have one column for each. Got shape {given.shape}.", where="score"
        )
    chances = given.astype(np.float64)
    names = [str(name) for name in (classes if classes is not None else range(chances.shape[1]))]
    if len(names) != chances.shape[1] or len(set(names)) != len(names):
        raise InvalidInput(
            f"classes must name each of the {chances.shape[1]} columns of the score, all differently. Got {names}.",
            where="classes",
        )
    truth = None if y is None else places_of(y, names, len(chances))
    shown = _shown(chances)
    bins = [profiles.cut(column) for column in _grouped(chances, shown).T]
    return {
        "outcome": "multiclass",
        "score": profiles.cut(np.max(chances, axis=1)),
        "classes": _class_profiles(chances, truth, names, shown, bins),
        "class_names": names,
        "said": profiles.count_categorical(_names_said(chances, names), names[:MOST_LEVELS], names[MOST_LEVELS:]),
    }


def like(baseline: Profile, chosen: Chosen | None, y: Any, rows: int) -> dict[str, Any]:
    """The fields of a window's profile that tell of choices, in the bins of its baseline.

    `y`: the number of the class that came, NaN where none is known. Without `chosen` nothing is known of any row.
    """
    import numpy as np

    names = names_of(baseline)
    chances = np.full((rows, len(names)), np.nan)
    if chosen is not None and np.shape(chosen.chances) == chances.shape:
        chances = chosen.chances
    told: dict[str, Any] = {"class_names": list(baseline.class_names)}
    vocabulary = said_of(baseline)
    if vocabulary is not None:
        said = [None] * rows if chosen is None else chosen.said
        told["said"] = profiles.count_categorical(said, vocabulary.levels, vocabulary.other_levels)
    if baseline.score is not None:
        told["score"] = profiles.numbers_like(baseline.score, np.max(chances, axis=1, initial=-np.inf))
    if baseline.classes:
        truth = np.nan_to_num(y, nan=-1.0)
        fits = (truth >= 0) & (truth < len(names)) & (truth == np.floor(truth))
        codes = np.where(fits, truth, -1).astype(np.int64)
        shown = _shown_in(baseline, names)
        told["classes"] = _class_profiles(chances, codes, names, shown, [one.score for one in baseline.classes])
    return told


def names_of(profile: Profile) -> list[str]:
    """The names of all classes, in the order of the model's chances."""
    return profile.class_names or [one.name for one in profile.classes]


def said_of(profile: Profile) -> CategoricalProfile | None:
    """How often each class was said; of a profile that was made before this was counted, by its classes."""
    if profile.said is not None or not profile.classes:
        return profile.said
    counts = [one.said for one in profile.classes]
    n = sum(counts)
    return CategoricalProfile(
        levels=[one.name for one in profile.classes], counts=counts, n=n, null_count=profile.classes[0].score.n - n
    )


def places_of(y: Any, names: Sequence[str], rows: int) -> Codes:
    """The place of each row's class among the names, −1 where none is known. Raises InvalidInput for an unknown one."""
    import numpy as np

    from tenure.stats.columns import levels_of

    levels = levels_of(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if len(levels) != rows:
        raise InvalidInput(f"y must have one value for each score. Got {len(levels)} for {rows}.")
    places = {name: place for place, name in enumerate(names)}
    strange = sorted({level for level in levels if level is not None and level not in places})
    if strange:
        raise InvalidInput(
            f"y must name the classes {', '.join(names)}. Got {strange[0]!r}. Give classes= in the order of the "
            "score's columns.",
            where="y",
        )
    return np.array([-1 if level is None else places[level] for level in levels], dtype=np.int64)


def _of_names(said: Any, y: Any, classes: Sequence[str] | None) -> dict[str, Any]:
    """Of answers that are a class each, without chances, how often each was said."""
    from tenure.stats.columns import levels_of

    levels = levels_of(said)
    names = [str(name) for name in classes] if classes is not None else sorted({one for one in levels if one})
    places_of(said, names, len(levels))
    if y is not None:
        places_of(y, names, len(levels))
    counted = profiles.count_categorical(levels, names[:MOST_LEVELS], names[MOST_LEVELS:])
    return {"outcome": "multiclass", "class_names": names, "said": counted}


def _shown(chances: Numbers) -> list[int]:
    """The places of the classes that are counted by themselves, in their order."""
    import numpy as np

    classes = chances.shape[1]
    if classes <= MOST_CLASSES:
        return list(range(classes))
    known = ~np.isnan(chances)
    mean = np.where(known, chances, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return sorted(np.argsort(-mean, kind="stable")[: MOST_CLASSES - 1].tolist())


def _shown_in(baseline: Profile, names: Sequence[str]) -> list[int]:
    """The same, as a baseline froze them: with the rest, which comes last, it counts fewer classes than there are."""
    by_themselves = baseline.classes if len(baseline.classes) == len(names) else baseline.classes[:-1]
    return [names.index(one.name) for one in by_themselves]


def _grouped(chances: Numbers, shown: Sequence[int]) -> Numbers:
    """The chances of the classes that are shown and, as the last column, of the rest together, where there is one."""
    import numpy as np

    rest = sorted(set(range(chances.shape[1])) - set(shown))
    if not rest:
        return chances
    total = np.zeros(len(chances))
    for place in rest:  # class by class, so that a row's sum does not depend on the rows beside it
        total = total + chances[:, place]
    return np.column_stack([chances[:, list(shown)], total])


def _class_profiles(
    chances: Numbers, truth: Codes | None, names: Sequence[str], shown: Sequence[int], bins: Sequence[Any]
) -> list[ClassProfile]:
    """Every class's scores in given bins, and what was said where; `truth` is the place of each row's class, −1 if not
    known. A row with a missing chance says no class."""
    import numpy as np

    group = np.full(len(names) + 1, len(shown))
    group[list(shown)], group[-1] = np.arange(len(shown)), -1
    known = group[np.full(len(chances), -1) if truth is None else truth]
    said = group[_codes_said(chances)]
    columns = _grouped(chances, shown)
    labels = [*(names[place] for place in shown), REST][: columns.shape[1]]
    return [
        ClassProfile(
            name=name,
            score=profiles.numbers_like(bins[place], columns[:, place]),
            score_where_true=profiles.numbers_like(bins[place], columns[known == place, place]),
            said=int((said == place).sum()),
            said_where=[int(((said == place) & (known == other)).sum()) for other in range(len(labels))],
        )
        for place, name in enumerate(labels)
    ]


def _codes_said(chances: Numbers) -> Codes:
    """The place of the greatest chance, −1 where one is missing."""
    import numpy as np

    whole = ~np.isnan(chances).any(axis=1)
    said = np.full(len(chances), -1, dtype=np.int64)
    if whole.any():
        said[whole] = np.argmax(chances[whole], axis=1)
    return said


def _names_said(chances: Numbers, names: Sequence[str]) -> list[str | None]:
    return [None if code < 0 else names[code] for code in _codes_said(chances).tolist()]
