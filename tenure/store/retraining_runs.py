"""Retraining runs as stored."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.retraining import Dossier, RetrainingRun, StepTaken
from tenure.store import tables
from tenure.store.database import Transaction

ENDED = ("promoted", "rejected", "failed")
_column = tables.retraining_runs.c


def put(tx: Transaction, run: RetrainingRun) -> None:
    """Store a run, in place of what was stored of it before."""
    values = {
        "endpoint": run.endpoint,
        "model": run.model,
        "state": run.state,
        "champion_version": run.champion_version,
        "challenger_version": run.challenger_version,
        "trigger": msgspec.json.encode(run.trigger).decode(),
        "steps": msgspec.json.encode(run.steps).decode(),
        "dossier": msgspec.json.encode(run.dossier).decode() if run.dossier else None,
        "event_at": run.event_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
    same = _column.retraining_id == run.retraining_id
    if tx.execute(sa.update(tables.retraining_runs).where(same).values(**values)).rowcount == 0:
        tx.execute(sa.insert(tables.retraining_runs).values(retraining_id=run.retraining_id, **values))


def get(tx: Transaction, retraining_id: str) -> RetrainingRun | None:
    row = tx.execute(sa.select(tables.retraining_runs).where(_column.retraining_id == retraining_id)).first()
    return _run(row) if row else None


def search(
    tx: Transaction, *, endpoint: str | None = None, model: str | None = None, limit: int = 100
) -> list[RetrainingRun]:
    """Runs, newest first, of one endpoint, of one model or of all."""
    query = (
        sa.select(tables.retraining_runs).order_by(_column.started_at.desc(), _column.retraining_id.desc()).limit(limit)
    )
    if endpoint is not None:
        query = query.where(_column.endpoint == endpoint)
    if model is not None:
        query = query.where(_column.model == model)
    return [_run(row) for row in tx.execute(query)]


def under_way(tx: Transaction, endpoint: str) -> RetrainingRun | None:
    """The run of an endpoint that has not ended; there is at most one."""
    query = sa.select(tables.retraining_runs).where(_column.endpoint == endpoint, _column.state.not_in(ENDED))
    row = tx.execute(query.order_by(_column.started_at).limit(1)).first()
    return _run(row) if row else None


def _run(row: Any) -> RetrainingRun:
    return RetrainingRun(
        retraining_id=row.retraining_id,
        endpoint=row.endpoint,
        model=row.model,
        state=row.state,
        champion_version=row.champion_version,
        challenger_version=row.challenger_version,
        trigger=msgspec.json.decode(row.trigger),
        steps=msgspec.json.decode(row.steps, type=list[StepTaken]),
        dossier=msgspec.json.decode(row.dossier, type=Dossier) if row.dossier else None,
        event_at=row.event_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
