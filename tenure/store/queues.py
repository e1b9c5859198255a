"""Tables of somebody's Postgres that a stream reads and writes: a queue, answers, and what could not be scored.

They are not tables of ours: names are the operator's, and nothing here looks at the server's own database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tenure.errors import InvalidInput, Unavailable
from tenure.records.base import moment_of
from tenure.records.streams import Answered, Dead

MOST_COUNTED = 100_000
CONNECT_S = 10


def engine_of(url: str) -> sa.Engine:
    """An engine for a Postgres. Raises InvalidInput for another URL and where the extra is missing."""
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in ("postgresql", "postgres"):
            raise InvalidInput("A queue must be in Postgres: postgresql://….")
        parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(
            parsed,
            pool_size=2,
            pool_pre_ping=True,
            json_serializer=_json,
            connect_args={"connect_timeout": CONNECT_S},
        )
    except sa.exc.ArgumentError:
        raise InvalidInput("The URL of a Postgres must read postgresql://user@host/database.") from None
    except ImportError:
        raise InvalidInput("Postgres needs its driver: pip install 'tenure[postgres]'.") from None


def queue(name: str) -> sa.Table:
    """Messages that wait, the oldest first."""
    return _table(
        name,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("message", postgresql.JSONB, nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def answers(name: str) -> sa.Table:
    """One answer a key and endpoint."""
    return _table(
        name,
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("prediction", postgresql.JSONB, nullable=False),
        sa.Column("prediction_id", sa.Text, nullable=False),
        sa.Column("model_version", sa.Integer, nullable=False),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def dead(name: str) -> sa.Table:
    """Messages that cannot be scored, with the latest reason."""
    return _table(
        name,
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def check(tx: sa.Connection, table: sa.Table, *, prepare: bool) -> None:
    """Raise InvalidInput when a table is not there or lacks columns; make it first when it shall be prepared."""
    if prepare:
        table.create(tx, checkfirst=True)
    looked = sa.inspect(tx)
    if not looked.has_table(table.name, schema=table.schema):
        raise InvalidInput(f"The table {table.fullname} must be there. Make it with `tenure stream prepare`.")
    there = {column["name"] for column in looked.get_columns(table.name, schema=table.schema)}
    lacking = [column.name for column in table.columns if column.name not in there]
    if lacking:
        raise InvalidInput(f"The table {table.fullname} must have the columns {', '.join(lacking)} too.")


def take(tx: sa.Connection, table: sa.Table, limit: int) -> list[tuple[int, str, bytes, Any]]:
    """Lock the oldest messages that nobody else has locked: id, key, message as JSON, when they were put there."""
    chosen = sa.select(
        table.c.id, table.c.key, sa.cast(table.c.message, sa.Text).label("message"), table.c.enqueued_at
    ).order_by(table.c.id)
    rows = tx.execute(chosen.limit(limit).with_for_update(skip_locked=True))
    return [(row.id, row.key, row.message.encode(), row.enqueued_at) for row in rows]


def remove(tx: sa.Connection, table: sa.Table, ids: Sequence[int]) -> None:
    """Take settled messages out of the queue."""
    tx.execute(sa.delete(table).where(table.c.id == sa.any_(sa.cast(list(ids), postgresql.ARRAY(sa.BigInteger)))))


def waiting(tx: sa.Connection, table: sa.Table) -> int:
    """How many messages are in the queue, at most 100,000: more are not counted."""
    some = sa.select(table.c.id).limit(MOST_COUNTED).subquery()
    return int(tx.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def keys_among(tx: sa.Connection, table: sa.Table, endpoint: str, keys: Sequence[str]) -> set[str]:
    """Which keys have an answer of an endpoint."""
    same = table.c.key == sa.any_(sa.cast(list(keys), postgresql.ARRAY(sa.Text)))
    return set(tx.execute(sa.select(table.c.key).where(table.c.endpoint == endpoint, same)).scalars())


def add_answers(tx: sa.Connection, table: sa.Table, given: Sequence[Answered]) -> None:
    """Write answers; one that stands already stays. In the order of keys, so that two writers cannot wait for each
    other."""
    rows = [
        {
            "endpoint": one.endpoint,
            "key": one.key,
            "prediction": one.prediction,
            "prediction_id": one.prediction_id,
            "model_version": one.model_version,
            "event_at": moment_of(one.event_at),
        }
        for one in sorted(given, key=lambda one: one.key)
    ]
    if rows:
        tx.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)


def add_dead(tx: sa.Connection, table: sa.Table, given: Sequence[Dead]) -> None:
    """Write what cannot be scored; a later reason takes the place of an earlier one."""
    rows = [
        {
            "endpoint": one.endpoint,
            "key": _text(one.key),
            "code": one.code,
            "reason": one.reason,
            "place": one.where,
            "message": _text(one.payload.decode("utf-8", "replace")),
        }
        for one in sorted(given, key=lambda one: one.key)
    ]
    if rows:
        written = postgresql.insert(table)
        newer: dict[str, Any] = {name: written.excluded[name] for name in ("code", "reason", "place", "message")}
        newer["failed_at"] = sa.func.now()
        tx.execute(written.on_conflict_do_update(index_elements=["endpoint", "key"], set_=newer), rows)


@contextmanager
def naming_failures(shown: str) -> Iterator[None]:
    """Failures of the database as ours; `shown` names it without secrets."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError):
        raise Unavailable(f"{shown} does not answer. It is tried again.") from None
    except sa.exc.DBAPIError as problem:
        kind = type(problem.orig).__name__
        raise InvalidInput(f"{shown} refuses what the stream asks ({kind}). Look into its own log.") from None


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    schema, _, last = name.rpartition(".")
    return sa.Table(last, sa.MetaData(), *columns, schema=schema or None)


def _text(value: str) -> str:
    """Postgres stores no NUL."""
    return value.replace("\0", "\ufffd")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
