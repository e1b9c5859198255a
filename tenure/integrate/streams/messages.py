"""From what lies in a queue to rows. Pure; a message that cannot be read is told of without any of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from tenure.errors import InvalidInput, TenureError
from tenure.records.base import instant_of
from tenure.records.streams import LONGEST_KEY, Dead, Message, Said, Settled, Taken

FIRST_SURE_MICROSECOND = 10**14
"""As at the gateway: below it a number is more likely in seconds or milliseconds."""
LAST_MICROSECOND = 9_223_372_036_854_775

_said = msgspec.json.Decoder(Said)


def read_all(taken: Iterable[Taken], endpoint: str) -> tuple[list[Message], Settled]:
    """The messages that can be read, the first of each key, and the others as dead ones."""
    messages: dict[str, Message] = {}
    dead: dict[str, Dead] = {}
    for one in taken:
        try:
            messages.setdefault(one.key, read(one))
        except InvalidInput as problem:
            dead.setdefault(one.key, died(one, endpoint, problem))
    return list(messages.values()), Settled(dead=[one for key, one in dead.items() if key not in messages])


def read(taken: Taken) -> Message:
    """A message. Raises InvalidInput for what is not `{"row": {...}}`."""
    if not 0 < len(taken.key) <= LONGEST_KEY or "\0" in taken.key:
        raise InvalidInput(f"A key must have 1 to {LONGEST_KEY} characters, none of them NUL.", where="key")
    try:
        said = _said.decode(taken.payload)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f'A message must read {{"row": {{…}}}}: {problem}.') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("A message must be JSON in UTF-8, without NaN and Infinity.") from None
    return Message(key=taken.key, said=said, event_at=_event_at(said.event_time, taken.at))


def groups(messages: Iterable[Message]) -> list[list[Message]]:
    """Messages that may share a request: what stands in its headers is the same for all of them."""
    grouped: dict[tuple[str | None, ...], list[Message]] = {}
    for one in messages:
        said = one.said
        grouped.setdefault((said.routing_key, said.jurisdiction, said.purpose, said.channel), []).append(one)
    return list(grouped.values())


def died(taken: Taken, endpoint: str, problem: TenureError) -> Dead:
    return Dead(
        key=taken.key[:LONGEST_KEY],
        endpoint=endpoint,
        code=problem.code,
        reason=problem.message,
        where=problem.where or "",
        payload=taken.payload,
    )


def joined(parts: Sequence[Settled]) -> Settled:
    return Settled(
        answers=[one for part in parts for one in part.answers], dead=[one for part in parts for one in part.dead]
    )


def _event_at(told: str | int | None, at: int) -> int:
    """When it happened, in microseconds UTC: as the message says, else when it was put into the queue."""
    if told is None:
        return at
    try:
        moment = instant_of(datetime.fromisoformat(told)) if isinstance(told, str) else told
    except (ValueError, OverflowError):
        moment = -LAST_MICROSECOND - 1
    sure = isinstance(told, str) or moment >= FIRST_SURE_MICROSECOND
    if not sure or abs(moment) > LAST_MICROSECOND:
        raise InvalidInput(
            "An event time must be ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970, "
            "between the years 1678 and 2262.",
            where="event_time",
        )
    return moment
