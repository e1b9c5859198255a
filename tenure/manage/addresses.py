"""How often each address tried names that nobody has, in a memory of fixed size.

Addresses share MANY counters by a keyed hash. Two that fall on one counter share its limit; nobody can choose that, and
nobody can make the memory grow.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os

from tenure.errors import TooMany
from tenure.manage.lockouts import LOCKED_FOR_US
from tenure.records.base import Instant

MANY = 4096
AT_MOST = 30
WITHIN_US = LOCKED_FOR_US


class Addresses:
    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._began: list[int] = [0] * MANY
        self._counts: list[int] = [0] * MANY

    def check(self, address: str, now: Instant) -> None:
        """Raise TooMany for an address that tried AT_MOST unknown names within a quarter of an hour."""
        place = self._place(address)
        if self._counts[place] >= AT_MOST and now - self._began[place] < WITHIN_US:
            raise TooMany("Too many names that nobody has were tried from this address. Try again in 15 minutes.")

    def note_failure(self, address: str, now: Instant) -> Instant | None:
        """Count one. Answers when its quarter of an hour began, the one time that it makes the address wait."""
        place = self._place(address)
        if now - self._began[place] >= WITHIN_US:
            self._began[place], self._counts[place] = now, 0
        self._counts[place] += 1
        return Instant(self._began[place]) if self._counts[place] == AT_MOST else None

    def _place(self, address: str) -> int:
        digest = hashlib.blake2b(network_of(address).encode(), key=self._key, digest_size=4).digest()
        return int.from_bytes(digest, "little") % MANY


def network_of(address: str) -> str:
    """What one customer of a provider is given: an IPv4 address, or the first half of an IPv6 address.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2")
    ('192.0.2.7', '2001:db8::/64')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
