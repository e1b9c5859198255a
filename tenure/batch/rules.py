"""What the model's file asks of columns, as `serving/rules.py` asks it of requests, over whole columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tenure.batch.checking import Columns, Mask, Reason
from tenure.records.admission import ColumnRule
from tenure.records.routing import InputColumn
from tenure.serving.rules import NUMBERS, WHOLE, WORDS
from tenure.serving.saying import quoted

if TYPE_CHECKING:
    import pyarrow as pa


class Held(NamedTuple):
    """Columns as the model sees them; why rows are rejected; what is journaled of rows outside of a range, as JSON."""

    columns: Columns
    reasons: list[Reason]
    flagged: list[str | None] | None = None
    clipped: list[str | None] | None = None


def held(columns: Columns, rules: Sequence[ColumnRule], inputs: Sequence[InputColumn], rows: int) -> Held:
    """Hold columns against the rules about them."""
    types = {column.name: column.type for column in inputs}
    asked = [rule for rule in rules if not types or rule.name in types]
    reasons = [
        one
        for rule in asked
        for one in (_wrong_kind(columns, rule, types), _missing(columns, rule, rows))
        if one is not None
    ]
    flagged: dict[str, Mask] = {}
    sent: dict[str, tuple[Mask, Any]] = {}
    taken = dict(columns)
    for rule in asked:
        array = columns.get(rule.name)
        if rule.low is None or array is None or types.get(rule.name, "") not in (*NUMBERS, ""):
            continue
        low, high = _ends(rule, types.get(rule.name, ""))
        outside = _outside(array, low, high)
        if not outside.any():
            continue
        if rule.outside == "flag":
            flagged[rule.name] = outside
        elif rule.outside == "clip" and _is_number(array):
            sent[rule.name] = outside, array
            taken[rule.name] = _clipped(array, outside, low, high)
        else:
            message = f"Column {quoted(rule.name)} must lie between {low:g} and {high:g}."
            reasons.append(Reason(outside, rule.name, "range", message))
    return Held(taken, reasons, _told_flags(flagged, rows), _told_sent(sent, rows))


def _wrong_kind(columns: Columns, rule: ColumnRule, types: dict[str, str]) -> Reason | None:
    """A rule's kind counts where no signature says the column's."""
    import pyarrow as pa

    array = columns.get(rule.name)
    if rule.kind is None or types.get(rule.name, "") != "" or array is None or pa.types.is_null(array.type):
        return None
    kind = array.type
    text, yes_no = pa.types.is_string(kind), pa.types.is_boolean(kind)
    whole = pa.types.is_integer(kind)
    fits = {
        "numeric": whole or pa.types.is_floating(kind),
        "boolean": yes_no,
        "text": text,
        "categorical": text or whole or yes_no,
        "datetime": text,
    }
    if fits.get(rule.kind, True):
        return None
    message = f"Column {quoted(rule.name)} must {WORDS[rule.kind]}."
    return Reason(_known(array), rule.name, "kind", message)


def _missing(columns: Columns, rule: ColumnRule, rows: int) -> Reason | None:
    if rule.null != "reject":
        return None
    array = columns.get(rule.name)
    missing = np.ones(rows, dtype=bool) if array is None else ~_known(array)
    if not missing.any():
        return None
    return Reason(missing, rule.name, "null", f"Column {quoted(rule.name)} must have a value in every row.")


def _ends(rule: ColumnRule, type_: str) -> tuple[float, float]:
    """A rule's range; of whole numbers the ends are whole too."""
    assert rule.low is not None
    assert rule.high is not None
    if type_ in WHOLE and math.isfinite(rule.low + rule.high):
        return math.ceil(rule.low), math.floor(rule.high)
    return rule.low, rule.high


def _outside(array: pa.Array, low: float, high: float) -> Mask:
    if not _is_number(array):
        return _known(array)
    values = _values(array)
    outside: Mask = _known(array) & ~((values >= low) & (values <= high))
    return outside


def _clipped(array: pa.Array, outside: Mask, low: float, high: float) -> pa.Array:
    import pyarrow as pa

    values = _values(array)
    ends = np.where(values < low, low, high)
    if pa.types.is_integer(array.type) and all(float(end).is_integer() for end in np.unique(ends[outside])):
        values = array.fill_null(0).to_numpy()
        ends = np.where(outside, ends, 0).astype(np.int64)
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False))
    return pa.array(np.where(outside, ends, values), mask=missing)


def _values(array: pa.Array) -> NDArray[np.float64]:
    import pyarrow as pa

    values: NDArray[np.float64] = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values


def _is_number(array: pa.Array) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(array.type) or pa.types.is_floating(array.type))


def _known(array: pa.Array) -> Mask:
    """Which values are there; NaN is a missing one."""
    return ~np.asarray(array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False), dtype=bool)


def _told_flags(flagged: dict[str, Mask], rows: int) -> list[str | None] | None:
    if not flagged:
        return None
    told: list[str | None] = [None] * rows
    for row in np.flatnonzero(np.logical_or.reduce(list(flagged.values()))).tolist():
        told[row] = msgspec.json.encode([name for name, mask in flagged.items() if mask[row]]).decode()
    return told


def _told_sent(sent: dict[str, tuple[Mask, Any]], rows: int) -> list[str | None] | None:
    if not sent:
        return None
    told: list[str | None] = [None] * rows
    for row in np.flatnonzero(np.logical_or.reduce([mask for mask, _ in sent.values()])).tolist():
        values = {name: array[row].as_py() for name, (mask, array) in sent.items() if mask[row]}
        told[row] = msgspec.json.encode(values).decode()
    return told
