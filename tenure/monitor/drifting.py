"""A window's report about drift: its columns against each reference, what training had not seen, the schema. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from tenure.monitor import drift_words
from tenure.monitor.column_drift import pairs_of
from tenure.monitor.judging import Judgeable, level
from tenure.monitor.rows import Array, Rows
from tenure.records.drift import (
    ColumnDrift,
    Comparison,
    DriftReport,
    DriftState,
    NewLevel,
    SchemaBreach,
    Statistic,
    Unseen,
)
from tenure.records.model_files import Against, Feature, Monitors
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.stats import distances, drift_table
from tenure.stats.columns import level_name, levels_of, numbers_of
from tenure.stats.frequent import FrequentLevels
from tenure.stats.intervals import clopper_pearson

DECISION = "decision"
OTHER_KIND = 0.01
"""The share of a column's values that must be proven of another kind before its type counts as changed."""
MOST_NAMES = 10
RARE = 1e-6


@dataclass(frozen=True)
class Reference:
    """What a window is compared with: counts in the bins of the version's baseline, or why there are none.

    `decided_yes` of `decided` rows led to an action; 0 of 0 where that is not known.
    """

    against: Against
    profile: Profile | None
    reason: str = ""
    from_at: int = 0
    until_at: int = 0
    decided_yes: int = 0
    decided: int = 0


@dataclass(frozen=True)
class Beside:
    """What is known besides the window: references, and how much each column counts (shares of 1)."""

    references: Sequence[Reference]
    importances: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, Feature] = field(default_factory=dict)


def report(what: Judgeable, profile: Profile, baseline: Profile, monitors: Monitors, beside: Beside) -> DriftReport:
    """What a window says about drift. `profile` is the window's own, in the bins of the version's baseline."""
    decided = 0 if what.action is None else len(what.action)
    yes = 0 if what.action is None else int(np.count_nonzero(what.action))
    return DriftReport(
        endpoint=what.endpoint,
        model=what.model,
        version=what.version,
        role=what.role,
        start_at=what.start_at,
        end_at=what.end_at,
        rows=len(what.rows),
        level=level(monitors),
        floor=monitors.psi_floor,
        comparisons=[comparison(what, profile, one, (yes, decided), monitors, beside) for one in beside.references],
        unseen=list(_unseen(what.rows, profile, baseline)),
        schema=schema(what.rows, baseline, beside.features),
        decided_yes=yes,
        decided=decided,
    )


def digest_of(what: Judgeable, profile: Profile, baseline: Profile, monitors: Monitors, beside: Beside) -> str:
    """Of all that a report is made of. Outcomes that come late change nothing of it; more rows change the profile."""
    yes = None if what.action is None else int(np.count_nonzero(what.action))
    columns = {name: values.dtype.kind for name, values in what.rows.columns.items()}
    window = (what.start_at, what.end_at, len(what.rows), what.whole, yes, columns, profile)
    made_of = msgspec.json.encode((window, baseline, monitors, beside), order="deterministic")
    return hashlib.sha256(made_of).hexdigest()


def state_of(report: DriftReport) -> DriftState:
    """The worst of what was asked for."""
    return _worst([*(one.state for one in report.comparisons), *(one.state for one in report.together)])


def comparison(
    what: Judgeable,
    profile: Profile,
    reference: Reference,
    decided: tuple[int, int],
    monitors: Monitors,
    beside: Beside,
) -> Comparison:
    """Every column, the score and the decision against one reference; q-values over all of them."""
    if reference.profile is None:
        return Comparison(against=reference.against, state="not_enough_data", reason=reference.reason)
    pairs = _pairs(reference, profile, decided)
    alpha = level(monitors)
    tables = [drift_table.table(*pair, level=alpha, psi_floor=monitors.psi_floor) for pair in pairs.values()]
    columns = []
    for (name, pair), made in zip(pairs.items(), drift_table.with_q_values(tables), strict=True):
        importance = beside.importances.get(name) if beside.importances else None
        columns.append(_column(name, pair, made, what.whole, importance))
    return Comparison(
        against=reference.against,
        state=_worst([one.state for one in columns]),
        reference_from_at=reference.from_at,
        reference_until_at=reference.until_at,
        columns=sorted(columns, key=_badness),
        weighted_drift=_weighted(columns, monitors.psi_floor),
    )


def excess(column: ColumnDrift, floor: float) -> float:
    """PSI less what sampling alone gives."""
    psi = column.value_of("psi")
    return psi.value - (psi.threshold - floor) if psi else 0.0


def schema(rows: Rows, baseline: Profile, features: Mapping[str, Feature]) -> list[SchemaBreach]:
    """Columns that are missing, of another kind, or known to nobody.

    Missing is a column that has no value in any row, of at least 100, where that is no chance: parts of a window that
    were stored together share their columns, so one that nobody sent is there, and empty.
    """
    if not len(rows) or not rows.columns:
        return []
    found = []
    sent = {like.of or name: like for name, like in baseline.columns.items()}
    for name, like in sent.items():
        values = rows.columns.get(name)
        if values is None or _is_gone(values, like):
            words = f"Column {name!r} was there at training and is in none of {len(rows):,} rows."
            found.append(SchemaBreach(column=name, problem="missing", words=words))
        elif like.measure is None and (said := _other_kind(values, like)):
            found.append(SchemaBreach(column=name, problem="type", words=f"Column {name!r}: {said}"))
    for name in rows.columns:
        if name not in sent and name not in features:
            words = f"Column {name!r} is sent, and neither the baseline nor the model's file knows it."
            found.append(SchemaBreach(column=name, problem="extra", words=words))
    return found


def _pairs(
    reference: Reference, profile: Profile, decided: tuple[int, int]
) -> dict[str, tuple[ColumnProfile, ColumnProfile]]:
    """Columns and answers that both have, in the same bins, and the decisions."""
    assert reference.profile is not None
    pairs = pairs_of(reference.profile, profile)
    if reference.decided and decided[1]:
        both = _decisions(reference.decided_yes, reference.decided), _decisions(*decided)
        pairs.setdefault(DECISION, both)
    return pairs


def _decisions(yes: int, n: int) -> CategoricalProfile:
    return CategoricalProfile(levels=["yes", "no"], counts=[yes, n - yes], n=n)


def _column(
    name: str,
    pair: tuple[ColumnProfile, ColumnProfile],
    made: list[drift_table.Statistic],
    whole: bool,
    importance: float | None,
) -> ColumnDrift:
    statistics = [Statistic(**one._asdict()) for one in made]
    psi = next(one for one in statistics if one.name == "psi")
    enough = whole and min(psi.n_reference, psi.n_current) >= distances.LEAST_ROWS
    moved = psi.q_value is not None and psi.q_value < _level_of(statistics) and psi.value > psi.threshold
    state: DriftState = "not_enough_data" if not enough else "breach" if moved else "ok"
    factor = drift_table.unit_factor(*pair)
    expected, observed = drift_table.bins_of(*pair)
    return ColumnDrift(
        column=name,
        kind="numeric" if isinstance(pair[0], NumericProfile) else "categorical",
        state=state,
        words=drift_words.column_words(*pair, statistics, state, factor),
        statistics=statistics,
        reference_bins=expected.tolist(),
        current_bins=observed.tolist(),
        reference_null_share=pair[0].null_count / max(drift_table.rows_of(pair[0]), 1),
        importance=importance,
        unit_factor=factor,
    )


def _level_of(statistics: Sequence[Statistic]) -> float:
    return next(one.threshold for one in statistics if one.kind == "test")


def _worst(states: Sequence[DriftState]) -> DriftState:
    return "breach" if "breach" in states else "ok" if "ok" in states else "not_enough_data"


def _badness(column: ColumnDrift) -> tuple[bool, float, str]:
    """Breaches first, then what is furthest from its threshold, a column that matters little less so."""
    psi = column.value_of("psi")
    beyond = psi.value - psi.threshold if psi else 0.0
    weight = 1.0 if column.importance is None or beyond < 0 else 0.1 + column.importance
    return column.state != "breach", -beyond * weight, column.column


def _weighted(columns: Sequence[ColumnDrift], floor: float) -> float | None:
    known = [(one.importance, max(excess(one, floor), 0.0)) for one in columns if one.importance is not None]
    total = sum(importance for importance, _ in known)
    return sum(importance * moved for importance, moved in known) / total if total else None


def _unseen(rows: Rows, profile: Profile, baseline: Profile) -> list[Unseen]:
    found = []
    for name, like in baseline.columns.items():
        if name not in rows.columns:
            continue
        seen = profile.columns[name]
        if isinstance(like, CategoricalProfile) and isinstance(seen, CategoricalProfile) and seen.new_count:
            names = FrequentLevels()
            known = {*like.levels, *like.other_levels}
            names.add(one for one in levels_of(rows.columns[name]) if one is not None and one not in known)
            top = [NewLevel(level=one, count=count) for one, count in names.top(MOST_NAMES)]
            found.append(_share(name, "new_levels", seen.new_count, seen.n, names=top, lost=names.lost))
        elif isinstance(like, NumericProfile) and like.min is not None and like.max is not None:
            numbers = numbers_of(rows.columns[name])
            outside = int(np.count_nonzero((numbers < like.min) | (numbers > like.max)))
            n = int(np.count_nonzero(~np.isnan(numbers)))
            if outside:
                found.append(_share(name, "out_of_range", outside, n, from_low=like.min, from_high=like.max))
    return sorted(found, key=lambda one: (-(one.low or 0.0), one.column))


def _share(name: str, what: str, count: int, n: int, **more: object) -> Unseen:
    bounds = clopper_pearson(count, n)
    return Unseen(
        column=name,
        what=what,  # type: ignore[arg-type]  # one of its two words
        count=count,
        n=n,
        share=count / n,
        low=bounds.low,
        high=bounds.high,
        **more,  # type: ignore[arg-type]  # fields of Unseen
    )


def _is_gone(values: Array, like: ColumnProfile) -> bool:
    before = like.null_count / max(drift_table.rows_of(like), 1)
    if len(values) < distances.LEAST_ROWS or before ** len(values) > RARE:
        return False
    if values.dtype.kind == "O":
        return all(level_name(value) is None for value in values.tolist())
    return values.dtype.kind == "f" and bool(np.isnan(values).all())


def _other_kind(values: Array, like: ColumnProfile) -> str:
    """What is wrong with the kind of a column's values; empty when nothing is."""
    if isinstance(like, NumericProfile):
        if values.dtype.kind != "O" or not like.n:
            return ""
        there = [one for one in values.tolist() if one is not None and one == one]  # noqa: PLR0124 - not NaN
        strange = int(np.count_nonzero(np.isnan(numbers_of(there)))) if there else 0
        low = clopper_pearson(strange, len(there)).low if there else 0.0
        if low is not None and low > OTHER_KIND:
            example = next(one for one in there if np.isnan(numbers_of([one])[0]))
            return f"{strange:,} of {len(there):,} values are no numbers, such as {str(example)[:40]!r}."
        return ""
    if values.dtype.kind not in "iuf" or not like.levels or any(_is_number(one) for one in like.levels):
        return ""
    if np.isnan(values.astype(np.float64)).all():
        return ""
    return f"its values are numbers, where training had levels such as {like.levels[0][:40]!r}."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
