"""What a process says of failures that come back: the first in full, then a line a minute with how often it came.

A worker looks five times a second, so a disk that is full for an hour would write fifty megabytes to it of one and the
same trace, and bury what else went wrong.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

EVERY_S = 60.0
MOST_KEPT = 256
"""Failures that are told apart; of more, those that were not seen for longest are told anew."""


@dataclass
class _Told:
    at: float
    since: int = 0


class Recurring(logging.Filter):
    """For a handler: lets an exception through once a minute for each place that it came from and each message."""

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s, self._clock = every_s, clock
        self._told: OrderedDict[Any, _Told] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info or record.exc_info[1] is None:
            return True
        now, key = self._clock(), _key(record)
        told = self._told.get(key)
        self._told[key] = told or _Told(now)
        self._told.move_to_end(key)
        if told is None:
            if len(self._told) > MOST_KEPT:
                self._told.popitem(last=False)
            return True
        told.since += 1
        if now - told.at < self._every_s:
            return False
        problem = record.exc_info[1]
        record.msg = (
            f"{record.getMessage()} ({told.since:,} times more in {now - told.at:.0f} s; "
            f"{type(problem).__name__}: {str(problem)[:200]})"
        )
        record.args, record.exc_info, record.exc_text = (), None, None
        self._told[key] = _Told(now)
        return True


def _key(record: logging.LogRecord) -> tuple[Any, ...]:
    """What makes a failure the same: who tells of it, in which words, and which line raised what kind."""
    assert record.exc_info
    kind, _, trace = record.exc_info
    raised = [(frame.f_code.co_filename, line) for frame, line in walk_tb(trace)][-1:]
    return record.name, record.getMessage(), kind, *raised
