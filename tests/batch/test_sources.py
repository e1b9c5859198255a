"""Where rows come from: read piece by piece, so that memory does not grow with the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tenure.batch import sources

GROUPS, ROWS = 24, 100_000


def test_what_was_read_does_not_stay_in_memory(tmp_path: Path) -> None:
    file, random = tmp_path / "in.parquet", np.random.default_rng(1)
    with pq.ParquetWriter(file, pa.schema({"x": pa.float64(), "y": pa.float64()}), use_dictionary=False) as writer:
        for _ in range(GROUPS):
            writer.write_table(pa.table({name: random.normal(size=ROWS) for name in "xy"}))
    source = sources.open_files(file)
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for table in source.chunks(["x", "y"], 0):
        rows += table.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == GROUPS * ROWS
    assert most < file.stat().st_size / 4
