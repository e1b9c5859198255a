"""Change requests: the list, one with its signatures, and the form to sign it with one's own password."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import Parameter
from litestar.response import Redirect

from tenure.access import CHANGE, LISTED
from tenure.build import registered_models
from tenure.deploy import changes as carried
from tenure.deploy import routing
from tenure.errors import InvalidInput, TenureError
from tenure.manage import changes, comments, eligibility, inbox, lifecycle
from tenure.manage.signing import sign_in_person
from tenure.records import yaml_text
from tenure.records.base import Record
from tenure.records.changes import Change, NewComment, NewSignature
from tenure.records.people import Permission, Principal
from tenure.store import changes as kept
from tenure.store import comments as stored_comments
from tenure.store import gates
from tenure.store import people as accounts
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, gate_of, text
from tenure.web.page import part, show

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
        then = partial(carried.follow, now=now)
        sign_in_person(ground, passwords, principal, change_id, _signature(data), now=now, then=then)
        routing.publish(ground)
    except TenureError as refusal:
        given = {name: data.get(name, "") for name in ("person", "role", "meaning", "reason")}
        return _change(request, ground, principal, change_id, refusal=refusal, given=given)
    return Redirect(f"/changes/{part(change_id)}", status_code=303)


@post(
    "/changes/{change_id:str}/comment",
    permission=Permission.READ,
    subject=CHANGE,
    sync_to_thread=True,
    include_in_schema=False,
)
def comment(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal, change_id: str, data: Form
) -> Response[str] | Redirect:
    """Say something about a change; what is wrong with it is said above the form."""
    try:
        new = _read(data, NewComment, ("text",), "The comment")
        ground.database.write(lambda tx: comments.add(tx, change_id, new, by=principal, now=ground.clock()))
    except InvalidInput as refusal:
        return _change(request, ground, principal, change_id, refusal=refusal, given={"text": data.get("text", "")})
    return Redirect(f"/changes/{part(change_id)}", status_code=303)


@get("/inbox", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def inbox_page(ground: Ground, principal: Principal) -> Response[str]:
    return show(
        ground, principal, "inbox.html", lambda tx: {"inbox": inbox.of(tx, principal, ground.clock())}, current="inbox"
    )


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
        signed_in = principal.kind == "person"
        return {
            "change": change,
            "moments": comments.told(change, stored_comments.of_change(tx, change_id)),
            "in_place": registered_models.aliases(tx, change.model).get("champion"),
            "file_text": yaml_text.written(changes.file_of(tx, change_id)) if change.revising else "",
            "bound_when_opened": change.kind in lifecycle.BOUND_WHEN_OPENED,
            "people": [person.name for person in accounts.list_all(tx)],
            "evaluation": evaluations[0] if evaluations else None,
            **answered(request, refusal, {"person": principal.name if signed_in else "", **(given or {})}),
            "signed_in": signed_in,
            "may_comment": principal.kind != "nobody",
            **_pen(tx, change_id, principal),
        }

    return show(ground, principal, "change.html", load, current="changes", refusal=refusal)


def _pen(tx: Transaction, change_id: str, principal: Principal) -> dict[str, Any]:
    """The roles that may be chosen, and for whoever is signed in and may choose none, why.

    Whoever is not signed in may hand the keyboard to anybody, so every role of the change is offered.
    """
    stored = kept.get(tx, change_id)
    assert stored is not None
    every = list(dict.fromkeys(role for step in stored.steps for role in step.roles))
    account = accounts.get(tx, principal.name) if principal.kind == "person" else None
    if account is None:
        return {"roles": every, "refused": [], "meanings": _meanings(stored.change, every)}
    roles = eligibility.roles_open_to(stored, account.person)
    if account.person.name in stored.authors and not _has_signed(stored.change, account.person.name):
        roles.append(eligibility.AUTHOR)
    reasons = (eligibility.refusal(stored, account.person, role, "approval") for role in every)
    refused = list(dict.fromkeys(reason.message for reason in reasons if reason))
    return {"roles": roles, "refused": refused, "meanings": _meanings(stored.change, roles)}


def _has_signed(change: Change, name: str) -> bool:
    return any(one.person == name and not one.voided for one in change.signatures)


def _meanings(change: Change, roles: list[str]) -> list[tuple[str, str]]:
    """What may be signed in one of these roles, each with what it says, for a reader who is about to."""
    about = f"version {change.version} of {change.model}"
    place = f" as {change.target.to}" if change.target else ""
    words = {
        "review": f"I have looked at where {about} comes from, and it may be taken in.",
        "approval": f"I approve {about} for use, as its evidence stands.",
        "release": f"I release {about} into service{place}.",
        "suspension": f"I take {about} out of service, now.",
        "retirement": f"I retire {about} for good.",
    }
    if change.kind == "revise":
        words["approval"] = f"I agree that the file of {change.model} is loosened as it says here."
    means = lifecycle.MEANS[change.kind]
    offered: list[tuple[str, str]] = [(means, words[means]), ("rejection", "I refuse, which ends this request.")]
    author = (eligibility.AUTHOR, "I made this, or asked for it, and answer for it. Fills no step; role 'author'.")
    if roles == [eligibility.AUTHOR]:
        return [author]
    return [*offered, author] if eligibility.AUTHOR in roles else offered


def _read(form: dict[str, str], into: type[Record], fields: tuple[str, ...], named: str, **more: str) -> Any:
    given = {name: text(form, name) for name in fields}
    try:
        return msgspec.convert({**given, **more}, into)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"{named} cannot be read: {problem}.") from None


def _signature(form: dict[str, str]) -> NewSignature:
    fields = ("person", "role", "meaning", "reason")
    found: NewSignature = _read(form, NewSignature, fields, "The signature", password=form.get("password", ""))
    return found


handlers = [changes_page, change_page, sign, comment, inbox_page]
