"""The one gate that every face stands behind: who is asking, and may they.

Default deny: a route that declares no permission stops the server from starting (`check_declared`).
In solo mode (loopback, no session) a request with the exact Host that carries no cookie, no `Origin` and no
`Sec-Fetch-Site` comes from a program on this machine: it passes as the local owner, who may do all but sign.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from tenure.errors import CannotStart, NotAllowed, NotSignedIn
from tenure.records.people import Permission, Principal

ALL_BUT_SIGN = frozenset(Permission) - {Permission.SIGN}
OWNER = Principal(name="owner", kind="owner", permissions=ALL_BUT_SIGN)
READER = Principal(name="visitor", kind="nobody", permissions=frozenset({Permission.PUBLIC, Permission.READ}))
WORKER = Principal(
    name="tenure-worker",
    kind="service",
    permissions=frozenset({Permission.PUBLIC, Permission.READ, Permission.TRACK, Permission.SCORE, Permission.MANAGE}),
)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Gate:
    """Names the principal of a request and checks what it may do.

    `hosts`: the exact values that a Host header may have. `internal_token`: the secret that the server's own
    processes show; made anew at each start.
    """

    def __init__(self, ports: Iterable[int], internal_token: str) -> None:
        self.hosts = frozenset(f"{host}:{port}" for host in LOOPBACK for port in ports)
        self._internal_token = internal_token

    def principal(self, headers: Mapping[str, str]) -> Principal:
        """Who is asking, from lower-case header names. Raises NotAllowed for a Host that is not ours."""
        if headers.get("host", "") not in self.hosts:
            raise NotAllowed(
                "The Host header must name this server exactly, such as "
                f"{sorted(self.hosts)[0]}. A request for another host is refused, so that no web page can reach in."
            )
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token:
            if hmac.compare_digest(token.encode(), self._internal_token.encode()):
                return WORKER
            raise NotSignedIn("The bearer token is not known. Leave it out to act as the local owner of this machine.")
        return READER if self._from_a_browser(headers) else OWNER

    def _from_a_browser(self, headers: Mapping[str, str]) -> bool:
        return any(name in headers for name in ("cookie", "origin", "sec-fetch-site"))


def require(principal: Principal, permission: Permission) -> None:
    """Raise unless the principal has the permission."""
    if permission not in principal.permissions:
        raise NotAllowed(f"This needs the permission '{permission.value}', which {principal.name!r} does not have.")


def check_declared(routes: Mapping[str, object]) -> None:
    """Raise CannotStart naming every route (path → what it declared) that declares no permission."""
    open_routes = sorted(path for path, declared in routes.items() if not isinstance(declared, Permission))
    if open_routes:
        raise CannotStart(f"Every route must declare a permission. Without one: {', '.join(open_routes)}.")
