"""The weakest segments of a window are found in the lake's rows, and lead back to them."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.errors import NotFound
from tenure.monitor import segment_rows, windows
from tenure.records.base import DAY_US

from .year import ENDPOINT, START, Traffic, ids


def test_a_weak_segment_leads_to_its_rows_and_to_a_query_that_finds_them(traffic: Traffic) -> None:
    import duckdb

    rng = np.random.default_rng(1)
    for day in range(7):
        carrier = rng.choice(["AA", "O'Hare"], 300)
        y = (rng.random(300) < 0.3).astype(float)
        score = np.where(carrier == "AA", 0.1 + 0.8 * y, 0.9 - 0.8 * y)
        made = traffic.predict(
            score=score.tolist(),
            columns={"carrier": carrier.tolist(), "temp": rng.normal(size=300).tolist()},
            event_at=START + day * DAY_US,
        )
        traffic.tell(ids(made), y.tolist(), START + (day + 1) * DAY_US)
    traffic.predict(columns={"carrier": ["AA"], "temp": [1.0]}, event_at=START + 8 * DAY_US)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        [window] = windows.search(tx, ENDPOINT)
    weak = window.weakest[0]
    assert (weak.said, weak.loss_kind) == ("carrier is O'Hare", "brier")
    assert weak.excess == pytest.approx(0.81 - 0.01)
    found = segment_rows.behind(traffic.ground, ENDPOINT, window.start_at, 1, "champion", 0)
    assert len(found.rows) == weak.rows
    assert set(found.rows.columns) == {"carrier"}
    assert set(found.rows.columns["carrier"].tolist()) == {"O'Hare"}
    query = found.query.replace("lake/", f"{traffic.ground.settings.folder}/lake/")
    assert duckdb.sql(f"select count(*) from ({query})").fetchall() == [(weak.rows,)]
    with pytest.raises(NotFound, match="no window with such a segment"):
        segment_rows.behind(traffic.ground, ENDPOINT, window.start_at, 1, "champion", 9)
