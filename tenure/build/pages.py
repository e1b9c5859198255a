"""Page tokens: where the next page starts, opaque to clients."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from tenure.errors import InvalidInput

Item = TypeVar("Item")
LARGEST_OFFSET = 2**31  # what every database takes
NO_SCOPE: Mapping[str, str] = {}


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scope`: digests of what was asked, where a token must only continue the same question."""

    offset: int
    scope: tuple[str, ...] = ()


def written(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def read(token: str | None, *, scope: Mapping[str, str] = NO_SCOPE) -> int:
    """The offset that a token stands for; 0 when there is none. Raises InvalidInput for a token we did not make.

    `scope`: digests of the parts of the question, each by what is said when the token was made for another part.
    """
    if not token:
        return 0
    try:
        place = msgspec.json.decode(base64.b64decode(token.encode(), altchars=b"-_", validate=True), type=Place)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError):
        raise not_ours() from None
    if not 0 < place.offset < LARGEST_OFFSET:
        raise not_ours()
    if len(place.scope) != len(scope):
        raise not_ours()
    for (why, digest), kept in zip(scope.items(), place.scope, strict=True):
        if digest != kept:
            raise of_another(why)
    return place.offset


def not_ours() -> InvalidInput:
    return InvalidInput(
        "Invalid page token: pass on the `next_page_token` of the previous answer, unchanged.", where="page_token"
    )


def of_another(why: str = "it belongs to another question") -> InvalidInput:
    return InvalidInput(
        f"Invalid page token: {why}. Keep experiments, filter and order while paging.",
        where="page_token",
    )


def cut(
    found: Sequence[Item], limit: int, offset: int, *, scope: Mapping[str, str] = NO_SCOPE
) -> tuple[list[Item], str | None]:
    """One page of `limit` from `limit + 1` found, and the token of the next page if there is one."""
    token = written(Place(offset + limit, tuple(scope.values()))) if len(found) > limit else None
    return list(found[:limit]), token
