"""How a retraining ends: promoted, rejected or failed. Its shadow leaves, and its dossier is closed."""

from __future__ import annotations

import msgspec

from tenure.deploy import promotions, releases
from tenure.manage import changes
from tenure.records.base import Instant
from tenure.records.changes import NewChange
from tenure.records.retraining import RetrainingRun, RetrainingState
from tenure.retrain import dossier, runs
from tenure.store import releases as in_service
from tenure.store import retraining_runs
from tenure.store.database import Transaction

REASON_LIMIT = 2000


def promote(tx: Transaction, run: RetrainingRun, detail: str, now: Instant) -> None:
    """The challenger takes the champion's place, through the gate of every promotion. Raises GateNotMet.

    Where people sign for each promotion, their change request is opened, and the run waits for it in review.
    """
    assert run.challenger_version is not None
    reason = f"retraining {run.retraining_id}: {detail}"[:REASON_LIMIT]
    if promotions.needs_signatures(tx, run.model):
        new = NewChange(kind="promote", model=run.model, version=run.challenger_version, reason=reason)
        change = changes.open_change(tx, new, by=runs.BY, now=now)
        told = f"Change request {change.change_id} asks people to sign for the promotion."
        runs.take(tx, run, "review", told, to="review", now=now, figures={"change_id": change.change_id})
        return
    promotions.promote(tx, run.model, run.challenger_version, to="champion", reason=reason, by=runs.BY, now=now)
    _end(tx, run, "promoted", detail, now)


def reject(tx: Transaction, run: RetrainingRun, detail: str, now: Instant) -> None:
    """The champion stays; the challenger's version remains in the registry as a record."""
    _leave_the_shadow(tx, run, detail, now)
    _end(tx, run, "rejected", detail, now)


def fail(tx: Transaction, run: RetrainingRun, why: str, now: Instant) -> None:
    """Something that had to be there was not, or a gate said no."""
    _leave_the_shadow(tx, run, why, now)
    _end(tx, run, "failed", why, now)


def give_way(tx: Transaction, run: RetrainingRun, champion: int | None, now: Instant) -> None:
    """End a run whose champion was replaced by somebody else meanwhile: what it was compared with is gone."""
    if champion is not None and champion == run.challenger_version:
        _end(tx, run, "promoted", f"Version {champion} was promoted by hand.", now)
        return
    reject(tx, run, f"Version {champion} became champion meanwhile, which this challenger was not held to.", now)


def _end(tx: Transaction, run: RetrainingRun, to: RetrainingState, detail: str, now: Instant) -> None:
    ended = runs.take(tx, run, to, detail, to=to, now=now)
    trained = runs.trained(tx, run)
    if trained is not None:
        papers = dossier.close(tx, run.dossier or dossier.write(trained, None), ended, trained)
        retraining_runs.put(tx, msgspec.structs.replace(ended, dossier=papers))


def _leave_the_shadow(tx: Transaction, run: RetrainingRun, reason: str, now: Instant) -> None:
    for release in in_service.open_ones(tx, endpoint=run.endpoint):
        if release.role == "shadow" and release.version == run.challenger_version:
            releases.end(tx, run.endpoint, release.release_id, reason=reason, by=runs.BY, now=now)
