"""Jobs as stored: rows that a worker leases, keeps alive by a heartbeat, and settles."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.jobs import Job, JobState
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.jobs.c


def add(tx: Transaction, job_id: str, kind: str, payload: dict[str, Any], now: Instant) -> None:
    """Store a job that waits for a worker."""
    tx.execute(
        sa.insert(tables.jobs).values(
            job_id=job_id,
            kind=kind,
            payload=msgspec.json.encode(payload).decode(),
            state="waiting",
            attempts=0,
            created_at=now,
            changed_at=now,
        )
    )


def get(tx: Transaction, job_id: str) -> Job | None:
    row = tx.execute(sa.select(tables.jobs).where(_column.job_id == job_id)).first()
    return _job(row) if row else None


def free_ones(tx: Transaction, now: Instant) -> list[Job]:
    """Jobs to be taken, oldest first: those that wait, and those whose worker has been silent for too long."""
    silent = (_column.state == "running") & (_column.lease_until < now)
    query = sa.select(tables.jobs).where((_column.state == "waiting") | silent).order_by(_column.created_at)
    return [_job(row) for row in tx.execute(query)]


def lease(tx: Transaction, job: Job, worker: str, until: int, now: Instant) -> bool:
    """Take a job if it is still as it was read. Of two workers that try, one gets True."""
    unchanged = (_column.job_id == job.job_id) & (_column.state == job.state) & (_column.attempts == job.attempts)
    taken = tx.execute(
        sa.update(tables.jobs)
        .where(unchanged)
        .values(state="running", worker=worker, lease_until=until, attempts=job.attempts + 1, changed_at=now)
    )
    return taken.rowcount == 1


def keep_alive(tx: Transaction, job_id: str, worker: str, until: int) -> bool:
    """Renew a lease. False when the job is no longer this worker's."""
    kept = tx.execute(sa.update(tables.jobs).where(_owned(job_id, worker)).values(lease_until=until))
    return kept.rowcount == 1


def settle(tx: Transaction, job_id: str, worker: str, *, state: JobState, result: dict[str, Any], now: Instant) -> bool:
    """End a job as done or failed. False, and nothing written, when it is no longer this worker's."""
    settled = tx.execute(
        sa.update(tables.jobs)
        .where(_owned(job_id, worker))
        .values(state=state, result=msgspec.json.encode(result).decode(), lease_until=None, changed_at=now)
    )
    return settled.rowcount == 1


def give_back(tx: Transaction, job_id: str, worker: str, now: Instant) -> bool:
    """Put a job back among those that wait, for another attempt."""
    given = tx.execute(
        sa.update(tables.jobs)
        .where(_owned(job_id, worker))
        .values(state="waiting", worker=None, lease_until=None, changed_at=now)
    )
    return given.rowcount == 1


def _owned(job_id: str, worker: str) -> sa.ColumnElement[bool]:
    return (_column.job_id == job_id) & (_column.state == "running") & (_column.worker == worker)


def _job(row: Any) -> Job:
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        payload=msgspec.json.decode(row.payload),
        state=row.state,
        attempts=row.attempts,
        worker=row.worker,
        lease_until=row.lease_until,
        result=msgspec.json.decode(row.result) if row.result else None,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
