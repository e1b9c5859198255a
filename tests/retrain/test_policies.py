"""What holds a retraining back."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.records.base import DAY_US
from tenure.records.model_files import Guard
from tenure.records.retraining import RetrainingRun, StepTaken
from tenure.retrain import policies


def make_run(day: float, *, lasted: float = 0, state: Any = "promoted") -> RetrainingRun:
    ended = StepTaken(name=state, at=0, event_at=int((day + lasted) * DAY_US), detail="")
    return RetrainingRun(
        retraining_id="r",
        endpoint="e",
        model="m",
        state=state,
        champion_version=1,
        challenger_version=None,
        trigger={},
        steps=[ended],
        dossier=None,
        event_at=int(day * DAY_US),
        started_at=0,
        ended_at=0,
    )


GUARD = Guard(cooldown_days=7, max_per_quarter=2)


@pytest.mark.parametrize(
    ("day", "earlier", "obstacle"),
    [
        (100, [], None),
        (100, [make_run(50, lasted=20)], None),
        (100, [make_run(80, lasted=14)], "less than 7 days ago"),
        (101, [make_run(80, lasted=14)], None),
        (100, [make_run(80, state="failed")], None),
        (100, [make_run(95, state="failed")], "less than 7 days ago"),
        (100, [make_run(50, state="shadow")], "under way"),
        (100, [make_run(80), make_run(50)], "at most 2"),
        (100, [make_run(80), make_run(9)], None),
    ],
)
def test_the_guard(day: float, earlier: list[RetrainingRun], obstacle: str | None) -> None:
    found = policies.obstacle(int(day * DAY_US), earlier, GUARD)
    assert found is None if obstacle is None else obstacle in str(found)
