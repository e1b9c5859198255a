"""Routes about change requests, signatures and gates."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import QueryParameter

from tenure.access import CHANGE, LISTED, MODEL, of_model
from tenure.api.people import gate_of
from tenure.deploy import changes as carried
from tenure.deploy import environments, routing
from tenure.manage import changes, comments, evidence, facts, gates, inbox, signing
from tenure.records.changes import (
    Change,
    ChangeState,
    Comment,
    GateEvaluation,
    Moment,
    NewChange,
    NewComment,
    NewSignature,
)
from tenure.records.inbox import Inbox
from tenure.records.model_files import ModelFile
from tenure.records.people import Permission, Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@post("/api/v1/changes", permission=Permission.MANAGE, subject=of_model("model", place="body"), sync_to_thread=True)
def open_change(data: NewChange, ground: Ground, principal: Principal) -> Change:
    """Ask for a change. It is refused, with every rule that failed, while its gate says no.

    A promotion or deployment that needs no signature is approved and carried out at once.
    """
    checked = facts.check_bytes(ground, data.model, data.version)
    now = ground.clock()
    if data.kind in ("promote", "deploy"):
        environments.admit(ground, data.model, data.version, now=now)
    change = ground.database.write(
        lambda tx: carried.open_change(tx, data, by=principal.name, now=now, checked=checked)
    )
    routing.publish(ground)
    return change


@get("/api/v1/changes", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_changes(
    ground: Ground,
    principal: Principal,
    in_state: Annotated[ChangeState | None, QueryParameter(name="state")] = None,
    model: str | None = None,
    version: int | None = None,
) -> list[Change]:
    """Change requests, newest first."""
    found = ground.database.read(lambda tx: changes.search(tx, state=in_state, model=model, version=version))
    return [one for one in found if principal.may(Permission.READ, one.model)]


@get("/api/v1/changes/{change_id:str}", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def get_change(change_id: str, ground: Ground) -> Change:
    """A change request with its signatures."""
    return ground.database.read(lambda tx: changes.get(tx, change_id))


@get("/api/v1/changes/{change_id:str}/file", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def get_revised_file(change_id: str, ground: Ground) -> ModelFile:
    """The model's file that is to stand when a change of kind `revise` is approved, as it was pinned."""
    return ground.database.read(lambda tx: changes.file_of(tx, change_id))


# Who signs is the person whose password is in the body, whoever sends it: READ lets it in, `signing` checks the rest.
@post("/api/v1/changes/{change_id:str}/signatures", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def sign_change(
    change_id: str, data: NewSignature, ground: Ground, principal: Principal, request: Request[Any, Any, Any]
) -> Change:
    """Sign a change in the name of the person whose password is given, for it or against it."""
    passwords, now = gate_of(request).passwords, ground.clock()
    signed = signing.sign_in_person(
        ground, passwords, principal, change_id, data, now=now, then=partial(carried.follow, now=now)
    )
    routing.publish(ground)
    return signed


@get("/api/v1/changes/{change_id:str}/envelopes", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def list_envelopes(change_id: str, ground: Ground) -> list[dict[str, Any]]:
    """The signatures that count, as DSSE envelopes that anyone with the server's public key can verify."""
    return [json.loads(envelope) for envelope in ground.database.read(lambda tx: changes.envelopes_of(tx, change_id))]


@post(
    "/api/v1/changes/{change_id:str}/withdraw",
    permission=Permission.MANAGE,
    subject=CHANGE,
    sync_to_thread=True,
    status_code=200,
)
def withdraw_change(change_id: str, ground: Ground, principal: Principal) -> Change:
    """Take an open change back."""
    return ground.database.write(lambda tx: changes.withdraw(tx, change_id, by=principal.name, now=ground.clock()))


# Whoever may read may speak, by name: a visitor without one is refused by the verb.
@post("/api/v1/changes/{change_id:str}/comments", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def comment_on_change(change_id: str, data: NewComment, ground: Ground, principal: Principal) -> Comment:
    """Say something about a change, up to 4,000 characters. A comment is never edited."""
    return ground.database.write(lambda tx: comments.add(tx, change_id, data, by=principal, now=ground.clock()))


@get("/api/v1/changes/{change_id:str}/comments", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def list_comments(change_id: str, ground: Ground) -> list[Comment]:
    """What was said about a change, oldest first."""
    return ground.database.read(lambda tx: comments.of_change(tx, change_id))


@get("/api/v1/changes/{change_id:str}/timeline", permission=Permission.READ, subject=CHANGE, sync_to_thread=True)
def get_timeline(change_id: str, ground: Ground) -> list[Moment]:
    """A change from its opening to its end: comments and signatures in the order of time."""
    return ground.database.read(lambda tx: comments.timeline(tx, change_id))


@get("/api/v1/inbox", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def get_inbox(ground: Ground, principal: Principal) -> Inbox:
    """What waits for whoever asks: changes to sign and in which roles, changes that came back, alerts of models."""
    return ground.database.read(lambda tx: inbox.of(tx, principal, ground.clock()))


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/gates",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def ask_gate(name: str, version: int, ground: Ground, gate: str = "approve") -> GateEvaluation:
    """What a gate says about a version now. Nothing is stored."""
    checked = facts.check_bytes(ground, name, version) if gate == "approve" else None

    def ask(tx: Transaction) -> GateEvaluation:
        said = gates.evaluate(tx, gate, name, version, now=ground.clock(), checked=checked)
        return msgspec.structs.replace(said, signatures=evidence.blocks(tx, name, version))

    return ground.database.read(ask)


handlers = [
    open_change,
    list_changes,
    get_change,
    get_revised_file,
    sign_change,
    list_envelopes,
    withdraw_change,
    comment_on_change,
    list_comments,
    get_timeline,
    get_inbox,
    ask_gate,
]
