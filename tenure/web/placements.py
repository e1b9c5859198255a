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
from tenure.deploy.placements import Rehearsal
from tenure.errors import Conflict, InvalidInput, TenureError
from tenure.manage import guards, lifecycle
from tenure.records.changes import Change
from tenure.records.digests import digest_of
from tenure.records.endpoints import EndpointName
from tenure.records.people import Permission, Principal
from tenure.records.placements import NewPlacement, Place
from tenure.records.registry import OUT_OF_SERVICE, ModelVersionInfo
from tenure.store import endpoints, forms, kills, releases
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import shares
from tenure.web.forms import Form, answered, record, text
from tenure.web.page import part, show
from tenure.web.version_moves import moves_of

Asked = Request[Any, Any, Any]
Kind = Literal["deploy", "promote"]
NEW = ""
"""What the list of endpoints says for one that is to be made."""
SHARE, COPIED = "10", "100"
UNSAID = "not said yet"
"""Stands for the reason while one only looks."""
FIELDS = {"role": "to", "target": "to", "target.endpoint": "endpoint", "target.share": "share", "name": "named"}
"""The fields of the form by what the verbs call them."""
PERCENT = re.compile(r"\s*(\d{1,3}(?:[.,]\d{1,6})?)\s*%?\s*")


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
        new = _asked(kind, name, data)
        found = placements.rehearse(ground, new, by=principal.name, now=now)
        if found.refusal is not None:
            raise found.refusal
        if data.get("seen") != _mark(new, found):
            raise Conflict(
                "What you entered, or what is in service, is not what was shown. See what it does now, then do it."
            )
        checked = placements.prepare(ground, new, now=now)
        change = ground.database.write(
            lambda tx: placements.place(tx, new, by=principal.name, now=now, checked=checked)
        )
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
            new = _asked(kind, name, {**given, "reason": given.get("reason", "").strip() or UNSAID})
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
            "where": _field(said["where"], given),
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
        "seen": _mark(new, found),
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


def _asked(kind: Kind, name: str, data: Mapping[str, str]) -> NewPlacement:
    """What the form asks for. Raises InvalidInput naming the field."""
    form = dict(data)
    to, at, is_new = data.get("to", ""), "", False
    if kind == "deploy":
        at, is_new = data.get("endpoint", NEW), data.get("endpoint", NEW) == NEW
        at = _new_name(form) if is_new else at
    if to not in (("champion", "challenger", "shadow") if kind == "deploy" else ("champion", "challenger")):
        raise InvalidInput("Choose what the version is to do.", where="to")
    part = {"challenger": "share", "shadow": "mirrored"}.get(to)
    return record(
        NewPlacement,
        kind=kind,
        model=name,
        version=_number(data.get("version", "")),
        to=to,
        reason=text(form, "reason"),
        endpoint=at,
        is_new=is_new,
        share=_share(form, part) if part else 0.0,
    )


def _new_name(form: dict[str, str]) -> str:
    given = form.get("named", "").strip()
    try:
        return msgspec.convert(given, EndpointName)
    except msgspec.ValidationError:
        raise InvalidInput(
            "The name of an endpoint must be small letters, digits and hyphens, begin with a letter or a digit, and "
            f"have at most 63 characters. Got {given[:80]!r}.",
            where="named",
        ) from None


def _number(said: str) -> int:
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise InvalidInput("Choose a version.", where="version")
    return int(said)


def _share(form: dict[str, str], field: str) -> float:
    """A share that is given in percent, 0–1. A challenger leaves something to the champion; a shadow may see all."""
    told = PERCENT.fullmatch(form.get(field, ""))
    share = float(told[1].replace(",", ".")) / 100 if told else -1.0
    if not (0 < share < 1 or (field == "mirrored" and share == 1)):
        most = "less than 100" if field == "share" else "at most 100"
        raise InvalidInput(
            f"It must be more than 0 and {most} %. Got {form.get(field, '')[:40]!r}. Write 10 for 10 %.", where=field
        )
    return share


def _field(where: str, given: Mapping[str, str]) -> str:
    """The field of the form that something is wrong with."""
    field = FIELDS.get(where, where)
    return "mirrored" if field == "share" and given.get("to") == "shadow" else field


def _mark(new: NewPlacement, found: Rehearsal) -> str:
    """What was shown, so that nothing else is done: what is asked for, and what was in service then."""
    there = [[one.endpoint, [[here.release_id, here.share] for here in one.before]] for one in found.places]
    waits = found.change is not None and found.change.state == "open"
    return digest_of([msgspec.structs.replace(new, reason=UNSAID), there, waits])


handlers = [deploy_page, promote_page, deploy, promote]
