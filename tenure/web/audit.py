"""The audit log: who did what, about what, when and why; one event; the filtered log as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Response, get
from litestar.response import Stream

from tenure.errors import NotFound
from tenure.manage import checkpoints
from tenure.records import moments
from tenure.records.base import iso
from tenure.records.changes import AuditEvent
from tenure.records.people import Permission, Principal
from tenure.store import audit
from tenure.store import checkpoints as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import audit_subjects
from tenure.web.page import show
from tenure.web.run_export import safe

LISTED_LIMIT = 30
PAGE = 500
COLUMNS = ("number", "at", "who", "what", "about", "why", "detail", "hash")
Filters = dict[str, str]


@get("/audit", permission=Permission.AUDIT, sync_to_thread=True, include_in_schema=False)
def page(
    ground: Ground,
    principal: Principal,
    actor: str = "",
    action: str = "",
    subject: str = "",
    reason: str = "",
    first: str = "",
    last: str = "",
    before: int | None = None,
    verify: bool = False,
) -> Response[str]:
    """Events, newest first. With `verify` the whole chain is walked, which takes a second per 100,000 events."""
    asked = {
        "actor": actor,
        "action": action,
        "subject": subject,
        "reason": reason,
        "first": first,
        "last": last,
    }
    chosen = _chosen(asked)

    def load(tx: Transaction) -> dict[str, Any]:
        found = audit.search(tx, **chosen, before=before, limit=LISTED_LIMIT + 1)
        return {
            "events": audit_subjects.of(tx, found[:LISTED_LIMIT]),
            "older": found[LISTED_LIMIT - 1].sequence if len(found) > LISTED_LIMIT else None,
            "asked": asked,
            "before": before,
            "verified": checkpoints.verify(tx, ground.key) if verify else None,
            "checkpoint": kept.newest(tx),
        }

    return show(ground, principal, "audit.html", load, current="audit")


@get("/audit/{sequence:int}", permission=Permission.AUDIT, sync_to_thread=True, include_in_schema=False)
def event_page(ground: Ground, principal: Principal, sequence: int) -> Response[str]:
    """One event with all its details, at an address that stays."""

    def load(tx: Transaction) -> dict[str, Any]:
        found = audit.get(tx, sequence)
        if found is None:
            raise NotFound(f"The audit log has no event {sequence}.")
        size, _ = audit.size_and_head(tx)
        [(_, about)] = audit_subjects.of(tx, [found])
        return {"one": found, "about": about, "later": sequence < size}

    return show(ground, principal, "audit_event.html", load, current="audit")


# Addresses of their own: Litestar wraps a blocking handler anew for every path, which a page cannot bear.
@get("/audit.csv", permission=Permission.AUDIT, sync_to_thread=True, include_in_schema=False)
def export_csv(
    ground: Ground,
    actor: str = "",
    action: str = "",
    subject: str = "",
    reason: str = "",
    first: str = "",
    last: str = "",
) -> Stream:
    """The events that the list finds, newest first, as CSV."""
    asked = {"actor": actor, "action": action, "subject": subject, "reason": reason, "first": first, "last": last}
    return _file(ground, asked, as_csv=True)


@get("/audit.jsonl", permission=Permission.AUDIT, sync_to_thread=True, include_in_schema=False)
def export_jsonl(
    ground: Ground,
    actor: str = "",
    action: str = "",
    subject: str = "",
    reason: str = "",
    first: str = "",
    last: str = "",
) -> Stream:
    """The events that the list finds, newest first, as JSON lines."""
    asked = {"actor": actor, "action": action, "subject": subject, "reason": reason, "first": first, "last": last}
    return _file(ground, asked, as_csv=False)


def _file(ground: Ground, asked: Filters, *, as_csv: bool) -> Stream:
    headers = {
        "Content-Disposition": f'attachment; filename="audit.{"csv" if as_csv else "jsonl"}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
    kind = "text/csv; charset=utf-8" if as_csv else "application/x-ndjson"
    return Stream(_lines(ground, _chosen(asked), as_csv), media_type=kind, headers=headers)


def _chosen(asked: Filters) -> dict[str, Any]:
    """The filters of the form as the log's search takes them."""
    from_at, until_at = moments.between(asked["first"], asked["last"])
    texts = {name: asked[name] or None for name in ("actor", "action", "subject", "reason")}
    return {**texts, "from_at": from_at, "until_at": until_at}


def _lines(ground: Ground, chosen: dict[str, Any], as_csv: bool) -> Iterator[str]:
    """A page is read, written and forgotten; no transaction is kept open for a slow reader."""
    before: int | None = None
    if as_csv:
        yield _row(COLUMNS)
    while True:
        found = ground.database.read(
            lambda tx, before=before: audit.search(tx, **chosen, before=before, limit=PAGE)  # type: ignore[misc]
        )
        if found:
            yield "".join(_row(_cells(one)) if as_csv else f"{msgspec.json.encode(one).decode()}\n" for one in found)
        if len(found) < PAGE:
            return
        before = found[-1].sequence


def _cells(one: AuditEvent) -> tuple[Any, ...]:
    why, detail = one.detail.get("reason", ""), msgspec.json.encode(one.detail).decode()
    return one.sequence, iso(one.at), one.actor, one.action, one.subject, why, detail, one.hash


def _row(values: tuple[Any, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([safe(value) for value in values])
    return written.getvalue()


handlers = [page, event_page, export_csv, export_jsonl]
