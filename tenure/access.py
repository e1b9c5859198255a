"""The one gate that every face stands behind: who is asking, and may they.

Default deny: a route that declares no permission stops the server from starting (`check_declared`).
In solo mode (loopback, no session) a request with the exact Host that carries no cookie, no `Origin` and no
`Sec-Fetch-Site` comes from a program on this machine: it passes as the local owner, who may do all but sign.
A person is known by a session cookie (pages) or by name and password (`MLFLOW_TRACKING_USERNAME`, `_PASSWORD`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from tenure.errors import CannotStart, NotAllowed, NotSignedIn
from tenure.records.base import HOUR_US, SECOND_US, Instant
from tenure.records.people import Permission, Principal

if TYPE_CHECKING:  # the gateway has a gate but no people, and should not load a database for it
    from tenure.store.ground import Ground
    from tenure.store.people import Account

ALL_BUT_SIGN = frozenset(Permission) - {Permission.SIGN}
OWNER = Principal(name="owner", kind="owner", permissions=ALL_BUT_SIGN)
READER = Principal(
    name="visitor", kind="nobody", permissions=frozenset({Permission.PUBLIC, Permission.READ, Permission.AUDIT})
)
WORKER = Principal(
    name="tenure-worker",
    kind="service",
    permissions=frozenset({Permission.PUBLIC, Permission.READ, Permission.TRACK, Permission.SCORE, Permission.MANAGE}),
)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
COOKIE = "tenure_session"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_US = 12 * HOUR_US
BASIC_KEPT_US = 300 * SECOND_US
BASIC_KEPT_AT_MOST = 1000


class Session(NamedTuple):
    """What a session token says. It holds while the person's session epoch is this one and until it expires."""

    person: str
    epoch: int
    expires_at: Instant


class Sessions:
    """Session tokens: what they say, and a MAC by a key that is derived from the server's own.

    They survive a restart and end with the person's session epoch, so nothing about them is stored.
    """

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


class Gate:
    """Names the principal of a request and checks what it may do.

    `hosts`: the exact values that a Host header may have. `internal_token`: the secret that the server's own
    processes show; made anew at each start. Without a `ground` nobody can sign in here (the scoring gateway).
    """

    def __init__(self, ports: Iterable[int], internal_token: str, ground: Ground | None = None) -> None:
        self.hosts = frozenset(f"{host}:{port}" for host in LOOPBACK for port in ports)
        self._internal_token = internal_token
        self._ground = ground
        self._kept_lock = threading.Lock()
        self._kept: dict[bytes, tuple[Account, Instant]] = {}
        self._kept_key = os.urandom(32)
        if ground is not None:
            from tenure.manage.passwords import Passwords

            self.sessions = Sessions(ground.key.private.private_bytes_raw())
            self.passwords = Passwords(ground.database)

    def takes_long(self, headers: Mapping[str, str]) -> bool:
        """Whether naming this request's principal asks the database or checks a password: not on an event loop."""
        return COOKIE in headers.get("cookie", "") or headers.get("authorization", "")[:6].lower() == "basic "

    def principal(self, headers: Mapping[str, str], method: str = "GET", form_csrf: str | None = None) -> Principal:
        """Who is asking, from lower-case header names.

        `form_csrf`: the field `csrf` of a form, when there is one. Raises NotAllowed for a Host or Origin that is not
        ours and for an unsafe method in a session without its CSRF token; NotSignedIn for credentials that are wrong.
        """
        host = headers.get("host", "")
        if host not in self.hosts:
            raise NotAllowed(
                "The Host header must name this server exactly, such as "
                f"{sorted(self.hosts)[0]}. A request for another host is refused, so that no web page can reach in."
            )
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            raise NotAllowed(f"A web page of another origin may not ask. The Origin must be http://{host} or absent.")
        if "authorization" in headers:
            return self._by_authorization(headers["authorization"])
        token = session_token(headers)
        account = self.account_of(token)
        if token and account is not None:
            given = headers.get(CSRF_HEADER) or form_csrf or ""
            self._require_csrf(method, token, given)
            return _person(account)
        return READER if self._from_a_browser(headers) else OWNER

    def account_of(self, token: str | None) -> Account | None:
        """Whose session this is; None for no session, or one that has ended."""
        if not token or self._ground is None:
            return None
        session = self.sessions.read(token, self._ground.clock())
        if session is None:
            return None
        account = self._account(session.person)
        return account if account is not None and account.session_epoch == session.epoch else None

    def _by_authorization(self, given: str) -> Principal:
        scheme, _, value = given.partition(" ")
        if scheme.lower() == "basic":
            return _person(self._by_password(value.strip()))
        if scheme.lower() == "bearer" and hmac.compare_digest(value.encode(), self._internal_token.encode()):
            return WORKER
        raise NotSignedIn("The bearer token is not known. Leave it out to act as the local owner of this machine.")

    def _by_password(self, encoded: str) -> Account:
        """The account of Basic credentials. A right password is remembered for a while, by its keyed digest."""
        if self._ground is None:
            raise NotSignedIn("A name and password are not taken here. Leave them out on this machine.")
        name, password = _name_and_password(encoded)
        key, now = hmac.digest(self._kept_key, encoded.encode(), hashlib.sha256), self._ground.clock()
        kept = self._kept.get(key)
        if kept is not None and now < kept[1]:
            account = self._account(name)
            if account is not None and account.session_epoch == kept[0].session_epoch:
                return account
        account = self.passwords.check(name, password, purpose="sign-in", now=now).account
        with self._kept_lock:
            if len(self._kept) >= BASIC_KEPT_AT_MOST:
                self._kept.clear()
            self._kept[key] = (account, Instant(now + BASIC_KEPT_US))
        return account

    def _account(self, name: str) -> Account | None:
        from tenure.store import people

        assert self._ground is not None
        return self._ground.database.read(lambda tx: people.get(tx, name))

    def _require_csrf(self, method: str, token: str, given: str) -> None:
        if method in SAFE_METHODS or hmac.compare_digest(given.encode(), self.sessions.csrf(token).encode()):
            return
        raise NotAllowed(
            f"In a session every {method} needs the header X-CSRF-Token or the form field '{CSRF_FIELD}' with the "
            "session's token. Load the page again and send its form."
        )

    def _from_a_browser(self, headers: Mapping[str, str]) -> bool:
        return any(name in headers for name in ("cookie", "origin", "sec-fetch-site"))


def session_token(headers: Mapping[str, str]) -> str | None:
    """The session token in a request's cookies; None when there is none."""
    if COOKIE not in headers.get("cookie", ""):
        return None
    try:
        found = SimpleCookie(headers["cookie"]).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None else None


def csrf_of_form(body: bytes) -> str | None:
    """The field `csrf` of an urlencoded form."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=1000)
    except ValueError:
        return None
    return fields.get(CSRF_FIELD, [None])[0]


def require(principal: Principal, permission: Permission) -> None:
    """Raise unless the principal has the permission."""
    if permission not in principal.permissions:
        raise NotAllowed(f"This needs the permission '{permission.value}', which {principal.name!r} does not have.")


def check_declared(routes: Mapping[str, object]) -> None:
    """Raise CannotStart naming every route (path → what it declared) that declares no permission."""
    open_routes = sorted(path for path, declared in routes.items() if not isinstance(declared, Permission))
    if open_routes:
        raise CannotStart(f"Every route must declare a permission. Without one: {', '.join(open_routes)}.")


def _person(account: Account) -> Principal:
    from tenure.manage import people

    return people.principal_of(account.person)


def _name_and_password(encoded: str) -> tuple[str, str]:
    try:
        name, separator, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        separator = ""
    if not separator:
        raise NotSignedIn("Basic credentials must be the Base64 form of name:password. These cannot be read.")
    return name, password


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _text(text: str) -> str:
    return _encoded(text.encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
