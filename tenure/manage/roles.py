"""Roles and what they permit.

The names below are *working roles*: each is a set of permissions. Any other name is a *signing role* that a model's
file asks for (`validator`, `business-owner`): who holds one reads, and signs in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from tenure.records.people import Permission, Principal, RoleHeld
from tenure.records.tokens import Token

P = Permission
ADMIN = "admin"
WORKING: dict[str, frozenset[Permission]] = {
    "reader": frozenset({P.READ}),
    "scorer": frozenset({P.READ, P.SCORE, P.OUTCOME}),
    "data-scientist": frozenset({P.READ, P.TRACK}),
    "engineer": frozenset({P.READ, P.TRACK, P.SCORE, P.OUTCOME, P.MANAGE}),
    "auditor": frozenset({P.READ, P.AUDIT}),
    "steward": frozenset({P.READ, P.PROTECT}),
    ADMIN: frozenset({P.READ, P.ADMINISTER, P.AUDIT}),
}
SIGNING = frozenset({P.READ, P.SIGN})
UNASKED = frozenset({P.PUBLIC})
IN_SOLO = frozenset({P.PUBLIC, P.READ, P.TRACK, P.SCORE, P.OUTCOME, P.MANAGE, P.SIGN, P.AUDIT})
"""What a person without any working role may do in solo mode, where whoever sits at the machine may do as much."""


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """What several roles permit together.

    >>> sorted(permissions_of(["reader", "validator"]))
    [<Permission.PUBLIC: 'public'>, <Permission.READ: 'read'>, <Permission.SIGN: 'sign'>]
    """
    return UNASKED.union(*(WORKING.get(role, SIGNING) for role in roles))


def principal_of(
    name: str, kind: Literal["person", "service"], held: list[RoleHeld], *, solo: bool = False
) -> Principal:
    """What a person or a service may do by the roles that they hold. A service never signs."""
    everywhere = permissions_of(one.role for one in held if one.model is None)
    models = {one.model for one in held if one.model is not None}
    on = {model: permissions_of(one.role for one in held if one.model == model) for model in models}
    if kind == "service":
        everywhere, on = everywhere - {P.SIGN}, {model: these - {P.SIGN} for model, these in on.items()}
    elif solo and not any(one.role in WORKING for one in held):
        everywhere |= IN_SOLO
    return Principal(name=name, kind=kind, permissions=everywhere, on=on)


def restricted(principal: Principal, token: Token) -> Principal:
    """What a principal may do who shows a token: what they may by themselves, as far as the token lets it."""
    let = UNASKED.union(token.permissions) - {P.SIGN}
    everywhere, on = principal.permissions & let, {model: these & let for model, these in principal.on.items()}
    if token.models:
        on = {model: everywhere | on.get(model, UNASKED) for model in token.models}
        everywhere = UNASKED
    return msgspec.structs.replace(principal, permissions=everywhere, on=on, token=token.token_id)
