"""Messages that leave after the commit of what they tell of, and the log of every attempt to deliver them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.webhooks import Attempt, Delivery, Message, MessageState
from tenure.store import tables
from tenure.store.database import Transaction

CHANNEL, NOTICE = "webhook", "notice"
"""What a message is for: a webhook by its id, or a channel of alerts by its name."""
_message = tables.outbox.c
_attempt = tables.deliveries.c


def add(tx: Transaction, messages: Sequence[Message], *, channel: str = CHANNEL) -> None:
    """Put messages among those that wait."""
    rows = [{"channel": channel, "destination": one.webhook_id, **_rest(one)} for one in messages]
    if rows:
        tx.execute(sa.insert(tables.outbox), rows)


def due(
    tx: Transaction, now: Instant, *, without: Collection[str], limit: int, channel: str = CHANNEL
) -> list[Message]:
    """Messages that should leave by now, longest due first, but for these webhooks."""
    query = sa.select(tables.outbox).where(
        _is_due(now), _message.channel == channel, _message.destination.not_in(without)
    )
    query = query.order_by(_message.due_at, _message.created_at, _message.message_id).limit(limit)
    return [_record(row) for row in tx.execute(query)]


def lease(tx: Transaction, message_ids: Collection[str], now: Instant, until: int) -> set[str]:
    """Take messages that are still due by moving them ahead. Of two workers that try, each message goes to one."""
    free = sa.select(_message.message_id).where(_is_due(now), _message.message_id.in_(message_ids))
    free = free.with_for_update(skip_locked=True)  # SQLite has one writer and leaves this out
    taken = sa.update(tables.outbox).where(_message.message_id.in_(free)).values(due_at=until)
    return set(tx.execute(taken.returning(_message.message_id)).scalars())


def settle(
    tx: Transaction, message: Message, leased_until: int, state: MessageState, due_at: int, attempt: Attempt
) -> bool:
    """Log an attempt and say what becomes of its message. False, and nothing written, when the lease is no longer ours:
    the webhook was removed or disabled, or another worker has the message."""
    mine = (_message.message_id == message.message_id) & (_message.state == "waiting")
    settled = tx.execute(
        sa.update(tables.outbox)
        .where(mine & (_message.due_at == leased_until))
        .values(state=state, attempts=attempt.attempt, due_at=due_at)
    )
    if settled.rowcount == 1:
        tx.execute(
            sa.insert(tables.deliveries).values(message_id=message.message_id, **msgspec.structs.asdict(attempt))
        )
    return settled.rowcount == 1


def release(tx: Transaction, message_ids: Collection[str], leased_until: int, due_at: int) -> None:
    """Give back what was leased and not tried."""
    held = _message.message_id.in_(message_ids) & (_message.due_at == leased_until)
    tx.execute(sa.update(tables.outbox).where(held & (_message.state == "waiting")).values(due_at=due_at))


def give_up(tx: Transaction, webhook_id: str, now: Instant, *, channel: str = CHANNEL) -> int:
    """Give up everything that waits for a webhook, and say how many that were."""
    waiting = _of(webhook_id, channel) & (_message.state == "waiting")
    return tx.execute(sa.update(tables.outbox).where(waiting).values(state="given_up", due_at=now)).rowcount


def again(tx: Transaction, message_id: str, now: Instant) -> None:
    """Have a message leave now, whatever became of it before."""
    tx.execute(sa.update(tables.outbox).where(_message.message_id == message_id).values(state="waiting", due_at=now))


def drop(tx: Transaction, webhook_id: str) -> int:
    """Forget every message for a webhook with its log, and say how many were still waiting."""
    waited = waiting(tx).get(webhook_id, 0)
    ids = sa.select(_message.message_id).where(_of(webhook_id))
    tx.execute(sa.delete(tables.deliveries).where(_attempt.message_id.in_(ids)))
    tx.execute(sa.delete(tables.outbox).where(_of(webhook_id)))
    return waited


def forget(tx: Transaction, before: int, *, limit: int) -> int:
    """Delete messages that were settled before an instant, with their log: at most so many, and say how many."""
    old = (_message.state.in_(("sent", "given_up"))) & (_message.due_at < before)
    ids = list(tx.execute(sa.select(_message.message_id).where(old).limit(limit)).scalars())
    if ids:
        tx.execute(sa.delete(tables.deliveries).where(_attempt.message_id.in_(ids)))
        tx.execute(sa.delete(tables.outbox).where(_message.message_id.in_(ids)))
    return len(ids)


def get(tx: Transaction, message_id: str) -> Message | None:
    row = tx.execute(sa.select(tables.outbox).where(_message.message_id == message_id)).first()
    return _record(row) if row else None


def waiting(tx: Transaction, *, channel: str = CHANNEL) -> dict[str, int]:
    """How many messages wait for each webhook."""
    query = sa.select(_message.destination, sa.func.count()).where(_message.state == "waiting")
    query = query.where(_message.channel == channel)
    return {row[0]: row[1] for row in tx.execute(query.group_by(_message.destination))}


def counts(tx: Transaction) -> list[tuple[str, str, int]]:
    """How many messages there are of each channel in each state; those that were forgotten count no more."""
    query = sa.select(_message.channel, _message.state, sa.func.count()).group_by(_message.channel, _message.state)
    return [(row[0], row[1], row[2]) for row in tx.execute(query.order_by(_message.channel, _message.state))]


def log(
    tx: Transaction, webhook_id: str, *, limit: int, before: Message | None = None, channel: str = CHANNEL
) -> list[Delivery]:
    """A webhook's messages with their attempts, the newest first; those older than `before`, if given."""
    query = sa.select(tables.outbox).where(_of(webhook_id, channel))
    if before is not None:
        place = sa.tuple_(_message.created_at, _message.message_id)
        query = query.where(place < sa.tuple_(sa.literal(before.created_at), sa.literal(before.message_id)))
    query = query.order_by(_message.created_at.desc(), _message.message_id.desc()).limit(limit)
    messages = [_record(row) for row in tx.execute(query)]
    tries = _attempts(tx, [one.message_id for one in messages])
    return [_delivery(one, tries.get(one.message_id, [])) for one in messages]


def _attempts(tx: Transaction, message_ids: Collection[str]) -> dict[str, list[Attempt]]:
    query = sa.select(tables.deliveries).where(_attempt.message_id.in_(message_ids))
    found: dict[str, list[Attempt]] = {}
    for row in tx.execute(query.order_by(_attempt.message_id, _attempt.attempt.desc())):
        tried = Attempt(
            attempt=row.attempt, at=row.at, took_ms=row.took_ms, status_code=row.status_code, problem=row.problem
        )
        found.setdefault(row.message_id, []).append(tried)
    return found


def _delivery(message: Message, attempts: list[Attempt]) -> Delivery:
    return Delivery(
        message_id=message.message_id,
        event=message.event,
        state=message.state,
        created_at=message.created_at,
        next_at=message.due_at if message.state == "waiting" else None,
        body=message.body,
        attempts=attempts,
    )


def _is_due(now: Instant) -> sa.ColumnElement[bool]:
    return (_message.state == "waiting") & (_message.due_at <= now)


def _of(webhook_id: str, channel: str = CHANNEL) -> sa.ColumnElement[bool]:
    return (_message.channel == channel) & (_message.destination == webhook_id)


def _rest(message: Message) -> dict[str, Any]:
    values = msgspec.structs.asdict(message)
    del values["webhook_id"]
    return values


def _record(row: Any) -> Message:
    return Message(
        message_id=row.message_id,
        webhook_id=row.destination,
        event=row.event,
        body=row.body,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
    )
