"""What a process does not need at its start, it does not load: start-up and memory are promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HEAVY = ("numpy", "scipy", "pyarrow", "duckdb", "altair", "pandas", "mlflow", "sklearn", "botocore", "httpx")
CONTROL = """
import os, sys
from tenure import app
from tenure.settings import Settings
settings = Settings(data=sys.argv[1])
ground = app.open_ground(settings)
gate = app.open_gate(settings, ground)
failures = []
app.control_app(ground, gate, failures.append)
app._api_and_pages(ground, gate)
assert not failures, failures
"""


def loaded(code: str, folder: Path) -> list[str]:
    code += f"\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    return list(ast.literal_eval(ended.stdout))


def test_control_starts_without_numbers_charts_or_frameworks(tmp_path: Path) -> None:
    assert loaded(CONTROL, tmp_path) == []


PREVIEW = """
import sys
from tenure.store.artifacts import ArtifactStore
from tenure.web import parquet, previews
shown = previews.preview(ArtifactStore(sys.argv[1]), "rows.parquet")
parquet.reader.close()
assert shown.rows == [["1"]], shown
"""


def test_a_preview_of_parquet_does_not_load_what_reads_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "rows.parquet")
    assert loaded(PREVIEW, tmp_path) == []
