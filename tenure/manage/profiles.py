"""The baseline profile of a version, taken at training: what every later window is compared with."""

from __future__ import annotations

import math
import re

from tenure.build import model_versions
from tenure.errors import Conflict, InvalidInput
from tenure.manage import voiding
from tenure.records.base import Instant
from tenure.records.digests import digest_of
from tenure.records.profiles import ColumnProfile, NumericProfile, Profile
from tenure.store import audit, profiles
from tenure.store.database import Transaction
from tenure.store.profiles import StoredProfile


def record(tx: Transaction, model: str, version: int, profile: Profile, *, by: str, now: Instant) -> str:
    """Keep a version's baseline and return its digest.

    The same profile again changes nothing. Another one invalidates open approvals, since they sign it; once the
    version is approved it stays. One taken from production stands for none: it is signed by nobody, invalidates
    nothing, never takes the place of another, and gives way to any. Raises InvalidInput for counts that do not fit
    together.
    """
    check(profile)
    state = model_versions.get(tx, model, version).state
    digest = digest_of(profile)
    kept = profiles.get(tx, model, version)
    before = kept.digest if kept else None
    if before == digest:
        return digest
    if profile.reference.kind == "production" and kept is not None:
        raise Conflict(f"Version {version} of {model!r} has a baseline; one from production does not replace it.")
    if kept is not None and kept.is_signed and state in ("approved", "suspended", "retired"):
        raise Conflict(
            f"Version {version} of {model!r} is {state}: its baseline was approved with it and stays. "
            "Register a new version for another baseline."
        )
    profiles.put(tx, model, version, profile, digest, by=by, now=now)
    taken = profile.reference.kind
    detail = {"digest": digest, "before": before, "rows": profile.rows, "columns": len(profile.columns), "from": taken}
    audit.append(tx, "profile.recorded", subject=f"{model}/{version}", by=by, at=now, detail=detail)
    if taken != "production":
        voiding.void_stale(tx, model, version, what="the baseline profile", by=by, now=now)
    return digest


def get(tx: Transaction, model: str, version: int) -> StoredProfile | None:
    """A version's baseline; None when none was recorded."""
    return profiles.get(tx, model, version)


def check(profile: Profile) -> None:
    """Raise InvalidInput, naming the column, unless the counts of every column fit together."""
    if profile.rows < 1:
        raise InvalidInput(f"A baseline must have at least 1 row. Got {profile.rows}.", where="rows")
    for name, column in profile.columns.items():
        _check_column(column, f"columns.{name}")
    for name in ("score", "score_of_positives", "score_of_negatives"):
        scores = getattr(profile, name)
        if scores is not None:
            _check_column(scores, name)
    if profile.errors is not None:
        for name in ("outcome", "error", "size"):
            _check_column(getattr(profile.errors, name), f"errors.{name}")
    for place, one in enumerate(profile.classes):
        _check_column(one.score, f"classes[{place}].score")
        _check_column(one.score_where_true, f"classes[{place}].score_where_true")
        if len(one.said_where) != len(profile.classes) or min(one.said, *one.said_where) < 0:
            raise InvalidInput(
                f"There must be {len(profile.classes)} counts, none negative. Got {one.said_where}.",
                where=f"classes[{place}].said_where",
            )
    if profile.said is not None:
        _check_column(profile.said, "said")
    names = profile.class_names
    if len(set(names)) < len(names) or (names and len(profile.classes) > len(names)):
        raise InvalidInput("class_names must name every class once.", where="class_names")


def _check_column(column: ColumnProfile, where: str) -> None:
    counts = [*column.counts, column.null_count]
    if isinstance(column, NumericProfile):
        counts += [*column.point_counts, column.positive_infinity_count, column.negative_infinity_count]
        counts += [column.wrong_type_count, column.outside_count]
        if not (_is_hexadecimal(column.distances) and _is_hexadecimal(column.squares)):
            raise InvalidInput("The exact sums of a column must be whole numbers in hexadecimal.", where=where)
        rising = all(a < b for a, b in zip(column.edges, column.edges[1:], strict=False))
        if not rising or not all(math.isfinite(edge) for edge in column.edges):
            raise InvalidInput("The edges of a column must rise and be finite.", where=f"{where}.edges")
        lengths = [
            (len(column.edges) + 1, len(column.counts), "counts"),
            (len(column.points), len(column.point_counts), "point_counts"),
        ]
    else:
        counts += [column.other_count, column.new_count]
        lengths = [(len(column.levels), len(column.counts), "counts")]
    for needed, given, name in lengths:
        if given != needed:
            raise InvalidInput(f"There must be {needed} counts. Got {given}.", where=f"{where}.{name}")
    if any(count < 0 for count in counts):
        raise InvalidInput("A count must not be negative.", where=where)


def _is_hexadecimal(text: str) -> bool:
    return re.fullmatch(r"(-?[0-9a-f]{1,600})?", text) is not None
