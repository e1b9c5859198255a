"""Revisions of a model's file: made to stand at once, or asked for when they would loosen rules that bind already.

Rules bind from a governed model's first approved version or release on. From then on nobody loosens them alone: what is
looser is a change request of kind `revise`, signed by those whom the standing file names, never by who asked for it.
"""

from __future__ import annotations

import msgspec

from tenure.errors import InvalidInput
from tenure.manage import loosening, steps, voiding
from tenure.records.base import Instant, new_id
from tenure.records.changes import Change, Looser, Revising, StepAsked, StepStatus, Subject
from tenure.records.digests import digest_of
from tenure.records.model_files import AppliedFile, ModelFile
from tenure.store import audit, changes, model_files, releases, settings_kept
from tenure.store.changes import StoredChange
from tenure.store.database import Transaction

NO_VERSION = 0
LEAST_REASON, MOST_REASON = 3, 2000


def loosened(tx: Transaction, standing: AppliedFile | None, file: ModelFile) -> list[Looser]:
    """What a file would loosen of rules that bind already; nothing where it may be applied by one person."""
    if standing is None or not binds(tx, standing):
        return []
    return loosening.looser(standing.file, file)


def binds(tx: Transaction, standing: AppliedFile) -> bool:
    """Whether the rules of a file hold for whoever wants to change them: the model is under governance, and a version
    of it was approved or put into service at some time. What was retired since does not set them free."""
    if standing.file.approval is None:
        return False
    approved = changes.search(tx, state="approved", model=standing.model, kind="approve", limit=1)
    return bool(approved) or releases.had_any(tx, standing.model)


def asked(tx: Transaction, standing: ModelFile, looser: list[Looser]) -> list[StepAsked]:
    """Who signs that these rules are loosened: the steps of the standing file's `approval`, and of every part with
    steps of its own that is itself looser. A role that is asked twice signs by its step of `approval`."""
    found = steps.of_approval(tx, standing.approval, standing.model)
    for part in loosening.parts_beside(looser):
        known = {role for step in found for role in step.roles}
        more = steps.of_approval(tx, getattr(standing, part), standing.model)
        found += [step for step in more if not known & set(step.roles)]
    return found


def statuses(found: list[StepAsked]) -> list[StepStatus]:
    return [StepStatus(role=step.role, needed=step.signatures, signed=0, people=step.people) for step in found]


def stand(
    tx: Transaction,
    file: ModelFile,
    standing: AppliedFile | None,
    changed: list[str],
    *,
    by: str,
    now: Instant,
    change_id: str | None = None,
) -> tuple[AppliedFile, list[str]]:
    """Make a file the model's next revision, and void the open approvals of the model, which signed the one before.

    Answers the revision and the ids of what was voided. Writes one audit event, with the change that allowed it, and
    counts the routing epoch up, since gateways hold requests against the file.
    """
    revision = standing.revision + 1 if standing else 1
    applied = AppliedFile(
        model=file.model, revision=revision, digest=digest_of(file), applied_by=by, applied_at=now, file=file
    )
    model_files.add(tx, applied)
    settings_kept.count_up(tx, settings_kept.ROUTING_EPOCH)
    detail = {"revision": revision, "digest": applied.digest, "changes": changed}
    detail |= {"change": change_id} if change_id else {}
    audit.append(tx, "model_file.applied", subject=file.model, by=by, at=now, detail=detail)
    return applied, voiding.void_stale(tx, file.model, None, what="the model's file", by=by, now=now)


def ask(
    tx: Transaction,
    file: ModelFile,
    standing: AppliedFile,
    looser: list[Looser],
    changed: list[str],
    *,
    reason: str | None,
    by: str,
    now: Instant,
) -> Change:
    """Open the change request that this file may stand; the one that waits already, when the same was asked for.

    Writes one audit event. Raises InvalidInput without a reason, naming what is looser.
    """
    digest = digest_of(file)
    for waiting in changes.search(tx, state="open", model=file.model, kind="revise"):
        subject = waiting.change.subject
        if (subject.model_file, subject.revised) == (standing.digest, digest):
            return waiting.change
    why = _reason(reason, file.model, looser)
    needed = asked(tx, standing.file, looser)
    change = Change(
        change_id=new_id(now),
        kind="revise",
        model=file.model,
        version=NO_VERSION,
        state="open",
        reason=why,
        opened_by=by,
        opened_at=now,
        closed_at=None,
        ended_because="",
        subject=_subject(standing.digest, digest),
        steps=statuses(needed),
        signatures=[],
        revising=Revising(standing=standing.revision, looser=looser, changes=changed),
    )
    changes.add(tx, change, needed, [by], file)
    detail = {"kind": change.kind, **voiding.subject_of(change), "reason": why, "standing": standing.revision}
    detail |= {"digest": digest, "looser": msgspec.to_builtins(looser), "changes": changed}
    audit.append(tx, "change.opened", subject=change.change_id, by=by, at=now, detail=detail)
    return change


def subject(tx: Transaction, stored: StoredChange) -> Subject:
    """What signatures of a revision bind to, as it is now: the file that stands and the one that is to stand."""
    standing = model_files.current(tx, stored.change.model)
    return _subject(standing.digest if standing else "", digest_of(stored.file) if stored.file else "")


def carry_out(tx: Transaction, stored: StoredChange, *, now: Instant) -> None:
    """Make the file stand that an approved change asked for, in the name of who asked for it.

    Call it in the transaction that approves the change, when `subject` was found to be what was signed.
    """
    change, file = stored.change, stored.file
    assert file is not None
    assert change.revising is not None
    standing = model_files.current(tx, change.model)
    stand(tx, file, standing, change.revising.changes, by=change.opened_by, now=now, change_id=change.change_id)


def _subject(standing: str, revised: str) -> Subject:
    return Subject(artifact="", card="", profile="", model_file=standing, policy="", facts="", revised=revised)


def _reason(reason: str | None, model: str, looser: list[Looser]) -> str:
    given = (reason or "").strip()
    if LEAST_REASON <= len(given) <= MOST_REASON:
        return given
    said = "; ".join(f"{one.path}: {one.words}" for one in looser)
    raise InvalidInput(
        f"This file loosens rules of {model!r}, which others must sign: {said}. Give a reason of {LEAST_REASON} to "
        f"{MOST_REASON} characters with it (`tenure apply --reason …`), and a change request is opened.",
        where="reason",
    )
