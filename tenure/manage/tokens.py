"""Tokens for machines: made, shown once, looked up by digest, revoked.

A token is 256 random bits, so its SHA-256 is all that needs to be kept: nobody guesses it, and who reads the database
cannot use what stands there.
"""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from typing import Literal

from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tenure.manage import roles
from tenure.records.base import DAY_US, HOUR_US, Instant, new_id
from tenure.records.people import Permission, Principal, RoleHeld
from tenure.records.routing import RoutedToken
from tenure.records.tokens import PREFIX, IssuedToken, NewToken, Token
from tenure.store import audit, grants, people, services, settings_kept, tokens
from tenure.store.database import Transaction

NEVER = frozenset({Permission.PUBLIC, Permission.SIGN})
JOBS = "tenure-worker"
"""In whose name training jobs ask: the server's own, which no person or service can have."""
FOR_JOBS = frozenset({Permission.READ, Permission.TRACK})
AT_GATEWAYS = frozenset({Permission.SCORE, Permission.READ})
USE_KEPT_US = HOUR_US
"""How old the kept time of last use may be before it is written again: a write an hour, not a write a request."""


def create(tx: Transaction, new: NewToken, *, by: Principal, now: Instant) -> IssuedToken:
    """Make a token for oneself, or for a service. The secret is in the answer and nowhere else.

    Raises NotAllowed for whom it may not be made, InvalidInput for permissions that its principal does not have.
    """
    owner = _owner(tx, new, by)
    beyond = sorted(one.value for one in new.permissions if one in NEVER or not owner.may_somewhere(one))
    if beyond:
        raise InvalidInput(
            f"A token may permit what {owner.name!r} may do, and never signing. Too much: {', '.join(beyond)}.",
            where="permissions",
        )
    token = Token(
        token_id=new_id(now),
        principal=owner.name,
        label=new.label,
        permissions=sorted(set(new.permissions)),
        models=sorted(set(new.models)),
        created_by=by.name,
        created_at=now,
        expires_at=Instant(now + int(new.days * DAY_US)),
    )
    issued = _issue(tx, token, now)
    settings_kept.count_up(tx, settings_kept.ROUTING_EPOCH)
    return issued


def create_for_job(tx: Transaction, job_id: str, *, until: Instant, now: Instant) -> IssuedToken:
    """Make the token of a training job, which reads and tracks until then; any that the job had before is revoked.

    Gateways are told nothing of it, since a job scores nothing there.
    """
    revoke_of_job(tx, job_id, now=now)
    token = Token(
        token_id=new_id(now),
        principal=JOBS,
        label=_label(job_id),
        permissions=sorted(FOR_JOBS),
        models=[],
        created_by=JOBS,
        created_at=now,
        expires_at=until,
    )
    return _issue(tx, token, now)


def revoke_of_job(tx: Transaction, job_id: str, *, now: Instant) -> None:
    """Take the power of every token away that a training job still has."""
    for token_id in tokens.good_ones(tx, JOBS, _label(job_id)):
        end(tx, token_id, now=now)


def end(tx: Transaction, token_id: str, *, now: Instant) -> None:
    """Take the power of a training job's token away, unless that was done."""
    token = tokens.get(tx, token_id)
    if token is not None and token.revoked_at is None:
        _revoke(tx, token, JOBS, now)


def _label(job_id: str) -> str:
    return f"training job {job_id}"


def _issue(tx: Transaction, token: Token, now: Instant) -> IssuedToken:
    """Store a token with a new secret and tell the audit log."""
    secret = PREFIX + urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    tokens.add(tx, token, digest_of(secret))
    detail = {
        "token_id": token.token_id,
        "label": token.label,
        "permissions": [one.value for one in token.permissions],
        "models": token.models,
        "expires_at": token.expires_at,
    }
    audit.append(tx, "token.created", subject=token.principal, by=token.created_by, at=now, detail=detail)
    return IssuedToken(secret=secret, token=token)


def revoke(tx: Transaction, token_id: str, *, by: Principal, now: Instant) -> Token:
    """Take a token's power away: one's own, or anybody's for who administers. Raises NotFound, Conflict."""
    token = tokens.get(tx, token_id)
    if token is None or not (_is_own(token, by) or by.may(Permission.ADMINISTER)):
        raise NotFound(f"There is no token {token_id!r} of yours.")
    if token.revoked_at is not None:
        raise Conflict(f"The token {token.label!r} was revoked already.")
    _revoke(tx, token, by.name, now)
    settings_kept.count_up(tx, settings_kept.ROUTING_EPOCH)
    revoked = tokens.get(tx, token_id)
    assert revoked is not None
    return revoked


def _revoke(tx: Transaction, token: Token, by: str, now: Instant) -> None:
    tokens.revoke(tx, token.token_id, now)
    detail = {"token_id": token.token_id, "label": token.label}
    audit.append(tx, "token.revoked", subject=token.principal, by=by, at=now, detail=detail)


def search(tx: Transaction, *, by: Principal, principal: str | None = None) -> list[Token]:
    """Tokens, newest first: one's own, or anybody's for who administers."""
    if by.may(Permission.ADMINISTER):
        return tokens.search(tx, principal=principal)
    return [token for token in tokens.search(tx, principal=by.name) if principal in (None, token.principal)]


def find(tx: Transaction, digest: str, now: Instant, *, solo: bool) -> tuple[Token, Principal] | None:
    """The token of that digest and who shows it; None when it is unknown, revoked or over."""
    token = tokens.of_digest(tx, digest)
    if token is None or not is_good(token, now):
        return None
    principal = _principal(tx, token.principal, solo=solo)
    return (token, roles.restricted(principal, token)) if principal is not None else None


def note_use(tx: Transaction, token: Token, now: Instant) -> None:
    """Keep that a token was used, if what is kept is older than an hour."""
    if uses_to_note(token, now):
        tokens.note_use(tx, token.token_id, now)


def uses_to_note(token: Token, now: Instant) -> bool:
    """Whether the kept time of a token's last use is to be written again."""
    return token.last_used_at is None or now - token.last_used_at >= USE_KEPT_US


def routed(tx: Transaction, now: Instant, *, solo: bool) -> dict[str, RoutedToken]:
    """What gateways need of tokens that score or read: who shows them, by digest."""
    people_, services_ = people.list_all(tx), services.list_all(tx)
    known: dict[str, tuple[Literal["person", "service"], list[RoleHeld]]] = {
        **{one.name: ("person", one.roles) for one in people_},
        **{one.name: ("service", one.roles) for one in services_},
    }
    found = {}
    for digest, token in tokens.not_revoked(tx).items():
        if token.principal not in known or not is_good(token, now):
            continue
        kind, held = known[token.principal]
        principal = roles.restricted(roles.principal_of(token.principal, kind, held, solo=solo), token)
        if any(principal.may_somewhere(permission) for permission in AT_GATEWAYS):
            found[digest] = RoutedToken(principal=principal, expires_at=token.expires_at)
    return found


def is_good(token: Token, now: Instant) -> bool:
    """Whether a token may still be shown."""
    return token.revoked_at is None and now < token.expires_at


def digest_of(secret: str) -> str:
    """The SHA-256 of a token, in hex, by which it is known."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _owner(tx: Transaction, new: NewToken, by: Principal) -> Principal:
    """Whose token it shall be, with what they may do."""
    if by.token:
        raise NotAllowed("A token cannot make tokens. Sign in with your password.")
    if new.principal in (None, by.name):
        if by.kind != "person":
            raise InvalidInput("Name the service that the token is for.", where="principal")
        return by
    if not by.may(Permission.ADMINISTER):
        raise NotAllowed("Only who administers makes tokens for services; your own need no principal.")
    assert new.principal is not None
    service = services.get(tx, new.principal)
    if service is None:
        raise NotFound(
            f"There is no service named {new.principal!r}. Add one with POST /api/v1/services; people make their own "
            "tokens.",
            where="principal",
        )
    return roles.principal_of(service.name, "service", service.roles)


def _principal(tx: Transaction, name: str, *, solo: bool) -> Principal | None:
    if name == JOBS:
        return Principal(name=JOBS, kind="job", permissions=roles.UNASKED | FOR_JOBS)
    account = people.get(tx, name)
    if account is not None:
        return roles.principal_of(name, "person", account.person.roles, solo=solo)
    return roles.principal_of(name, "service", grants.roles_of(tx, name)) if services.get(tx, name) else None


def _is_own(token: Token, by: Principal) -> bool:
    return by.kind in ("person", "service") and token.principal == by.name
