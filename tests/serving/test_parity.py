"""The same rows have the same answers, and the same journal, whichever way they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenure.integrate.streams.consumer import Consumer
from tenure.integrate.streams.places import open_both
from tenure.integrate.streams.scoring import Scorer
from tenure.records.frames import PredictionFrame
from tenure.records.streams import Counts, Stream
from tenure.sdk.client import Client

from .conftest import Gateway

Row = dict[str, Any]
ROWS: list[Row] = [
    {"carrier": carrier, "distance": distance, "hour": hour}
    for carrier in ("UA", "AA", "never seen", "")
    for distance in (0.0, 0.1 + 0.2, 1400, 1e300, -1e-300)
    for hour in (0, 5, 2**53 - 1)
]


def by_rest(gateway: Gateway, rows: list[Row], _folder: Path) -> list[Any]:
    """One request a row."""
    told = [{"dataframe_records": [row], "reference": f"rest-{place}"} for place, row in enumerate(rows)]
    return [gateway.score("flights", body).json()["predictions"][0] for body in told]


def by_stream(gateway: Gateway, rows: list[Row], folder: Path) -> list[Any]:
    """In batches that have nothing to do with anything."""
    lines = [json.dumps({"key": f"stream-{place}", "row": row}) for place, row in enumerate(rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    stream = Stream(endpoint="flights", source=f"{folder}/rows.jsonl", sink=f"{folder}/answers.jsonl", batch=7)
    source, sink = open_both(stream)
    with Client(gateway.url, gateway.url) as client:
        Consumer(stream, source, sink, Scorer(client, "flights"), Counts()).run()
    source.close()
    sink.close()
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert [one["key"] for one in answers] == [f"stream-{place}" for place in range(len(rows))]
    return [one["prediction"] for one in answers]


LAST_DIGITS = 1e-12
"""A version without a form computes seven rows together as its libraries do, which on some processors is not to the bit
what they compute of one."""
WAYS: dict[str, Callable[[Gateway, list[Row], Path], list[Any]]] = {"rest": by_rest, "stream": by_stream}


@pytest.fixture(scope="module")
def answers(shared: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    return {name: way(shared, ROWS, tmp_path_factory.mktemp(name)) for name, way in WAYS.items()}


@pytest.mark.parametrize("way", [name for name in WAYS if name != "rest"])
def test_the_same_rows_have_the_same_answers(answers: dict[str, list[Any]], way: str) -> None:
    assert len({json.dumps(one) for one in answers["rest"]}) > 10
    np.testing.assert_allclose(answers[way], answers["rest"], rtol=LAST_DIGITS)


def test_what_is_journaled_is_the_same(answers: dict[str, list[Any]], shared: Gateway) -> None:
    journaled: dict[str, dict[int, Any]] = {name: {} for name in answers}
    for frame in shared.frames():
        if isinstance(frame, PredictionFrame) and frame.reference and frame.reference[0].split("-")[0] in journaled:
            for row, reference in enumerate(frame.reference):
                name, _, place = reference.partition("-")
                columns = {column: values[row] for column, values in frame.columns.items()}
                assert frame.output[row] == answers[name][int(place)]
                journaled[name][int(place)] = (columns, frame.score[row], frame.version, frame.role)
    for name in answers:
        assert len(journaled[name]) == len(ROWS)
        for place, (columns, score, *release) in journaled[name].items():
            by_rest_columns, by_rest_score, *by_rest_release = journaled["rest"][place]
            assert (columns, release) == (by_rest_columns, by_rest_release)
            assert score == pytest.approx(by_rest_score, rel=LAST_DIGITS)
