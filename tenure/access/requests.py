"""What a request shows of who sends it: cookies, forms, credentials, the address it came from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from tenure.errors import NotSignedIn

COOKIE = "tenure_session"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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


def name_and_password(encoded: str) -> tuple[str, str]:
    """What Basic credentials say. Raises NotSignedIn for what cannot be read."""
    try:
        name, separator, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        separator = ""
    if not separator:
        raise NotSignedIn("Basic credentials must be the Base64 form of name:password. These cannot be read.")
    return name, password


def came_from(peer: str, headers: Mapping[str, str], *, behind_proxy: bool) -> str:
    """The address of who asks: the peer's, or what the operator's own proxy says it is.

    >>> came_from("127.0.0.1", {"x-forwarded-for": "198.51.100.9, 203.0.113.5"}, behind_proxy=True)
    '203.0.113.5'
    """
    told = headers.get("x-forwarded-for", "").rpartition(",")[2].strip() if behind_proxy else ""
    return told or peer
