"""What was sent of outcomes or overrides, as tables of the same columns: JSON, CSV, Parquet or an Arrow stream.

JSON is read here, in the limit of any body. Files are read by a process of its own (`manage/tables.py`), CSV and Arrow
streams block by block, so that a file of any length takes the memory of one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from tenure.errors import InvalidInput, TooLarge
from tenure.manage import tables
from tenure.records import parsing
from tenure.records.outcomes import Outcome, OutcomeBatch, Override, OverrideBatch

MOST_ROWS_OF = {"csv": 20_000_000, "arrow": 20_000_000, "parquet": tables.MOST_ROWS}
TEXTS = ("prediction_id", "reference", "value", "event_time", "reason", "decided_by")
"""Columns that are texts in CSV: what each must be is asked later, with the row that does not fit."""
SAME = {"id": "prediction_id", "outcome": "value"}
"""Other names of columns."""
OUTCOMES, OVERRIDES = "outcomes", "overrides"
COLUMNS = {
    OUTCOMES: ("prediction_id", "reference", "value", "event_time"),
    OVERRIDES: ("prediction_id", "reference", "value", "event_time", "reason", "decided_by"),
}

Table = Any


def from_json(body: bytes, kind: str, max_rows: int) -> Iterator[Table]:
    """A JSON body as one table. Raises InvalidInput with the path of what does not fit, TooLarge."""
    told: Sequence[Outcome] | Sequence[Override]
    if kind == OVERRIDES:
        told = parsing.parse(body, OverrideBatch, named="A batch of overrides").overrides
    else:
        told = parsing.parse(body, OutcomeBatch, named="A batch of outcomes").outcomes
    if not told:
        raise InvalidInput(f"A batch must hold at least one of the {kind}. Got an empty list.", where=kind)
    if len(told) > max_rows:
        raise TooLarge(f"A batch may hold {max_rows:,} {kind}. Got {len(told):,}; send several.", where=kind)
    yield _table(told, kind)


def from_file(source: BinaryIO, content: tables.Kind, kind: str, *, size_bytes: int, max_rows: int) -> Iterator[Table]:
    """A file block by block. Raises InvalidInput, TooLarge, also midway."""
    rows = 0
    for block in tables.blocks(source, content, size_bytes=size_bytes, most_rows=max_rows, as_text=TEXTS):
        named = [SAME.get(name, name) for name in block.column_names]
        _check_columns(named, kind)
        rows += block.num_rows
        yield block.rename_columns(named)
    if not rows:
        raise InvalidInput(f"A file must hold at least one of the {kind}. Got none.", where=kind)


def _table(told: Sequence[Outcome] | Sequence[Override], kind: str) -> Table:
    import pyarrow as pa

    columns: dict[str, Any] = {
        "prediction_id": pa.array([one.prediction_id for one in told], pa.string()),
        "reference": pa.array([one.reference for one in told], pa.string()),
        "value": _values([one.value for one in told]),
        "event_time": _times([one.event_time for one in told]),
    }
    if kind == OVERRIDES:
        for name in ("reason", "decided_by"):
            columns[name] = pa.array([getattr(one, name) for one in told], pa.string())
    return pa.table(columns)


def _values(given: list[float | bool | str]) -> Any:
    """Numbers; as texts where a class is named among them."""
    import pyarrow as pa

    try:
        return pa.array(given, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # true and false, or names, are among them
        if not any(type(one) is str for one in given):
            return pa.array([float(one) for one in given], pa.float64())
    return pa.array([one if type(one) is str else repr(float(one)) for one in given], pa.string())


def _times(given: list[str | int | None]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(given, pa.int64())
    except (pa.ArrowException, OverflowError, TypeError):
        return pa.array([None if one is None else str(one) for one in given], pa.string())


def _check_columns(names: list[str], kind: str) -> None:
    unknown = sorted(set(names) - set(COLUMNS[kind]))
    needed = {"value", "reason"} if kind == OVERRIDES else {"value"}
    if (
        unknown
        or not needed <= set(names)
        or not {"prediction_id", "reference"} & set(names)
        or len(set(names)) < len(names)
    ):
        must = "`, `".join(sorted(needed, reverse=True))
        perhaps = "`, `".join(sorted(set(COLUMNS[kind]) - needed - {"prediction_id", "reference"}))
        raise InvalidInput(
            f"The columns must be `{must}`, one or both of `prediction_id` and `reference`, and perhaps `{perhaps}`. "
            f"Got {', '.join(names[:20]) or 'none'}."
        )
