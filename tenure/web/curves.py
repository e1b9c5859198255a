"""Metrics over time as charts need them: read, smoothed, and thinned to what can be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from tenure.errors import InvalidInput
from tenure.records.base import Record
from tenure.store import metrics
from tenure.store.database import Transaction
from tenure.web.chart_data import Curve, Curves

if TYPE_CHECKING:
    from tenure.stats.columns import Numbers

Across = Literal["step", "relative", "wall"]
ACROSS = {"step": "Step", "relative": "Time since the first point", "wall": "Time of day"}
SMOOTHINGS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
POINTS_OF_A_RUN = 400
POINTS_OF_ALL = 16_000
LEAST_POINTS = 40
MOST_READ = 2_000_000
UNITS = ((172_800_000, 86_400_000, "days"), (7_200_000, 3_600_000, "hours"), (120_000, 60_000, "minutes"))


class View(Record):
    """How curves are to be shown, by URL: what runs across, whether the scale is logarithmic, how much is smoothed."""

    x: Across = "step"
    log: bool = False
    smooth: float = 0.0

    @property
    def query(self) -> dict[str, Any]:
        """What a URL says of it; what is as always is left out."""
        return {
            "x": "" if self.x == "step" else self.x,
            "log": "true" if self.log else "",
            "smooth": self.smooth or "",
        }


def view_of(x: str, log: bool, smooth: float) -> View:
    """The view of a URL. Raises InvalidInput for one that cannot be."""
    if x not in ACROSS:
        raise InvalidInput(f"What runs across must be one of {', '.join(ACROSS)}. Got {x[:50]!r}.", where="x")
    if not 0 <= smooth < 1:
        raise InvalidInput(f"The smoothing must be at least 0 and below 1. Got {smooth}. Write 0.9.", where="smooth")
    return View(x=cast(Across, x), log=log, smooth=smooth)


class _Series(NamedTuple):
    step: Numbers
    timestamp: Numbers
    value: Numbers


def curves_of(tx: Transaction, runs: Sequence[tuple[str, str]], metric: str, view: View) -> Curves:
    """One metric of runs (id and name). Runs without it are left out.

    Of each run at most `POINTS_OF_A_RUN` points are kept, of many runs fewer: the first, the last, and the least and
    the greatest of each stretch.
    """
    most = max(min(POINTS_OF_A_RUN, POINTS_OF_ALL // max(len(runs), 1)), LEAST_POINTS)
    read = [(name, _read(tx, run_id, metric)) for run_id, name in runs]
    there = [(name, series) for name, series in read if len(series.value)]
    spans = [series.timestamp.max() - series.timestamp.min() for _, series in there]
    size, unit = _unit(float(max(spans, default=0.0)), view.x)
    names = distinct([name for name, _ in there])
    found = [_curve(name, series, view, size, most) for name, (_, series) in zip(names, there, strict=True)]
    return Curves(metric=metric, curves=found, unit=unit, log=view.log)


def distinct(names: Sequence[str]) -> list[str]:
    """Names of runs, cut to a length, each different: those that come twice are numbered.

    >>> distinct(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        short = name if len(name) <= 40 else f"{name[:39]}…"
        seen[short] += 1
        told.append(short if seen[short] == 1 else f"{short} ({seen[short]})")
    return told


def _read(tx: Transaction, run_id: str, metric: str) -> _Series:
    import numpy as np  # a server that nobody asks for curves starts without it

    parts = [
        np.fromiter(chain.from_iterable(rows), np.float64, 3 * len(rows))
        for rows in metrics.points(tx, run_id, metric, MOST_READ)
    ]
    table = np.concatenate(parts).reshape(-1, 3) if parts else np.empty((0, 3))
    return _Series(table[:, 0], table[:, 1], table[:, 2])


def _curve(name: str, series: _Series, view: View, size: float, most: int) -> Curve:
    """A run's curve. What cannot be drawn (NaN, an infinity, on a logarithmic scale also 0 and less) leaves a gap."""
    import numpy as np

    from tenure.stats.curves import smoothed

    if view.x != "step":
        series = _Series(*(column[np.argsort(series.timestamp, kind="stable")] for column in series))
    value = np.where(np.isfinite(series.value), series.value, np.nan)
    across = series.step
    if view.x != "step":
        across = (series.timestamp - (series.timestamp[0] if view.x == "relative" else 0)) / size
    told = smoothed(value, view.smooth) if view.smooth else value
    x, y = _thin(across, told, view.log, most)
    faint_x, faint_y = _thin(across, value, view.log, most) if view.smooth else ([], [])
    finite = value[np.isfinite(value)]
    last = float(finite[-1]) if len(finite) else None
    return Curve(run=name, x=x, y=y, faint_x=faint_x, faint_y=faint_y, last=last)


def _thin(across: Numbers, value: Numbers, log: bool, most: int) -> tuple[list[float], list[float | None]]:
    import numpy as np

    from tenure.stats.curves import thinned

    drawable = np.where(value > 0, value, np.nan) if log else value
    places = thinned(drawable, most)
    gaps = np.cumsum(~np.isfinite(drawable))[places]
    x: list[float] = []
    y: list[float | None] = []
    for place, gap, before in zip(places.tolist(), gaps.tolist(), [*gaps[:1].tolist(), *gaps.tolist()], strict=False):
        if gap != before:
            x.append(float(across[place]))
            y.append(None)
        x.append(float(across[place]))
        y.append(float(drawable[place]))
    return x, y


def _unit(span_ms: float, x: Across) -> tuple[float, str]:
    """What one unit of the axis is in milliseconds, and its name."""
    if x == "step":
        return 1.0, "step"
    if x == "wall":
        return 1.0, "ms"
    return next(((float(size), name) for least, size, name in UNITS if span_ms >= least), (1000.0, "seconds"))
