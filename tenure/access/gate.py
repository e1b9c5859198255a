"""The gate: names the principal of a request, from its Host and Origin, its credentials or its session.

In solo mode (loopback, no session) a request with the exact Host that carries no cookie, no `Origin` and no
`Sec-Fetch-Site` comes from a program on this machine: it passes as the local owner, who may do all but sign.
Where sign-in is required it passes as nobody, who reaches public routes alone.
A person is known by a session cookie (pages), by name and password, or, like a service, by a token
(`MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tenure.access import bearers
from tenure.access.requests import (
    COOKIE,
    CSRF_FIELD,
    CSRF_HEADER,
    SAFE_METHODS,
    came_from,
    name_and_password,
    session_token,
)
from tenure.access.sessions import SESSION_US, Sessions
from tenure.errors import NotAllowed, NotSignedIn
from tenure.records.base import SECOND_US, Instant
from tenure.records.people import Permission, Principal
from tenure.records.tokens import PREFIX

if TYPE_CHECKING:  # the gateway has a gate but no people, and should not load a database for it
    from tenure.access.provider import Provider
    from tenure.store.ground import Ground
    from tenure.store.people import Account

ALL_BUT_SIGN = frozenset(Permission) - {Permission.SIGN}
OWNER = Principal(name="owner", kind="owner", permissions=ALL_BUT_SIGN)
READER = Principal(
    name="visitor",
    kind="nobody",
    permissions=frozenset({Permission.PUBLIC, Permission.READ, Permission.AUDIT}),
)
ANYBODY = Principal(name="nobody", kind="nobody", permissions=frozenset({Permission.PUBLIC}))
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
OF_BROWSERS = frozenset({b"cookie", b"origin", b"sec-fetch-site"})
BEARER = b"Bearer "
BEARING = BEARER + PREFIX.encode()
BASIC_KEPT_US = 300 * SECOND_US
BASIC_KEPT_AT_MOST = 1000


def _system_clock() -> Instant:
    return Instant(time.time_ns() // 1000)


class Gate:
    """Names the principal of a request and checks what it may do.

    `ports`: this server's, whose loopback names are always good. Without a `ground` nobody can sign in here (the
    scoring gateway), and tokens are those of the routing table (`published`). `hosts`: further values that a Host
    header may have, exactly.
    `required`: whether everybody must say who they are. `public_url`: where browsers see this server, if not here.
    `clock`: for a gate without a ground, which has its own; `now` reads it.
    """

    def __init__(
        self,
        ports: Iterable[int],
        ground: Ground | None = None,
        *,
        hosts: Iterable[str] = (),
        required: bool = False,
        public_url: str = "",
        clock: Callable[[], Instant] = _system_clock,
    ) -> None:
        self.hosts = frozenset({*(f"{host}:{port}" for host in LOOPBACK for port in ports), *hosts})
        self._plain_hosts = frozenset(host.encode() for host in self.hosts)
        self.required = required
        self.solo = not required
        self.secure = public_url.startswith("https://")
        self.behind_proxy = bool(public_url)
        self.published = bearers.Published()
        self.provider: Provider | None = None
        self._origins = {host: f"http://{host}" for host in self.hosts}
        if public_url:
            self._origins[public_url.partition("://")[2]] = public_url
        self._ground = ground
        self.now = ground.clock if ground is not None else clock
        self._nobody = ANYBODY if required else None
        self._kept_lock = threading.Lock()
        self._kept: dict[bytes, tuple[Account, Instant]] = {}
        self._kept_key = os.urandom(32)
        self._bearers = bearers.Stored(ground, solo=self.solo) if ground is not None else self.published
        if ground is not None:
            from tenure.manage.passwords import Passwords

            self.sessions = Sessions(ground.key.private.private_bytes_raw())
            self.passwords = Passwords(ground.database)

    def at_a_glance(self, headers: Mapping[bytes, bytes], now: Instant) -> Principal | None:
        """Who is asking, when no browser does: by a token that is at hand, or as the machine's owner. Else None.

        A training loop waits for every answer, so nothing is decoded for it. Raises as `principal` does.
        """
        if headers.get(b"host") not in self._plain_hosts or not OF_BROWSERS.isdisjoint(headers):
            return None
        given = headers.get(b"authorization")
        if given is None:
            return None if self.required else OWNER
        if given.startswith(BEARING):
            return self._bearers.at_hand(given[len(BEARER) :], now)
        return None

    def at_once(self, headers: Mapping[str, str]) -> Principal | None:
        """Who is asking, when that needs neither the database nor a password; else None, and `principal` tells.

        For event loops. Raises as `principal` does.
        """
        self._check_host(headers)
        given = headers.get("authorization")
        if given is None:
            return None if COOKIE in headers.get("cookie", "") else self._by_nothing(headers)
        scheme, _, value = given.partition(" ")
        secret = value if scheme.lower() == "bearer" else _password(value) if scheme.lower() == "basic" else ""
        if secret.startswith(PREFIX):
            found = self._bearers.at_hand(secret.encode(), self.now())
            return found if found is None or scheme.lower() == "bearer" else self._named(value, found)
        return None if scheme.lower() == "basic" else self._by_authorization(given, "")

    def principal(
        self, headers: Mapping[str, str], method: str = "GET", form_csrf: str | None = None, address: str = ""
    ) -> Principal:
        """Who is asking, from lower-case header names.

        `form_csrf`: the field `csrf` of a form, when there is one. `address`: where the request came from. Raises
        NotAllowed for a Host or Origin that is not ours and for an unsafe method in a session without its CSRF token;
        NotSignedIn for credentials that are wrong.
        """
        self._check_host(headers)
        if "authorization" in headers:
            return self._by_authorization(headers["authorization"], address)
        token = session_token(headers)
        account = self.account_of(token)
        if token and account is not None:
            given = headers.get(CSRF_HEADER) or form_csrf or ""
            self._require_csrf(method, token, given)
            return self._person(account)
        return self._by_nothing(headers)

    def account_of(self, token: str | None) -> Account | None:
        """Whose session this is; None for no session, or one that has ended."""
        if not token or self._ground is None:
            return None
        session = self.sessions.read(token, self._ground.clock())
        if session is None:
            return None
        account = self._account(session.person)
        return account if account is not None and account.session_epoch == session.epoch else None

    @property
    def provider_name(self) -> str:
        """The host of the provider that people may sign in with; empty when there is none."""
        return urlsplit(self.provider.issuer).hostname or "" if self.provider else ""

    def sign_in(self, name: str, password: str, address: str) -> tuple[str, Account]:
        """Begin a session by name and password: its token, and whose it is. Raises NotSignedIn, TooMany."""
        from tenure.store import audit

        assert self._ground is not None
        now = self._ground.clock()
        account = self.passwords.check(name, password, purpose="sign-in", now=now, address=address).account
        self._ground.database.write(lambda tx: audit.append(tx, "person.signed_in", subject=name, by=name, at=now))
        return self.sessions.issue(account, now), account

    def cookie(self, token: str | None) -> dict[str, Any]:
        """The cookie that carries a session, out of reach of scripts and other sites; without one, its removal."""
        return {
            "key": COOKIE,
            "value": token or "",
            "path": "/",
            "max_age": SESSION_US // SECOND_US if token else 0,
            "httponly": True,
            "samesite": "strict",
            "secure": self.secure,
        }

    def address_of(self, client: Sequence[Any] | None, headers: Mapping[str, str]) -> str:
        """Where a request came from, by the connection's peer or what the operator's proxy says of it."""
        return came_from(str(client[0]) if client else "", headers, behind_proxy=self.behind_proxy)

    def _check_host(self, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if host not in self.hosts:
            raise NotAllowed(
                "The Host header must name this server exactly, such as "
                f"{sorted(self.hosts)[0]}. A request for another host is refused, so that no web page can reach in."
            )
        origin = headers.get("origin")
        if origin is not None and origin != self._origins[host]:
            raise NotAllowed(
                f"A web page of another origin may not ask. The Origin must be {self._origins[host]} or absent."
            )

    def _by_nothing(self, headers: Mapping[str, str]) -> Principal:
        if self._nobody is not None:
            return self._nobody
        return READER if _from_a_browser(headers) else OWNER

    def _by_authorization(self, given: str, address: str) -> Principal:
        scheme, _, value = given.partition(" ")
        if scheme.lower() == "basic":
            encoded = value.strip()
            secret = _password(encoded)
            if secret.startswith(PREFIX):
                return self._named(encoded, self._bearers.find(secret.encode(), self.now()))
            return self._person(self._by_password(encoded, address))
        if scheme.lower() == "bearer" and value.startswith(PREFIX):
            return self._bearers.find(value.encode(), self.now())
        what = "Tokens begin with tnr_." if self.required else "Leave it out to act as the local owner of this machine."
        raise NotSignedIn(f"The bearer token is not known. {what}")

    def _named(self, encoded: str, principal: Principal) -> Principal:
        """The principal of a token that came as a password: its name must be theirs, or `token`."""
        name, _ = name_and_password(encoded)
        if name not in (principal.name, "token"):
            raise NotSignedIn(f"The token is not {name!r}'s. With a token as the password, the name may be 'token'.")
        return principal

    def _by_password(self, encoded: str, address: str) -> Account:
        """The account of Basic credentials. A right password is remembered for a while, by its keyed digest."""
        if self._ground is None:
            raise NotSignedIn("A name and password are not taken here. Send a token instead.")
        name, password = name_and_password(encoded)
        key, now = hmac.digest(self._kept_key, encoded.encode(), hashlib.sha256), self._ground.clock()
        kept = self._kept.get(key)
        if kept is not None and now < kept[1]:
            account = self._account(name)
            if account is not None and account.session_epoch == kept[0].session_epoch:
                return account
        account = self.passwords.check(name, password, purpose="sign-in", now=now, address=address).account
        with self._kept_lock:
            if len(self._kept) >= BASIC_KEPT_AT_MOST:
                self._kept.clear()
            self._kept[key] = (account, Instant(now + BASIC_KEPT_US))
        return account

    def _account(self, name: str) -> Account | None:
        from tenure.store import people

        assert self._ground is not None
        return self._ground.database.read(lambda tx: people.get(tx, name))

    def _person(self, account: Account) -> Principal:
        from tenure.manage import roles

        return roles.principal_of(account.person.name, "person", account.person.roles, solo=self.solo)

    def _require_csrf(self, method: str, token: str, given: str) -> None:
        if method in SAFE_METHODS or hmac.compare_digest(given.encode(), self.sessions.csrf(token).encode()):
            return
        raise NotAllowed(
            f"In a session every {method} needs the header X-CSRF-Token or the form field '{CSRF_FIELD}' with the "
            "session's token. Load the page again and send its form."
        )


def _from_a_browser(headers: Mapping[str, str]) -> bool:
    return "cookie" in headers or "origin" in headers or "sec-fetch-site" in headers


def _password(encoded: str) -> str:
    """The password of Basic credentials; empty when they cannot be read, which is told where they are used."""
    try:
        return name_and_password(encoded.strip())[1]
    except NotSignedIn:
        return ""
