"""Routes about people, and signing in and out."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post, put
from litestar.datastructures import Cookie
from litestar.response import Response
from msgspec import Meta

from tenure import access
from tenure.manage import people
from tenure.records.base import Record
from tenure.records.model_files import Role
from tenure.records.people import NewPerson, Permission, Person, Principal
from tenure.store import audit
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
    password: Annotated[str, Meta(min_length=12, max_length=1024)]


class Roles(Record, forbid_unknown_fields=True):
    roles: list[Role]


@get("/api/v1/people", permission=Permission.READ, sync_to_thread=True)
def list_people(ground: Ground) -> list[Person]:
    """Everybody, by name."""
    return ground.database.read(people.list_all)


@post("/api/v1/people", permission=Permission.ADMINISTER, sync_to_thread=True)
def create_person(data: NewPerson, ground: Ground, principal: Principal, request: Request[Any, Any, Any]) -> Person:
    """Add a person, with a password of at least 12 characters and the roles they may sign in."""
    password_hash = gate_of(request).passwords.hashed(data.password)
    return ground.database.write(
        lambda tx: people.create(tx, data, password_hash, by=principal.name, now=ground.clock())
    )


@put("/api/v1/people/{name:str}/roles", permission=Permission.ADMINISTER, sync_to_thread=True)
def set_roles(name: str, data: Roles, ground: Ground, principal: Principal) -> Person:
    """Give a person exactly these roles. Their sessions end."""
    return ground.database.write(
        lambda tx: people.set_roles(tx, name, data.roles, by=principal.name, now=ground.clock())
    )


@put("/api/v1/people/{name:str}/password", permission=Permission.ADMINISTER, sync_to_thread=True)
def set_password(
    name: str, data: NewPassword, ground: Ground, principal: Principal, request: Request[Any, Any, Any]
) -> None:
    """Give a person another password. Their sessions end."""
    password_hash = gate_of(request).passwords.hashed(data.password)
    ground.database.write(
        lambda tx: people.set_password(tx, name, password_hash, by=principal.name, now=ground.clock())
    )


@post("/api/v1/sign-in", permission=Permission.PUBLIC, sync_to_thread=True, status_code=200)
def sign_in(data: SignIn, ground: Ground, request: Request[Any, Any, Any]) -> Response[SignedIn]:
    """Begin a session: a cookie that scripts cannot read, and the CSRF token that goes with it."""
    token, signed_in = begin_session(gate_of(request), ground, data.name, data.password)
    return Response(signed_in, cookies=[session_cookie(token)], headers={"cache-control": "no-store"})


@post("/api/v1/sign-out", permission=Permission.PUBLIC, sync_to_thread=True, status_code=200)
def sign_out(ground: Ground, principal: Principal) -> Response[dict[str, str]]:
    """End every session of the person who is signed in."""
    if principal.kind == "person":
        ground.database.write(lambda tx: people.end_sessions(tx, principal.name, by=principal.name, now=ground.clock()))
    return Response({"signed_out": principal.name}, cookies=[session_cookie(None)])


def begin_session(gate: access.Gate, ground: Ground, name: str, password: str) -> tuple[str, SignedIn]:
    """Check a password and make a session of it. Raises NotSignedIn, or TooMany when the person is locked out."""
    now = ground.clock()
    account = gate.passwords.check(name, password, purpose="sign-in", now=now).account

    def note(tx: Transaction) -> None:
        audit.append(tx, "person.signed_in", subject=name, by=name, at=now)

    ground.database.write(note)
    token = gate.sessions.issue(account, now)
    expires_at = now + access.SESSION_US
    return token, SignedIn(person=account.person, csrf=gate.sessions.csrf(token), expires_at=expires_at)


def session_cookie(token: str | None) -> Cookie:
    """The cookie that carries a session; without a token the one that takes it away."""
    return Cookie(
        key=access.COOKIE,
        value=token or "",
        path="/",
        max_age=access.SESSION_US // 1_000_000 if token else 0,
        httponly=True,
        samesite="strict",
    )


def gate_of(request: Request[Any, Any, Any]) -> access.Gate:
    """The gate that this server stands behind."""
    gate: access.Gate = request.app.state["gate"]
    return gate


handlers = [list_people, create_person, set_roles, set_password, sign_in, sign_out]
