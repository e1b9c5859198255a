"""How near estimates without outcomes come to the truth: `python -m benchmarks.estimating`.

The data are people of Massachusetts in the American Community Survey, in 2015 with outcomes (are they employed?), and
of 2016 to 2018, whose outcomes are kept back: 104 chunks of 2,000. They stand in the wheel of nannyml 0.13.1, of which
only the files are read: `TENURE_NANNYML_WHEEL` names it, else pip fetches it into a temporary folder. Beside Tenure's
two ways stand two that need no method: what was true of 2015, and believing the scores. The floor is what the best
estimate would still be off by: outcomes are drawn by chance, and a chunk has 2,000.

A second table is the opposite: flights from New York in 2013, whose delays come and go with the season while the scores
of a model of January and February rank as well as ever. Chances learnt before are then wrong, and no method that knows
no outcomes can see it. What must happen is that past estimates are found to have missed, and none is told any more.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq

from benchmarks.experiments import Grid, show
from tenure.demo import recipe
from tenure.demo.flights import load as load_flights
from tenure.monitor import estimating, judging
from tenure.monitor.estimate_records import record_of
from tenure.monitor.estimates import REFERENCE_ROWS, REFERENCE_WINDOWS
from tenure.monitor.estimating import Known
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Rows
from tenure.records.base import DAY_US
from tenure.records.estimates import Estimation
from tenure.records.windows import Window
from tenure.sdk.baselines import profile_of
from tenure.stats import accuracy, estimation
from tenure.stats.boosting import coded
from tenure.stats.calibration import cells_of_rows
from tenure.stats.estimation import Estimate, scored
from tenure.stats.shift import density_ratio

WHEEL = "nannyml==0.13.1"
INSIDE = "nannyml/datasets/data/employment_MA_{}.pq"
NOT_FEATURES = ("id", "employed", "year", "prediction", "predicted_probability")
CHUNK = 2_000
SHOWN = ("accuracy", "roc_auc", "f1")
Floats = np.ndarray[Any, np.dtype[np.float64]]


class People(NamedTuple):
    codes: Any
    score: Floats
    y: Floats

    def part(self, rows: Any) -> People:
        return People(self.codes[rows], self.score[rows], self.y[rows])


def people() -> tuple[People, People]:
    """Those of 2015 and those after, in the order of the file."""
    with tempfile.TemporaryDirectory() as folder:
        files = zipfile.ZipFile(_wheel(Path(folder)))
        read = [pq.read_table(io.BytesIO(files.read(INSIDE.format(name)))) for name in ("reference", "analysis")]
        truth = pq.read_table(io.BytesIO(files.read(INSIDE.format("analysis_target"))))
    outcomes = [read[0].column("employed"), truth.column("employed")]
    assert read[1].column("id").equals(truth.column("id"))
    names = [name for name in read[0].column_names if name not in NOT_FEATURES]
    columns = [{name: _values(table.column(name)) for name in names} for table in read]
    return tuple(
        People(codes, table.column("predicted_probability").to_numpy(), y.to_numpy().astype(np.float64))
        for codes, table, y in zip(coded(columns, names), read, outcomes, strict=True)
    )


def _values(column: Any) -> Any:
    return column.to_numpy() if str(column.type) == "double" else np.array(column.to_pylist(), dtype=object)


def _wheel(folder: Path) -> Path:
    given = os.environ.get("TENURE_NANNYML_WHEEL")
    if given:
        return Path(given)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL], check=True
    )
    return next(folder.glob("*.whl"))


def truth_of(chunk: People) -> dict[str, float]:
    said, yes = chunk.score >= 0.5, chunk.y == 1
    return {
        "accuracy": float(np.mean(said == yes)),
        "roc_auc": accuracy.roc_auc(chunk.y, chunk.score) or 0.0,
        "f1": float(2 * np.sum(said & yes) / (np.sum(said) + np.sum(yes))),
    }


def ways(known: People, chunk: People, seed: int) -> dict[str, Mapping[str, Estimate]]:
    """What each way says of a chunk without looking at its outcomes."""
    rng = np.random.default_rng(seed)
    rows = scored(chunk.score, chunk.score >= 0.5)
    weight = density_ratio(known.codes, chunk.codes, rng=rng).weight
    believed = cells_of_rows(np.repeat(chunk.score, 2), np.tile([0.0, 1.0], len(chunk.y)), _both(chunk.score))
    return {
        "what was true of 2015": {name: Estimate(value, None, None) for name, value in truth_of(known).items()},
        "scores believed": estimation.estimates(believed, rows, rng=rng),
        "calibrated (CBPE)": estimation.estimates(cells_of_rows(known.score, known.y), rows, rng=rng),
        "calibrated and weighted": estimation.estimates(cells_of_rows(known.score, known.y, weight), rows, rng=rng),
    }


def _both(score: Floats) -> Floats:
    """Weights of a no and a yes at each score, as if the score were the share of yeses."""
    return np.column_stack([1 - score, score]).ravel()


def grids() -> Iterator[Grid]:
    yield of_people()
    yield of_flights()


def of_people() -> Grid:
    known, later = people()
    errors: dict[str, dict[str, list[float]]] = {}
    held: dict[str, dict[str, list[bool]]] = {}
    floor: dict[str, list[float]] = {name: [] for name in SHOWN}
    chunks = len(later.y) // CHUNK
    for number in range(chunks):
        chunk = later.part(slice(number * CHUNK, (number + 1) * CHUNK))
        truth = truth_of(chunk)
        told = ways(known, chunk, number)
        for way, of in told.items():
            for name in SHOWN:
                one = of[name]
                assert one.value is not None
                errors.setdefault(way, {}).setdefault(name, []).append(abs(one.value - truth[name]))
                if one.low is not None and one.high is not None:
                    held.setdefault(way, {}).setdefault(name, []).append(one.low <= truth[name] <= one.high)
        for name in SHOWN:
            floor[name].append(_spread(told["calibrated and weighted"][name]))
    rows = []
    for way, of_metric in errors.items():
        shares = " · ".join(f"{np.mean(held[way][name]):.0%}" for name in SHOWN) if way in held else "–"
        rows.append((way, *(f"{np.mean(of_metric[name]):.4f}" for name in SHOWN), shares))
    rows.append(("floor of chance", *(f"{np.mean(floor[name]):.4f}" for name in SHOWN), ""))
    return Grid(
        "People of Massachusetts: are they employed?",
        ("", "accuracy", "ROC AUC", "F1", "95 % interval held accuracy · ROC AUC · F1"),
        rows,
        f"Mean absolute error against what came true, {chunks} chunks of {CHUNK:,} people, {len(known.y):,} with known "
        "outcomes.",
    )


class Week(NamedTuple):
    """A week of flights: what was said of it before its outcomes, and whether that was told at all."""

    start_at: int
    told: Estimation


def flights(sample: int | None = None, windows: bool = True) -> list[Week]:
    """The weeks of March to December as the monitor judges them; `windows`: earlier weeks are the reference too."""
    table = load_flights(sample).table
    table = table[table["late"].notna()].assign(y=lambda rows: rows["late"])
    months = table["month"]
    trained = table[months <= 2]
    model = recipe.fit(trained[::2], {"features": recipe.FEATURES})
    table = table.assign(score=model.predict_proba(table)[:, 1])
    held = table[months <= 2][1::2]
    baseline = profile_of(held[recipe.FEATURES], held["y"].to_numpy(), held["score"].to_numpy())
    table = table[months > 2]
    start = int(table["departs_at"].min()) // DAY_US * DAY_US
    week = (table["departs_at"].to_numpy() - start) // (7 * DAY_US)
    found: list[Week] = []
    judged: list[Window] = []
    for number in range(int(week.max())):
        what = _week(table[week == number], start + number * 7 * DAY_US)
        recent = table[(week < number) & (week >= number - REFERENCE_WINDOWS)][-REFERENCE_ROWS:]
        known = Known(_week(recent, 0).rows, start) if windows and number else None
        refuted = {one.metric for one in record_of(judged) if one.refuted}
        told = estimating.with_truth(estimating.estimate(what, known, baseline, refuted), what)
        found.append(Week(what.start_at, told))
        judged.append(msgspec.structs.replace(judging.judge(what, None, None), estimated=told))
    return found


def _week(table: Any, start_at: int) -> Judgeable:
    n = len(table)
    text = np.full(n, "flight-delay", dtype=object)
    rows = Rows(
        prediction_id=np.arange(n).astype(str).astype(object),
        event_at=table["departs_at"].to_numpy(),
        model=text,
        version=np.ones(n, np.int64),
        role=text,
        score=table["score"].to_numpy(),
        y=table["y"].to_numpy(),
        latency_us=np.full(n, -1),
        columns={name: table[name].to_numpy() for name in recipe.FEATURES},
    )
    return Judgeable(
        "flights", "flight-delay", 1, "champion", start_at, start_at + 7 * DAY_US, rows, rows.score >= 0.25
    )


def of_flights() -> Grid:
    rows = []
    for name, windows in (("the baseline alone", False), ("earlier weeks, weighted", True)):
        weeks = flights(windows=windows)
        shares = [f"{share_held(weeks, metric):.0%}" for metric in ("event_rate", "roc_auc")]
        silent = [number for number, week in enumerate(weeks, start=1) if not is_told(week)]
        rows.append((name, str(len(weeks)), *shares, str(silent[0]) if silent else "never", str(len(silent))))
    return Grid(
        "Flights, whose rate of delays moves",
        ("reference", "weeks", "event rate within", "AUC within", "first week without an estimate", "weeks without"),
        rows,
        "Within: the share of weeks in which the 95 % interval held what came true.",
    )


def share_held(weeks: list[Week], metric: str) -> float:
    held = [one.held for week in weeks for one in week.told.estimates if one.metric == metric and one.held is not None]
    return float(np.mean(held))


def is_told(week: Week) -> bool:
    """Whether any estimate of how often flights are late was told."""
    return any(one.metric == "event_rate" and not one.reason for one in week.told.estimates)


def _spread(one: Estimate) -> float:
    """The mean absolute deviation of a normal law whose 95 % interval this is."""
    assert one.low is not None
    assert one.high is not None
    return (one.high - one.low) / 2 / 1.959964 * float(np.sqrt(2 / np.pi))


def main() -> None:
    for grid in grids():
        show(grid)


if __name__ == "__main__":
    main()
