"""What provenance adds to starting a run: `python -m benchmarks.provenance`.

A script in a git repository of 2,000 files, 10 of them changed, loads numpy, scipy, pandas, scikit-learn and pyarrow,
and asks MLflow for a run's tags, as `start_run` does: with TENURE_PROVENANCE=on and off, each in processes of their
own. The median of some processes; the first call of a process and the later ones apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROCESSES = 5
FILES = 2000
SCRIPT = """
import json, time
import numpy, pandas, pyarrow, scipy.linalg, sklearn.ensemble
from mlflow.tracking.context import registry
took = []
for _ in range(21):
    began = time.perf_counter()
    tags = registry.resolve_tags()
    took.append((time.perf_counter() - began) * 1000)
print(json.dumps({"took_ms": took, "tags": len(tags), "characters": sum(map(len, tags.values()))}))
"""


def make_project(folder: Path) -> None:
    """A repository with a script, many files and some changes."""
    for number in range(FILES):
        file = folder / f"package_{number % 50}" / f"module_{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"NUMBER = {number}\n" * 50)
    (folder / "train.py").write_text(SCRIPT)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    for number in range(10):
        (folder / f"package_{number}" / f"module_{number}.py").write_text("changed\n")


def asked(folder: Path, wanted: str) -> dict[str, list[float]]:
    """Milliseconds of the first call and of the median later one, for each process."""
    told: dict[str, list[float]] = {"first": [], "later": [], "tags": [], "characters": []}
    for _ in range(PROCESSES):
        done = subprocess.run(
            [sys.executable, "train.py"],
            cwd=folder,
            check=True,
            capture_output=True,
            env={**os.environ, "TENURE_PROVENANCE": wanted, "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        printed = json.loads(done.stdout)
        told["first"].append(printed["took_ms"][0])
        told["later"].append(statistics.median(printed["took_ms"][1:]))
        told["tags"].append(printed["tags"])
        told["characters"].append(printed["characters"])
    return told


def main() -> None:
    table = Table(title="MLflow's tags of a run, milliseconds")
    for name in ("", "first call", "later calls", "tags", "characters"):
        table.add_column(name, justify="left" if not name else "right")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_project(folder)
        for wanted in ("off", "on"):
            told = asked(folder, wanted)
            medians = [statistics.median(told[part]) for part in ("first", "later", "tags", "characters")]
            table.add_row(
                f"provenance {wanted}", *(f"{value:,.1f}" for value in medians[:2]), *(f"{v:,.0f}" for v in medians[2:])
            )
    Console().print(table)


if __name__ == "__main__":
    main()
