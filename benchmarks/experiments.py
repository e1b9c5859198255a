"""The experiments that stand behind published figures: `python -m benchmarks.experiments [name …]`.

Each writes its piece of `docs/experiments/`, with the command that made it, and `docs/experiments.md` lists all of
them. Figures depend on the machine where they are times; where they are counts they come from a seed.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

DOCS = Path(__file__).parent.parent / "docs"
FOLDER = DOCS / "experiments"


@dataclass(frozen=True)
class Grid:
    """A table of an experiment: texts, and what a reader must know to read them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    legend: str = ""


@dataclass(frozen=True)
class Experiment:
    """`module` has `grids()`, which yields its tables. `title` and `claim` stand above them; `is_timed` when they are
    about time."""

    name: str
    module: str
    title: str
    claim: str
    is_timed: bool = False


REGISTRY = (
    Experiment(
        "detectors",
        "benchmarks.detectors",
        "Detectors of harm at equal false alarms",
        "At about the same measured number of false alarms, an e-detector that knows the usual error rate, from 20,000 "
        "rows or exactly, misses fewer rises of it than ADWIN, Page–Hinkley, HDDM and KSWIN of river 0.26, and finds "
        "those to 0.15 and 0.20 earlier. With 5,000 rows it is as early, but of the smallest rise the slower "
        "Page–Hinkley misses a little fewer. It is told the usual rate, as a validated model tells it; those of river "
        "learn it by themselves, which is harder.",
    ),
    Experiment(
        "streams",
        "benchmarks.streams",
        "Detectors of harm on streams with planted changes, and on a year of flights",
        "A model is trained, then frozen; its errors are watched. Beside the detectors stands one that always fires.",
    ),
    Experiment(
        "false_alarms",
        "benchmarks.false_alarms",
        "False alarms of the drift statistics",
        "Where nothing changed, a p-value of 5 % comes in 3.9 to 5.9 % of the windows, whatever their size and the "
        "kind of column, in ten bins as in twenty. Of a hundred features no larger share is called by mistake than was "
        "said.",
    ),
    Experiment(
        "references",
        "benchmarks.references",
        "Every statistic beside another's",
        "Distances, tests, intervals and measures of accuracy equal those of scipy and scikit-learn to nine digits on "
        "hundreds of inputs. Where one is different on purpose, a simulation says which is right.",
    ),
    Experiment(
        "estimating",
        "benchmarks.estimating",
        "Accuracy before the outcomes are known",
        "Calibrated and weighted by how much likelier each kind of row has become, scores tell the accuracy of people "
        "whose outcomes nobody knows yet almost as well as chance allows. Where the outcomes themselves come to depend "
        "on something else, no such estimate is right, and it is told no longer.",
    ),
    Experiment(
        "peers",
        "benchmarks.peers",
        "One row, one answer: beside other servers",
        "With its compiled form and every answer journaled, Tenure answers a random forest in a pipeline more than "
        "forty times as often as any other server with the same pickled pipeline, and a logistic regression more than "
        "twenty times.",
        is_timed=True,
    ),
    Experiment(
        "comparing",
        "benchmarks.comparing",
        "A table against its reference",
        "PSI, Kolmogorov–Smirnov and χ² of fifty columns of a million rows take a second with the reading of the file, "
        "and memory does not grow with the rows.",
        is_timed=True,
    ),
    Experiment(
        "profiling",
        "benchmarks.profiling",
        "How fast columns are counted",
        "A hundred million numbers a second are counted by one core into exact histograms that merge by addition, "
        "missing values, extremes and sums included; a bare sort and look-up of the bins takes half of that time, a "
        "binary search for each value five times as much.",
        is_timed=True,
    ),
    Experiment(
        "watching",
        "benchmarks.watching",
        "What monitoring costs scoring",
        "Every answer is journaled, taken into the lake and judged, on the same two processors that answer and ask; "
        "scoring loses less than a twentieth to it.",
        is_timed=True,
    ),
    Experiment(
        "late_outcomes",
        "benchmarks.late_outcomes",
        "Outcomes that come late",
        "A million outcomes find their predictions among a hundred million within a minute, in two gigabytes.",
        is_timed=True,
    ),
)


def show(grid: Grid) -> None:
    """Print a table."""
    table = Table(*grid.columns, title=grid.title)
    for row in grid.rows:
        table.add_row(*row)
    console = Console(width=max(Console().width, 150))
    console.print(table)
    if grid.legend:
        console.print(grid.legend)


def markdown(grids: Iterable[Grid]) -> str:
    """Tables as Markdown."""
    parts = []
    for grid in grids:
        lines = [grid.columns, ["---"] * len(grid.columns), *grid.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        parts.append(f"## {grid.title}\n\n{table}\n\n{grid.legend}".strip())
    return "\n\n".join(parts)


def run(experiment: Experiment) -> None:
    """Run one experiment, print its tables and write its page."""
    grids = []
    for grid in importlib.import_module(experiment.module).grids():
        show(grid)
        grids.append(grid)
    FOLDER.mkdir(exist_ok=True)
    head = f"# {experiment.title}\n\n{experiment.claim}\n\n"
    again = "times are that machine's, ratios less so" if experiment.is_timed else "it makes the same figures again"
    made = f"Made by `python -m benchmarks.experiments {experiment.name}` on {_machine()}; {again}.\n"
    (FOLDER / f"{experiment.name}.md").write_text(f"{head}{made}\n{markdown(grids)}\n")


def write_index() -> None:
    """The page that lists every experiment that has been run."""
    listed = [
        f"- [{one.title}](experiments/{one.name}.md): {one.claim}"
        for one in REGISTRY
        if (FOLDER / f"{one.name}.md").exists()
    ]
    head = (
        "# Experiments\n\nThe figures behind what Tenure claims, each made again by one command: "
        "`python -m benchmarks.experiments NAME`, or all of them without a name.\n\n"
    )
    (DOCS / "experiments.md").write_text(head + "\n".join(listed) + "\n")


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()})"


def main() -> None:
    wanted = sys.argv[1:] or [one.name for one in REGISTRY]
    known = {one.name: one for one in REGISTRY}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"There is no experiment {unknown[0]!r}. There are {', '.join(known)}.")
    for name in wanted:
        run(known[name])
    write_index()


if __name__ == "__main__":
    main()
