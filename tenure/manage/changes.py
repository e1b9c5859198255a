"""Change requests: asked with a reason, signed by role, ended in the open."""

from __future__ import annotations

from typing import Any

from tenure.build import model_versions
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotAllowed, NotFound
from tenure.manage import decisions, envelopes, facts, gates, lifecycle, policies, signatures, voiding
from tenure.manage.passwords import Reauthenticated
from tenure.manage.voiding import void_stale
from tenure.records.base import Instant, iso, new_id
from tenure.records.changes import (
    Change,
    ChangeState,
    NewChange,
    NewSignature,
    Signature,
    SignedStatement,
    StepStatus,
)
from tenure.records.facts import BytesChecked
from tenure.records.model_files import AppliedFile
from tenure.records.people import Person
from tenure.store import audit, changes, model_files, people
from tenure.store import signatures as kept
from tenure.store.changes import StepAsked, StoredChange
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey

__all__ = [
    "approve_under_envelope",
    "get",
    "open_change",
    "search",
    "sign",
    "void_stale",
    "withdraw",
]


def open_change(tx: Transaction, new: NewChange, *, by: str, now: Instant, checked: BytesChecked) -> Change:
    """Ask for a change. An approval is refused while its gate says no.

    `checked` comes from `facts.check_bytes`, which is called before the transaction. Writes the gate's evaluation and
    one audit event. Raises GateNotMet with every rule that failed; Conflict when the version's state does not allow it,
    or something depends on a version that is to go and nothing was decided about it.
    """
    applied = _governed_file(tx, new.model)
    if new.kind == "promote":
        raise InvalidInput(
            "A promotion is no change request of its own: the approval allows it. "
            f"Promote with POST /api/v1/models/{new.model}/versions/{new.version}/promote.",
            where="kind",
        )
    version = model_versions.get(tx, new.model, new.version)
    if not lifecycle.may_open(new.kind, version.state):
        allowed = ", ".join(sorted(lifecycle.MAY_OPEN[new.kind]))
        raise Conflict(
            f"To {new.kind} a version it must be {allowed}. Version {new.version} of {new.model!r} is {version.state}."
        )
    decided = decisions.check(tx, new)
    found = facts.gather(tx, new.model, new.version, checked)
    if new.kind == "approve":
        evaluation = gates.judge("approve", found, now)
        gates.require(evaluation.rules, f"Version {new.version} of {new.model!r} cannot be approved yet")
        gates.keep(tx, evaluation)
    steps = _steps(new.kind, applied)
    change = Change(
        change_id=new_id(now),
        kind=new.kind,
        model=new.model,
        version=new.version,
        state="open",
        reason=new.reason,
        opened_by=by,
        opened_at=now,
        closed_at=None,
        ended_because="",
        subject=facts.subject(found, _policy()),
        steps=[StepStatus(role=step.role, needed=step.signatures, signed=0) for step in steps],
        signatures=[],
        decisions=decided,
        accepted=new.accept,
    )
    changes.add(tx, change, steps, sorted({*found.authors, by}))
    state = lifecycle.when_opened(new.kind, version.state)
    if state != version.state:
        model_versions.set_state(tx, new.model, new.version, state, now)
    detail = {"kind": new.kind, "version": voiding.subject_of(change), "reason": new.reason, "state": state}
    detail |= decisions.told(change)
    audit.append(tx, "change.opened", subject=change.change_id, by=by, at=now, detail=detail)
    return change


def sign(
    tx: Transaction,
    change_id: str,
    new: NewSignature,
    *,
    proof: Reauthenticated,
    key: SigningKey,
    now: Instant,
    checked: BytesChecked,
) -> Change:
    """Sign a change, for or against it, in the name of the person whose password `proof` shows.

    When the last step is filled the change is carried out; one rejection ends it. When the version's evidence is no
    longer what was opened, nothing is signed: pending signatures are void, and the change comes back `invalidated`.
    Raises NotAllowed for who may not sign, Conflict for a change that is over.
    """
    stored = _stored(tx, change_id, to_change=True)
    change = stored.change
    if change.state != "open":
        raise Conflict(f"Only an open change can be signed. This one is {change.state}: {change.ended_because}.")
    person = _who_signs(tx, proof, new)
    found = facts.gather(tx, change.model, change.version, checked)
    subject = facts.subject(found, _policy())
    if change.kind == "approve" and subject != change.subject:
        moved = ", ".join(
            part for part in subject.__struct_fields__ if _part(subject, part) != _part(change.subject, part)
        )
        because = f"what was to be signed has changed ({moved}); open a new change request on it"
        voiding.end(tx, change, "invalidated", because, by=person.name, now=now)
        return get(tx, change_id)
    _may_sign(stored, person, new, also_authors=found.authors)
    statement = SignedStatement(
        change_id=change_id,
        kind=change.kind,
        model=change.model,
        version=change.version,
        subject=change.subject,
        person=person.name,
        printed_name=person.printed_name,
        role=new.role,
        meaning=new.meaning,
        reason=new.reason,
        signed_at=iso(now),
        reauthenticated_by=proof.by,
        reauthenticated_at=iso(proof.at),
        policy_version=policies.VERSION,
    )
    signature = Signature(
        signature_id=new_id(now),
        person=person.name,
        printed_name=person.printed_name,
        role=new.role,
        meaning=new.meaning,
        reason=new.reason,
        signed_at=now,
        voided=False,
    )
    kept.add(tx, change_id, signature, signatures.seal(statement, key))
    detail = {"version": voiding.subject_of(change), "role": new.role, "meaning": new.meaning, "reason": new.reason}
    audit.append(tx, "change.signed", subject=change_id, by=person.name, at=now, detail=detail)
    _conclude(tx, get(tx, change_id), by=person.name, now=now, rejected=new.meaning == "rejection")
    return get(tx, change_id)


def withdraw(tx: Transaction, change_id: str, *, by: str, now: Instant) -> Change:
    """Take an open change back; its signatures are void."""
    change = _stored(tx, change_id, to_change=True).change
    if change.state != "open":
        raise Conflict(f"Only an open change can be withdrawn. This one is {change.state}.")
    voiding.end(tx, change, "withdrawn", f"withdrawn by {by}", by=by, now=now)
    return get(tx, change_id)


def approve_under_envelope(
    tx: Transaction, change_id: str, *, by: str, now: Instant, evidence: dict[str, Any], public_pem: str
) -> Change:
    """Approve a change without new signatures, inside what people signed for the champion that is in place.

    `evidence` must hold `score_psi`, the distance of the challenger's scores from the champion's; all of it is kept.
    Raises GateNotMet naming every limit of the envelope that is not kept.
    """
    change = _stored(tx, change_id, to_change=True).change
    if change.state != "open" or change.kind != "approve":
        raise Conflict(
            f"Only an open approval can be approved under an envelope. This is {change.kind}, {change.state}."
        )
    verdict = envelopes.covers_change(tx, change, evidence, now=now, public_pem=public_pem)
    if not verdict.covered:
        raise GateNotMet(f"The envelope does not cover this: {verdict.because}.", failures=[verdict.because])
    because = f"inside the envelope that was signed with change {verdict.change_id}, until {verdict.expires}"
    _approve(tx, change, because, by=by, now=now, approved_under=verdict.change_id, evidence=evidence)
    return get(tx, change_id)


def get(tx: Transaction, change_id: str) -> Change:
    """A change request with its signatures. Raises NotFound."""
    return _stored(tx, change_id).change


def search(
    tx: Transaction, *, state: ChangeState | None = None, model: str | None = None, version: int | None = None
) -> list[Change]:
    """Change requests, newest first: by state, model and version."""
    return [stored.change for stored in changes.search(tx, state=state, model=model, version=version)]


def envelopes_of(tx: Transaction, change_id: str) -> list[bytes]:
    """The DSSE envelopes of a change's signatures that count, for whoever verifies them elsewhere."""
    get(tx, change_id)
    return kept.envelopes(tx, change_id)


def _stored(tx: Transaction, change_id: str, *, to_change: bool = False) -> StoredChange:
    stored = changes.get(tx, change_id, to_change=to_change)
    if stored is None:
        raise NotFound(f"There is no change request {change_id!r}.")
    return stored


def _governed_file(tx: Transaction, model: str) -> AppliedFile:
    applied = model_files.current(tx, model)
    if applied is None or applied.file.approval is None:
        raise Conflict(
            f"{model!r} is not under governance, so there is nobody to sign. Declare `approval` with its steps in the "
            "model's file and apply it with `tenure apply model.yaml`."
        )
    return applied


def _steps(kind: str, applied: AppliedFile) -> list[StepAsked]:
    """The steps of an approval as declared; to suspend or retire, one signature of any of those roles."""
    assert applied.file.approval is not None
    declared = applied.file.approval.steps
    if kind == "approve":
        return [StepAsked(roles=[step.role], signatures=step.signatures) for step in declared]
    return [StepAsked(roles=list(dict.fromkeys(step.role for step in declared)), signatures=1)]


def _who_signs(tx: Transaction, proof: Reauthenticated, new: NewSignature) -> Person:
    """The person of the proof as they stand now: a password or role that changed meanwhile ends the proof."""
    account = people.get(tx, proof.account.person.name)
    if account is None or account.session_epoch != proof.account.session_epoch or account.person.name != new.person:
        raise NotAllowed("The person's password or roles changed meanwhile. Give the password again.")
    return account.person


def _may_sign(stored: StoredChange, person: Person, new: NewSignature, *, also_authors: list[str]) -> None:
    change = stored.change
    since = {held.role: held.since_at for held in person.roles}
    if new.role not in since:
        raise NotAllowed(f"{person.name!r} does not hold the role {new.role!r} and cannot sign in it.", where="role")
    if since[new.role] >= change.opened_at:
        raise NotAllowed(
            f"{person.name!r} has held the role {new.role!r} since {iso(since[new.role])}, after this change was "
            "opened. Somebody who held it before must sign, or the change be opened again.",
            where="role",
        )
    if person.name in {*stored.authors, *also_authors}:
        raise NotAllowed(
            f"{person.name!r} made this version or its evidence, or asked for this change, and so may not sign it. "
            "Somebody else must.",
            where="person",
        )
    step = next((step for step in stored.steps if new.role in step.roles), None)
    if step is None:
        asked = ", ".join(step.role for step in stored.steps)
        raise NotAllowed(f"This change asks for signatures as {asked}. Got {new.role!r}.", where="role")
    if any(signature.person == person.name and not signature.voided for signature in change.signatures):
        raise Conflict(f"{person.name!r} has signed this change already; one person fills one step only.")
    status = change.steps[stored.steps.index(step)]
    if new.meaning == "approval" and status.signed >= status.needed:
        raise Conflict(f"The step {status.role!r} has all its {status.needed} signatures already.")


def _conclude(tx: Transaction, change: Change, *, by: str, now: Instant, rejected: bool) -> None:
    """End a change that was rejected or has all its signatures; otherwise it waits on."""
    if rejected:
        voiding.end(tx, change, "rejected", f"rejected by {by}", by=by, now=now)
    elif all(step.signed >= step.needed for step in change.steps):
        _approve(tx, change, "every step is signed", by=by, now=now)


def _approve(
    tx: Transaction,
    change: Change,
    because: str,
    *,
    by: str,
    now: Instant,
    approved_under: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> None:
    changes.close(tx, change.change_id, "approved", because, now, approved_under=approved_under, evidence=evidence)
    detail = {
        "kind": change.kind,
        "version": voiding.subject_of(change),
        "because": because,
        "approved_under": approved_under,
        "evidence": evidence or {},
    }
    audit.append(tx, "change.approved", subject=change.change_id, by=by, at=now, detail=detail)
    voiding.move(tx, change, "approved", by=by, now=now)
    for rival in changes.search(tx, state="open", model=change.model, version=change.version):
        if rival.change.kind == change.kind:
            because = f"change {change.change_id} was approved first"
            voiding.end(tx, rival.change, "invalidated", because, by=by, now=now)


def _policy() -> str:
    return f"{policies.VERSION} {policies.digest()}"


def _part(subject: object, name: str) -> object:
    return getattr(subject, name)
