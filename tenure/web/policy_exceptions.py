"""Exceptions to policies: asked for, decided by somebody else with their password, ended before their day."""

from __future__ import annotations

from typing import Any, Unpack

from litestar import Response, get, post
from litestar.response import Redirect

from tenure.errors import NotAllowed, TenureError
from tenure.manage import exceptions
from tenure.records.base import Record, moment_of
from tenure.records.changes import Reason
from tenure.records.people import Permission, Principal
from tenure.records.policies import Decision, NewException
from tenure.store import registered_models as kept_models
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Asked, Form, Sent, form_page, gate_of, record, text
from tenure.web.page import part

FIELDS = ("model", "subject", "owner", "reason", "expires")


class Ending(Record):
    reason: Reason


@get("/policy-exceptions", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def list_page(
    request: Asked, ground: Ground, principal: Principal, model: str = "", subject: str = ""
) -> Response[str]:
    """Every exception, and the form to ask for one."""
    return _list(request, ground, principal, given={"model": model, "subject": subject})


@post("/policy-exceptions/ask", permission=Permission.MANAGE, sync_to_thread=True, include_in_schema=False)
def ask(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Ask that something be allowed for one model until a day; what is wrong is said beside its field."""
    try:
        new = record(NewException, **{name: text(data, name) for name in FIELDS})
        made = ground.database.write(lambda tx: exceptions.request(tx, new, by=principal.name, now=ground.clock()))
    except TenureError as refusal:
        return _list(request, ground, principal, refusal=refusal, given=data)
    return _to(made.exception_id)


@get("/policy-exceptions/{exception_id:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def one_page(request: Asked, ground: Ground, principal: Principal, exception_id: str) -> Response[str]:
    """One exception: why it was asked for, who decided, and the forms to decide and to revoke."""
    return _one(request, ground, principal, exception_id)


# Who decides is the person whose password is in the form, whoever sends it: READ lets the form in, the verb checks.
@post(
    "/policy-exceptions/{exception_id:str}/decide",
    permission=Permission.READ,
    sync_to_thread=True,
    include_in_schema=False,
)
def decide(
    request: Asked, ground: Ground, principal: Principal, exception_id: str, data: Form
) -> Response[str] | Redirect:
    """Allow or refuse, with one's own password."""
    try:
        fields = {name: text(data, name) for name in ("person", "decision", "reason")}
        word = record(Decision, **fields, password=data.get("password", ""))
        if principal.kind == "person" and principal.name != word.person:
            raise NotAllowed(f"You are signed in as {principal.name!r}. Decide as yourself.", where="person")
        now = ground.clock()
        proof = gate_of(request).passwords.check(
            word.person, word.password, purpose=f"deciding {exception_id}", now=now
        )
        ground.database.write(lambda tx: exceptions.decide(tx, exception_id, word, proof=proof, now=now))
    except TenureError as refusal:
        given = {name: data.get(name, "") for name in ("person", "decision", "reason")}
        return _one(request, ground, principal, exception_id, refusal=refusal, given=given)
    return _to(exception_id)


@post(
    "/policy-exceptions/{exception_id:str}/revoke",
    permission=Permission.MANAGE,
    sync_to_thread=True,
    include_in_schema=False,
)
def revoke(
    request: Asked, ground: Ground, principal: Principal, exception_id: str, data: Form
) -> Response[str] | Redirect:
    """End an exception before its day."""
    try:
        reason = record(Ending, reason=text(data, "reason")).reason
        ground.database.write(
            lambda tx: exceptions.revoke(tx, exception_id, reason=reason, by=principal.name, now=ground.clock())
        )
    except TenureError as refusal:
        return _one(request, ground, principal, exception_id, refusal=refusal, given={"ending": data.get("reason", "")})
    return _to(exception_id)


def _to(exception_id: str) -> Redirect:
    return Redirect(f"/policy-exceptions/{part(exception_id)}", status_code=303)


def _list(request: Asked, ground: Ground, principal: Principal, **sent: Unpack[Sent]) -> Response[str]:
    now = ground.clock()

    def load(tx: Transaction) -> dict[str, Any]:
        return {
            "exceptions": exceptions.search(tx, now=now),
            "models": [model.name for model in kept_models.list_all(tx)],
            "subjects": exceptions.subjects(tx, now),
            "today": moment_of(now).date().isoformat(),
            "may_ask": principal.may(Permission.MANAGE),
        }

    return form_page(request, ground, principal, "exceptions.html", load, current="policies", **sent)


def _one(
    request: Asked, ground: Ground, principal: Principal, exception_id: str, **sent: Unpack[Sent]
) -> Response[str]:
    now, signed_in = ground.clock(), principal.kind == "person"
    sent["given"] = {"person": principal.name if signed_in else "", **(sent.get("given") or {})}

    def load(tx: Transaction) -> dict[str, Any]:
        one = exceptions.get(tx, exception_id, now)
        return {
            "one": one,
            "roles": exceptions.roles_for(tx, one, now) if one.state == "requested" else [],
            "mine": principal.name in (one.requested_by, one.owner),
            "signed_in": signed_in,
            "may_revoke": principal.may(Permission.MANAGE),
        }

    return form_page(request, ground, principal, "exception.html", load, current="policies", **sent)


handlers = [list_page, ask, one_page, decide, revoke]
