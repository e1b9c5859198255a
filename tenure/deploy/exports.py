"""Which of an endpoint's requests and answers leave for another system."""

from __future__ import annotations

from tenure.build.webhook_addresses import check_url, host_of
from tenure.build.webhooks import Means, sealed
from tenure.deploy import releases
from tenure.errors import InvalidInput
from tenure.records.base import Instant
from tenure.records.exports import Export, SetExport
from tenure.store import audit, exports
from tenure.store.database import Transaction


def set_export(
    tx: Transaction, endpoint: str, asked: SetExport, means: Means, *, by: str, now: Instant
) -> Export | None:
    """Say what an endpoint exports from now on. Raises NotFound.

    What waits for the receiver of before is dropped, and counted: events go only where they were meant to go.
    Writes one audit event, which tells no secret and of the address its host alone.
    """
    releases.found(tx, endpoint)
    before = exports.get(tx, endpoint)
    after = None if asked.url is None else _merged(before, endpoint, asked.url, asked, now)
    if after is None:
        exports.delete(tx, endpoint)
    else:
        check_url(after.url, means.allowed)
        kept = exports.secret(tx, endpoint)
        secret = kept if asked.secret is None else sealed(means.key, asked.secret, owner_of(endpoint))
        exports.put(tx, after, secret)
    after = exports.get(tx, endpoint)
    dropped = before.waiting if before else 0
    detail = {"before": _told(before), "after": _told(after), "dropped": dropped, "reason": asked.reason}
    audit.append(tx, "endpoint.export_set", subject=endpoint, by=by, at=now, detail=detail)
    return after


def export_of(tx: Transaction, endpoint: str) -> Export | None:
    """What an endpoint exports, with its counts; None for nothing. Raises NotFound."""
    releases.found(tx, endpoint)
    return exports.get(tx, endpoint)


def owner_of(endpoint: str) -> str:
    """Whose an export's sealed secret is."""
    return f"export:{endpoint}"


def _merged(before: Export | None, endpoint: str, url: str, asked: SetExport, now: Instant) -> Export:
    """The export as asked, with the counts of the one before."""
    if len(set(asked.what)) < len(asked.what):
        raise InvalidInput(
            f"What is exported must be named once each: request, response. Got {', '.join(asked.what)}.", where="what"
        )
    return Export(
        endpoint=endpoint,
        url=url,
        what=asked.what,
        share=asked.share,
        signed=False,
        set_at=max(now, before.set_at + 1) if before else now,
        sent=before.sent if before else 0,
        failed=before.failed if before else 0,
        dropped=before.dropped + before.waiting if before else 0,
    )


def _told(export: Export | None) -> dict[str, object] | None:
    if export is None:
        return None
    return {"host": host_of(export.url), "what": export.what, "share": export.share, "signed": export.signed}
