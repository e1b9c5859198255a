"""Putting a version into service as a person asks for it, by whichever way its model's rules leave; and a rehearsal.

A rehearsal does what is asked for, looks at what came of it, and takes all of it back. So what is shown before a button
is what the button does: it is the same verbs, and no forecast of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tenure.build import registered_models
from tenure.deploy import changes as carried
from tenure.deploy import endpoints, environments, promotions, releases, routing
from tenure.errors import TenureError
from tenure.manage import eligibility, facts, gates, guards
from tenure.records.base import Instant
from tenure.records.changes import Change, GateEvaluation, NewChange, Target
from tenure.records.endpoints import NewEndpoint, NewRelease, ReleaseInfo
from tenure.records.facts import BytesChecked
from tenure.records.placements import NewPlacement, Place, Signers
from tenure.store import changes, people
from tenure.store import endpoints as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

InService = dict[str, list[ReleaseInfo]]
"""What is in service by endpoint, champion first, with the shares as they are routed."""


class Rehearsal(NamedTuple):
    """What came of it: at each endpoint that moves, what the gate said, whose signatures it waits for, or why it was
    refused. `change` is None for a model that is not governed."""

    places: list[Place]
    gate: GateEvaluation | None
    change: Change | None
    signers: list[Signers]
    refusal: TenureError | None

    @property
    def before(self) -> InService:
        """What was in service at the endpoints there were."""
        return {one.endpoint: one.before for one in self.places if not one.is_new}


class _TakenBack(Exception):
    """Carries what a rehearsal found out of its transaction, which it undoes."""

    def __init__(self, found: Rehearsal) -> None:
        self.found = found


def prepare(ground: Ground, new: NewPlacement, *, now: Instant) -> BytesChecked:
    """What comes before the transaction, since it may take long: the version's bytes are read, and what it runs in is
    decided. Raises Conflict when either forbids it."""
    checked = facts.check_bytes(ground, new.model, new.version)
    facts.refuse_broken(checked)
    environments.admit(ground, new.model, new.version, now=now)
    champion = ground.database.read(lambda tx: registered_models.aliases(tx, new.model).get("champion"))
    if new.is_new and champion is not None:
        environments.settle(ground, new.model, champion, now=now)
    return checked


def place(
    tx: Transaction, new: NewPlacement, *, by: str, now: Instant, checked: BytesChecked | None = None
) -> Change | None:
    """Put a version where it is asked for: for a governed model by a change request, which is answered; else at once.

    A champion of a model that is not governed is released by promotion alone, which is at every endpoint of the model.
    """
    if new.is_new:
        endpoints.create(tx, NewEndpoint(name=new.endpoint, model=new.model), by=by, now=now)
    if new.is_new and new.to == "champion" and endpoints.champion_version(tx, new.endpoint) == new.version:
        return None  # it is the model's champion, which answers at a new endpoint
    if guards.is_governed(tx, new.model):
        return carried.open_change(tx, _change(new), by=by, now=now, checked=checked)
    if new.kind == "promote" or new.to == "champion":
        to: promotions.Role = "challenger" if new.to == "challenger" else "champion"
        promotions.promote(tx, new.model, new.version, to=to, reason=new.reason, by=by, now=now, share=new.share)
    else:
        release = NewRelease(version=new.version, role=new.to, reason=new.reason, share=new.share)
        releases.add(tx, new.endpoint, release, by=by, now=now)
    return None


def rehearse(ground: Ground, new: NewPlacement, *, by: str, now: Instant) -> Rehearsal:
    """What `place` would do, and the last signature after it; nothing of it stays. Files are not read for it."""

    def act(tx: Transaction) -> Change | None:
        change = place(tx, new, by=by, now=now)
        if change is not None and change.state == "open":
            carried.follow(tx, msgspec.structs.replace(change, state="approved"), now=now)
        return change

    return _taken_back(ground, new.model, act, lambda tx: _gate(tx, new, now))


def rehearse_end(ground: Ground, model: str, endpoint: str, release_id: str, *, by: str, now: Instant) -> Rehearsal:
    """What it would do to end a release; nothing of it stays."""

    def act(tx: Transaction) -> None:
        releases.end(tx, endpoint, release_id, reason="rehearsed", by=by, now=now)

    return _taken_back(ground, model, act, lambda _tx: None)


def _taken_back(
    ground: Ground,
    model: str,
    act: Callable[[Transaction], Change | None],
    gate: Callable[[Transaction], GateEvaluation | None],
) -> Rehearsal:
    def work(tx: Transaction) -> None:
        before, said = in_service(tx, model), None
        try:
            said = gate(tx)
            change = act(tx)
        except TenureError as refusal:
            raise _TakenBack(Rehearsal(_places(before, before), said, None, [], refusal)) from None
        signers = _signers(tx, change) if change is not None and change.state == "open" else []
        raise _TakenBack(Rehearsal(_places(before, in_service(tx, model)), said, change, signers, None))

    try:
        ground.database.write(work)
    except _TakenBack as taken:
        return taken.found
    raise AssertionError("a rehearsal takes everything back")


def _gate(tx: Transaction, new: NewPlacement, now: Instant) -> GateEvaluation | None:
    """What the gate of this move says, rule by rule; None where none is asked."""
    if new.to == "shadow" or not guards.is_governed(tx, new.model):
        return None
    return gates.evaluate(tx, new.kind, new.model, new.version, now=now)


def _change(new: NewPlacement) -> NewChange:
    at = new.endpoint if new.kind == "deploy" else ""
    part = new.share if new.to != "champion" and new.share < 1 else 0.0
    target = Target(to=new.to, endpoint=at, share=part)
    return NewChange(kind=new.kind, model=new.model, version=new.version, reason=new.reason, target=target)


def in_service(tx: Transaction, model: str) -> InService:
    """What is in service now at every endpoint of a model."""
    return {one.name: routing.in_service(tx, one.name) for one in kept.list_all(tx, model=model)}


def _places(before: InService, after: InService) -> list[Place]:
    return [
        Place(endpoint=name, before=before.get(name, []), after=there, is_new=name not in before)
        for name, there in after.items()
    ]


def _signers(tx: Transaction, change: Change) -> list[Signers]:
    stored = changes.get(tx, change.change_id)
    assert stored is not None
    known = people.list_all(tx)
    return [
        Signers(
            role=step.role,
            needed=step.signatures,
            people=[
                one.printed_name
                for one in known
                if any(eligibility.refusal(stored, one, role, "approval") is None for role in step.roles)
            ],
        )
        for step in stored.steps
    ]
