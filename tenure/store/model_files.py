"""Revisions of models' files. A revision is never changed; the latest is the current one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.model_files import AppliedFile, ModelFile
from tenure.store import driver, tables
from tenure.store.database import Transaction

_column = tables.model_files.c


def add(tx: Transaction, applied: AppliedFile) -> None:
    """Store a new revision."""
    tx.execute(
        sa.insert(tables.model_files).values(
            model=applied.model,
            revision=applied.revision,
            body=msgspec.json.encode(applied.file).decode(),
            digest=applied.digest,
            applied_by=applied.applied_by,
            applied_at=applied.applied_at,
        )
    )


def current(tx: Transaction, model: str) -> AppliedFile | None:
    """The latest revision of a model's file; None when none was applied."""
    row = driver.execute(
        tx,
        "SELECT revision, body, digest, applied_by, applied_at FROM model_files WHERE model = ?"
        " ORDER BY revision DESC LIMIT 1",
        (model,),
    ).fetchone()
    if row is None:
        return None
    revision, body, digest, applied_by, applied_at = row
    return AppliedFile(
        model=model,
        revision=revision,
        digest=digest,
        applied_by=applied_by,
        applied_at=applied_at,
        file=_file(body),
    )


def naming_channel(tx: Transaction, channel: str) -> list[str]:
    """The models whose file as it stands names a channel for their alerts, sorted."""
    named = {
        one.model: {*one.file.alerts.channels, *(step.to for step in one.file.alerts.escalate)}
        for one in all_current(tx)
    }
    return sorted(model for model, channels in named.items() if channel in channels)


def get(tx: Transaction, model: str, revision: int) -> AppliedFile | None:
    """One revision of a model's file; None when there is none of that number."""
    query = sa.select(tables.model_files).where(_column.model == model, _column.revision == revision)
    row = tx.execute(query).first()
    return _applied(row) if row else None


def history(tx: Transaction, model: str) -> list[AppliedFile]:
    """Every revision of a model's file, newest first."""
    query = sa.select(tables.model_files).where(_column.model == model).order_by(_column.revision.desc())
    return [_applied(row) for row in tx.execute(query)]


def all_current(tx: Transaction) -> list[AppliedFile]:
    """The latest revision of every model's file, by model."""
    latest = (
        sa.select(_column.model, sa.func.max(_column.revision).label("revision")).group_by(_column.model).subquery()
    )
    query = (
        sa.select(tables.model_files)
        .join(latest, (_column.model == latest.c.model) & (_column.revision == latest.c.revision))
        .order_by(_column.model)
    )
    return [_applied(row) for row in tx.execute(query)]


def _applied(row: Any) -> AppliedFile:
    return AppliedFile(
        model=row.model,
        revision=row.revision,
        digest=row.digest,
        applied_by=row.applied_by,
        applied_at=row.applied_at,
        file=_file(row.body),
    )


@lru_cache(maxsize=256)
def _file(body: str) -> ModelFile:
    """A stored text as a file. Files are frozen, and every gate reads the same ones again: 0.05 ms each."""
    return msgspec.json.decode(body, type=ModelFile)
