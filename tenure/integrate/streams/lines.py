"""Files of JSON lines, or standard input and output: for trying a stream out.

A line is a message with a `key`; without one its key is the file's name and the line's number. Answers are appended.
After a kill the last line may be torn: it is cut off at the next start, and what has an answer is not scored again.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from tenure.errors import InvalidInput, Unavailable
from tenure.integrate.streams.places import Place, Sink
from tenure.records.base import iso
from tenure.records.streams import Settled, Taken


class LinesSource:
    """The lines of a file, in order. It ends with the file."""

    ends = True

    def __init__(self, place: Place) -> None:
        self._name = place.url
        self._number = 0
        self._open: list[Taken] = []
        try:
            self._file: IO[bytes] = sys.stdin.buffer if place.url == "-" else Path(place.url).open("rb")  # noqa: SIM115 - closed by `close`
        except OSError as problem:
            raise InvalidInput(f"The file {place.url} must be readable: {problem.strerror}.", where="source") from None

    def take(self, limit: int) -> list[Taken]:
        while len(self._open) < limit:
            line = self._file.readline()
            if not line:
                break
            self._number += 1
            if line.strip():
                key, payload = _keyed(line.strip(), f"{self._name}:{self._number}")
                self._open.append(Taken(mark=self._number, key=key, payload=payload, at=time.time_ns() // 1000))
        return list(self._open)

    def settle(self, taken: Sequence[Taken], settled: Settled, sink: Sink) -> None:
        sink.write(settled)
        self._open = self._open[len(taken) :]

    def give_back(self) -> None:
        """What was taken is taken again at the next look."""

    def lag(self) -> None:
        return None

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()


class LinesSink:
    """Appends answers to a file, and what cannot be scored to another."""

    def __init__(self, place: Place, dead: Place) -> None:
        self._known: set[str] = set()
        try:
            self._answers, self._dead = (self._opened(one.url, read) for one, read in ((place, True), (dead, False)))
        except OSError as problem:
            raise InvalidInput(f"The file {place.url} must be writable: {problem.strerror}.", where="sink") from None

    def known(self, keys: Sequence[str]) -> set[str]:
        return self._known.intersection(keys)

    def write(self, settled: Settled) -> None:
        fresh = [one for one in settled.answers if one.key not in self._known]
        answers = [msgspec.to_builtins(one) | {"event_at": iso(one.event_at)} for one in fresh]
        dead = [msgspec.to_builtins(one) | {"payload": one.payload.decode("utf-8", "replace")} for one in settled.dead]
        try:
            _append(self._answers, answers)
            _append(self._dead, dead)
        except OSError as problem:
            raise Unavailable(f"The answers cannot be written: {problem.strerror}.") from None
        self._known.update(one.key for one in fresh)

    def close(self) -> None:
        for file in (self._answers, self._dead):
            if file is not sys.stdout.buffer:
                file.close()

    def _opened(self, name: str, read: bool) -> IO[bytes]:
        if name == "-":
            return sys.stdout.buffer
        file = Path(name).open("a+b", buffering=0)  # noqa: SIM115 - closed by `close`
        _cut_torn(file)
        if read:
            file.seek(0)
            for line in file:
                with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError):
                    self._known.add(msgspec.json.decode(line)["key"])
        return file


def _keyed(line: bytes, otherwise: str) -> tuple[str, bytes]:
    """A line's own key, and the line without it."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        key = msgspec.json.decode(fields.pop("key"), type=str) if "key" in fields else otherwise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return otherwise, line
    return key, msgspec.json.encode(fields)


def _append(file: IO[bytes], lines: list[dict[str, object]]) -> None:
    if lines:
        file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        file.flush()


def _cut_torn(file: IO[bytes]) -> None:
    """Cut what a killed writer left after the last whole line."""
    size = file.seek(0, os.SEEK_END)
    position = size
    while position > 0:
        start = max(0, position - 65_536)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            file.truncate(start + found + 1)
            return
        position = start
    file.truncate(0)
