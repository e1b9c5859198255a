"""How a route is declared: as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from tenure.access import Subject
from tenure.records.base import Instant
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground

V2 = "/api/2.0/mlflow/"
V3 = "/api/3.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/"

Kind = Literal["read", "write", "small", "apart", "stream"]
"""What a handler is given.

`read`, `write`, `small` (a write whose cost follows the size of its body): (tx, request, asked), inside a transaction.
`apart`: async (request, asked), opens its own.
`stream`: async (asked, scope, receive, send, path), answers by itself.
"""


class Nothing(msgspec.Struct):
    """A request without fields."""


class Asked(msgspec.Struct, frozen=True):
    """Who asks, when, and on which ground."""

    ground: Ground
    by: str
    now: Instant
    principal: Principal

    @property
    def cut(self) -> bool:
        """Whether a param or tag that is too long is cut; else it is refused."""
        return self.ground.settings.truncate_long_values


@dataclass(frozen=True)
class Route:
    """`path` may hold `{name}` for one segment and `{name:path}` for the rest.

    `for_jobs`: whether a training job may use it, if it has the permission.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    request: type[msgspec.Struct] = Nothing
    kind: Kind = "write"
    permission: Permission = Permission.TRACK
    subject: Subject | None = None
    for_jobs: bool = True


def reads(
    method: str,
    path: str,
    handler: Callable[..., Any],
    request: type[msgspec.Struct],
    subject: Subject | None = None,
) -> Route:
    return Route(method, path, handler, request, "read", Permission.READ, subject)


def writes_small(method: str, path: str, handler: Callable[..., Any], request: type[msgspec.Struct]) -> Route:
    """A route that training calls again and again; it must cost no more than what was sent does."""
    return Route(method, path, handler, request, "small")


def writes(
    method: str,
    path: str,
    handler: Callable[..., Any],
    request: type[msgspec.Struct],
    subject: Subject | None = None,
) -> Route:
    return Route(method, path, handler, request, subject=subject)
