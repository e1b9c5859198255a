"""Session tokens: what they say, and a MAC by a key that is derived from the server's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import TYPE_CHECKING, NamedTuple

from tenure.records.base import HOUR_US, Instant

if TYPE_CHECKING:
    from tenure.store.people import Account

SESSION_US = 12 * HOUR_US


class Session(NamedTuple):
    """What a session token says. It holds while the person's session epoch is this one and until it expires."""

    person: str
    epoch: int
    expires_at: Instant


class Sessions:
    """They survive a restart and end with the person's session epoch, so nothing about them is stored."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"tenure session", hashlib.sha256)
        self._csrf_key = hmac.digest(secret, b"tenure csrf", hashlib.sha256)

    def issue(self, account: Account, now: Instant) -> str:
        said = f"{_text(account.person.name)}.{account.session_epoch}.{now + SESSION_US}.{_encoded(os.urandom(16))}"
        return f"{said}.{self._mac(said)}"

    def read(self, token: str, now: Instant) -> Session | None:
        """What a token says; None when it is not ours or has expired."""
        said, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(said).encode()):
            return None
        person, epoch, expires_at, _ = said.split(".")
        session = Session(_decoded(person).decode(), int(epoch), Instant(int(expires_at)))
        return session if now < session.expires_at else None

    def csrf(self, token: str) -> str:
        """The CSRF token of a session: what a page must send with every unsafe request."""
        return _encoded(hmac.digest(self._csrf_key, token.encode(), hashlib.sha256))

    def _mac(self, said: str) -> str:
        return _encoded(hmac.digest(self._key, said.encode(), hashlib.sha256))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _text(text: str) -> str:
    return _encoded(text.encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
