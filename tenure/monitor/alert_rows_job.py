"""The process that reads the rows behind an alert: `python -m tenure.monitor.alert_rows_job`, an order on its input.

DuckDB is loaded here, not in the server: it opens files of the lake and of the target's folder, and nothing else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from tenure.records.alerts import RowsOrder, RowsWritten

MEMORY = "1GB"


def write(order: RowsOrder) -> RowsWritten:
    """Write what the query answers into the order's target, and count it."""
    import duckdb

    os.chdir(order.lake)
    target = str(Path(order.target).resolve())
    options = "FORMAT parquet, COMPRESSION zstd" if order.form == "parquet" else "FORMAT csv, HEADER"
    with duckdb.connect(":memory:") as base:
        base.execute(f"SET memory_limit = '{MEMORY}'; SET threads = 1; SET TimeZone = 'UTC'")
        base.execute("SET allowed_directories = [?, ?]", [order.lake, str(Path(target).parent)])
        base.execute("SET enable_external_access = false; SET lock_configuration = true")
        quoted = target.replace("'", "''")
        [[rows]] = base.execute(f"COPY ({order.sql}) TO '{quoted}' ({options})").fetchall()
    return RowsWritten(rows=rows)


def main() -> None:
    told = write(msgspec.json.decode(sys.stdin.buffer.read(), type=RowsOrder))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
