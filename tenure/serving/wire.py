"""What gateway and scorer say to each other: a 4-byte little-endian length, then msgpack, over a Unix socket pair.

Load → Ready or Refused, once; then Ask → Told, one at a time.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.records.base import Record
from tenure.records.frames import Packed
from tenure.records.routing import InputColumn, PinnedFile

LENGTH_BYTES = 4
LARGEST_BYTES = 512 * 1024 * 1024
"""A scorer that announces more is not believed: the gateway would have to hold it."""
WRONG_NUMBER = "WrongNumberOfOutputs"
"""What a model is said to fail with when it gives more or fewer outputs than there are rows."""


class Load(Record):
    """Which files to verify and load, which columns will come, and the file to log to."""

    folder: str
    files: list[PinnedFile]
    inputs: list[InputColumn]
    log: str


class Ready(Record, tag=True):
    """The model is loaded and has answered the probe.

    `example` is one row that works, `answer` what the model said to it; both None when only a made-up row was there
    to try and the model did not take it.
    """

    example: dict[str, Any] | None
    answer: Any = None


class Refused(Record, tag=True):
    """The model cannot be served, and why."""

    reason: str


class Ask(Record, array_like=True):
    rows: int
    columns: dict[str, list[Any] | Packed]
    params: dict[str, Any] | None = None


class Told(Record, array_like=True):
    """One output per row, or what kind of exception the model raised (never its text: it may quote the data)."""

    outputs: list[Any]
    failure: str = ""


def packed(message: Record) -> bytes:
    payload = msgspec.msgpack.encode(message)
    return len(payload).to_bytes(LENGTH_BYTES, "little") + payload
