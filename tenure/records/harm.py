"""Detectors of harm as they stand: one for each endpoint, version and loss that is watched."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

DetectorName = Literal["brier", "error", "absolute_error", "value"]
DetectorState = Literal["learning", "watching", "firing", "cooldown"]
Rival = Literal["adwin", "page-hinkley"]


class Reference(Record):
    """What a loss is held against, on the scale of 0–1 on which it is watched.

    `mu0`: the greatest mean loss that is no harm, `bound` (the upper 97.5 % bound of `mean`) and the tolerance.
    `low` and `high`: what 0 and 1 stand for in the unit of the loss; for value, 0 is the best.
    `deviation` is that of a row. `source`: the version's baseline, or the first outcomes that came, the weaker one.
    """

    source: Literal["baseline", "first outcomes"]
    rows: int
    mean: float
    deviation: float
    bound: float
    mu0: float
    low: float = 0.0
    high: float = 1.0


class Paid(Record):
    """Sums over the rows until a bet has last begun to pay, when that was, and the logarithm of what it won since."""

    gain: float
    rows: int
    total: float
    squares: float
    at: int = 0


class Memory(Record):
    """What a detector must remember to go on as if all rows had come in one go."""

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    m: list[float] = []
    since: list[Paid] = []


class Alarm(Record):
    """An alarm: at which event time, since when the loss was probably higher, by how much, on how many rows.

    Losses are in their own unit, those of value as value. The interval (95 %) leans to the worse side: it was looked
    at because it was bad.
    """

    at: int
    began_at: int
    rows: int
    mean: float
    low: float
    high: float
    reference: float
    statistic: float
    threshold: float


class Point(Record):
    """The greatest statistic of some rows and the threshold of an alarm, as decimal logarithms, at an event time."""

    at: int
    statistic: float
    threshold: float


class Together(Record):
    """How much rows of one day (of one hour, in windows of a day or two) share their luck, gathered over windows.

    `between` over `alone` is the design effect: so many rows tell as much as one that is independent of the others.
    """

    between: float = 0.0
    alone: float = 0.0


class Compared(Record):
    """When another detector raised an alarm on the latest windows, for comparison; `problem`: why it cannot be told."""

    detector: Rival
    alarms_at: list[int] = []
    rows: int = 0
    problem: str | None = None


class Detector(Record):
    """A detector of one loss of one version at one endpoint. Instants are event time in microseconds.

    Rows are taken window by window, in the order of prediction, each once, when enough of the window's outcomes are
    known. `learning`: it has no reference yet. `firing`: an alarm stands until it is acknowledged; then it begins
    again, after the `cooldown` that ends at `quiet_until`. `run_length`: rows between false alarms on average, at
    least; the threshold. `passed_over`: predictions of windows whose outcomes never came.
    """

    endpoint: str
    model: str
    version: int
    detector: DetectorName
    state: DetectorState = "learning"
    consumed_until: int = 0
    first_at: int = 0
    outcomes: int = 0
    passed_over: int = 0
    run_length: float = 0.0
    reference: Reference | None = None
    alarm: Alarm | None = None
    quiet_until: int = 0
    restarts: int = 0
    memory: Memory = Memory()
    together: Together = Together()
    design_effect: float = 1.0
    points: list[Point] = []
    compared: list[Compared] = []
    held: list[float] = []
    held_at: list[int] = []
