"""The loop, told once: what is monitored fires a retraining, what is retrained must beat what is in place on the same
rows, and what takes its place was approved by somebody.

    fired → queued → training → shadow → (review) → promoted | rejected | failed

`advance` moves every endpoint by at most one step and returns; whatever it was killed in, it does again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from tenure.deploy import endpoints, releases, routing
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotAllowed, NotFound
from tenure.manage import cards, changes, facts
from tenure.monitor import looking_back
from tenure.records.base import Instant
from tenure.records.endpoints import Endpoint
from tenure.records.model_files import Retraining
from tenure.records.retraining import RetrainingRun, Trained
from tenure.retrain import endings, evidence, jobs, looks, runs, starts, trials, verdicts
from tenure.store import endpoints as kept
from tenure.store import model_files, retraining_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground

log = logging.getLogger("tenure.retrain")
REFUSALS = (Conflict, NotAllowed, NotFound, InvalidInput)
MOST_OF_TRIAL = 10_000
"""Windows of a trial, in windows of hours: more than a year of them."""


def advance(ground: Ground, now: Instant) -> bool:
    """Look at every endpoint: start a retraining where one is due, or move the one under way. True when one moved."""
    moved = False
    for endpoint in ground.database.read(kept.list_all):
        try:
            moved = _advance(ground, endpoint, now) or moved
        except Exception:  # one endpoint's trouble must not hold up the others
            log.exception("the retraining of %s could not be moved on; it is tried again", endpoint.name)
    return moved


def _advance(ground: Ground, endpoint: Endpoint, now: Instant) -> bool:
    run = ground.database.read(lambda tx: retraining_runs.under_way(tx, endpoint.name))
    if run is None:
        return starts.look(ground, endpoint, now)
    champion = ground.database.read(lambda tx: endpoints.champion_version(tx, run.endpoint))
    try:
        if champion != run.champion_version:
            moved = _write(ground, lambda tx: endings.give_way(tx, run, champion, now))
        else:
            moved = STEPS[run.state](ground, run, now)
    except runs.Overtaken:
        return False
    except REFUSALS as refusal:
        why = " ".join(refusal.failures) if isinstance(refusal, GateNotMet) else refusal.message
        moved = _write(ground, lambda tx: endings.fail(tx, run, why, now))
    return moved


def _await_training(ground: Ground, run: RetrainingRun, now: Instant) -> bool:
    """Queued and training: the job's process does the work; what it left becomes a shadow at the endpoint."""
    job = ground.database.read(lambda tx: jobs.get(tx, str(runs.figure(run, "triggered", "job_id"))))
    if job.state == "failed":
        why = f"Training failed: {(job.result or {}).get('failure', 'it left no reason')}"
        return _write(ground, lambda tx: endings.fail(tx, run, why, now))
    if job.state == "done":
        trained = msgspec.convert(job.result, Trained)
        return _write(ground, lambda tx: _into_the_shadow(tx, run, trained, now))
    if job.state == "running" and run.state == "queued":
        detail = f"A process of its own trains with the recipe {job.payload['recipe']!r}."
        ground.database.write(lambda tx: runs.take(tx, run, "training", detail, to="training", now=now))
        return True
    return False


def _into_the_shadow(tx: Transaction, run: RetrainingRun, trained: Trained, now: Instant) -> None:
    cards.carry_over(tx, run.model, run.champion_version, trained.version, by=runs.BY, now=now)
    reason = f"challenger of retraining {run.retraining_id}"
    releases.add_shadow(tx, run.endpoint, trained.version, reason=reason, by=runs.BY, now=now)
    figures: runs.Figures = {
        "version": trained.version,
        "training_rows": trained.training_rows,
        "holdout_rows": trained.holdout_rows,
        "champion_roc_auc": trained.champion_roc_auc.value,
        "challenger_roc_auc": trained.challenger_roc_auc.value,
    }
    detail = f"Version {trained.version} was trained and now scores the endpoint's traffic in the shadow."
    runs.take(tx, run, "trained", detail, to="shadow", now=now, figures=figures, challenger=trained.version)


def _hold_the_trial(ground: Ground, run: RetrainingRun, now: Instant) -> bool:
    """Shadow: wait until the one look is due, hold it, and act on what it says."""
    challenger = run.challenger_version
    assert challenger is not None
    with ground.database.reading() as tx:
        news = looks.news(tx, run.endpoint, run.retraining_id)
        if news is None:
            return False
        policy = _policy(tx, run.model)
        about = (tx, run.endpoint, starts.MANY_WINDOWS)
        seen = looking_back.lately(*about, version=challenger, role="shadow", most=MOST_OF_TRIAL)
    standing, span = trials.standing(seen, runs.event_of(run, "trained"), policy.accept)
    if standing == "waiting":
        ground.database.write(lambda tx: looks.remember(tx, run.endpoint, news))
        return False
    if standing == "out_of_time":
        detail = (
            f"The trial gathered {span.outcomes} mature outcomes in {trials.PATIENCE} times its planned days; "
            f"{policy.accept.shadow_outcomes} are needed, so nothing can be told."
        )
        return _write(ground, lambda tx: endings.reject(tx, run, detail, now))
    comparison = trials.compare(
        *evidence.paired(ground, run.endpoint, run.champion_version, challenger, span), policy.accept
    )
    checked, pems = facts.check_bytes(ground, run.model, challenger), ground.key.public_pems
    return _write(
        ground,
        lambda tx: verdicts.act_on(tx, run, policy, comparison, checked=checked, public_pems=pems, now=now),
    )


def _await_review(ground: Ground, run: RetrainingRun, now: Instant) -> bool:
    """Review: people sign, or refuse; then the challenger is promoted, or leaves."""
    change_id = runs.figure(run, "review", "change_id")
    if change_id is None:
        return False  # without governance nobody signs: somebody promotes the version, or another one
    change = ground.database.read(lambda tx: changes.get(tx, str(change_id)))
    if change.state == "open":
        return False
    if change.state == "approved":
        return _write(ground, lambda tx: endings.promote(tx, run, f"Change request {change_id} was approved.", now))
    detail = f"Change request {change_id} was {change.state}: {change.ended_because or 'no reason was given'}."
    return _write(ground, lambda tx: endings.reject(tx, run, detail, now))


STEPS: dict[str, Callable[[Ground, RetrainingRun, Instant], bool]] = {
    "queued": _await_training,
    "training": _await_training,
    "shadow": _hold_the_trial,
    "review": _await_review,
}


def _write(ground: Ground, work: Callable[[Transaction], None]) -> bool:
    """Do what may change the routes, then tell the gateways. True, since something moved."""
    ground.database.write(work)
    routing.publish(ground)
    return True


def _policy(tx: Transaction, model: str) -> Retraining:
    """What the model's file asks for now. Raises Conflict when it no longer asks for retraining."""
    applied = model_files.current(tx, model)
    if applied is None or applied.file.retraining is None:
        raise Conflict(f"The file of {model!r} no longer asks for retraining.")
    return applied.file.retraining
