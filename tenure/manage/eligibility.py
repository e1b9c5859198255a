"""Who may sign a change, in which role, and otherwise why not. Pure: the inbox asks the same question as the pen."""

from __future__ import annotations

from collections.abc import Iterable

from tenure.errors import Conflict, InvalidInput, NotAllowed, TenureError
from tenure.manage import lifecycle
from tenure.records.base import Instant, iso
from tenure.records.changes import Meaning, StepAsked
from tenure.records.people import Person
from tenure.store.changes import StoredChange

AUTHOR = "author"


def held_since(person: Person, role: str, model: str) -> Instant | None:
    """Since when a person has held a role for a model, or for all; None when they do not hold it."""
    since = [held.since_at for held in person.roles if held.role == role and _reaches(held, model)]
    return Instant(min(since)) if since else None


def roles_open_to(stored: StoredChange, person: Person, *, also_authors: Iterable[str] = ()) -> list[str]:
    """The roles in which a person may sign a change now, in the order of its steps."""
    roles = dict.fromkeys(role for step in stored.steps for role in step.roles)
    return [role for role in roles if refusal(stored, person, role, "approval", also_authors=also_authors) is None]


def refusal(
    stored: StoredChange, person: Person, role: str, meaning: Meaning, *, also_authors: Iterable[str] = ()
) -> TenureError | None:
    """Why a person may not sign this change so; None when they may.

    `also_authors` made the version or its evidence since the change was opened.
    """
    change, authors = stored.change, {*stored.authors, *also_authors}
    if lifecycle.meaning(change.kind, meaning) is None:
        fitting = ", ".join(dict.fromkeys(["approval", lifecycle.MEANS[change.kind], "rejection", "author"]))
        return InvalidInput(
            f"A signature to {change.kind} means one of {fitting}. Got {meaning!r}.",
            where="meaning",
        )
    if any(signature.person == person.name and not signature.voided for signature in change.signatures):
        return Conflict(f"{person.name!r} has signed this change already; one person fills one step only.")
    if meaning == "author":
        return _no_author(person, role, authors)
    held = _not_held(stored, person, role)
    if held is not None:
        return held
    if person.name in authors:
        return NotAllowed(
            f"{person.name!r} made this version or its evidence, or asked for this change, and so may not sign it. "
            "Somebody else must.",
            where="person",
        )
    return _no_place(stored, person, role, meaning)


def _no_author(person: Person, role: str, authors: set[str]) -> TenureError | None:
    """A signature as author takes responsibility for what was made; it fills no step."""
    if person.name not in authors:
        return NotAllowed(
            f"{person.name!r} made nothing of what is signed here, nor asked for it, and so does not sign as author.",
            where="meaning",
        )
    return None if role == AUTHOR else InvalidInput("Who signs as author gives 'author' as the role.", where="role")


def _not_held(stored: StoredChange, person: Person, role: str) -> TenureError | None:
    change = stored.change
    since = held_since(person, role, change.model)
    if since is None:
        return NotAllowed(
            f"{person.name!r} does not hold the role {role!r} for {change.model!r} and cannot sign in it.", where="role"
        )
    if since >= change.opened_at:
        return NotAllowed(
            f"{person.name!r} has held the role {role!r} since {iso(since)}, after this change was "
            "opened. Somebody who held it before must sign, or the change be opened again.",
            where="role",
        )
    return None


def _no_place(stored: StoredChange, person: Person, role: str, meaning: Meaning) -> TenureError | None:
    steps = [step for step in stored.steps if role in step.roles]
    if not steps:
        asked = ", ".join(step.role for step in stored.steps)
        return NotAllowed(f"This change asks for signatures as {asked}. Got {role!r}.", where="role")
    step = steps[0]
    if step.people and person.name not in step.people:
        return NotAllowed(
            f"The step {step.role!r} is for {', '.join(step.people)}. {person.name!r} is not among them.",
            where="person",
        )
    if meaning != "rejection" and _full(stored, step):
        return Conflict(f"The step {step.role!r} has all its {step.signatures} signatures already.")
    return None


def _full(stored: StoredChange, step: StepAsked) -> bool:
    status = stored.change.steps[stored.steps.index(step)]
    return status.signed >= status.needed


def _reaches(held: object, model: str) -> bool:
    """A role held for one model counts there alone; a grant that names no model counts everywhere."""
    return getattr(held, "model", None) in (None, "", model)
