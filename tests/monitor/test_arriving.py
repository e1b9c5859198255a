"""Maturity follows from when outcomes arrived before; late ones are told; odd clocks are counted and break nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.monitor import windows
from tenure.records.base import DAY_US
from tenure.records.model_files import ModelFile, Monitors
from tenure.records.windows import Window
from tenure.store import alerts as stored

from .year import ENDPOINT, MODEL, START, Traffic, ids

HOUR_US = DAY_US // 24


def weeks(traffic: Traffic, first: int, last: int, *, ever: float = 1.0, lag_h: float = 30.0, rows: int = 60) -> None:
    """Predictions each day of some weeks; a share of them ever has an outcome, told so many hours later."""
    rng = np.random.default_rng(first * 100 + last)
    for day in range(first * 7, last * 7):
        event_at = START + day * DAY_US
        made = traffic.predict(score=rng.random(rows).tolist(), event_at=event_at)
        keys = ids(made)[: round(rows * ever)]
        traffic.tell(keys, (rng.random(len(keys)) < 0.5).astype(float).tolist(), int(event_at + lag_h * HOUR_US))


def judged(traffic: Traffic) -> list[Window]:
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        return list(reversed(windows.search(tx, ENDPOINT)))


def test_maturity_is_of_the_outcomes_that_ever_come(traffic: Traffic) -> None:
    traffic.apply(ModelFile(model=MODEL, purpose="-", owner="-", monitors=Monitors(maturity=0.9)))
    weeks(traffic, 0, 8, ever=0.6)
    found = judged(traffic)
    assert (found[0].maturity, found[0].provisional) == (0.6, True)  # nothing came before, so nothing is expected
    later = found[-1]
    assert later.arrival is not None
    assert later.arrival.final_share == pytest.approx(0.6)
    assert (later.maturity, later.provisional) == (1.0, False)
    assert later.arrival.median_h == pytest.approx(30.0)


def test_outcomes_that_come_later_than_before_are_told(traffic: Traffic) -> None:
    weeks(traffic, 0, 8)
    weeks(traffic, 8, 11, lag_h=150.0)
    found = judged(traffic)
    late = [window for window in found if window.arrival and window.arrival.late]
    assert late
    assert all(window.start_at >= START + 8 * 7 * DAY_US for window in late)
    with traffic.ground.database.reading() as tx:
        [alert] = [one for one in stored.search(tx, endpoint=ENDPOINT) if one.monitor == "label_lag"]
    assert "come later than before" in alert.message
    assert alert.evidence.n_window == 420


def test_clocks_ahead_and_behind_are_counted(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.5] * 4, event_at=START + DAY_US)
    traffic.predict(event_at=START + 8 * DAY_US)
    keys = ids(made)
    traffic.tell(keys[:1], [1.0], START)  # before its prediction
    traffic.tell(keys[1:2], [1.0], START + 400 * DAY_US)  # long after everything else
    traffic.tell(keys[2:3], [0.0], START + 2 * DAY_US)
    window = judged(traffic)[0]
    assert window.arrival is not None
    assert (window.outcomes, window.arrival.early, window.arrival.ahead) == (3, 1, 1)
    assert sum(window.arrival.lags) == 3


def test_a_repeated_look_and_outcomes_in_any_order_change_nothing(traffic: Traffic) -> None:
    weeks(traffic, 0, 2)
    before = judged(traffic)
    made = traffic.predict(score=[0.5] * 2, event_at=START + 3 * DAY_US)  # long after its window was judged
    traffic.tell(list(reversed(ids(made))), [1.0, 0.0], START + 4 * DAY_US)
    traffic.tell(ids(made), [0.0, 1.0], START + 5 * DAY_US)  # the same again, told later
    after = judged(traffic)
    assert (after[0].predictions, after[0].outcomes) == (before[0].predictions + 2, before[0].outcomes + 2)
    assert after[0].arrival is not None
    assert after[0].arrival.median_h == before[0].arrival.median_h if before[0].arrival else False
    assert [window.start_at for window in after] == [window.start_at for window in before]
