"""The gateway over real HTTP, with real scorers."""

from __future__ import annotations

import httpx
import pytest

from tenure.records.base import instant_of_id
from tenure.records.frames import PredictionFrame

from .conftest import Gateway

ROW = {"carrier": "UA", "distance": 1400.0, "hour": 17}


def frame_of(gateway: Gateway, answer: httpx.Response) -> PredictionFrame:
    wanted = answer.headers["tenure-prediction-id"]
    return next(f for f in gateway.frames() if isinstance(f, PredictionFrame) and f.prediction_id == wanted)


def test_a_row_is_answered_and_journaled(shared: Gateway) -> None:
    answer = shared.score(
        "flights", {"dataframe_records": [ROW], "event_time": "2013-02-01T05:00:00Z", "reference": "UA-17"}
    )
    assert answer.status_code == 200, answer.text
    ((low, high),) = answer.json()["predictions"]
    assert low + high == pytest.approx(1)
    assert answer.headers["tenure-model-version"] == "1"
    frame = frame_of(shared, answer)
    assert frame.columns == {"carrier": ["UA"], "distance": [1400.0], "hour": [17]}
    assert frame.score == [high]
    assert frame.reference == ["UA-17"]
    assert frame.event_at == [1_359_694_800_000_000]
    assert frame.role == "champion"
    assert frame.caller == "owner"
    assert abs(instant_of_id(frame.prediction_id) - frame.at) < 1000
