"""What versions run in, by the digest of their files: the same bytes run in the same packages."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.environments import Environment
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.environments.c


def put(tx: Transaction, files_digest: str, environment: Environment, now: Instant) -> None:
    """Keep what was decided for these files, in place of what was decided before."""
    tx.execute(sa.delete(tables.environments).where(_column.files_digest == files_digest))
    body = msgspec.json.encode(environment).decode()
    tx.execute(sa.insert(tables.environments).values(files_digest=files_digest, body=body, settled_at=now))


def get(tx: Transaction, files_digest: str) -> Environment | None:
    """What was decided for these files; None when nothing was."""
    body = tx.execute(sa.select(_column.body).where(_column.files_digest == files_digest)).scalar()
    return None if body is None else msgspec.json.decode(body, type=Environment)
