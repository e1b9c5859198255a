"""Retraining runs: a record of every step, from what fired to what became of it."""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.errors import Conflict, NotFound
from tenure.records.base import Instant, new_id
from tenure.records.endpoints import Endpoint
from tenure.records.retraining import Dossier, RetrainingRun, RetrainingState, StepTaken, Trained
from tenure.retrain import jobs
from tenure.store import audit, retraining_runs, watermarks
from tenure.store.database import Transaction

BY = "tenure-worker"
Figures = dict[str, float | int | str | None]


def begin(
    tx: Transaction, endpoint: Endpoint, *, champion: int, trigger: dict[str, Any], event_at: int, now: Instant
) -> RetrainingRun:
    """Store a run that was just triggered, before its first step."""
    run = RetrainingRun(
        retraining_id=new_id(now),
        endpoint=endpoint.name,
        model=endpoint.model,
        state="queued",
        champion_version=champion,
        challenger_version=None,
        trigger=trigger,
        steps=[],
        dossier=None,
        event_at=event_at,
        started_at=now,
        ended_at=None,
    )
    retraining_runs.put(tx, run)
    detail = {"endpoint": run.endpoint, "model": run.model, "champion": champion, "trigger": trigger}
    audit.append(tx, "retraining.begun", subject=run.retraining_id, by=BY, at=now, detail=detail)
    return run


def take(
    tx: Transaction,
    run: RetrainingRun,
    name: str,
    detail: str,
    *,
    to: RetrainingState,
    now: Instant,
    figures: Figures | None = None,
    challenger: int | None = None,
    dossier: Dossier | None = None,
) -> RetrainingRun:
    """Write one step and the state it leads to, with its audit event.

    Raises Conflict, and writes nothing, when the run is no longer as it was read: another worker was faster.
    """
    stored = get(tx, run.retraining_id)
    if (stored.state, len(stored.steps)) != (run.state, len(run.steps)):
        raise Overtaken(f"The retraining {run.retraining_id!r} was moved on by another worker.")
    mark = watermarks.get(tx, run.endpoint)
    event_at = max(run.event_at, mark.received_until if mark else 0)
    step = StepTaken(name=name, at=now, event_at=event_at, detail=detail, figures=figures or {})
    moved = msgspec.structs.replace(
        run,
        state=to,
        steps=[*run.steps, step],
        challenger_version=challenger or run.challenger_version,
        dossier=dossier or run.dossier,
        ended_at=now if to in retraining_runs.ENDED else None,
    )
    retraining_runs.put(tx, moved)
    told = {"endpoint": run.endpoint, "model": run.model, "state": to, "detail": detail, "figures": step.figures}
    audit.append(tx, f"retraining.{name}", subject=run.retraining_id, by=BY, at=now, detail=told)
    return moved


class Overtaken(Conflict):
    """Another worker moved the run on; what this one was about to do is void."""


def get(tx: Transaction, retraining_id: str) -> RetrainingRun:
    """The run of that id. Raises NotFound."""
    run = retraining_runs.get(tx, retraining_id)
    if run is None:
        raise NotFound(f"There is no retraining {retraining_id!r}. GET /api/v1/retraining lists those there are.")
    return run


def search(tx: Transaction, *, endpoint: str | None = None, model: str | None = None) -> list[RetrainingRun]:
    """Runs, newest first, of one endpoint, of one model or of all."""
    return retraining_runs.search(tx, endpoint=endpoint, model=model)


def figure(run: RetrainingRun, step: str, name: str) -> Any:
    """A figure that a step left; None when the step was not taken. The latest counts."""
    for taken in reversed(run.steps):
        if taken.name == step and name in taken.figures:
            return taken.figures[name]
    return None


def event_of(run: RetrainingRun, step: str) -> int:
    """When a step was taken, in event time."""
    return next(taken.event_at for taken in run.steps if taken.name == step)


def trained(tx: Transaction, run: RetrainingRun) -> Trained | None:
    """What the run's training job told; None before it is done."""
    job_id = figure(run, "triggered", "job_id")
    job = jobs.get(tx, job_id) if job_id else None
    return msgspec.convert(job.result, Trained) if job and job.state == "done" else None
