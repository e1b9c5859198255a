"""Run every benchmark, one process each, so that none warms up another."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "startup",
    "starting",
    "tracking",
    "searching",
    "growth",
    "artifacts",
    "provenance",
    "scoring",
    "peers",
    "swapping",
    "watching",
    "soak",
    "blocks",
    "admission",
    "outcomes",
    "late_outcomes",
    "batch",
    "profiling",
    "detectors",
    "streams",
    "estimating",
    "comparing",
    "false_alarms",
    "references",
    "auditing",
    "access",
    "gates",
    "lineage",
)


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    failed = [name for name in wanted if subprocess.call([sys.executable, "-m", f"benchmarks.{name}"])]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
