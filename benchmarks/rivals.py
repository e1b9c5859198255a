"""Detectors of change as functions from a stream of losses to the rows at which they raised an alarm.

Tenure's e-detector and those of river, each with one knob that makes it more or less eager, so that all can be set to
the same average run length. After an alarm every detector goes on as its authors meant it to: river's by themselves,
Tenure's from zero, as after an acknowledgement.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tenure.stats import detectors

Floats = npt.NDArray[np.float64]
Alarms = Callable[[Floats, Floats, float], list[int]]
"""A reference sample, a stream and the knob: the rows of the stream at which an alarm is raised."""
LOOK = 4_096
TOLERANCE = 0.05


@dataclass(frozen=True)
class Rival:
    """`default`: the knob as it comes; `bounds`: the least and the most eager setting that is tried.

    `told`: what it knows before the stream begins; `reference`: how many rows of it. `streams`: on how many it is
    tried, with a change and without, for one figure; fewer of the slow ones.
    """

    name: str
    alarms: Alarms
    default: float
    bounds: tuple[float, float]
    told: str
    reference: int = 1
    streams: tuple[int, int] = (100, 50)


def e_detector(
    reference: Floats, stream: Floats, run_length: float, *, tolerance: float = 0.0, design_effect: float = 1.0
) -> list[int]:
    """Tenure's, with `mu0` the upper bound of the reference's mean and so much of the mean beside it."""
    mu0 = detectors.risk_bound(reference, design_effect) + tolerance * float(reference.mean())
    return _e_alarms(stream, detectors.bets_on(mu0, float(reference.std()), design_effect), run_length)


def told_e_detector(_: Floats, stream: Floats, run_length: float, *, rate: float = 0.1) -> list[int]:
    """Tenure's, which is told the error rate without a change."""
    return _e_alarms(stream, detectors.bets_on(rate, (rate * (1 - rate)) ** 0.5), run_length)


def cusum(_: Floats, stream: Floats, threshold: float, *, before: float = 0.1, after: float = 0.15) -> list[int]:
    """Page's test, told both error rates: no detector of that one change can be earlier (Moustakides, 1986)."""
    up, down = float(np.log(after / before)), float(np.log((1 - after) / (1 - before)))
    statistic, found = 0.0, []
    for row, loss in enumerate(stream.tolist()):
        statistic = max(statistic, 0.0) + (up if loss else down)
        if statistic >= threshold:
            found.append(row)
            statistic = 0.0
    return found


def always(_: Floats, stream: Floats, every: float) -> list[int]:
    """The dummy: an alarm every so many rows, whatever happens."""
    return list(range(int(every) - 1, len(stream), int(every)))


def _e_alarms(stream: Floats, bets: detectors.Bets, run_length: float) -> list[int]:
    found, start, track = [], 0, detectors.Track()
    while start < len(stream):
        part = stream[start : start + LOOK]
        after, m = detectors.follow(track, part, bets)
        over = np.flatnonzero(m >= run_length)
        if len(over):
            found.append(start + int(over[0]))
            start, track = found[-1] + 1, detectors.Track()
        else:
            start, track = start + len(part), after
    return found


def _river(make: Callable[[float], Any]) -> Alarms:
    def alarms(_: Floats, stream: Floats, knob: float) -> list[int]:
        detector, found = make(knob), []
        for row, loss in enumerate(stream.tolist()):
            detector.update(loss)
            if detector.drift_detected:
                found.append(row)
        return found

    return alarms


def _adwin(knob: float) -> Any:
    from river import drift

    return drift.ADWIN(delta=knob)


def _page_hinkley(knob: float) -> Any:
    from river import drift

    return drift.PageHinkley(threshold=knob, mode="up")


def _hddm_a(knob: float) -> Any:
    from river.drift import binary

    return binary.HDDMA(drift_confidence=knob, warning_confidence=min(knob * 5, 0.999_999))


def _hddm_w(knob: float) -> Any:
    from river.drift import binary

    return binary.HDDMW(drift_confidence=knob, warning_confidence=min(knob * 5, 0.999_999))


def _kswin(knob: float) -> Any:
    from river import drift

    _remembered_ks()
    return drift.KSWIN(alpha=knob, seed=1)


@functools.cache
def _remembered_ks() -> None:
    """Have KSWIN keep the tests it has made: of 30 and 30 zeros and ones there are only 961. All are scipy's."""
    module: Any = sys.modules["river.drift.kswin"]
    test = module.stats.ks_2samp

    @functools.cache
    def of_counts(ones: int, n: int, others: int, m: int, method: str) -> Any:
        return test([0] * (n - ones) + [1] * ones, [0] * (m - others) + [1] * others, method=method)

    class Stats:
        @staticmethod
        def ks_2samp(first: Any, second: Any, method: str = "auto") -> Any:
            a, b = list(first), list(second)
            if set(a) | set(b) <= {0, 1}:
                return of_counts(int(sum(a)), len(a), int(sum(b)), len(b), method)
            return test(a, b, method=method)

    module.stats = Stats


def rivals() -> Iterator[Rival]:
    """All that are compared; a greater knob is not always the more eager one."""
    yield Rival("e-detector, told the rate", told_e_detector, 20_000, (1e5, 2e3), "the error rate")
    for rows in (20_000, 5_000):
        yield Rival("e-detector", e_detector, 20_000, (1e5, 1e3), f"{rows:,} rows before", reference=rows)
    yield Rival("ADWIN", _river(_adwin), 0.002, (0.05, 1.5), "nothing")
    yield Rival("Page–Hinkley", _river(_page_hinkley), 50, (60, 15), "nothing")
    yield Rival("HDDM_A", _river(_hddm_a), 0.001, (0.003, 0.1), "nothing", streams=(50, 30))
    yield Rival("HDDM_W", _river(_hddm_w), 0.001, (0.005, 0.05), "nothing", streams=(50, 30))
    yield Rival("CUSUM, told 0.10 and 0.15", cusum, 5.3, (6.5, 4), "both rates")
    yield Rival("KSWIN", _river(_kswin), 0.005, (0.03, 0.15), "nothing", streams=(25, 12))
