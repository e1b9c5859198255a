"""Deploying and promoting from a page: what comes of it is shown first, and the button does what was shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.access import MODEL
from tenure.build import model_versions, registered_models
from tenure.deploy import environments, placements, routing
from tenure.deploy.placements import InService, Rehearsal
from tenure.errors import Conflict, TenureError
from tenure.manage import guards, lifecycle
from tenure.records.changes import Change
from tenure.records.digests import digest_of
from tenure.records.people import Permission, Principal
from tenure.records.placements import NewPlacement, Place
from tenure.records.registry import OUT_OF_SERVICE, ModelVersionInfo
from tenure.store import endpoints, forms, kills, releases
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import placement_entries as entries
from tenure.web import shares
from tenure.web.forms import Form, answered
from tenure.web.page import part, show
from tenure.web.placement_entries import NEW, UNSAID, Kind
from tenure.web.version_moves import moves_of

Asked = Request[Any, Any, Any]
SHARE, COPIED = "10", "100"


class Offered(msgspec.Struct, frozen=True):
    """What may be chosen from."""

    versions: list[ModelVersionInfo]
    endpoints: list[str]
    governed: bool
    champion: int | None


@get(
    "/models/{name:str}/deploy",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def deploy_page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    version: int | None = None,
    endpoint: str | None = None,
    to: Literal["champion", "challenger", "shadow"] | None = None,
) -> Response[str]:
    """A version to one endpoint: what would come of it, and the form."""
    return _page(request, ground, principal, "deploy", name, _begun("deploy", ground, name, version, endpoint, to))


@get(
    "/models/{name:str}/promote",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def promote_page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    version: int | None = None,
    to: Literal["champion", "challenger"] | None = None,
) -> Response[str]:
    """A version to every endpoint of its model: what would come of it, and the form."""
    return _page(request, ground, principal, "promote", name, _begun("promote", ground, name, version, None, to))


@post(
    "/models/{name:str}/deploy/ask",
    permission=Permission.MANAGE,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def deploy(request: Asked, ground: Ground, principal: Principal, name: str, data: Form) -> Response[str] | Redirect:
    """Look at what a deployment would do, or have it done."""
    return _answer(request, ground, principal, "deploy", name, data)


@post(
    "/models/{name:str}/promote/ask",
    permission=Permission.MANAGE,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def promote(request: Asked, ground: Ground, principal: Principal, name: str, data: Form) -> Response[str] | Redirect:
    """Look at what a promotion would do, or have it done."""
    return _answer(request, ground, principal, "promote", name, data)


def ways_of(tx: Transaction, info: ModelVersionInfo, principal: Principal) -> list[Kind]:
    """Whether a version may be deployed and promoted as it stands, by whom. What its gate says is said on the form."""
    if not info.digest or info.state in OUT_OF_SERVICE or not principal.may(Permission.MANAGE, info.name):
        return []
    if guards.is_governed(tx, info.name) and not lifecycle.may_open("promote", info.state):
        return ["deploy"]
    return ["deploy", "promote"]


def _answer(
    request: Asked, ground: Ground, principal: Principal, kind: Kind, name: str, data: dict[str, str]
) -> Response[str] | Redirect:
    if data.get("act") != "go":
        return _page(request, ground, principal, kind, name, data, posted=True)
    now = ground.clock()
    try:
        new = entries.asked(kind, name, data)
        found = placements.rehearse(ground, new, by=principal.name, now=now)
        if found.refusal is not None:
            raise found.refusal
        _as_shown(data, new, found.before, found.change)
        checked = placements.prepare(ground, new, now=now)

        def act(tx: Transaction) -> Change | None:
            before = placements.in_service(tx, name)
            change = placements.place(tx, new, by=principal.name, now=now, checked=checked)
            _as_shown(data, new, before, change)  # once more, since to prepare may have taken long
            return change

        change = ground.database.write(act)
    except TenureError as refusal:
        return _page(request, ground, principal, kind, name, data, refusal=refusal, posted=True)
    routing.publish(ground)
    return Redirect(_leads_to(new, change, found), status_code=303)


def _leads_to(new: NewPlacement, change: Change | None, found: Rehearsal) -> str:
    """The change that waits for signatures; else where the version is in service now."""
    if change is not None and change.state == "open":
        return f"/changes/{part(change.change_id)}"
    moved = [one.endpoint for one in found.places if one.is_moved]
    at = new.endpoint or (moved[0] if moved else "")
    return f"/endpoints/{part(at)}/releases" if at else f"/models/{part(new.model)}/versions/{new.version}"


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    kind: Kind,
    name: str,
    given: Mapping[str, str],
    *,
    refusal: TenureError | None = None,
    posted: bool = False,
) -> Response[str]:
    new: NewPlacement | None = None
    found: Rehearsal | None = None
    may_ask = principal.may(Permission.MANAGE, name)
    if may_ask:
        try:
            new = entries.asked(kind, name, {**given, "reason": given.get("reason", "").strip() or UNSAID})
            found = placements.rehearse(ground, new, by=principal.name, now=ground.clock())
        except TenureError as wrong:
            refusal = refusal or (wrong if posted else None)

    def load(tx: Transaction) -> dict[str, Any]:
        offered = _offered(tx, name)
        said = answered(request, refusal or (found.refusal if found else None), given)
        return {
            "kind": kind,
            "name": name,
            "offered": offered,
            "may_ask": may_ask,
            "chosen": next((one for one in offered.versions if str(one.version) == given.get("version")), None),
            "effect": _effect(tx, ground, principal, new, found) if new and found else None,
            "stopped": [one for at in offered.endpoints for one in kills.standing(tx, endpoint=at)],
            **said,
            "where": entries.field(said["where"], given),
        }

    return show(ground, principal, "placement.html", load, current="models", refusal=refusal)


def _effect(
    tx: Transaction, ground: Ground, principal: Principal, new: NewPlacement, found: Rehearsal
) -> dict[str, Any]:
    """What came of the rehearsal, to be shown."""
    info = model_versions.get(tx, new.model, new.version)
    return {
        "new": new,
        "info": info,
        "places": [(one, shares.bar(one.before), shares.bar(one.after)) for one in _shown(new, found)],
        "refusal": found.refusal,
        "gate": found.gate,
        "may_approve": "approve" in moves_of(tx, new.model, new.version, principal),
        "waits": found.change is not None and found.change.state == "open",
        "recorded": found.change is not None,
        "signers": found.signers,
        "form": forms.get(tx, new.model, new.version),
        "environment": environments.shown(tx, ground.settings, info),
        "seen": _mark(new, found.before, found.change),
    }


def _shown(new: NewPlacement, found: Rehearsal) -> list[Place]:
    """Where something moves; of a refusal where it was to."""
    if found.refusal is None:
        return [one for one in found.places if one.is_moved]
    return [one for one in found.places if new.kind == "promote" or one.endpoint == new.endpoint]


def _offered(tx: Transaction, name: str) -> Offered:
    """Raises NotFound for a model that is not registered."""
    registered_models.get(tx, name)
    versions = [one for one in model_versions.of_model(tx, name) if one.digest and one.state not in OUT_OF_SERVICE]
    return Offered(
        versions=sorted(versions, key=lambda one: -one.version),
        endpoints=[one.name for one in endpoints.list_all(tx, model=name)],
        governed=guards.is_governed(tx, name),
        champion=registered_models.aliases(tx, name).get("champion"),
    )


def _begun(
    kind: Kind, ground: Ground, name: str, version: int | None, endpoint: str | None, to: str | None
) -> dict[str, str]:
    """What the form says at first: the newest version that is not in service there, in the most careful role that makes
    sense."""

    def load(tx: Transaction) -> dict[str, str]:
        offered = _offered(tx, name)
        known = [endpoint] if endpoint in offered.endpoints else offered.endpoints
        at = NEW if endpoint == NEW or kind == "promote" else next(iter(known), NEW)
        there = releases.open_ones(tx, endpoint=at) if at else []
        free = [one for one in offered.versions if one.version not in {here.version for here in there}]
        first = next(iter(free or offered.versions), None)
        chosen = next((one for one in offered.versions if one.version == version), first)
        return {
            "version": str(version if version is not None else chosen.version if chosen else ""),
            "endpoint": at,
            "named": "" if offered.endpoints else _named_after(name),
            "to": to or _role(kind, offered, chosen, answers=any(one.role == "champion" for one in there)),
            "share": SHARE,
            "mirrored": COPIED,
        }

    return ground.database.read(load)


def _role(kind: Kind, offered: Offered, chosen: ModelVersionInfo | None, *, answers: bool) -> str:
    if kind == "promote":
        return "champion"
    if offered.governed and chosen is not None and chosen.state != "approved":
        return "shadow"
    return "challenger" if answers else "champion"


def _named_after(model: str) -> str:
    """A name for an endpoint that looks like its model's; empty when none does.

    >>> _named_after("Flight delay (US)")
    'flight-delay-us'
    """
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:63]


def _as_shown(data: Mapping[str, str], new: NewPlacement, before: InService, change: Change | None) -> None:
    """Raises Conflict when something else would be done than what the page showed."""
    if data.get("seen") != _mark(new, before, change):
        raise Conflict(
            "What you entered, or what is in service, is not what was shown. See what it does now, then do it."
        )


def _mark(new: NewPlacement, before: InService, change: Change | None) -> str:
    """What was shown, so that nothing else is done: what is asked for, and what was in service then."""
    there = [[name, [[here.release_id, here.share] for here in before[name]]] for name in sorted(before)]
    waits = change is not None and change.state == "open"
    return digest_of([msgspec.structs.replace(new, reason=UNSAID), there, waits])


handlers = [deploy_page, promote_page, deploy, promote]
