"""What computing a feature takes, measured where the training code computes it.

Memory is what Python's allocator hands out (`tracemalloc`, which numpy and pandas report to), not the growth of the
process: a process keeps what it once had, so a second feature of the same size would seem to need nothing. What a C++
library such as Arrow allocates for itself is not seen. Tracing makes code slower that makes many small objects, so a
traced time is told as "at most".
"""

from __future__ import annotations

import functools
import inspect
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Self, TypeVar

from tenure.errors import InvalidInput
from tenure.records.features import Cost

Function = TypeVar("Function", bound=Callable[..., Any])

_lock = threading.RLock()
_open: list[Measuring] = []
_we_trace = False
_computed: dict[str, Cost] = {}


class Measuring:
    """One block that is measured. `rows` may be set inside of it; `cost` is there after it."""

    def __init__(self, *, rows: int | None = None, memory: bool = True) -> None:
        self.rows = rows
        self.cost: Cost | None = None
        self._memory = memory
        self._before = self._peak = 0

    def __enter__(self) -> Self:
        if self._memory:
            self._trace()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        held = self._traced() if self._memory else None
        if kind is None:
            self.cost = Cost(
                wall_s=wall, cpu_s=cpu, calls=1, rows=self.rows, memory_bytes=held, traced=held is not None
            )

    def _trace(self) -> None:
        """Begin to watch allocations. Blocks within blocks share one peak, so it is handed on before it is reset."""
        global _we_trace  # noqa: PLW0603 - tracing is a state of the process
        with _lock:
            if not tracemalloc.is_tracing():
                tracemalloc.start()
                _we_trace = True
            _hand_on()
            self._before = self._peak = tracemalloc.get_traced_memory()[0]
            _open.append(self)

    def _traced(self) -> int | None:
        global _we_trace  # noqa: PLW0603
        with _lock:
            if not tracemalloc.is_tracing():  # somebody else has stopped it
                _open.clear()
                return None
            _hand_on()
            _open.remove(self)
            if not _open and _we_trace:
                tracemalloc.stop()
                _we_trace = False
            return max(self._peak - self._before, 0)


class _Feature(Measuring):
    """What `tenure.feature` returns: for `with`, and as a decorator."""

    def __init__(self, name: str, *, rows: int | None, memory: bool) -> None:
        super().__init__(rows=rows, memory=memory)
        self._name = name

    def __exit__(self, kind: object, *rest: object) -> None:
        super().__exit__(kind, *rest)
        if self.cost is not None:
            with _lock:
                _computed[self._name] = together(_computed.get(self._name), self.cost)

    def __call__(self, function: Function) -> Function:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidInput(
                f"@tenure.feature measures functions that return what they compute. {function.__name__!r} does so "
                "later; write `with tenure.feature(...):` around the place where it is computed."
            )

        @functools.wraps(function)
        def measured(*arguments: Any, **named: Any) -> Any:
            with _Feature(self._name, rows=self.rows, memory=self._memory) as one:
                result = function(*arguments, **named)
                if one.rows is None and hasattr(result, "__len__") and not isinstance(result, str | bytes | dict):
                    one.rows = len(result)
            return result

        return measured  # type: ignore[return-value]  # wraps keeps what it is called with


def feature(name: str, *, rows: int | None = None, memory: bool = True) -> _Feature:
    """Measure what a feature takes to compute: time, and the most memory held on to at a time.

        with tenure.feature("wind_speed", rows=len(frame)):
            frame["wind_speed"] = nearest_station(frame)

        @tenure.feature("plane_age")
        def plane_age(frame): ...

    `log_features` tells it with the model. Several calls of one name add up. Of a decorated function the rows are the
    length of what it returns. Allocations are those of the whole process, so measure while nothing else runs in it;
    give `memory=False` to have time alone, without the cost of watching.
    """
    if not name or not isinstance(name, str):
        raise InvalidInput("A feature needs the name of its column: tenure.feature('wind_speed').", where="name")
    return _Feature(name, rows=rows, memory=memory)


def computed() -> dict[str, Cost]:
    """What was measured in this process so far, by feature."""
    with _lock:
        return dict(_computed)


def forget() -> None:
    """Begin anew."""
    with _lock:
        _computed.clear()


def together(first: Cost | None, second: Cost) -> Cost:
    """Two calls as one cost. Rows are known when they are known of both."""
    if first is None:
        return second
    memory = [cost.memory_bytes for cost in (first, second) if cost.memory_bytes is not None]
    return Cost(
        wall_s=first.wall_s + second.wall_s,
        cpu_s=first.cpu_s + second.cpu_s,
        calls=first.calls + second.calls,
        rows=None if first.rows is None or second.rows is None else first.rows + second.rows,
        memory_bytes=max(memory, default=None),
        traced=first.traced or second.traced,
    )


def _hand_on() -> None:
    """Give every open block the peak so far, and begin the next one."""
    peak = tracemalloc.get_traced_memory()[1]
    for one in _open:
        one._peak = max(one._peak, peak)
    tracemalloc.reset_peak()
