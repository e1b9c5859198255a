"""Who shows a token: on control from the database, at a gateway from the routing table; kept for a moment in between.

What is kept counts while the routing epoch, which every change of tokens and grants counts up, is the same; and no
longer than a second even then, so a token that is revoked is refused within a second whatever else happens.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tenure.errors import NotSignedIn
from tenure.records.base import SECOND_US, Instant
from tenure.records.people import Principal
from tenure.records.routing import RoutedToken
from tenure.serving.routing import EpochReader

if TYPE_CHECKING:
    from tenure.store.ground import Ground

KEPT_US = SECOND_US
KEPT_AT_MOST = 10_000
UNKNOWN = "The token is not known, was revoked, or has expired. Make another one: tenure token create --help."


class _Kept(NamedTuple):
    principal: Principal
    until: Instant
    epoch: int


class Stored:
    """Looks tokens up in the database."""

    def __init__(self, ground: Ground, *, solo: bool) -> None:
        self._ground = ground
        self._solo = solo
        self._kept: dict[bytes, _Kept] = {}
        self._kept_until = Instant(0)
        self._opening = threading.Lock()
        self._epochs: EpochReader | None = None

    def at_hand(self, secret: bytes, now: Instant) -> Principal | None:
        """Who shows a token, when that was found out a moment ago; None when the database must be asked.

        Looked up by the secret itself, which is in this memory with every request: its digest costs a training loop as
        much as all else that is asked of it here.
        """
        kept, epochs = self._kept.get(secret), self._epochs
        if kept is None or epochs is None or now >= kept.until or kept.epoch != epochs.epoch():
            return None
        return kept.principal

    def find(self, secret: bytes, now: Instant) -> Principal:
        """Who shows a token. Asks the database. Raises NotSignedIn."""
        from tenure.manage import tokens

        epoch = self._epoch()
        found = self._ground.database.read(lambda tx: tokens.find(tx, _digest(secret), now, solo=self._solo))
        if found is None:
            raise NotSignedIn(UNKNOWN)
        token, principal = found
        if tokens.uses_to_note(token, now):
            self._ground.database.write(lambda tx: tokens.note_use(tx, token, now))
        self._keep(secret, principal, min(now + KEPT_US, token.expires_at), epoch, now)
        return principal

    def _keep(self, secret: bytes, principal: Principal, until: int, epoch: int, now: Instant) -> None:
        """Remember who shows it. What was kept is forgotten together, so that no secret stays for long."""
        if now >= self._kept_until or len(self._kept) >= KEPT_AT_MOST:
            self._kept.clear()
            self._kept_until = Instant(now + KEPT_US)
        self._kept[secret] = _Kept(principal, Instant(until), epoch)

    def _epoch(self) -> int:
        if self._epochs is None:
            with self._opening:
                if self._epochs is None:
                    self._epochs = EpochReader(self._ground.settings.folder)
        return self._epochs.epoch()


class Published:
    """Knows the tokens of the routing table, and no others."""

    def __init__(self) -> None:
        self._tokens: Mapping[str, RoutedToken] = {}

    def take_up(self, tokens: Mapping[str, RoutedToken]) -> None:
        """Go by another table from now on."""
        self._tokens = tokens

    def at_hand(self, secret: bytes, now: Instant) -> Principal | None:
        return self.find(secret, now)

    def find(self, secret: bytes, now: Instant) -> Principal:
        """Who shows a token. Raises NotSignedIn."""
        routed = self._tokens.get(_digest(secret))
        if routed is None or now >= routed.expires_at:
            raise NotSignedIn(UNKNOWN)
        return routed.principal


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
