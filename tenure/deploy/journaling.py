"""How an endpoint journals: everything, a sample, or whatever the disk takes."""

from __future__ import annotations

import msgspec

from tenure.deploy import releases, routing
from tenure.records.base import Instant
from tenure.records.journaling import JournalMode, SetJournal
from tenure.store import audit, endpoints
from tenure.store.database import Transaction


def set_mode(tx: Transaction, endpoint: str, asked: SetJournal, *, by: str, now: Instant) -> None:
    """Say how an endpoint journals from now on. Raises NotFound."""
    releases.found(tx, endpoint)
    before = endpoints.journal(tx, endpoint)
    endpoints.set_journal(tx, endpoint, asked.journal)
    routing.bump(tx)
    detail = {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(asked.journal)}
    audit.append(tx, "endpoint.journal_set", subject=endpoint, by=by, at=now, detail=detail | {"reason": asked.reason})


def mode_of(tx: Transaction, endpoint: str) -> JournalMode:
    """How an endpoint journals. Raises NotFound."""
    releases.found(tx, endpoint)
    return endpoints.journal(tx, endpoint)
