"""Forms as stored: one row a version, which is asked for, leased by a worker, and settled."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.forms import Form, FormReport
from tenure.records.routing import ReleaseForm
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.forms.c


def ask(tx: Transaction, model: str, version: int, digest: str, *, by: str, now: Instant) -> None:
    """Have a version wait for a worker, in place of whatever is known of its form. What was proven stays in use."""
    values = {
        "digest": digest,
        "state": "waiting",
        "attempts": 0,
        "worker": None,
        "lease_until": None,
        "asked_by": by,
        "asked_at": now,
        "changed_at": now,
        "problem": "",
    }
    changed = tx.execute(sa.update(tables.forms).where(_of(model, version)).values(**values))
    if changed.rowcount == 0:
        tx.execute(sa.insert(tables.forms).values(model=model, version=version, **values))


def get(tx: Transaction, model: str, version: int) -> Form | None:
    """A version's form; None when none was asked for."""
    row = tx.execute(sa.select(tables.forms).where(_of(model, version))).first()
    return _form(row) if row else None


def released(tx: Transaction, model: str, version: int, digest: str) -> ReleaseForm | None:
    """The proven form of exactly these files, if there is one."""
    query = sa.select(_column.released).where(_of(model, version), _column.digest == digest)
    found = tx.execute(query).scalar()
    return msgspec.json.decode(found, type=ReleaseForm) if found else None


def free_one(tx: Transaction, now: Instant) -> Form | None:
    """What is to be compiled next: the oldest that waits, or whose worker has been silent for too long."""
    silent = (_column.state == "running") & (_column.lease_until < now)
    query = sa.select(tables.forms).where((_column.state == "waiting") | silent).order_by(_column.asked_at).limit(1)
    row = tx.execute(query).first()
    return _form(row) if row else None


def lease(tx: Transaction, form: Form, worker: str, until: int, now: Instant) -> bool:
    """Take a form if it is still as it was read. Of two workers that try, one gets True."""
    unchanged = (_column.state == form.state) & (_column.attempts == form.attempts)
    taken = tx.execute(
        sa.update(tables.forms)
        .where(_of(form.model, form.version), unchanged, _column.asked_at == form.asked_at)
        .values(state="running", worker=worker, lease_until=until, attempts=form.attempts + 1, changed_at=now)
    )
    return taken.rowcount == 1


def keep_alive(tx: Transaction, form: Form, worker: str, until: int) -> bool:
    """Renew a lease. False when it is no longer this worker's."""
    return tx.execute(sa.update(tables.forms).where(_owned(form, worker)).values(lease_until=until)).rowcount == 1


def settle(
    tx: Transaction, form: Form, worker: str, report: FormReport, proven: ReleaseForm | None, *, now: Instant
) -> bool:
    """Keep what was found. False, and nothing written, when it is no longer this worker's."""
    values = {
        "state": "done",
        "report": msgspec.json.encode(report).decode(),
        "released": msgspec.json.encode(proven).decode() if proven else None,
        "problem": "",
        "lease_until": None,
        "changed_at": now,
    }
    return tx.execute(sa.update(tables.forms).where(_owned(form, worker)).values(**values)).rowcount == 1


def fail(tx: Transaction, form: Form, worker: str, problem: str, *, again: bool, now: Instant) -> bool:
    """Note why an attempt left no report; `again`: it waits for another attempt. False when it is not this worker's."""
    values = {
        "state": "waiting" if again else "failed",
        "problem": problem,
        "worker": None,
        "lease_until": None,
        "changed_at": now,
    }
    return tx.execute(sa.update(tables.forms).where(_owned(form, worker)).values(**values)).rowcount == 1


def postpone(tx: Transaction, form: Form, worker: str, problem: str, until: int, *, now: Instant) -> bool:
    """Have a form wait until then without counting the attempt. False when it is not this worker's."""
    values = {
        "worker": None,
        "lease_until": until,
        "attempts": form.attempts,
        "problem": problem,
        "changed_at": now,
    }
    return tx.execute(sa.update(tables.forms).where(_owned(form, worker)).values(**values)).rowcount == 1


def _of(model: str, version: int) -> sa.ColumnElement[bool]:
    return (_column.model == model) & (_column.version == version)


def _owned(form: Form, worker: str) -> sa.ColumnElement[bool]:
    return _of(form.model, form.version) & (_column.state == "running") & (_column.worker == worker)


def _form(row: Any) -> Form:
    return Form(
        model=row.model,
        version=row.version,
        digest=row.digest,
        state=row.state,
        attempts=row.attempts,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        changed_at=row.changed_at,
        problem=row.problem,
        report=msgspec.json.decode(row.report, type=FormReport) if row.report else None,
        released=msgspec.json.decode(row.released, type=ReleaseForm) if row.released else None,
    )
