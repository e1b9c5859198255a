"""Tables that somebody sends, as CSV or Parquet: read within limits, as columns of texts or numbers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tenure.errors import InvalidInput, TooLarge, UnsupportedType
from tenure.serving import parquet

if TYPE_CHECKING:
    import pyarrow as pa

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
MOST_ROWS = 2_000_000
Values = list[str | float | None]


def read(body: bytes, content_type: str, *, as_text: tuple[str, ...] = ()) -> dict[str, Values]:
    """Columns by name; numbers as floats, everything else as texts, None where nothing is.

    `as_text` names columns whose digits are names, such as a key: `007` stays `007`. Raises InvalidInput.
    """
    import pyarrow as pa

    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == CSV:
            table = _from_csv(body, as_text)
        elif kind == PARQUET:
            table = _from_parquet(body)
        else:
            raise UnsupportedType(f"The content type must be {CSV} or {PARQUET}. Got {kind!r}.", where="content-type")
        if table.num_rows > MOST_ROWS:
            raise TooLarge(f"A table may have at most {MOST_ROWS:,} rows. Got {table.num_rows:,}.")
        if len(set(table.column_names)) != table.num_columns:
            raise InvalidInput("Every column must have a name of its own. One comes twice.")
        return {name: _column(table.column(name), name in as_text) for name in table.column_names}
    except (pa.ArrowException, OSError, OverflowError) as problem:
        raise InvalidInput(f"The table cannot be read: {str(problem).splitlines()[0]}.") from None


def _from_csv(body: bytes, as_text: tuple[str, ...]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() for name in as_text}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return csv.read_csv(io.BytesIO(body), convert_options=options)


def _from_parquet(body: bytes) -> pa.Table:
    return parquet.flat(body, MOST_ROWS, parquet.MOST_UNPACKED)


def _column(column: pa.ChunkedArray, as_text: bool) -> Values:
    import pyarrow as pa

    kind = column.type
    if not as_text and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return [None if value is None else float(value) for value in column.to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]
