"""Signed checkpoints: at this time the audit log had so many events, and the last one had this hash.

The chain covers everything before its head, so size and head are all that a checkpoint needs: whoever keeps one sees
that the log behind it was cut off or written anew. A tree of hashes would prove single events without the others;
who verifies this log reads all of it, so the chain suffices.

Checkpoints are worth what the place is worth where they are kept: with `--audit-export` each one leaves the server.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from tenure.errors import Conflict, InvalidInput
from tenure.manage import dsse
from tenure.records.audit import Checkpoint, CheckpointStatement
from tenure.records.base import HOUR_US, SECOND_US, Instant, iso
from tenure.records.changes import AuditVerified
from tenure.settings import Settings
from tenure.store import audit, chain, checkpoints, settings_kept
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.keys import SigningKey

log = logging.getLogger("tenure.manage")
PAYLOAD_TYPE = "application/vnd.tenure.checkpoint+json"
BY = "tenure-worker"
EXPORTED = "audit_exported"
LOOK_US = 10 * SECOND_US
AGAIN_US = 300 * SECOND_US


def sign(tx: Transaction, key: SigningKey, *, by: str, now: Instant) -> Checkpoint:
    """Sign the log as it ends now. Writes one audit event, which the checkpoint covers.

    Where nothing was added since the newest checkpoint, that one is answered and nothing is written. Raises Conflict
    for a log that is not the one that the newest checkpoint saw: it is not signed over.
    """
    newest, (size, _) = checkpoints.newest(tx), audit.size_and_head(tx)
    if newest is not None:
        _check_agrees(tx, newest)
        if newest.size == size:
            return newest
    detail = {"before": newest.size if newest else 0, "head_before": newest.head if newest else chain.GENESIS}
    audit.append(tx, "checkpoint.signed", subject="audit", by=by, at=now, detail=detail)
    size, head = audit.size_and_head(tx)
    statement = CheckpointStatement(size=size, head=head, at=iso(now), key_id=key.key_id)
    envelope = dsse.seal(msgspec.json.encode(statement), PAYLOAD_TYPE, key).decode()
    made = Checkpoint(size=size, head=head, at=now, key_id=key.key_id, envelope=envelope)
    checkpoints.add(tx, made)
    return made


def _check_agrees(tx: Transaction, newest: Checkpoint) -> None:
    last = audit.get(tx, newest.size)
    if last is None or last.hash != newest.head:
        raise Conflict(
            f"The audit log is not what its newest checkpoint saw: {newest.size} events that end in {newest.head}. "
            "Nothing was signed. `tenure audit verify` names what does not fit."
        )


def opened(envelope: bytes, public_pems: Iterable[str]) -> CheckpointStatement:
    """What a checkpoint says, when one of these keys signed it. Raises InvalidInput when none did."""
    pems = list(public_pems)
    if not pems:
        raise InvalidInput("To verify a checkpoint takes the public key of the server that signed it.")
    try:
        return msgspec.json.decode(dsse.opened(envelope, PAYLOAD_TYPE, *pems), type=CheckpointStatement)
    except msgspec.MsgspecError:
        raise InvalidInput("The envelope holds no checkpoint that can be read.") from None


def verify(tx: Transaction, key: SigningKey) -> AuditVerified:
    """Walk the whole log and hold it against every checkpoint that is kept here."""
    seen: dict[int, str] = {}
    for one in checkpoints.above(tx):
        try:
            statement = opened(one.envelope.encode(), key.public_pems)
        except InvalidInput as problem:
            return _bad_checkpoint(tx, one.size, problem.message)
        if (statement.size, statement.head) != (one.size, one.head):
            return _bad_checkpoint(tx, one.size, "Its columns differ from what was signed.")
        seen[one.size] = one.head
    return audit.verify(tx, seen)


def verify_export(lines: Iterable[bytes], statements: Iterable[CheckpointStatement]) -> AuditVerified:
    """Walk an export, line by line, and hold it against what checkpoints say. Needs no server."""
    walk = chain.Walk({one.size: one.head for one in statements})
    for number, line in enumerate(lines, start=1):
        row = chain.row_of_line(line)
        if row is None:
            return AuditVerified(
                events=walk.size,
                first_bad=walk.size + 1,
                problem=f"line {number} of the export cannot be read as an event",
                head=walk.head,
                checkpoints=len(walk.agreed),
            )
        if not walk.follow([row]):
            break
    walk.end()
    return AuditVerified(
        events=walk.size,
        first_bad=walk.first_bad,
        problem=walk.problem,
        head=walk.head,
        checkpoints=len(walk.agreed),
    )


class Keeper:
    """Signs a checkpoint whenever one is due, and brings those that have not left yet to where they are kept."""

    def __init__(self) -> None:
        self._look_at = 0

    def keep_due(self, ground: Ground, now: Instant) -> bool:
        """Look whether a checkpoint is due; answers False, since nothing else waits for it.

        A place that cannot be written to is tried again after some minutes, with all that has not reached it.
        """
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_US
        try:
            if ground.database.read(lambda tx: is_due(tx, ground.settings, now)):
                ground.database.write(lambda tx: sign(tx, ground.key, by=BY, now=now))
            export(ground)
        except Exception:
            self._look_at = now + AGAIN_US
            log.exception("no checkpoint of the audit log could be signed or exported; it is tried again")
        return False


def is_due(tx: Transaction, settings: Settings, now: Instant) -> bool:
    """Whether there are events that no checkpoint has seen, and the newest checkpoint is old enough."""
    newest, (size, _) = checkpoints.newest(tx), audit.size_and_head(tx)
    if newest is None:
        return size > 0
    return size != newest.size and newest.at + settings.audit_checkpoint_hours * HOUR_US <= now


def export(ground: Ground) -> int:
    """Write the checkpoints that have not been exported yet, each to a file of its own, and say how many."""
    if not ground.settings.audit_export:
        return 0
    reached = int(ground.database.read(lambda tx: settings_kept.get(tx, EXPORTED)) or 0)
    fresh = ground.database.read(lambda tx: checkpoints.above(tx, reached, limit=1000))
    if fresh:
        store = ArtifactStore(ground.settings.audit_export)
        for one in fresh:
            store.write(f"checkpoint-{one.size:012d}.json", [one.envelope.encode()])
        ground.database.write(lambda tx: settings_kept.put(tx, EXPORTED, str(fresh[-1].size)))
    return len(fresh)


def _bad_checkpoint(tx: Transaction, size: int, why: str) -> AuditVerified:
    found = audit.verify(tx)
    problem = f"the checkpoint of {size} events that is kept here was changed. {why}"
    return found if found.problem else msgspec.structs.replace(found, first_bad=size, problem=problem)
