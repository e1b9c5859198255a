"""How early harm is found at equal false alarms: `python -m benchmarks.detectors` (needs the extra `compare`).

Errors come at a rate of 0.10 and from row 5,000 on at 0.12, 0.15 or 0.20. Each detector is first set, by simulation,
to raise one false alarm in 20,000 rows on average; then all see the same streams. A change counts as missed when no
alarm comes in the 5,000 rows after it. What alarms before the change do is their own: a detector goes on after them.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from benchmarks.experiments import Grid, show
from benchmarks.rivals import Floats, Rival, rivals

SCALE = float(os.environ.get("TENURE_BENCH_SCALE", "1"))
RUN_LENGTH = 20_000
RATE = 0.10
HARMS = (0.12, 0.15, 0.20)
LESS = 0.06
BEFORE, AFTER = 5_000, 5_000
NULL_ROWS = 20_000
STEPS = 4
WORKERS = int(os.environ.get("TENURE_BENCH_WORKERS", str(os.cpu_count() or 1)))


@dataclass(frozen=True)
class Set:
    """A detector at a setting, and the run length that was measured of it on streams that it was not set by."""

    rival: Rival
    knob: float
    run_length: float


def errors(rng: np.random.Generator, rate: float, rows: int) -> Floats:
    return (rng.random(rows) < rate).astype(np.float64)


def measured_run_length(rival: Rival, knob: float, seed: int) -> float:
    """Rows without a change for each alarm; infinite without one."""
    rng, earlier = np.random.default_rng(seed), np.random.default_rng(seed + 100)
    alarms = rows = 0
    for _ in range(max(int(rival.streams[1] * SCALE), 1)):
        reference, stream = errors(earlier, RATE, rival.reference), errors(rng, RATE, NULL_ROWS)
        alarms += len(rival.alarms(reference, stream, knob))
        rows += len(stream)
    return rows / alarms if alarms else math.inf


def set_to(rival: Rival, run_length: float) -> Set:
    """The setting with a run length as near as can be: by halving between the bounds, on a logarithmic scale."""
    calm, eager = (math.log(bound) for bound in rival.bounds)
    tried: list[tuple[float, float]] = []
    for _ in range(STEPS):
        middle = (calm + eager) / 2
        seen = measured_run_length(rival, math.exp(middle), seed=1)
        tried.append((abs(math.log(seen / run_length)) if math.isfinite(seen) else math.inf, math.exp(middle)))
        calm, eager = (middle, eager) if seen > run_length else (calm, middle)
    knob = min(tried)[1]
    return Set(rival, knob, measured_run_length(rival, knob, seed=2))


def delays(rival: Rival, knob: float, rate: float) -> list[int | None]:
    """For each stream how many rows after the change the first alarm came; None when it was missed."""
    rng, earlier, found = np.random.default_rng(3), np.random.default_rng(103), []
    for _ in range(max(int(rival.streams[0] * SCALE), 1)):
        reference = errors(earlier, RATE, rival.reference)
        stream = np.concatenate((errors(rng, RATE, BEFORE), errors(rng, rate, AFTER)))
        later = [row for row in rival.alarms(reference, stream, knob) if row >= BEFORE]
        found.append(later[0] - BEFORE + 1 if later else None)
    return found


def _told(found: list[int | None]) -> str:
    there = [delay for delay in found if delay is not None]
    missed = len(found) - len(there)
    return f"{statistics.median(there):,.0f} · {missed / len(found):.0%}" if there else f"– · {missed / len(found):.0%}"


def _row(rival: Rival, knob: float, run_length: float) -> list[str]:
    harms = [_told(delays(rival, knob, rate)) for rate in HARMS]
    fewer = delays(rival, knob, LESS)
    less = sum(delay is not None for delay in fewer) / len(fewer)
    length = "none seen" if math.isinf(run_length) else f"{run_length:,.0f}"
    return [rival.name, rival.told, f"{knob:.3g}", length, *harms, f"{less:.0%}"]


def matched_row(name: str) -> list[str]:
    """A detector at one false alarm in 20,000 rows, as measured."""
    rival = _named(name)
    made = set_to(rival, RUN_LENGTH)
    return _row(rival, made.knob, made.run_length)


def row_as_it_comes(name: str) -> list[str]:
    """A detector with its authors' settings."""
    rival = _named(name)
    return _row(rival, rival.default, measured_run_length(rival, rival.default, seed=4))


def _named(name: str) -> Rival:
    return next(one for one in rivals() if f"{one.name} {one.told}" == name)


def _rows(made: Callable[[str], list[str]]) -> list[list[str]]:
    """A row for each detector, in processes of their own."""
    names = [f"{one.name} {one.told}" for one in rivals()]
    with ProcessPoolExecutor(WORKERS) as pool:
        return list(track(pool.map(made, names), total=len(names), description="detectors", transient=True))


COLUMNS = (
    "detector",
    "told before",
    "setting",
    "rows per false alarm",
    *(f"0.10 → {rate:.2f}" for rate in HARMS),
    f"alarms at 0.10 → {LESS:.2f}",
)
LEGEND = (
    "Median delay in rows of the changes that were found · share that was missed within "
    f"{AFTER:,} rows, on 100 streams each. Run lengths are measured on a million rows without a change, in 50 streams "
    "with references of their own. Of HDDM it is 50 streams and 600,000 rows, of KSWIN 25 and 240,000: they are slow. "
    "The last column: the share of streams with an alarm though errors became fewer."
)


def grids() -> Iterator[Grid]:
    yield Grid(f"Set to {RUN_LENGTH:,} rows per false alarm", COLUMNS, _rows(matched_row), LEGEND)
    kept = "Tenure's with a budget of one false alarm in 20,000 rows, river's with its own settings. "
    yield Grid("As they come", COLUMNS, _rows(row_as_it_comes), kept + LEGEND)


def main() -> None:
    for grid in grids():
        show(grid)


if __name__ == "__main__":
    main()
