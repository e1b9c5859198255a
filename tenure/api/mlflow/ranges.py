"""Which bytes of a file a request asks for: one range, as RFC 9110 has it, or all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Span:
    """The bytes to send, and how to tell it."""

    status: int
    first: int
    count: int
    headers: tuple[tuple[bytes, bytes], ...]


def span(asked: str | None, size: int) -> Span:
    """The bytes that a Range header means in a file of so many bytes. Several ranges, or nonsense, mean all of it.

    >>> (span("bytes=2-5", 10).first, span("bytes=2-5", 10).count, span("bytes=-3", 10).first)
    (2, 4, 7)
    >>> span("bytes=10-", 10).status
    416
    """
    found = ONE_RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or not (found[1] or found[2]):
        return Span(200, 0, size, ((b"content-length", b"%d" % size),))
    if found[1]:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
        if found[2] and int(found[2]) < first:
            return Span(200, 0, size, ((b"content-length", b"%d" % size),))
    else:
        first, last = max(0, size - int(found[2])), size - 1
    if first > last:
        return Span(416, 0, 0, ((b"content-range", b"bytes */%d" % size), (b"content-length", b"0")))
    told = b"bytes %d-%d/%d" % (first, last, size)
    return Span(
        206, first, last - first + 1, ((b"content-range", told), (b"content-length", b"%d" % (last - first + 1)))
    )
