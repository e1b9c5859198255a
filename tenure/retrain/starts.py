"""How a retraining starts: a trigger is proven on matured rows, and nothing in the policy's guard stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from tenure.deploy import endpoints
from tenure.monitor import judging, looking_back
from tenure.records.base import DAY_US, Instant
from tenure.records.endpoints import Endpoint
from tenure.records.model_files import AppliedFile, Retraining
from tenure.records.retraining import TrainingOrder
from tenure.records.windows import Window
from tenure.retrain import endings, evidence, jobs, looks, policies, runs, triggers
from tenure.store import audit, model_files, profiles, watermarks
from tenure.store.database import Transaction
from tenure.store.ground import Ground

MANY_WINDOWS = 400


class Situation(NamedTuple):
    """What a trigger is judged by: the champion, what it promised, what was asked, and how it did since."""

    champion: int
    promised: float | None
    asked: AppliedFile
    policy: Retraining
    known_since_at: int
    windows: list[Window]


def look(ground: Ground, endpoint: Endpoint, now: Instant) -> bool:
    """Evaluate the triggers of an endpoint if windows were judged since the last look. True when a run began."""
    with ground.database.reading() as tx:
        news = looks.news(tx, endpoint.name, "trigger")
        situation = _situation(tx, endpoint) if news is not None else None
    if news is None:
        return False
    fired = _fired(ground, endpoint, situation) if situation is not None else None

    def settle(tx: Transaction) -> bool:
        looks.remember(tx, endpoint.name, news)
        if fired is None or situation is None:
            return False
        return _begin(tx, endpoint, situation, fired, recipes=ground.settings.recipes, now=now)

    return ground.database.write(settle)


def _situation(tx: Transaction, endpoint: Endpoint) -> Situation | None:
    """None when there is nothing to judge: no policy, no champion, or no traffic yet."""
    asked, champion = model_files.current(tx, endpoint.model), endpoints.champion_version(tx, endpoint.name)
    mark = watermarks.get(tx, endpoint.name)
    if asked is None or asked.file.retraining is None or champion is None or mark is None:
        return None
    baseline = profiles.get(tx, endpoint.model, champion)
    judged = baseline.profile.judged if baseline else None
    return Situation(
        champion=champion,
        promised=judged.roc_auc if judged else None,
        asked=asked,
        policy=asked.file.retraining,
        known_since_at=mark.origin_at,
        windows=looking_back.lately(tx, endpoint.name, MANY_WINDOWS, version=champion, role="champion"),
    )


def _fired(ground: Ground, endpoint: Endpoint, situation: Situation) -> Fired | None:
    """The figures of the first trigger that is proven; None when none is, or when there is too little to tell."""
    level = judging.level(situation.asked.file.monitors)
    least = situation.known_since_at + situation.policy.data.least_days * DAY_US
    for asked in (trigger.accuracy for trigger in situation.policy.when):
        span = triggers.recent(situation.windows, asked.min_outcomes)
        if span is None or span.until_at < least:
            continue
        if asked.at_least is None and situation.promised is None:
            continue  # a drop below a promise that nobody made
        y, score = evidence.answered(ground, endpoint.name, situation.champion, span)
        threshold = asked.threshold(situation.promised or 0.0)
        proven, figures = triggers.accuracy_lost(y, score, threshold=threshold, level=level)
        if proven:
            told = {**figures, **msgspec.to_builtins(span)}
            told |= {"promised": situation.promised, "drop": asked.drop, "model_file": situation.asked.digest}
            return Fired(event_at=span.until_at, figures=told)
    return None


class Fired(NamedTuple):
    """A trigger that is proven, when in event time, and by which figures."""

    event_at: int
    figures: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"ROC AUC {self.figures['value']:.4f} on {self.figures['rows']} rows, at most "
            f"{self.figures['upper_bound']:.4f}, is proven to lie below {self.figures['threshold']:.4f}."
        )


def _begin(
    tx: Transaction,
    endpoint: Endpoint,
    situation: Situation,
    fired: Fired,
    *,
    recipes: Mapping[str, str],
    now: Instant,
) -> bool:
    """Begin a run, unless the policy's guard holds it back, which the audit log then tells. True when it began."""
    policy, event_at = situation.policy, fired.event_at
    why_not = policies.obstacle(event_at, runs.search(tx, endpoint=endpoint.name), policy.guard)
    if why_not is not None:
        detail = {"trigger": fired.figures, "because": why_not}
        audit.append(tx, "retraining.held_back", subject=endpoint.name, by=runs.BY, at=now, detail=detail)
        return False
    run = runs.begin(tx, endpoint, champion=situation.champion, trigger=fired.figures, event_at=event_at, now=now)
    if policy.recipe not in recipes:
        known = ", ".join(sorted(recipes)) or "none"
        why = f"The recipe {policy.recipe!r} must be one that the server was started with. It knows: {known}."
        endings.fail(tx, run, f"{why} Start it with --recipe {policy.recipe}=MODULE:FUNCTION.", now)
        return True
    order = TrainingOrder(
        retraining_id=run.retraining_id,
        endpoint=endpoint.name,
        model=endpoint.model,
        champion_version=situation.champion,
        recipe=policy.recipe,
        from_at=event_at - policy.data.window_days * DAY_US,
        split_at=event_at - policy.data.holdout_days * DAY_US,
        until_at=event_at,
    )
    job_id = jobs.add(tx, "retrain", msgspec.to_builtins(order), now=now)
    runs.take(tx, run, "triggered", str(fired), to="queued", now=now, figures={"job_id": job_id})
    return True
