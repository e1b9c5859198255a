"""The chain of the audit log, as bytes: what an event is hashed over, and the walk that names the first misfit.

The bytes that are hashed are the bytes that are stored, so nobody has to agree on a canonical form:
`hash = SHA-256(previous hash, body)`, both as stored. The same walk reads the database and an export.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

GENESIS = "0" * 64
REASON_LENGTH = 600
"""Characters of a reason that are searched: so many fit into an index of Postgres, however they are written."""
Row = tuple[int, int, str, str, str, str | None, bytes, str, str]
"""sequence, at, actor, action, subject, reason, body, previous hash, hash"""


class Body(msgspec.Struct):
    """What is hashed. Its field order is the order of the stored bytes."""

    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous: str


class _Reason(msgspec.Struct):
    reason: Any = None


class _Told(msgspec.Struct):
    """A body without the part of its detail that no column repeats: reading that would take half of the walk."""

    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    detail: _Reason
    previous: str


class _Line(msgspec.Struct):
    hash: str
    body: msgspec.Raw


_told = msgspec.json.Decoder(_Told).decode
_line = msgspec.json.Decoder(_Line).decode


def chained(previous: str, body: bytes) -> str:
    """The hash of an event: SHA-256 over the previous hash (ASCII) and the body's bytes, in hex."""
    return hashlib.sha256(previous.encode() + body).hexdigest()


def reason_of(detail: Mapping[str, Any]) -> str | None:
    """The beginning of the text that says why, where an event has one: what the log is searched by."""
    return _reason(detail.get("reason"))


def _reason(given: Any) -> str | None:
    return given[:REASON_LENGTH] if isinstance(given, str) else None


class Walk:
    """Follows a chain from its first event on.

    `seen` are heads that signed checkpoints saw, by size: a chain that was written anew has others. After a misfit
    the walk stands still: `first_bad` is the sequence number of the event that does not fit, and `problem` says why.
    """

    def __init__(self, seen: Mapping[int, str] | None = None) -> None:
        self.size, self.head = 0, GENESIS
        self.first_bad: int | None = None
        self.problem = ""
        self.agreed: list[int] = []
        self._seen = dict(seen or {})

    def follow(self, rows: Iterable[Row]) -> bool:
        """Go on over these events, in their order; False when one of them does not fit."""
        head, size, seen, sha256, told = self.head, self.size, self._seen, hashlib.sha256, _told
        for row in rows:
            sequence, at, actor, action, subject, reason, body, previous, hashed = row
            if (
                sequence != size + 1
                or previous != head
                or sha256(head.encode() + body).hexdigest() != hashed
                or not _agrees(body, told, sequence, at, actor, action, subject, reason, previous)
            ):
                self.size, self.head = size, head
                return self._stop(sequence, _misfit(row, size, head))
            head, size = hashed, sequence
            if size in seen and not self._agrees_with(size, head):
                return False
        self.size, self.head = size, head
        return True

    def end(self) -> None:
        """Say that there are no more events: what a checkpoint saw beyond the last one was cut off."""
        beyond = [size for size in self._seen if size > self.size]
        if self.first_bad is None and beyond:
            self._stop(
                self.size + 1,
                f"the last events were cut off: a signed checkpoint saw {max(beyond)}, {self.size} are left",
            )

    def _agrees_with(self, size: int, head: str) -> bool:
        if self._seen[size] == head:
            self.agreed.append(size)
            return True
        first = (self.agreed[-1] if self.agreed else 0) + 1
        self.size, self.head = size, head
        span = f"the events {first} to {size} were" if first < size else f"event {size} was"
        return self._stop(
            first, f"{span} written anew: a signed checkpoint saw another hash at event {size}; each alone fits"
        )

    def _stop(self, sequence: int, problem: str) -> bool:
        self.first_bad, self.problem = sequence, problem
        return False


def _agrees(
    body: bytes,
    told: Any,
    sequence: int,
    at: int,
    actor: str,
    action: str,
    subject: str,
    reason: str | None,
    previous: str,
) -> bool:
    """Whether an event's columns say what its hashed content says."""
    try:
        one = told(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    why = one.detail.reason
    return bool(
        one.sequence == sequence
        and one.at == at
        and one.actor == actor
        and one.action == action
        and one.subject == subject
        and one.previous == previous
        and (why[:REASON_LENGTH] if isinstance(why, str) else None) == reason
    )


def _misfit(row: Row, size: int, head: str) -> str:
    """Why an event does not fit its place after `size` events that end in `head`."""
    sequence, _, _, _, _, _, body, previous, hashed = row
    if sequence > size + 1:
        return f"event {size + 1} is missing" + (
            f", and so are those up to {sequence - 1}" if sequence > size + 2 else ""
        )
    if sequence <= size:
        return f"event {sequence} stands after event {size}: it was put in or moved"
    if previous != head:
        return (
            f"it does not follow from the event before it: event {size} was replaced, or this one was"
            if size
            else ("it does not follow from the event before it: the first event must follow from nothing")
        )
    if chained(head, body) != hashed:
        return "its content is not what was hashed"
    try:
        _told(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "its content cannot be read"
    return "its columns differ from its hashed content"


def line_of(body: bytes, hashed: str) -> bytes:
    r"""An event as a line of an export, with its body byte for byte.

    >>> line_of(b'{"sequence":1}', "ab")
    b'{"hash":"ab","body":{"sequence":1}}\n'
    """
    return b'{"hash":"' + hashed.encode() + b'","body":' + body + b"}\n"


def row_of_line(line: bytes) -> Row | None:
    """A line of an export as the walk takes it; None when it cannot be read."""
    try:
        read = _line(line)
        body = bytes(read.body)
        one = _told(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    reason = _reason(one.detail.reason)
    return one.sequence, one.at, one.actor, one.action, one.subject, reason, body, one.previous, read.hash
