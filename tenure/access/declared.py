"""What a route declares, and whether a principal may use it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from tenure.access.subjects import Subject
from tenure.errors import CannotStart, NotAllowed, NotSignedIn
from tenure.records.people import Permission, Principal

ABOUT_ONE_MODEL = re.compile(
    r"/(models|endpoints|changes|alerts|retraining)/\{|/(registered-models|model-versions)/",
)
"""Paths of what belongs to one model: its routes must say how the model is found, or that what they list is chosen."""


class Declared(NamedTuple):
    """What a route asks for, and what it is about."""

    permission: object
    subject: object = None


def require(principal: Principal, permission: Permission, model: str | None = None) -> None:
    """Raise unless the principal has the permission everywhere, or for the model in question."""
    if principal.may(permission, model):
        return
    if principal.kind == "nobody" and Permission.READ not in principal.permissions:
        raise NotSignedIn(
            "This server wants to know who asks. Sign in, or send a token: MLFLOW_TRACKING_TOKEN for mlflow's client, "
            "TENURE_TOKEN for tenure's, else the header 'Authorization: Bearer …'."
        )
    where = f" for the model {model!r}" if model else ""
    raise NotAllowed(f"This needs the permission '{permission.value}'{where}, which {principal.name!r} does not have.")


def require_known(principal: Principal) -> None:
    """Raise NotSignedIn unless it is known who asks: a person, a service, or this machine's owner."""
    if principal.kind == "nobody":
        raise NotSignedIn("This is for whoever is signed in. Sign in, or send a token.")


def check_declared(routes: Mapping[str, object]) -> None:
    """Raise CannotStart naming every route (method and path → what it declared) that declares too little."""
    declared = {path: one if isinstance(one, Declared) else Declared(one) for path, one in routes.items()}
    open_routes = sorted(path for path, one in declared.items() if not isinstance(one.permission, Permission))
    if open_routes:
        raise CannotStart(f"Every route must declare a permission. Without one: {', '.join(open_routes)}.")
    nameless = sorted(
        path
        for path, one in declared.items()
        if ABOUT_ONE_MODEL.search(path) and not isinstance(one.subject, Subject) and one.permission is not _PUBLIC
    )
    if nameless:
        raise CannotStart(f"Every route about one model must declare its subject. Without one: {', '.join(nameless)}.")


_PUBLIC = Permission.PUBLIC
