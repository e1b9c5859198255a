"""The kill switch on an endpoint's page."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import post
from litestar.response import Redirect

from tenure.access import ENDPOINT
from tenure.deploy import acknowledgements, kills, routing
from tenure.errors import InvalidInput
from tenure.records.kills import Constant, Fallback, NewKill, OtherVersion, SetFallback
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground
from tenure.web.forms import Form, record, text
from tenure.web.page import part


@post(
    "/endpoints/{name:str}/kills",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def kill(ground: Ground, principal: Principal, name: str, data: Form) -> Redirect:
    """Stop a version, or all of the endpoint, at once."""
    now, version = ground.clock(), data.get("version", "")
    new = record(NewKill, reason=text(data, "reason"), version=_number(version) if version else None)
    made = ground.database.write(lambda tx: kills.kill(tx, name, new, by=principal.name, now=now))
    acknowledgements.taken(ground, made)
    return _back(name)


@post(
    "/endpoints/{name:str}/kills/{kill_id:str}/lift",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def lift(ground: Ground, principal: Principal, name: str, kill_id: str, data: Form) -> Redirect:
    """End a kill."""
    now, reason = ground.clock(), text(data, "reason")
    lifted = ground.database.write(lambda tx: kills.lift(tx, name, kill_id, reason=reason, by=principal.name, now=now))
    acknowledgements.taken(ground, lifted)
    return _back(name)


@post(
    "/endpoints/{name:str}/fallback",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def set_fallback(ground: Ground, principal: Principal, name: str, data: Form) -> Redirect:
    """Name what is answered instead; rules are set by the command or the API."""
    now = ground.clock()
    asked = record(SetFallback, reason=text(data, "reason"), fallback=msgspec.to_builtins(_fallback(data)))
    ground.database.write(lambda tx: kills.set_fallback(tx, name, asked, by=principal.name, now=now))
    routing.publish(ground)
    return _back(name)


def _fallback(data: dict[str, str]) -> Fallback | None:
    kind = data.get("kind", "none")
    if kind == "version":
        return OtherVersion(version=_number(text(data, "version")))
    if kind == "constant":
        return Constant(answer=_answer(text(data, "answer")))
    return None


def _answer(said: str) -> Any:
    try:
        return msgspec.json.decode(said)
    except msgspec.DecodeError:
        raise InvalidInput('The answer must be JSON: 0.5, true, or "a text" in quotes.', where="answer") from None


def _number(said: str) -> int:
    if not (said.isascii() and said.isdecimal()):
        raise InvalidInput("A version must be a whole number.", where="version")
    return int(said)


def _back(name: str) -> Redirect:
    return Redirect(f"/endpoints/{part(name)}/releases#stop", status_code=303)


handlers = [kill, lift, set_fallback]
