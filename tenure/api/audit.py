"""Routes about the audit log."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import Parameter

from tenure.records.changes import AuditEvent, AuditVerified
from tenure.records.people import Permission
from tenure.store import audit
from tenure.store.ground import Ground


@get("/api/v1/audit", permission=Permission.AUDIT, sync_to_thread=True)
def list_events(
    *,
    ground: Ground,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before: int | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[AuditEvent]:
    """Events, newest first: by who, by what (a prefix such as `version.`), about what, older than a sequence number."""
    return ground.database.read(
        lambda tx: audit.search(tx, actor=actor, action=action, subject=subject, before=before, limit=limit)
    )


@get("/api/v1/audit/verify", permission=Permission.AUDIT, sync_to_thread=True)
def verify_log(ground: Ground) -> AuditVerified:
    """Walk the whole chain and name the first event that does not fit."""
    return ground.database.read(audit.verify)


handlers = [list_events, verify_log]
