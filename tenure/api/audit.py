"""Routes about the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from litestar import get, post
from litestar.params import Parameter
from litestar.response import Stream

from tenure import access
from tenure.build import ended_runs
from tenure.errors import NotFound
from tenure.manage import checkpoints
from tenure.monitor import segments
from tenure.records import moments
from tenure.records.audit import Checkpoint, RunsVerified, SegmentsVerified
from tenure.records.changes import AuditEvent, AuditVerified
from tenure.records.people import Permission, Principal
from tenure.store import audit
from tenure.store import checkpoints as kept
from tenure.store.ground import Ground


@get("/api/v1/audit", permission=Permission.AUDIT, sync_to_thread=True)
def list_events(
    *,
    ground: Ground,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    reason: str | None = None,
    from_at: str | None = None,
    until_at: str | None = None,
    before: int | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[AuditEvent]:
    """Events, newest first: by who, by what (a prefix such as `version.`), about what, why (a part of the reason), not
    before and not after a date or time, older than a sequence number.
    """
    sought = {"actor": actor, "action": action, "subject": subject, "reason": reason}
    between = moments.between(from_at, until_at)
    return ground.database.read(
        lambda tx: audit.search(tx, **sought, from_at=between[0], until_at=between[1], before=before, limit=limit)
    )


@get("/api/v1/audit/{sequence:int}", permission=Permission.AUDIT, sync_to_thread=True)
def one_event(sequence: int, ground: Ground) -> AuditEvent:
    """One event, by its sequence number."""
    found = ground.database.read(lambda tx: audit.get(tx, sequence))
    if found is None:
        raise NotFound(f"The audit log has no event {sequence}.")
    return found


@get("/api/v1/audit/verify", permission=Permission.AUDIT, sync_to_thread=True)
def verify_log(ground: Ground) -> AuditVerified:
    """Walk the whole chain, hold it against the signed checkpoints kept here, and name the first event that misfits."""
    return ground.database.read(lambda tx: checkpoints.verify(tx, ground.key))


@get("/api/v1/audit/verify-segments", permission=Permission.AUDIT, sync_to_thread=True)
def verify_segments(ground: Ground) -> SegmentsVerified:
    """Read every file of predictions and outcomes and hold it against the digest that the log tells of."""
    return segments.verify(ground)


@get("/api/v1/audit/verify-runs", permission=Permission.AUDIT, sync_to_thread=True)
def verify_runs(ground: Ground) -> RunsVerified:
    """Count again what every ended run holds, and name those that were changed after their end."""
    return ended_runs.verify(ground.database)


@get("/api/v1/audit/export", permission=Permission.AUDIT, sync_to_thread=True)
def export_log(ground: Ground) -> Stream:
    """The whole log as JSON lines, oldest first: each event's hash and, byte for byte, what was hashed."""
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
    return Stream(_lines(ground), media_type="application/x-ndjson", headers=headers)


@get("/api/v1/audit/checkpoints", permission=Permission.AUDIT, sync_to_thread=True)
def list_checkpoints(
    ground: Ground, above: int = -1, limit: Annotated[int, Parameter(ge=1, le=10_000)] = 1000
) -> list[Checkpoint]:
    """Signed checkpoints that saw more than so many events, the smallest first."""
    return ground.database.read(lambda tx: kept.above(tx, above, limit))


@post("/api/v1/audit/checkpoints", permission=Permission.AUDIT, sync_to_thread=True)
def sign_checkpoint(ground: Ground, principal: Principal) -> Checkpoint:
    """Sign a checkpoint of the log as it is now; the newest one when nothing was added since."""
    access.require_known(principal)
    return ground.database.write(lambda tx: checkpoints.sign(tx, ground.key, by=principal.name, now=ground.clock()))


def _lines(ground: Ground) -> Iterator[bytes]:
    """A page is read, sent and forgotten; no transaction is kept open for a slow reader."""
    after: int | None = -(2**63)
    while after is not None:
        place = after
        lines, after = ground.database.read(lambda tx, place=place: audit.export(tx, place))  # type: ignore[misc]
        if lines:
            yield lines


handlers = [
    list_events,
    one_event,
    verify_log,
    verify_segments,
    verify_runs,
    export_log,
    list_checkpoints,
    sign_checkpoint,
]
