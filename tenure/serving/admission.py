"""Who may score, and what is read: permission, content type and size, before anything is decoded."""

from __future__ import annotations

from collections.abc import Mapping

from tenure.errors import InvalidInput, NotAllowed, NotSignedIn, TooLarge, UnsupportedType
from tenure.records.people import Permission, Principal
from tenure.serving.answers import Receive

MIB = 1024 * 1024


class Disconnected(Exception):
    """The client went away before its request was complete."""


def require(principal: Principal, permission: Permission, model: str | None = None) -> None:
    """Raise unless the principal has the permission everywhere, or for the model in question."""
    if principal.may(permission, model):
        return
    if principal.kind == "nobody" and Permission.READ not in principal.permissions:
        raise NotSignedIn("Scoring here needs a token: send the header 'Authorization: Bearer …'.")
    where = f" for the model {model!r}" if model else ""
    raise NotAllowed(f"This needs the permission '{permission.value}'{where}, which {principal.name!r} does not have.")


def check_headers(headers: Mapping[str, str], max_bytes: int) -> None:
    """Raise UnsupportedType or TooLarge for a body that will not be read, before a byte of it is."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedType("A scoring request must not be compressed.", where="Content-Encoding")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise InvalidInput("Content-Length must be a whole number.", where="Content-Length")
    if len(length) > 15 or int(length) > max_bytes:
        raise _too_large(max_bytes)


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """The body, or TooLarge as soon as it is longer than may be; the rest is never kept.

    Raises Disconnected when the client goes away first.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body
    parts, size = [], 0
    while True:
        if message["type"] != "http.request":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"A scoring request may have at most {max_bytes // MIB} MiB. Send the rows in several requests, "
        "or start the server with a larger --max-body-mib."
    )
