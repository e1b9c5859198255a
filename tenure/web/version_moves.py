"""Asking that a version moves: approve, suspend, retire. What depends on it comes first, and is decided about."""

from __future__ import annotations

from typing import Any, Literal, get_args

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.access import MODEL
from tenure.build import model_versions
from tenure.deploy import changes as carried
from tenure.deploy import routing
from tenure.errors import InvalidInput, TenureError
from tenure.manage import decisions, facts, impact, lifecycle
from tenure.records.changes import ChangeKind, NewChange
from tenure.records.lineage import Node
from tenure.records.people import Permission, Principal
from tenure.store import changes, model_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, record, text
from tenure.web.lineage import affected_page
from tenure.web.page import part, show

Asked = Request[Any, Any, Any]
Move = Literal["approve", "suspend", "retire"]
MOVES: tuple[Move, ...] = get_args(Move)
"""What these forms ask for. To deploy and to promote have a form of their own (`web/placements.py`)."""
NOTE_LENGTH = 3
"""The shortest note that says what replaces something, as the record asks."""


@get(
    "/models/{name:str}/versions/{version:int}/move",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(
    request: Asked, ground: Ground, principal: Principal, name: str, version: int, kind: Move = "suspend"
) -> Response[str]:
    """What would be hit, and the form with a decision for each dependent."""
    return _page(request, ground, principal, name, version, kind)


@post(
    "/models/{name:str}/versions/{version:int}/move/ask",
    permission=Permission.MANAGE,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def ask(
    request: Asked, ground: Ground, principal: Principal, name: str, version: int, data: Form
) -> Response[str] | Redirect:
    """Open the change request; what is wrong with the form is said beside its field."""
    kind: Move = next((one for one in MOVES if one == data.get("kind")), "suspend")
    try:
        new = _new_change(name, version, kind, data)
        checked, now = facts.check_bytes(ground, name, version), ground.clock()
        change = ground.database.write(
            lambda tx: carried.open_change(tx, new, by=principal.name, now=now, checked=checked)
        )
    except TenureError as refusal:
        return _page(request, ground, principal, name, version, kind, refusal=refusal, given=data)
    routing.publish(ground)
    return Redirect(f"/changes/{part(change.change_id)}", status_code=303)


def moves_of(tx: Transaction, name: str, version: int, principal: Principal) -> list[Move]:
    """What may be asked for a version as it stands, by whom; nothing for a model that is not governed."""
    applied = model_files.current(tx, name)
    if applied is None or applied.file.approval is None or not principal.may(Permission.MANAGE, name):
        return []
    state = model_versions.get(tx, name, version).state
    waiting: set[ChangeKind] = {
        one.change.kind for one in changes.search(tx, state="open", model=name, version=version)
    }
    return [kind for kind in MOVES if lifecycle.may_open(kind, state) and kind not in waiting]


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    version: int,
    kind: Move,
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        info = model_versions.get(tx, name, version)
        hit = impact.of_node(tx, Node(kind="version", id=f"{name}/{version}"))
        direct = impact.decisions_needed(hit) if kind in decisions.KINDS else []
        return {
            "info": info,
            "kind": kind,
            "dependents": [(one, impact.name_of(one), affected_page(one)) for one in direct],
            "further": [(one, affected_page(one)) for one in hit.affected if one not in direct],
            "cut": hit.cut,
            "moves": moves_of(tx, name, version, principal),
            "open": [one.change for one in changes.search(tx, state="open", model=name, version=version)],
            "may_ask": principal.may(Permission.MANAGE, name),
            "possible": lifecycle.may_open(kind, info.state),
            **answered(request, refusal, given),
        }

    return show(ground, principal, "version_move.html", load, current="models", refusal=refusal)


def _new_change(name: str, version: int, kind: Move, data: dict[str, str]) -> NewChange:
    told = [_decision(data, at) for at in _numbers(data) if data.get(f"decide_{at}")]
    accept = "all" if kind == "suspend" and data.get("accept") == "all" else None
    reason = text(data, "reason")
    return record(NewChange, kind=kind, model=name, version=version, reason=reason, decisions=told, accept=accept)


def _decision(data: dict[str, str], at: int) -> dict[str, str]:
    dependent, decide, note = data[f"dependent_{at}"], data[f"decide_{at}"], data.get(f"note_{at}", "").strip()
    if decide == "replace" and len(note) < NOTE_LENGTH:
        raise InvalidInput(f"Say what takes the place of this version at {dependent}.", where=f"note_{at}")
    return {"dependent": dependent, "decide": decide, "note": note}


def _numbers(data: dict[str, str]) -> list[int]:
    """The numbers of the dependents that the form is about, in its order."""
    found = (field.removeprefix("dependent_") for field in data if field.startswith("dependent_"))
    return sorted(int(number) for number in found if number.isdigit())


handlers = [page, ask]
