"""Detectors on streams with planted changes and on flights: `python -m benchmarks.streams` (extras `compare`, `demo`).

Each stream of river is taken as Tenure takes a model: one is trained on its first 5,000 rows, the next 5,000 are its
validation, and from there on its errors are watched: 5,000 rows as they were, then 5,000 after the change. Detectors
keep the settings that one false alarm in 20,000 rows was measured at (`benchmarks.detectors`), where `e-detector` is
Tenure's with its reference from the validation rows and the tolerance of 5 % that a model's file has by default.
"""

from __future__ import annotations

import functools
import itertools
import os
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.detectors import RUN_LENGTH
from benchmarks.experiments import Grid, show
from benchmarks.rivals import TOLERANCE, Floats, Rival, always, e_detector, rivals
from tenure.stats import detectors

SCALE = float(os.environ.get("TENURE_BENCH_SCALE", "1"))
TRAIN = VALIDATE = BEFORE = AFTER = 5_000
SEEDS = max(int(10 * SCALE), 2)
DUMMY_EVERY = 500
SHIPPED = "e-detector, as it comes"
MATCHED = {
    "e-detector": 5_620.0,
    "ADWIN": 0.274,
    "Page–Hinkley": 27.5,
    "HDDM_A": 0.0139,
    "HDDM_W": 0.0183,
    "KSWIN": 0.0742,
}
"""The settings that `benchmarks.detectors` found for one false alarm in 20,000 rows."""
Stream = Callable[[int], tuple[Any, Any]]
"""A seed to two endless streams of rows: before the change and after it."""


def sea(seed: int) -> tuple[Any, Any]:
    from river.datasets import synth

    return synth.SEA(variant=0, noise=0.1, seed=seed), synth.SEA(variant=3, noise=0.1, seed=seed + 1000)


def agrawal(seed: int) -> tuple[Any, Any]:
    from river.datasets import synth

    return (
        synth.Agrawal(classification_function=0, perturbation=0.05, seed=seed),
        synth.Agrawal(classification_function=2, perturbation=0.05, seed=seed + 1000),
    )


def led(seed: int) -> tuple[Any, Any]:
    from river.datasets import synth

    return (
        synth.LED(noise_percentage=0.1, irrelevant_features=True, seed=seed),
        synth.LEDDrift(noise_percentage=0.1, irrelevant_features=True, n_drift_features=1, seed=seed + 1000),
    )


def hyperplane(seed: int) -> tuple[Any, Any]:
    """The plane begins to turn: the error rises slowly."""
    from river.datasets import synth

    made = synth.Hyperplane(n_features=10, n_drift_features=0, noise_percentage=0.05, seed=seed)
    return made, synth.Hyperplane(n_features=10, n_drift_features=5, mag_change=0.003, noise_percentage=0.05, seed=seed)


STREAMS: dict[str, Stream] = {"SEA": sea, "Agrawal": agrawal, "LED": led, "Hyperplane": hyperplane}


@functools.cache
def errors_of(name: str, seed: int) -> tuple[Floats, Floats]:
    """Errors of a model that was trained and frozen: on its validation rows, and on the rows that are watched."""
    from sklearn.ensemble import RandomForestClassifier

    before, after = STREAMS[name](seed)
    first, y = _table(before, TRAIN + VALIDATE + BEFORE)
    then, y_then = _table(after, AFTER)
    model = RandomForestClassifier(50, min_samples_leaf=5, random_state=seed, n_jobs=1).fit(first[:TRAIN], y[:TRAIN])
    wrong = (model.predict(np.concatenate((first[TRAIN:], then))) != np.concatenate((y[TRAIN:], y_then))).astype(float)
    return wrong[:VALIDATE], wrong[VALIDATE:]


def _table(stream: Any, rows: int) -> tuple[Floats, Any]:
    taken = list(itertools.islice(stream, rows) if not hasattr(stream, "take") else stream.take(rows))
    return np.array([list(x.values()) for x, _ in taken], dtype=np.float64), np.array([int(y) for _, y in taken])


def watchers() -> list[tuple[Rival, float]]:
    """Every detector at its matched setting; Tenure's as it comes too; and the dummy."""
    shipped = Rival(SHIPPED, functools.partial(e_detector, tolerance=TOLERANCE), RUN_LENGTH, (1, 2), "")
    chosen = [one for one in rivals() if one.reference == VALIDATE or one.told == "nothing"]
    dummy = Rival("always fires", always, DUMMY_EVERY, (1, 2), "")
    return [
        (shipped, float(RUN_LENGTH)),
        *((one, MATCHED[one.name]) for one in chosen),
        (dummy, float(DUMMY_EVERY)),
    ]


def planted(found: list[tuple[Rival, float]]) -> Grid:
    """Streams whose change is known."""
    for name, seed in track(list(itertools.product(STREAMS, range(SEEDS))), description="streams", transient=True):
        errors_of(name, seed)
    rows = [
        [rival.name, *(_told(rival, knob, [errors_of(name, seed) for seed in range(SEEDS)]) for name in STREAMS)]
        for rival, knob in found
    ]
    columns = ["detector"]
    for name in STREAMS:
        made = [errors_of(name, seed)[1] for seed in range(SEEDS)]
        was, became = (np.mean([part.mean() for part in parts]) for parts in zip(*map(_halves, made), strict=True))
        columns.append(f"{name}, errors {was:.3f} → {became:.3f}")
    legend = (
        f"Median delay in rows of the changes that were found · share missed within {AFTER:,} rows · false alarms in "
        f"10,000 rows before the change, over {SEEDS} seeds. A random forest, frozen. Hyperplane turns slowly: its "
        f"errors are those of the 5,000 rows after the turn began. The last detector fires every {DUMMY_EVERY} rows."
    )
    return Grid("Planted changes", columns, rows, legend)


def _halves(errors: Floats) -> tuple[Floats, Floats]:
    return errors[:BEFORE], errors[BEFORE:]


def _told(rival: Rival, knob: float, streams: list[tuple[Floats, Floats]]) -> str:
    delays, false = [], 0
    for reference, stream in streams:
        alarms = rival.alarms(reference, stream, knob)
        false += sum(row < BEFORE for row in alarms)
        later = [row for row in alarms if row >= BEFORE]
        delays.append(later[0] - BEFORE + 1 if later else None)
    there = [delay for delay in delays if delay is not None]
    middle = f"{statistics.median(there):,.0f}" if there else "–"
    rate = false / (len(streams) * BEFORE) * 10_000
    return f"{middle} · {1 - len(there) / len(streams):.0%} · {rate:.1f}"


def flights(found: list[tuple[Rival, float]]) -> Grid:
    """The demo's model, trained on January and frozen; its Brier loss from February to December, flight by flight."""
    reference, days, loss, months, at = _flight_losses()
    effect = detectors.design_effect(reference, days)
    names = [datetime(2013, month, 1).strftime("%b") for month in range(2, 13)]
    rows = [["Brier loss", "", *(f"{loss[months == month].mean():.3f}" for month in range(2, 13))]]
    for rival, knob in found:
        more = {"tolerance": TOLERANCE, "design_effect": effect} if rival.name == SHIPPED else {}
        raised = functools.partial(e_detector, **more) if more else rival.alarms
        alarms = np.array(raised(reference, loss, knob), dtype=int)
        first = datetime.fromtimestamp(at[alarms[0]] / 1e6, UTC).strftime("%-d %b") if len(alarms) else "never"
        counts = [str(int((months[alarms] == month).sum())) for month in range(2, 13)]
        rows.append([rival.name, first, *counts])
    legend = (
        f"Alarms in each month on {len(loss):,} flights. The model promised a Brier loss of {reference.mean():.3f} on "
        f"the last week of January ({len(reference):,} flights), whose days share their luck: {effect:.0f} flights "
        f"tell as much as one alone. `{SHIPPED}` knows that, as a detector in service does; all others take flights as "
        "independent. No truth is known here. Tenure's detectors begin again after each alarm as if it were "
        "acknowledged at once, so while the loss is above what was promised they say so again and again; the others "
        "tell of changes. HDDM takes only errors of 0 and 1 and is left out, as is KSWIN, which is slow on numbers. "
        f"The last detector fires every {DUMMY_EVERY} rows."
    )
    return Grid("A year of flights", ["detector", "first alarm", *names], rows, legend)


def _flight_losses() -> tuple[Floats, Any, Floats, Any, Any]:
    from tenure.demo import recipe
    from tenure.demo.building import HOLDOUT_FROM_DAY
    from tenure.demo.flights import load

    table = load().table.dropna(subset=["late"]).rename(columns={"late": "y"})
    january = table[table["month"] == 1]
    model = recipe.fit(january[january["day"] < HOLDOUT_FROM_DAY], {"features": recipe.FEATURES})
    watched = table[table["day"] >= HOLDOUT_FROM_DAY]
    loss = (model.predict_proba(watched[recipe.FEATURES])[:, 1] - watched["y"].to_numpy()) ** 2
    held_out = (watched["month"] == 1).to_numpy()
    later = watched[~held_out]
    days = watched["day"].to_numpy()[held_out]
    return loss[held_out], days, loss[~held_out], later["month"].to_numpy(), later["departs_at"].to_numpy()


def grids() -> Iterator[Grid]:
    found = watchers()
    yield planted(found)
    yield flights([one for one in found if not one[0].name.startswith(("HDDM", "KSWIN"))])


def main() -> None:
    for grid in grids():
        show(grid)


if __name__ == "__main__":
    main()
