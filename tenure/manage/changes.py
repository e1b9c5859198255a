"""Change requests: asked with a reason, signed by role, ended in the open.

What an approved change does to endpoints is carried out above, in the same transaction (`deploy/changes.py`). A change
of the model's file is opened by whoever applies one (`revisions.py`), and signed and carried out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tenure.build import model_versions
from tenure.errors import Conflict, GateNotMet, NotAllowed, NotFound
from tenure.manage import (
    bound,
    concluding,
    decisions,
    eligibility,
    envelopes,
    gates,
    lifecycle,
    revisions,
    signatures,
    steps,
    voiding,
)
from tenure.manage.passwords import Reauthenticated
from tenure.manage.voiding import void_stale
from tenure.records.base import Instant, iso, new_id
from tenure.records.changes import (
    Change,
    ChangeState,
    Move,
    NewChange,
    NewSignature,
    Signature,
    SignedStatement,
    StepStatus,
    Target,
    VersionState,
)
from tenure.records.facts import BytesChecked
from tenure.records.model_files import ModelFile
from tenure.records.people import Person
from tenure.records.registry import OUT_OF_SERVICE
from tenure.store import audit, changes, people
from tenure.store import signatures as kept
from tenure.store.changes import StoredChange
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey

__all__ = [
    "approve_under_envelope",
    "get",
    "open_change",
    "record",
    "search",
    "sign",
    "void_stale",
    "withdraw",
]
NO_SIGNATURES = "the approval of the version allows it; no further signature is asked for"


def open_change(
    tx: Transaction, new: NewChange, *, by: str, now: Instant, checked: BytesChecked | None = None
) -> Change:
    """Ask for a change. It is refused while its gate says no, and ends approved at once when it needs no signature.

    `checked` comes from `facts.check_bytes`, which is called before the transaction; an approval needs it. Writes the
    gate's evaluation and an audit event. Raises GateNotMet with every rule that failed; Conflict when the version's
    state does not allow it.
    """
    audit.lock(tx)
    applied = steps.governed_file(tx, new.model)
    target = steps.target_of(tx, new)
    version = model_versions.get(tx, new.model, new.version)
    if new.kind != "promote" or version.state in OUT_OF_SERVICE:  # of others the gate tells more
        _require_state(new, version.state)
    _require_registered(tx, new, signed_first=applied.file.registration is not None)
    decided = decisions.check(tx, new)
    asked = steps.asked(tx, new.kind, target, applied.file)
    seen = bound.look(tx, new.kind, new.model, new.version, target, checked, now)
    decisions_digest = decisions.digest(new.kind, decided, new.accept)
    if seen.evaluation is not None:
        gates.require(seen.evaluation.rules, _refusal(new, target))
        gates.keep(tx, seen.evaluation)
    _require_state(new, version.state)
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
        subject=msgspec.structs.replace(seen.subject, decisions=decisions_digest),
        steps=[StepStatus(role=step.role, needed=step.signatures, signed=0, people=step.people) for step in asked],
        signatures=[],
        target=target,
        decisions=decided,
        accepted=new.accept,
    )
    changes.add(tx, change, asked, sorted({*seen.authors, by}))
    state = lifecycle.when_opened(new.kind, version.state)
    if state != version.state:
        model_versions.set_state(tx, new.model, new.version, state, now)
    detail = {"kind": new.kind, **voiding.subject_of(change), "reason": new.reason, "state": state}
    detail |= {"target": msgspec.to_builtins(target)} if target else {}
    detail |= decisions.told(change)
    audit.append(tx, "change.opened", subject=change.change_id, by=by, at=now, detail=detail)
    if not asked:
        concluding.approve(tx, change, NO_SIGNATURES, by=by, now=now)
    return get(tx, change.change_id)


def record(tx: Transaction, new: NewChange, *, by: str, now: Instant) -> Change:
    """The change request of a move that is made at once. Raises NotAllowed, naming what to ask for, where people sign.

    Like `open_change`, for who moves a version by another way than asking: MLflow's alias, a release, a promotion.
    """
    applied = steps.governed_file(tx, new.model)
    target = steps.target_of(tx, new)
    if steps.asked(tx, new.kind, target, applied.file):
        to = f", to {target.to}" if target else ""
        raise NotAllowed(
            f"To {new.kind} version {new.version} of {new.model!r}{to}, people must sign. Open a change request: "
            f"`tenure version {new.kind} {new.model} {new.version} --reason …`, or POST /api/v1/changes with kind "
            f"{new.kind!r} and its target."
        )
    return open_change(tx, new, by=by, now=now)


def sign(
    tx: Transaction,
    change_id: str,
    new: NewSignature,
    *,
    proof: Reauthenticated,
    key: SigningKey,
    now: Instant,
    checked: BytesChecked | None,
) -> Change:
    """Sign a change, for or against it, in the name of the person whose password `proof` shows.

    When the last step is filled the change is approved; one rejection ends it. When the version's evidence is no
    longer what was opened, nothing is signed: pending signatures are void, and the change comes back `invalidated`.
    Raises NotAllowed for who may not sign, Conflict for a change that is over.
    """
    stored = _stored(tx, change_id, to_change=True)
    change = stored.change
    if change.state != "open":
        raise Conflict(f"Only an open change can be signed. This one is {change.state}: {change.ended_because}.")
    person = _who_signs(tx, proof, new)
    seen = bound.seen(tx, stored, checked, now)
    moved = bound.moved(seen.subject, change)
    if moved:
        because = f"what was to be signed has changed ({moved}); open a new change request on it"
        voiding.end(tx, change, "invalidated", because, by=person.name, now=now)
        return get(tx, change_id)
    refusal = eligibility.refusal(stored, person, new.role, new.meaning, also_authors=seen.authors)
    if refusal is not None:
        raise refusal
    signature = _put(tx, stored, seen, person, new, proof=proof, key=key, now=now)
    _conclude(tx, _stored(tx, change_id), signature, by=person.name, now=now)
    return get(tx, change_id)


def withdraw(tx: Transaction, change_id: str, *, by: str, now: Instant) -> Change:
    """Take an open change back; its signatures are void."""
    change = _stored(tx, change_id, to_change=True).change
    if change.state != "open":
        raise Conflict(f"Only an open change can be withdrawn. This one is {change.state}.")
    voiding.end(tx, change, "withdrawn", f"withdrawn by {by}", by=by, now=now)
    return get(tx, change_id)


def approve_under_envelope(
    tx: Transaction, change_id: str, *, by: str, now: Instant, evidence: dict[str, Any], public_pems: Sequence[str]
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
    verdict = envelopes.covers_change(tx, change, evidence, now=now, public_pems=public_pems)
    if not verdict.covered:
        raise GateNotMet(f"The envelope does not cover this: {verdict.because}.", failures=[verdict.because])
    because = f"inside the envelope that was signed with change {verdict.change_id}, until {verdict.expires}"
    concluding.approve(tx, change, because, by=by, now=now, approved_under=verdict.change_id, evidence=evidence)
    return get(tx, change_id)


def get(tx: Transaction, change_id: str) -> Change:
    """A change request with its signatures. Raises NotFound."""
    return _stored(tx, change_id).change


def file_of(tx: Transaction, change_id: str) -> ModelFile:
    """The model's file that a change asks for. Raises NotFound for a change that is about a version."""
    file = _stored(tx, change_id).file
    if file is None:
        raise NotFound(f"The change {change_id!r} asks for no revision of a model's file; it is about a version.")
    return file


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
    if to_change:
        audit.lock(tx)
    stored = changes.get(tx, change_id, to_change=to_change)
    if stored is None:
        raise NotFound(f"There is no change request {change_id!r}.")
    return stored


def _require_state(new: NewChange, state: VersionState) -> None:
    if not lifecycle.may_open(new.kind, state):
        allowed = " or ".join(sorted(lifecycle.MAY_OPEN[new.kind]))
        raise Conflict(
            f"To {new.kind} a version it must be {allowed}. Version {new.version} of {new.model!r} is {state}."
        )


def _require_registered(tx: Transaction, new: NewChange, *, signed_first: bool) -> None:
    """Where the file asks for a signed registration, nothing else is asked of a version before."""
    if not signed_first or new.kind in ("register", "retire", "suspend"):
        return
    digest = model_versions.get(tx, new.model, new.version).digest
    done = changes.search(tx, state="approved", model=new.model, version=new.version, kind="register")
    if not any(stored.change.subject.artifact == digest for stored in done):
        raise Conflict(
            f"The file of {new.model!r} asks for a signed registration, and version {new.version} has none. Open it: "
            f"`tenure version register {new.model} {new.version} --reason …`."
        )


def _refusal(new: NewChange, target: Target | None) -> str:
    about = f"Version {new.version} of {new.model!r}"
    if new.kind == "promote" and target is not None:
        return f"{about} may not become {target.to}"
    ways: dict[Move, str] = {"register": "be registered", "approve": "be approved yet", "deploy": "be released"}
    return f"{about} {'may not' if new.kind == 'deploy' else 'cannot'} {ways[new.kind]}"


def _who_signs(tx: Transaction, proof: Reauthenticated, new: NewSignature) -> Person:
    """The person of the proof as they stand now: a password or role that changed meanwhile ends the proof."""
    account = people.get(tx, proof.account.person.name)
    if account is None or account.session_epoch != proof.account.session_epoch or account.person.name != new.person:
        raise NotAllowed("The person's password or roles changed meanwhile. Give the password again.")
    return account.person


def _put(
    tx: Transaction,
    stored: StoredChange,
    seen: bound.Seen,
    person: Person,
    new: NewSignature,
    *,
    proof: Reauthenticated,
    key: SigningKey,
    now: Instant,
) -> Signature:
    """Seal what a person says, keep it, and say so in the audit log."""
    change, meaning = stored.change, lifecycle.meaning(stored.change.kind, new.meaning)
    assert meaning is not None
    statement = SignedStatement(
        change_id=change.change_id,
        kind=change.kind,
        model=change.model,
        version=change.version,
        subject=seen.subject,
        person=person.name,
        printed_name=person.printed_name,
        role=new.role,
        meaning=meaning,
        reason=new.reason,
        signed_at=iso(now),
        reauthenticated_by=proof.by,
        reauthenticated_at=iso(proof.at),
        policy_version=seen.policies,
        target=change.target,
        steps=stored.steps,
        decisions=change.decisions,
        accepted=change.accepted,
        revising=change.revising,
    )
    signature = Signature(
        signature_id=new_id(now),
        person=person.name,
        printed_name=person.printed_name,
        role=new.role,
        meaning=meaning,
        reason=new.reason,
        signed_at=now,
        voided=False,
    )
    kept.add(tx, change.change_id, signature, signatures.seal(statement, key))
    detail = {**voiding.subject_of(change), "role": new.role, "meaning": meaning, "reason": new.reason}
    audit.append(tx, "change.signed", subject=change.change_id, by=person.name, at=now, detail=detail)
    return signature


def _conclude(tx: Transaction, stored: StoredChange, signature: Signature, *, by: str, now: Instant) -> None:
    """End a change that was rejected or has all its signatures; otherwise it waits on."""
    change = stored.change
    if signature.meaning == "rejection":
        voiding.end(tx, change, "rejected", f"rejected by {by}", by=by, now=now)
    elif all(step.signed >= step.needed for step in change.steps):
        concluding.approve(tx, change, "every step is signed", by=by, now=now)
        if change.kind == "revise":
            revisions.carry_out(tx, stored, now=now)
