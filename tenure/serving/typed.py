"""MLflow's most frequent JSON forms, decoded straight into a version's own types: what fits needs no further check.

What does not fit here is read once more by `protocols/mlflow.py`, which takes its time and says what is wrong. So this
may take less than that does, but nothing else, and must come to the same columns; a property test holds both.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tenure.records.routing import InputColumn
from tenure.serving.decoding import Columns

FLOAT32_MAX = 3.4028234663852886e38
TYPES: dict[str, Any] = {
    "double": float,
    "float": Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)],
    "long": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "integer": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "string": str,
    "boolean": bool,
}
"""By MLflow's name. Dates are not among them: they are texts that must be looked at."""


class Body(msgspec.Struct):
    """A body that fitted: its columns in the order of the signature, and what belongs to its rows."""

    form: str
    columns: Columns
    rows: int
    event_time: str | int | list[str | int] | None
    reference: str | list[str] | None
    params: dict[str, Any] | None


class Reader:
    """Reads bodies for one signature."""

    def __init__(self, columns: tuple[InputColumn, ...]) -> None:
        self._names = [column.name for column in columns]
        records, rows = _row(columns, array_like=False), _row(columns, array_like=True)
        split = msgspec.defstruct("Split", [("columns", list[str]), ("data", list[rows])])  # type: ignore[valid-type]
        beside = [
            ("params", dict[str, Any] | None, None),
            ("event_time", str | int | list[str | int] | None, None),
            ("reference", str | list[str] | None, None),
        ]
        forms = [
            ("dataframe_records", list[records] | UnsetType, UNSET),  # type: ignore[valid-type]
            ("dataframe_split", split | UnsetType, UNSET),
        ]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Typed", [*forms, *beside], forbid_unknown_fields=True))

    def read(self, body: bytes) -> Body | None:
        """The body, or None when it does not fit, whatever the reason."""
        try:
            found: Any = self._decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        records, split = found.dataframe_records, found.dataframe_split
        if split is UNSET and records is not UNSET:
            form, rows = "dataframe_records", records
        elif records is UNSET and split is not UNSET and split.columns == self._names:
            form, rows = "dataframe_split", split.data
        else:
            return None
        return Body(form, self._columns(rows), len(rows), found.event_time, found.reference, found.params)

    def _columns(self, rows: list[Any]) -> Columns:
        if len(rows) == 1:
            return {name: [value] for name, value in zip(self._names, _tuple(rows[0]), strict=True)}
        return dict(zip(self._names, map(list, zip(*map(_tuple, rows), strict=True)), strict=False))


_tuple = msgspec.structs.astuple


def reader_of(columns: tuple[InputColumn, ...]) -> Reader | None:
    """The reader of a signature; None for one that has none: without columns, with a date, or a name twice."""
    names = [column.name for column in columns]
    if not names or len(set(names)) < len(names) or any(column.type not in TYPES for column in columns):
        return None
    return Reader(columns)


def _row(columns: tuple[InputColumn, ...], *, array_like: bool) -> type[msgspec.Struct]:
    """A row as an object by name, or as a list in the signature's order, which then has no optional values left out."""
    fields: list[Any] = []
    for place, column in enumerate(columns):
        of_type = TYPES[column.type]
        if column.required:
            fields.append((f"c{place}", of_type))
        elif array_like:
            fields.append((f"c{place}", of_type | None))
        else:
            fields.append((f"c{place}", of_type | None, None))
    return msgspec.defstruct(
        "Row",
        fields,
        rename={f"c{place}": column.name for place, column in enumerate(columns)},
        kw_only=not array_like,
        array_like=array_like,
        forbid_unknown_fields=True,
        gc=False,
    )
