"""Before a version goes, something must be decided about everything that depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tenure.errors import Conflict, InvalidInput
from tenure.manage import impact
from tenure.records.changes import Change, Decision, NewChange
from tenure.records.digests import digest_of
from tenure.records.lineage import Affected, Node
from tenure.store.database import Transaction

KINDS = ("suspend", "retire")


def check(tx: Transaction, new: NewChange) -> list[Decision]:
    """The decisions of a change that is asked for: one for each dependent of its version.

    Raises Conflict naming every dependent without one and how to decide; InvalidInput for a decision about something
    that does not depend on it, and for decisions with a change that takes nothing away.
    """
    if new.kind not in KINDS:
        if new.decisions or new.accept:
            raise InvalidInput(f"Decisions go with {' and '.join(KINDS)}. Got kind {new.kind!r}.", where="decisions")
        return []
    return decided(new, needed(tx, new.model, new.version))


def needed(tx: Transaction, model: str, version: int) -> list[Affected]:
    """What depends on a version, so that something must be decided about it before the version goes."""
    return impact.decisions_needed(impact.of_node(tx, Node(kind="version", id=f"{model}/{version}")))


def decided(new: NewChange, dependents: Sequence[Affected]) -> list[Decision]:
    """The decisions that are kept: those that were given, or one for each dependent when all were accepted at once."""
    named = {impact.name_of(one): one for one in dependents}
    given = [decision.dependent for decision in new.decisions]
    for at, name in enumerate(given):
        if name not in named or given.index(name) != at:
            problem = "is decided about twice" if name in named else f"does not depend on {new.model} {new.version}"
            there = ", ".join(named) or "nothing"
            raise InvalidInput(
                f"{name[:200]!r} {problem}. Depending on it: {there}.", where=f"decisions[{at}].dependent"
            )
    if new.accept == "all":
        if new.kind != "suspend":
            raise InvalidInput(
                "`accept: all` is for a suspension in an emergency. To retire, decide about each dependent.",
                where="accept",
            )
        rest = [name for name in named if name not in given]
        return [*new.decisions, *(Decision(dependent=name, decide="accept", note=new.reason) for name in rest)]
    _require(new, [one for name, one in named.items() if name not in given])
    return new.decisions


def digest(kind: str, made: Sequence[Decision], accepted: str | None) -> str:
    """What a signature binds to of the decisions of a change, in the order that they were made in.

    Empty for a kind that needs none. Of a kind that does, a change without dependents has a digest too: then it is
    signed that there were none.
    """
    return digest_of({"decisions": list(made), "accepted": accepted}) if kind in KINDS else ""


def moved(change: Change) -> bool:
    """Whether the decisions of a change are not those that it was opened with, or that somebody signed already."""
    now = digest(change.kind, change.decisions, change.accepted)
    signed = [one.subject.decisions for one in change.signatures if one.subject is not None and not one.voided]
    return any(bound and bound != now for bound in (change.subject.decisions, *signed))


def check_carried_out(tx: Transaction, change: Change) -> None:
    """Refuse to carry a retirement out while what was decided does not fit what there is.

    Call it when the change is approved, before what follows from it. A suspension is never held up.
    """
    if change.kind != "retire":
        return
    now = {impact.name_of(one): one for one in needed(tx, change.model, change.version)}
    kept = {decision.dependent: decision.decide for decision in change.decisions}
    new = sorted(name for name in now if name not in kept)
    if new:
        raise Conflict(
            f"Since this change was opened, {', '.join(new)} came to depend on version {change.version} of "
            f"{change.model!r}. Withdraw the change and open another one that decides about it."
        )
    waiting = sorted(name for name in now if kept[name] == "replace")
    if waiting:
        raise Conflict(
            f"Version {change.version} of {change.model!r} was to be replaced at {', '.join(waiting)} before it "
            "retires, and is not yet. Put its replacement in place, then sign."
        )


def told(change: Change) -> dict[str, Any]:
    """What the audit log says of a change's decisions; nothing when none were needed."""
    kept = {"decisions": msgspec.to_builtins(change.decisions)} if change.decisions else {}
    return {**kept, "accepted": change.accepted} if change.accepted else kept


def _require(new: NewChange, open_ones: Sequence[Affected]) -> None:
    if not open_ones:
        return
    lines = "; ".join(f"{impact.name_of(one)} ({' → '.join(one.why[1:])})" for one in open_ones)
    example = f'{{"dependent": "{impact.name_of(open_ones[0])}", "decide": "accept"}}'
    emergency = ", or in an emergency `accept: all`" if new.kind == "suspend" else ""
    raise Conflict(
        f"To {new.kind} version {new.version} of {new.model!r}, decide about everything that depends on it. Not "
        f'decided: {lines}. Put into `decisions`, for each, {example}, or "replace" with a note that says by '
        f"what{emergency}.",
        where="decisions",
    )
