"""A table in a file compared with a reference: counted in the reference's bins, then judged. No server, no database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tenure.errors import InvalidInput, NotFound
from tenure.monitor import profiling
from tenure.records.comparisons import ColumnComparison, ColumnState, Comparison
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.sdk import tables
from tenure.sdk.tables import Progress
from tenure.stats import distances, drift_bins
from tenure.stats.distances import BinTest, PsiTest
from tenure.stats.histograms import in_order
from tenure.stats.intervals import clopper_pearson
from tenure.stats.multiplicity import benjamini_hochberg

LEVEL = 0.05
PSI_FLOOR = 0.1
STRANGE_SHARE = 0.01
"""So many values of another type are dirt; more, when that is proven, are another type."""


class Measured(msgspec.Struct, frozen=True):
    """What is told of one column beside its reference. KS is None where levels have no order."""

    psi: PsiTest
    chi_squared: BinTest
    ks: BinTest | None


def reference_of(path: Path, columns: Collection[str] = (), progress: Progress = tables.quiet) -> Profile:
    """A reference from a .parquet or .csv file, or one that was stored as .json; of these columns, all by default."""
    profile = _stored(path) if path.suffix.lower() == ".json" else tables.profile_of_file(path, progress=progress)
    if not columns:
        return profile
    missing = sorted(set(columns) - profile.names())
    if missing:
        raise InvalidInput(f"The reference has no column {missing[0]!r}. It has {', '.join(sorted(profile.names()))}.")
    kept = {name: one for name, one in profile.columns.items() if (one.of or name) in columns}
    return msgspec.structs.replace(profile, columns=kept)


def compare(
    reference: Profile,
    current: Path,
    *,
    level: float = LEVEL,
    psi_floor: float = PSI_FLOOR,
    progress: Progress = tables.quiet,
) -> Comparison:
    """The rows of a file beside a reference, read in parts."""
    table = tables.open_table(current)
    if table.rows == 0:
        raise InvalidInput(f"{current.name} has no rows, so that nothing can be compared.")
    rows, seen = tables.count(table, reference.columns, progress)
    if not rows:
        raise InvalidInput(f"{current.name} has no rows, so that nothing can be compared.")
    known = reference.names()
    return Comparison(
        reference=reference.reference,
        current=current.name,
        rows_reference=reference.rows,
        rows=rows,
        level=level,
        psi_floor=psi_floor,
        columns=judged(reference.columns, seen, table.kinds, level=level, psi_floor=psi_floor),
        added=[name for name, kind in table.kinds.items() if name not in known and kind != "other"],
        left_out=[name for name, kind in table.kinds.items() if kind == "other"],
    )


def judged(
    reference: Mapping[str, ColumnProfile],
    seen: Mapping[str, ColumnProfile],
    kinds: Mapping[str, str],
    *,
    level: float,
    psi_floor: float,
) -> list[ColumnComparison]:
    """Every column judged, all together. `kinds`: what the columns of the new table hold, "" where it does not say.

    Moments are shown and not judged, since time always moves on; their hours of the week are.
    """
    breaches = {name: breach_of(name, like, seen[name], kinds, level) for name, like in reference.items()}
    tested = [name for name, like in reference.items() if not breaches[name] and like.measure != "moment"]
    measured = {name: measure(reference[name], seen[name]) for name in tested}
    q_values = dict(zip(tested, _corrected([measured[name].psi for name in tested]), strict=True))
    found = []
    for name, like in reference.items():
        if name not in measured:
            found.append(_untested(name, like, seen[name], breaches[name]))
            continue
        test, q_value = measured[name].psi, q_values[name]
        moved = q_value < level and test.excess > psi_floor
        state: ColumnState = "not_enough_data" if not test.enough else "drift" if moved else "ok"
        found.append(_told(name, like, seen[name], measured[name], q_value, state))
    return found


def measure(expected: ColumnProfile, seen: ColumnProfile) -> Measured:
    """The statistics of one column. Everything that a comparison tells of distances is computed here."""
    if isinstance(expected, NumericProfile) and isinstance(seen, NumericProfile):
        ours, theirs = profiling.numeric_counts(expected), profiling.numeric_counts(seen)
        bins = drift_bins.numeric_bins(ours, theirs)
        ordered = [in_order(counts, expected.edges, expected.points) for counts in (ours, theirs)]
        return Measured(distances.psi_test(*bins), distances.chi_squared(*bins), distances.ks(*ordered))
    assert isinstance(expected, CategoricalProfile)
    assert isinstance(seen, CategoricalProfile)
    bins = drift_bins.categorical_bins(profiling.categorical_counts(expected), profiling.categorical_counts(seen))
    return Measured(distances.psi_test(*bins), distances.chi_squared(*bins), None)


def breach_of(name: str, like: ColumnProfile, seen: ColumnProfile, kinds: Mapping[str, str], level: float) -> str:
    """How a column breaks the schema of the reference, in words; empty when it does not.

    A few values of another type among many are dirt, not another type: they are missing values.
    """
    source = like.of or name
    if source not in kinds:
        return "the column is gone"
    kind, wanted = kinds[source], _kinds_of(like)
    if kind not in (*wanted, "", "nothing"):
        return f"it held {_PLURAL[wanted[0]]}, and now holds {_PLURAL.get(kind, 'what cannot be counted')}"
    if isinstance(seen, NumericProfile) and seen.wrong_type_count:
        there = seen.n + seen.wrong_type_count + seen.positive_infinity_count + seen.negative_infinity_count
        low = clopper_pearson(seen.wrong_type_count, there, 1 - 2 * level).low
        if low is not None and low > STRANGE_SHARE:
            return f"{seen.wrong_type_count / there:.1%} of its values are no numbers any more"
    return ""


_PLURAL = {"number": "numbers", "text": "texts", "boolean": "true or false", "moment": "moments"}


def _kinds_of(like: ColumnProfile) -> tuple[str, ...]:
    """The kinds that a column of a profile may hold in a file, the likeliest first. A level's name has no type."""
    if like.measure in ("moment", "hour of week"):
        return ("moment", "text")
    if like.measure is not None:
        return ("text",)
    if isinstance(like, NumericProfile):
        return ("number", "boolean")
    if like.levels and set(like.levels) <= {"true", "false"}:
        return ("boolean",)
    return ("text",) if any(_is_no_number(one) for one in like.levels) else ("text", "number", "boolean", "moment")


def _is_no_number(level: str) -> bool:
    try:
        float(level)
    except ValueError:
        return True
    return False


def _corrected(tests: Sequence[PsiTest]) -> list[float]:
    found: list[float] = benjamini_hochberg([test.p_value for test in tests]).tolist() if tests else []
    return found


def _told(
    name: str, like: ColumnProfile, seen: ColumnProfile, measured: Measured, q_value: float, state: ColumnState
) -> ColumnComparison:
    test, ks, chi = measured.psi, measured.ks, measured.chi_squared
    told = {
        "drift": f"PSI is {test.excess:.3f} above what sampling gives",
        "ok": "as it was" if test.excess <= 0 or q_value >= LEVEL else "moved a little, less than matters",
        "not_enough_data": f"fewer than {distances.LEAST_ROWS} rows on one side",
    }[state]
    return ColumnComparison(
        column=name,
        state=state,
        told=told,
        psi=test.psi,
        psi_excess=test.excess,
        p_value=test.p_value,
        q_value=q_value,
        ks=ks.statistic if ks else None,
        ks_p_value=ks.p_value if ks else None,
        chi_squared=chi.statistic,
        chi_squared_p_value=chi.p_value,
        cramers_v=chi.effect,
        **_shares(like, seen),
    )


def _untested(name: str, like: ColumnProfile, seen: ColumnProfile, breach: str) -> ColumnComparison:
    told = breach or "not judged: time always moves on"
    return ColumnComparison(column=name, state="breach" if breach else "ok", told=told, **_shares(like, seen))


def _shares(like: ColumnProfile, seen: ColumnProfile) -> dict[str, Any]:
    """Counts and shares of both sides, for a comparison's fields of the same names."""
    rows, before = _rows(seen), _rows(like)
    found: dict[str, Any] = {
        "n_reference": before,
        "n_current": rows,
        "null_share_reference": like.null_count / max(before, 1),
        "null_share": seen.null_count / max(rows, 1),
        "reference": like,
        "current": seen,
    }
    if isinstance(seen, NumericProfile):
        found |= {
            "outside_share": seen.outside_count / max(seen.n, 1),
            "wrong_type_share": seen.wrong_type_count / max(rows, 1),
        }
    else:
        found["new_level_share"] = seen.new_count / max(seen.n, 1)
    return found


def _rows(profile: ColumnProfile) -> int:
    if isinstance(profile, NumericProfile):
        return profile.n + profile.null_count + profile.positive_infinity_count + profile.negative_infinity_count
    return profile.n + profile.null_count


def _stored(path: Path) -> Profile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        raise NotFound(f"There is no file {str(path)!r}.") from None
    except msgspec.MsgspecError as problem:
        raise InvalidInput(
            f"{path.name} is no stored profile: {problem}. Make one with `tenure monitor profile FILE -o {path.name}`.",
            where=path.name,
        ) from None
