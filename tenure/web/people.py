"""People and services: who may do what, for which models, and who gave it to them."""

from __future__ import annotations

from typing import Any, Unpack

from litestar import Response, get, post
from litestar.response import Redirect

from tenure.errors import Conflict, NotFound, TenureError
from tenure.manage import grants, people, services, tokens
from tenure.manage.roles import WORKING, principal_of
from tenure.manage.tokens import NEVER
from tenure.records.people import NewPerson, Permission, Principal, Service
from tenure.records.tokens import IssuedToken
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Asked, Form, Sent, form_page, gate_of, names, record
from tenure.web.page import part


@get("/people", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def people_page(request: Asked, ground: Ground, principal: Principal) -> Response[str]:
    return list_page(request, ground, principal)


@post("/people/add", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def add(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Add a person; what is wrong with the form is said above it."""
    try:
        fields = {name: data.get(name, "").strip() for name in ("name", "printed_name")}
        new = record(NewPerson, **fields, password=data.get("password", ""), roles=names(data, "roles"))
        hashed = gate_of(request).passwords.hashed(new.password)
        ground.database.write(lambda tx: people.create(tx, new, hashed, by=principal.name, now=ground.clock()))
    except TenureError as refusal:
        return list_page(request, ground, principal, refusal=refusal, given=data)
    return Redirect(f"/people/{part(new.name)}", status_code=303)


@get("/people/{name:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def person_page(request: Asked, ground: Ground, principal: Principal, name: str) -> Response[str]:
    return one_page(request, ground, principal, name)


@post("/people/{name:str}/password", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def set_password(
    request: Asked, ground: Ground, principal: Principal, name: str, data: Form
) -> Response[str] | Redirect:
    """Give a person another password: their sessions end, and a lock is taken off."""
    try:
        password = record(NewPerson, name="x", printed_name="-", password=data.get("password", "")).password
        hashed = gate_of(request).passwords.hashed(password)
        now = ground.clock()
        ground.database.write(lambda tx: people.set_password(tx, name, hashed, by=principal.name, now=now))
    except TenureError as refusal:
        return one_page(request, ground, principal, name, refusal=refusal)
    return Redirect(f"/people/{part(name)}", status_code=303)


@post("/people/{name:str}/sign-out", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def end_sessions(ground: Ground, principal: Principal, name: str) -> Redirect:
    """End every session of a person."""

    def end(tx: Transaction) -> None:
        people.get(tx, name)
        people.end_sessions(tx, name, by=principal.name, now=ground.clock())

    ground.database.write(end)
    return Redirect(f"/people/{part(name)}", status_code=303)


@post("/people/{name:str}/unlock", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def unlock(request: Asked, ground: Ground, principal: Principal, name: str) -> Response[str] | Redirect:
    """Let a person try again whom wrong passwords keep out."""
    try:
        ground.database.write(lambda tx: people.unlock(tx, name, by=principal.name, now=ground.clock()))
    except Conflict as refusal:
        return one_page(request, ground, principal, name, refusal=refusal)
    return Redirect(f"/people/{part(name)}", status_code=303)


def list_page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    **sent: Unpack[Sent],
) -> Response[str]:
    """Everybody, with the forms to add somebody for who administers."""

    def load(tx: Transaction) -> dict[str, Any]:
        return {
            "people": people.list_all(tx, ground.clock()),
            "services": services.list_all(tx),
            "working": list(WORKING),
            "acting": principal.kind == "person" and principal.may(Permission.ADMINISTER),
            "issued": None,
        }

    return form_page(request, ground, principal, "people.html", load, current="people", **sent)


def one_page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    *,
    issued: IssuedToken | None = None,
    **sent: Unpack[Sent],
) -> Response[str]:
    """One person or service: roles held now and before, tokens, sessions."""
    now, administers = ground.clock(), principal.may(Permission.ADMINISTER)

    def load(tx: Transaction) -> dict[str, Any]:
        person = next((one for one in people.list_all(tx, now) if one.name == name), None)
        service = next((one for one in services.list_all(tx) if one.name == name), None)
        if person is None and service is None:
            raise NotFound(f"There is neither a person nor a service named {name!r}.")
        return {
            "name": name,
            "title": person.printed_name if person else name,
            "person": person,
            "service": service,
            "grants": list(reversed(grants.search(tx, principal=name, with_ended=True))),
            "tokens": tokens.search(tx, by=principal, principal=name) if administers else None,
            "may": _may(service),
            "working": list(WORKING),
            "acting": administers and principal.kind == "person",
            "now": now,
            "issued": issued,
        }

    return form_page(request, ground, principal, "person.html", load, current="people", **sent)


def _may(service: Service | None) -> list[str]:
    """What a token of a service could let it do."""
    if service is None:
        return []
    principal = principal_of(service.name, "service", service.roles)
    return [one.value for one in Permission if one not in NEVER and principal.may_somewhere(one)]


handlers = [people_page, add, person_page, set_password, end_sessions, unlock]
