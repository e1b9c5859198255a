"""Files of outcomes leave a command as they are, but Parquet as a stream of its rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.cli import outcomes
from tenure.errors import InvalidInput


def test_parquet_leaves_as_a_stream_of_its_rows(tmp_path: Path) -> None:
    table = pa.table({"reference": [str(row) for row in range(70_000)], "value": [1.0] * 70_000})
    pq.write_table(table, tmp_path / "told.parquet")
    content, pieces = outcomes.sent(tmp_path / "told.parquet")
    sent = list(pieces)
    assert content == "application/vnd.apache.arrow.stream"
    assert len(sent) == 4, "three batches and the end"
    assert pa.ipc.open_stream(b"".join(sent)).read_all().equals(table)


def test_other_files_leave_as_they_are_and_unknown_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "told.csv").write_text("reference,value\na,1\n")
    content, pieces = outcomes.sent(tmp_path / "told.csv")
    assert (content, b"".join(pieces)) == ("text/csv", b"reference,value\na,1\n")
    with pytest.raises(InvalidInput, match=r"\.arrows"):
        outcomes.sent(tmp_path / "told.xlsx")
    (tmp_path / "told.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match="as Parquet"):
        b"".join(outcomes.sent(tmp_path / "told.parquet")[1])
