"""All columns of a window at once, against rows of the version's first window here: the baseline keeps counts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Array, load
from tenure.records.base import DAY_US
from tenure.records.drift import DriftState, Telling, Together
from tenure.records.span_words import instant
from tenure.stats.domain_classifier import domain_classifier
from tenure.stats.reconstruction import reconstruction
from tenure.store import windows
from tenure.store.database import Transaction
from tenure.store.lake import Lake

AUC_FLOOR = 0.6
"""An AUC below it is never a breach, however certain: eight of ten rows could not be told apart."""
RATIO_FLOOR = 0.1
NO_REFERENCE = (
    "Cannot tell: tests of all columns at once need rows to compare with, and this is the version's first window here."
)
TOO_FEW = "Cannot tell: tests of all columns at once need 200 rows on each side and columns that vary."


def first_rows(tx: Transaction, lake: Lake, what: Judgeable) -> tuple[Mapping[str, Array], str]:
    """The features of a version's first judged window in its role, and words that say where they come from.

    In windows of hours, of the first one at the same hours. Nothing when the window that is judged is the first itself.
    """
    span = windows.first_span(tx, what.endpoint, what.version, what.role)
    if span is not None:
        later = (what.start_at - span[0]) % DAY_US
        span = (span[0] + later, span[1] + later)
    if span is None or span[0] >= what.start_at:
        return {}, NO_REFERENCE
    rows = load(tx, lake, what.endpoint, span[0], span[1], shadow=what.role == "shadow")
    mine = (rows.version == what.version) & (rows.role == what.role) & (rows.model == what.model)
    words = f"Compared with rows of the version's first window here, {instant(span[0])} to {instant(span[1])}."
    return rows.where(mine).columns, words


def together(
    reference: Mapping[str, Array], what: Judgeable, names: Mapping[str, object], level: float
) -> list[Together]:
    """Both tests of the columns that are profiled (`names`); each at half the level, since either may call.

    Rows are drawn by a generator that is seeded by the window, so that judging again gives the same.
    """
    sides = tuple({name: side[name] for name in names if name in side} for side in (reference, what.rows.columns))
    rng = np.random.default_rng([what.start_at % (1 << 32), what.version])
    found = [_told_apart(sides, rng, level / 2), _rebuilt(sides, rng, level / 2)]
    return [one for one in found if one is not None]


def _told_apart(sides: Sequence[dict[str, Array]], rng: np.random.Generator, level: float) -> Together | None:
    test = domain_classifier(sides[0], sides[1], rng)
    if test is None:
        return None
    breach = test.p_value < level and test.auc > AUC_FLOOR
    most = ", ".join(f"{one.column!r} ({one.share:.0%})" for one in test.telling[:3])
    tells = f"; what tells most: {most}" if test.p_value < level and most else ""
    words = (
        f"A classifier tells a current row from a reference row right in {test.auc:.0%} of pairs (50 % is guessing)"
        f"{tells}."
    )
    return Together(
        name="domain_classifier",
        state=_state(breach),
        value=test.auc,
        threshold=AUC_FLOOR,
        p_value=test.p_value,
        level=level,
        n_reference=test.n_reference,
        n_current=test.n_current,
        words=words,
        telling=[Telling(column=one.column, share=one.share) for one in test.telling],
    )


def _rebuilt(sides: Sequence[dict[str, Array]], rng: np.random.Generator, level: float) -> Together | None:
    test = reconstruction(sides[0], sides[1], rng)
    if test is None:
        return None
    more = "further from" if test.ratio > 1 else "closer to"
    words = (
        f"Rows lie {abs(test.ratio - 1):.0%} {more} where the reference's columns vary together "
        f"({test.components} principal components)."
    )
    return Together(
        name="reconstruction",
        state=_state(test.p_value < level and abs(test.ratio - 1) > RATIO_FLOOR),
        value=test.ratio,
        threshold=1 + RATIO_FLOOR if test.ratio >= 1 else 1 - RATIO_FLOOR,
        p_value=test.p_value,
        level=level,
        n_reference=test.n_reference,
        n_current=test.n_current,
        words=words,
    )


def _state(breach: bool) -> DriftState:
    return "breach" if breach else "ok"
