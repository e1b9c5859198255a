"""Routes about oneself, and about the first administrator. They declare PUBLIC: one's own account needs no role."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post, put
from litestar.response import Response

from tenure import access
from tenure.api.people import SignedIn, gate_of, session_begun
from tenure.errors import NotAllowed
from tenure.manage import people, set_up
from tenure.records.base import Record
from tenure.records.people import FirstPerson, Password, Permission, Principal
from tenure.store.ground import Ground
from tenure.store.people import Account


class PasswordChange(Record, forbid_unknown_fields=True):
    current: str
    password: Password


@get("/api/v1/account", permission=Permission.PUBLIC, sync_to_thread=False)
def get_account(principal: Principal) -> Principal:
    """Who is asking, and what they may do: everywhere, and for single models."""
    access.require_known(principal)
    return principal


@put("/api/v1/account/password", permission=Permission.PUBLIC, sync_to_thread=True)
def change_password(
    data: PasswordChange, ground: Ground, principal: Principal, request: Request[Any, Any, Any]
) -> None:
    """Give oneself another password. Every session of one's own ends."""
    access.require_known(principal)
    if principal.kind != "person" or principal.token:
        raise NotAllowed("Only a person who signed in with their password may change it.")
    gate, now = gate_of(request), ground.clock()
    gate.passwords.check(principal.name, data.current, purpose="changing the password", now=now)
    password_hash = gate.passwords.hashed(data.password)
    ground.database.write(lambda tx: people.set_password(tx, principal.name, password_hash, by=principal.name, now=now))


@post("/api/v1/set-up", permission=Permission.PUBLIC, sync_to_thread=True)
def set_up_server(data: FirstPerson, ground: Ground, request: Request[Any, Any, Any]) -> Response[SignedIn]:
    """Make the first administrator with the secret of the set-up link, once, and begin their session."""
    gate, now = gate_of(request), ground.clock()
    ground.database.read(lambda tx: set_up.require_good(tx, data.token, now))
    password_hash = gate.passwords.hashed(data.password)
    person = ground.database.write(lambda tx: set_up.complete(tx, data, password_hash, now=now))
    token = gate.sessions.issue(Account(person, password_hash, 1), now)
    return session_begun(gate, ground, token, person)


handlers = [get_account, change_password, set_up_server]
