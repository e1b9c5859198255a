"""Change requests: the list, one with its signatures, and the form to sign it with one's own password."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter
from litestar.response import Redirect

from tenure.access import CHANGE, LISTED
from tenure.deploy import releases, routing
from tenure.errors import InvalidInput, TenureError
from tenure.manage import changes
from tenure.manage.signing import sign_in_person
from tenure.records.changes import NewSignature
from tenure.records.people import Permission, Principal
from tenure.store import gates
from tenure.store import people as accounts
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, csrf_of, gate_of, text
from tenure.web.page import part, show
from tenure.web.trouble import status_of

STATES = ("open", "approved", "rejected", "invalidated", "withdrawn")


@get("/changes", permission=Permission.READ, subject=LISTED, sync_to_thread=True, include_in_schema=False)
def changes_page(
    ground: Ground, principal: Principal, in_state: Annotated[str, Parameter(query="state")] = ""
) -> Response[str]:
    if in_state and in_state not in STATES:
        raise InvalidInput(
            f"The state of a change must be one of {', '.join(STATES)}. Got {in_state!r}.", where="state"
        )

    def load(tx: Transaction) -> dict[str, Any]:
        found = [change for change in changes.search(tx) if principal.may(Permission.READ, change.model)]
        shown = [change for change in found if change.state == in_state] if in_state else found
        return {"changes": shown, "state": in_state, "states": STATES}

    return show(ground, principal, "changes.html", load, current="changes")


@get(
    "/changes/{change_id:str}",
    permission=Permission.READ,
    subject=CHANGE,
    sync_to_thread=True,
    include_in_schema=False,
)
def change_page(request: Request[Any, Any, Any], ground: Ground, principal: Principal, change_id: str) -> Response[str]:
    return _change(request, ground, principal, change_id)


# Who signs is the person whose password is in the form, whoever sends it: READ lets the form in, the verb checks.
@post(
    "/changes/{change_id:str}/sign",
    permission=Permission.READ,
    subject=CHANGE,
    sync_to_thread=True,
    include_in_schema=False,
)
def sign(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal, change_id: str, data: Form
) -> Response[str] | Redirect:
    """Sign for or against a change; what is wrong with the form is said above it."""
    try:
        passwords, now = gate_of(request).passwords, ground.clock()
        then = partial(releases.follow, now=now)
        sign_in_person(ground, passwords, principal, change_id, _signature(data), now=now, then=then)
        routing.publish(ground)
    except TenureError as refusal:
        given = {name: data.get(name, "") for name in ("person", "role", "meaning", "reason")}
        return _change(request, ground, principal, change_id, refusal=refusal, given=given)
    return Redirect(f"/changes/{part(change_id)}", status_code=303)


def _change(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    change_id: str,
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        change = changes.get(tx, change_id)
        evaluations = [one for one in gates.of_version(tx, change.model, change.version) if one.gate == change.kind]
        return {
            "change": change,
            "roles": sorted({role for step in change.steps for role in step.role.split(" or ")}),
            "people": [person.name for person in accounts.list_all(tx)],
            "evaluation": evaluations[0] if evaluations else None,
            "refusal": refusal.message if refusal else "",
            "given": given or {"person": principal.name if principal.kind == "person" else ""},
            "csrf": csrf_of(request),
            "signed_in": principal.kind == "person",
        }

    status = status_of(refusal) if refusal else 200
    return show(ground, principal, "change.html", load, current="changes", status=status)


def _signature(form: dict[str, str]) -> NewSignature:
    fields = {name: text(form, name) for name in ("person", "role", "meaning", "reason")}
    try:
        return msgspec.convert({**fields, "password": form.get("password", "")}, NewSignature)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The signature cannot be read: {problem}.") from None


handlers = [changes_page, change_page, sign]
