"""Webhooks of the town: one that is told everything and is failing now, one that was disabled; and an export."""

from __future__ import annotations

from tenure.build import announcements
from tenure.records.base import Instant
from tenure.records.exports import Export
from tenure.records.webhooks import EVENTS, Attempt, Message, Webhook
from tenure.store import exports, outbox, webhooks
from tenure.store.database import Transaction

BUSY = "0190b5a0-0000-7000-8000-0000000000b1"
QUIET = "0190b5a0-0000-7000-8000-0000000000b2"
PROBLEM = "hooks.example:443 did not answer within 10 s."


def fill(tx: Transaction, now: Instant, marked: str) -> None:
    for webhook_id, status in ((BUSY, "ACTIVE"), (QUIET, "DISABLED")):
        made = Webhook(
            webhook_id=webhook_id,
            name="releases" if status == "ACTIVE" else "old-chat",
            url=f"https://hooks.example/services/T00000000/B00000000/{marked or 'a-long-path-that-is-a-secret-too'}",
            events=list(EVENTS) if status == "ACTIVE" else ["model_version_alias.created"],
            status=status,
            signed=status == "ACTIVE",
            description=f"Starts the pipeline {marked}".strip(),
            created_at=now,
            updated_at=now,
        )
        webhooks.insert(tx, made, b"sealed" if made.signed else None)
    told = {"name": f"flight-delay {marked}".strip(), "alias": "champion", "version": "2"}
    for number in range(60):
        at = Instant(now + number * 3_600_000_000)
        body = announcements.written("model_version_alias.created", told, at)
        message = announcements.message(BUSY, "model_version_alias.created", body, at)
        outbox.add(tx, [message])
        if number < 59:
            settle(tx, message, accepted=number % 7 != 3)


def export(tx: Transaction, endpoint: str, now: Instant, marked: str) -> None:
    made = Export(
        endpoint=endpoint,
        url=f"https://events.example/{marked}",
        what=["request", "response"],
        share=0.25,
        signed=True,
        set_at=now,
        waiting=12,
        sent=3456,
        failed=7,
        dropped=89,
        problem=f"events.example:443 did not answer within 10 s. {marked}".strip(),
        tried_at=now,
    )
    exports.put(tx, made, b"sealed")


def settle(tx: Transaction, message: Message, *, accepted: bool) -> None:
    for attempt in range(1, 2 if accepted else 6):
        tried = Attempt(
            attempt=attempt,
            at=message.created_at + attempt * 15_000_000,
            took_ms=84 if attempt % 2 else 10_000,
            status_code=200 if accepted else (503 if attempt % 2 else None),
            problem=None if attempt % 2 else PROBLEM,
        )
        state = "sent" if accepted else "given_up" if attempt == 5 else "waiting"
        outbox.settle(tx, message, message.due_at, state, message.due_at, tried)
