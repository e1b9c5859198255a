"""What every record is made of: the base class, instants and ids."""

from __future__ import annotations

import hashlib
import os
import uuid
from datetime import UTC, datetime
from typing import NewType, dataclass_transform

import msgspec

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01 UTC."""

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True):
    """A value that travels between floors and over the wire. Made with keyword arguments, required ones first."""


def new_id(now: Instant) -> str:
    """A UUIDv7 (RFC 9562) in its 36-character form: 48 bits of milliseconds, then random bits."""
    return _uuid7(now, os.urandom(10))


def id_of_reference(endpoint: str, reference: str, event_at: int) -> str:
    """The UUIDv7 of a row that is the same prediction whenever it is sent: its event time, then bits of a SHA-256.

    >>> id_of_reference("fraud", "order-7", 1_700_000_000_123_000)
    '018bcfe5-687b-7451-9029-c57e92e869a2'
    """
    return _uuid7(max(event_at, 0), hashlib.sha256(f"{endpoint}\0{reference}".encode()).digest()[:10])


def _uuid7(at: int, ten_bytes: bytes) -> str:
    at_ms, random = at // 1000, ten_bytes.hex()  # put together as text: in a tenth of the time of uuid.UUID
    variant = "89ab"[ten_bytes[2] >> 4 & 3]
    return f"{at_ms >> 16 & 0xFFFFFFFF:08x}-{at_ms & 0xFFFF:04x}-7{random[:3]}-{variant}{random[5:8]}-{random[8:20]}"


def instant_of_id(identifier: str) -> Instant:
    """When a UUIDv7 was made, to the millisecond.

    >>> instant_of_id(new_id(Instant(1_700_000_000_123_000)))
    1700000000123000
    """
    return Instant((uuid.UUID(identifier).int >> 80) * 1000)


def instant_of(moment: datetime) -> Instant:
    """An aware datetime as an instant; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return Instant((since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds)


def moment_of(instant: Instant | int) -> datetime:
    """An instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant // SECOND_US, tz=UTC).replace(microsecond=instant % SECOND_US)


def iso(instant: Instant | int) -> str:
    """An instant as ISO 8601 in UTC, such as `2013-02-01T05:00:00Z`."""
    return moment_of(instant).isoformat().replace("+00:00", "Z")
