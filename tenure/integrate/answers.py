"""What a receiver out there answered to a message."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """What a receiver answered. Without a status nobody did, and `problem` says why in a sentence."""

    status: int | None
    problem: str | None
    took_ms: int
    retry_after_s: float = 0.0
