"""When a retraining may start, whatever fired: pure rules over the runs that were. All instants are event time."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.records.base import DAY_US
from tenure.records.model_files import Guard
from tenure.records.retraining import RetrainingRun
from tenure.store.retraining_runs import ENDED

QUARTER_DAYS = 91


def obstacle(event_at: int, earlier: Sequence[RetrainingRun], guard: Guard) -> str | None:
    """What stands against starting a retraining at `event_at`, as a sentence; None when nothing does.

    A run that failed or was rejected counts like one that was promoted: what fails is not tried without pause.
    """
    for run in earlier:
        if run.state not in ENDED:
            return f"a retraining is under way since {run.retraining_id}"
    last = max((ended_event_at(run) for run in earlier), default=None)
    if last is not None and event_at < last + guard.cooldown_days * DAY_US:
        return f"the last retraining ended less than {guard.cooldown_days} days ago"
    recent = sum(run.event_at > event_at - QUARTER_DAYS * DAY_US for run in earlier)
    if recent >= guard.max_per_quarter:
        return f"{recent} retrainings began within {QUARTER_DAYS} days, and at most {guard.max_per_quarter} may"
    return None


def ended_event_at(run: RetrainingRun) -> int:
    """When a run took its last step, in event time."""
    return max((step.event_at for step in run.steps), default=run.event_at)
