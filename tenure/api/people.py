"""Routes about people, and signing in and out."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post, put
from litestar.datastructures import Cookie
from litestar.response import Response

from tenure import access
from tenure.deploy import routing
from tenure.manage import people
from tenure.records.base import Record
from tenure.records.model_files import Role
from tenure.records.people import NewPerson, Password, Permission, Person, Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground


class SignIn(Record, forbid_unknown_fields=True):
    name: str
    password: str


class SignedIn(Record):
    """`csrf` goes into the header X-CSRF-Token, or the form field `csrf`, of every unsafe request of the session."""

    person: Person
    csrf: str
    expires_at: int


class NewPassword(Record, forbid_unknown_fields=True):
    password: Password


class Roles(Record, forbid_unknown_fields=True):
    roles: list[Role]


@get("/api/v1/people", permission=Permission.READ, sync_to_thread=True)
def list_people(ground: Ground) -> list[Person]:
    """Everybody, by name, with the roles they hold and until when wrong passwords keep them out."""
    return ground.database.read(lambda tx: people.list_all(tx, ground.clock()))


@post("/api/v1/people", permission=Permission.ADMINISTER, sync_to_thread=True)
def create_person(data: NewPerson, ground: Ground, principal: Principal, request: Request[Any, Any, Any]) -> Person:
    """Add a person, with a password of at least 12 characters and the roles they may sign in."""
    password_hash = gate_of(request).passwords.hashed(data.password)
    return ground.database.write(
        lambda tx: people.create(tx, data, password_hash, by=principal.name, now=ground.clock())
    )


@put("/api/v1/people/{name:str}/roles", permission=Permission.ADMINISTER, sync_to_thread=True)
def set_roles(name: str, data: Roles, ground: Ground, principal: Principal) -> Person:
    """Give a person exactly these roles for all models; roles for single models stay. Their sessions end."""
    person = ground.database.write(
        lambda tx: people.set_roles(tx, name, data.roles, by=principal.name, now=ground.clock())
    )
    routing.publish(ground)
    return person


@put("/api/v1/people/{name:str}/password", permission=Permission.ADMINISTER, sync_to_thread=True)
def set_password(
    name: str, data: NewPassword, ground: Ground, principal: Principal, request: Request[Any, Any, Any]
) -> None:
    """Give a person another password. Their sessions end."""
    password_hash = gate_of(request).passwords.hashed(data.password)
    ground.database.write(
        lambda tx: people.set_password(tx, name, password_hash, by=principal.name, now=ground.clock())
    )


@post("/api/v1/people/{name:str}/sign-out", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def end_sessions(name: str, ground: Ground, principal: Principal) -> Person:
    """End every session of a person."""

    def end(tx: Transaction) -> Person:
        person = people.get(tx, name).person
        people.end_sessions(tx, name, by=principal.name, now=ground.clock())
        return person

    return ground.database.write(end)


@post("/api/v1/people/{name:str}/unlock", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def unlock(name: str, ground: Ground, principal: Principal) -> Person:
    """Let a person try again whom too many wrong passwords keep out."""
    return ground.database.write(lambda tx: people.unlock(tx, name, by=principal.name, now=ground.clock()))


@post("/api/v1/sign-in", permission=Permission.PUBLIC, sync_to_thread=True, status_code=200)
def sign_in(data: SignIn, ground: Ground, request: Request[Any, Any, Any]) -> Response[SignedIn]:
    """Begin a session: a cookie that scripts cannot read, and the CSRF token that goes with it."""
    gate = gate_of(request)
    token, account = gate.sign_in(data.name, data.password, gate.address_of(request.client, request.headers))
    return session_begun(gate, ground, token, account.person)


@post("/api/v1/sign-out", permission=Permission.PUBLIC, sync_to_thread=True, status_code=200)
def sign_out(ground: Ground, principal: Principal, request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """End every session of the person who is signed in."""
    if principal.kind == "person":
        ground.database.write(lambda tx: people.end_sessions(tx, principal.name, by=principal.name, now=ground.clock()))
    return Response({"signed_out": principal.name}, cookies=[Cookie(**gate_of(request).cookie(None))])


def session_begun(gate: access.Gate, ground: Ground, token: str, person: Person) -> Response[SignedIn]:
    """What is answered when a session begins."""
    expires_at = ground.clock() + access.SESSION_US
    told = SignedIn(person=person, csrf=gate.sessions.csrf(token), expires_at=expires_at)
    return Response(told, cookies=[Cookie(**gate.cookie(token))], headers={"cache-control": "no-store"})


def gate_of(request: Request[Any, Any, Any]) -> access.Gate:
    """The gate that this server stands behind."""
    gate: access.Gate = request.app.state["gate"]
    return gate


handlers = [list_people, create_person, set_roles, set_password, end_sessions, unlock, sign_in, sign_out]
