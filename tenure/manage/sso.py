"""People who sign in with a provider: added when they first come, with the roles that a claim lists.

They have no password here, so they cannot sign changes until an administrator gives them one: a signature needs the
person's own password at the moment of signing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tenure.errors import NotAllowed
from tenure.manage import grants, people
from tenure.records.base import Instant
from tenure.records.people import NewGrant, Person
from tenure.store import audit, sso_identities
from tenure.store import grants as kept
from tenure.store import people as accounts
from tenure.store.database import Transaction
from tenure.store.people import Account

BY = "sso"
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,127}")
ROLE = re.compile(r"[a-z][a-z0-9-]{0,62}")


def sign_in(
    tx: Transaction, issuer: str, subject: str, claims: Mapping[str, Any], *, roles_claim: str, now: Instant
) -> Account:
    """The account of whom a provider vouches for; made when there is none. Raises NotAllowed, AlreadyExists.

    A name that a person here has already is never taken over: who a person is follows from the provider's own id of
    them, which no other gets. Roles that the claim lists are given, and those that it gave before are taken back.
    """
    name = sso_identities.get(tx, issuer, subject)
    if name is None:
        name = _add(tx, claims, now)
        sso_identities.add(tx, issuer, subject, name)
    if roles_claim:
        _follow(tx, name, roles_in(claims.get(roles_claim)), now)
    audit.append(tx, "person.signed_in", subject=name, by=name, at=now, detail={"issuer": issuer})
    return people.get(tx, name)


def roles_in(claim: object) -> list[str]:
    """The roles that a claim lists: a list, or a text with spaces. What cannot be the name of one is left out.

    >>> roles_in(["engineer", "Domain Users", 7]), roles_in("reader validator"), roles_in(None)
    (['engineer'], ['reader', 'validator'], [])
    """
    listed = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return list(dict.fromkeys(role for role in listed if isinstance(role, str) and ROLE.fullmatch(role)))


def _add(tx: Transaction, claims: Mapping[str, Any], now: Instant) -> str:
    given = claims.get("preferred_username") or (claims.get("email") if claims.get("email_verified") else None)
    name = str(given or "").lower()
    if not NAME.fullmatch(name):
        raise NotAllowed(
            "The provider must tell a name (preferred_username, or an email that it verified) of small letters, digits "
            f"and . _ @ -. Got {name[:60]!r}."
        )
    people.check_free(tx, name)
    printed = str(claims.get("name") or name)[:200]
    accounts.add(tx, Person(name=name, printed_name=printed, roles=[], created_at=now), "")
    detail = {"printed_name": printed, "roles": []}
    audit.append(tx, "person.created", subject=name, by=BY, at=now, detail=detail)
    return name


def _follow(tx: Transaction, name: str, roles: list[str], now: Instant) -> None:
    held = [grant for grant in kept.search(tx, principal=name) if grant.model is None]
    for grant in held:
        if grant.granted_by == BY and grant.role not in roles:
            grants.revoke(tx, grant.grant_id, by=BY, now=now)
    for role in roles:
        if role not in {grant.role for grant in held}:
            grants.give(tx, NewGrant(principal=name, role=role), by=BY, now=now)
