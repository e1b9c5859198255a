"""Metrics over the wire: idempotent batches, the latest point, history and thinned curves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.mlflow.conftest import Wire


def latest(wire: Wire, run_id: str) -> dict[str, Any]:
    data = wire.get("runs/get", run_id=run_id).json()["run"]["data"]
    return {point["key"]: point["value"] for point in data.get("metrics", [])}


def history(wire: Wire, run_id: str, key: str = "a") -> list[tuple[int, int, Any]]:
    points = wire.get("metrics/get-history", run_id=run_id, metric_key=key).json().get("metrics", [])
    return [(point["timestamp"], point["step"], point["value"]) for point in points]


def point(value: float | str, step: int = 0, timestamp: int = 1, key: str = "a") -> dict[str, Any]:
    return {"key": key, "value": value, "step": step, "timestamp": timestamp}


def test_the_latest_point_is_the_greatest_not_the_last_that_came(each_wire: Wire) -> None:
    run_id = each_wire.run()
    for sent in (point(1, step=5), point(2, step=4, timestamp=9), point(3, step=5), point(2, step=5)):
        each_wire.post("runs/log-metric", run_id=run_id, **sent)
    one_by_one = latest(each_wire, run_id)
    batch = each_wire.run()
    each_wire.post("runs/log-batch", run_id=batch, metrics=[point(1, step=5), point(3, step=5), point(9, step=1)])

    assert one_by_one == {"a": 3.0}
    assert latest(each_wire, batch) == {"a": 3.0}


def test_nan_compares_as_zero(each_wire: Wire) -> None:
    run_id = each_wire.run()
    each_wire.post("runs/log-batch", run_id=run_id, metrics=[point("NaN"), point(-1)])
    before = latest(each_wire, run_id)
    each_wire.post("runs/log-metric", run_id=run_id, **point(0.5))

    assert before == {"a": "NaN"}
    assert latest(each_wire, run_id) == {"a": 0.5}
    assert [value for _, _, value in history(each_wire, run_id)] == [-1.0, "NaN", 0.5]


def test_sending_a_batch_again_changes_nothing(each_wire: Wire) -> None:
    run_id = each_wire.run()
    points = [point(step / 7, step=step, key=key) for step in range(50) for key in ("a", "b")]
    for _ in range(3):
        sent = each_wire.post(
            "runs/log-batch",
            run_id=run_id,
            metrics=[*points, points[0], point("NaN", step=99)],
            params=[{"key": "p", "value": "1"}],
            tags=[{"key": "t", "value": "1"}],
        )
        assert (sent.status, sent.content) == (200, b"{}")

    assert len(history(each_wire, run_id)) == 51
    assert history(each_wire, run_id, "b")[-1] == (1, 49, 7.0)


def test_a_batch_is_stored_whole_or_not_at_all(each_wire: Wire) -> None:
    run_id = each_wire.run()
    each_wire.post("runs/log-parameter", run_id=run_id, key="p", value="1")
    refused = [
        each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(1)], params=[{"key": "p", "value": "2"}]),
        each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(1), point(1, key="a$")]),
        each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(1)], params=[{"key": "q", "value": "1"}] * 2),
        each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(1)], tags=[{"key": "../x", "value": "1"}]),
    ]

    assert {one.status for one in refused} == {400}
    assert history(each_wire, run_id) == []
    data = each_wire.get("runs/get", run_id=run_id).json()["run"]["data"]
    assert data["params"] == [{"key": "p", "value": "1"}]


@pytest.mark.parametrize(
    "sent",
    [
        {"metrics": [point(1, step=step) for step in range(1001)]},
        {"params": [{"key": f"p{number}", "value": "1"} for number in range(101)]},
        {"tags": [{"key": f"t{number}", "value": "1"} for number in range(101)]},
        {
            "metrics": [point(1, step=step) for step in range(950)],
            "tags": [{"key": f"t{n}", "value": ""} for n in range(51)],
        },
    ],
)
def test_a_batch_has_limits(wire: Wire, sent: dict[str, Any]) -> None:
    assert wire.post("runs/log-batch", run_id=wire.run(), **sent).status == 400


def test_a_thousand_metrics_fit_in_one_batch(wire: Wire) -> None:
    run_id = wire.run()

    assert (
        wire.post("runs/log-batch", run_id=run_id, metrics=[point(1, step=step) for step in range(1000)]).status == 200
    )
    assert len(history(wire, run_id)) == 1000


def test_history_comes_in_pages_when_asked(each_wire: Wire) -> None:
    run_id = each_wire.run()
    each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(step, step=step) for step in range(10)])
    found, token = [], None
    while True:
        asked = {"run_id": run_id, "metric_key": "a", "max_results": 4} | ({"page_token": token} if token else {})
        page = each_wire.get("metrics/get-history", **asked).json()
        found.append([one["step"] for one in page["metrics"]])
        token = page.get("next_page_token")
        if token is None:
            break

    assert found == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    asked = {"run_id": run_id, "metric_key": "a"}
    assert each_wire.get("metrics/get-history", **asked, max_results=0).json() == {}
    assert each_wire.get("metrics/get-history", **asked, max_results=-1).status == 400


def test_curves_are_thinned_to_common_steps_and_keep_their_ends(each_wire: Wire) -> None:
    first, second = each_wire.run(), each_wire.run()
    each_wire.post("runs/log-batch", run_id=first, metrics=[point(1, step=step) for step in range(100)])
    each_wire.post("runs/log-batch", run_id=second, metrics=[point(1, step=step) for step in range(50)])
    asked = {"run_ids": [first, second], "metric_key": "a", "max_results": 10}
    points = each_wire.get("metrics/get-history-bulk-interval", **asked).json()["metrics"]
    steps = {run_id: [one["step"] for one in points if one["run_id"] == run_id] for run_id in (first, second)}

    assert steps[first] == [0, 10, 20, 30, 40, 49, 50, 60, 70, 80, 90, 99]
    assert steps[second] == [0, 10, 20, 30, 40, 49]
    narrow = each_wire.get("metrics/get-history-bulk-interval", **asked, start_step=3, end_step=5).json()["metrics"]
    assert [one["step"] for one in narrow] == [3, 4, 5, 3, 4, 5]
    assert each_wire.get("metrics/get-history-bulk-interval", **{**asked, "max_results": 3000}).status == 400


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4, 6, 8, 9]),
        ([7 * step - 21 for step in range(10)], [-21, -7, 7, 21, 35, 42]),
        ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], [1, 4, 16, 64, 256, 512]),
        ([3], [3]),
        ([-(2**63), 0, 2**63 - 1], [-(2**63), 0, 2**63 - 1]),
    ],
    ids=["every step", "every seventh", "doubling", "one", "far apart"],
)
def test_sampled_steps_are_those_that_were_logged(each_wire: Wire, steps: list[int], wanted: list[int]) -> None:
    run_id = each_wire.run()
    both = [point(value, step=step, timestamp=when) for step in steps for value, when in ((1, 1), (2, 2))]
    each_wire.post("runs/log-batch", run_id=run_id, metrics=both)
    asked = {"run_ids": [run_id], "metric_key": "a", "max_results": 5}

    points = each_wire.get("metrics/get-history-bulk-interval", **asked).json()["metrics"]
    assert [(one["step"], one["value"]) for one in points] == [(step, value) for step in wanted for value in (1, 2)]


def test_thousands_of_points_at_one_step_are_thinned_and_keep_their_ends(each_wire: Wire) -> None:
    run_id = each_wire.run()
    for start in range(0, 6000, 1000):
        points = [point(value, timestamp=value) for value in range(start, start + 1000)]
        assert each_wire.post("runs/log-batch", run_id=run_id, metrics=points).status == 200

    told = each_wire.get("metrics/get-history-bulk-interval", run_ids=[run_id], metric_key="a").json()["metrics"]
    times = [one["timestamp"] for one in told]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0, 5999)
    assert 2500 <= len(times) <= 2501


def test_whole_histories_of_several_runs_come_by_run_and_time(each_wire: Wire) -> None:
    runs = sorted(each_wire.run() for _ in range(3))
    for run_id in runs[:2]:
        sent = [point(value, step=step, timestamp=2) for step, value in ((1, 3.0), (1, "NaN"), (0, 5.0))]
        each_wire.post("runs/log-batch", run_id=run_id, metrics=[*sent, point(9, timestamp=1, step=7)])
    asked = {"run_id": [runs[1], runs[2], runs[0], "f" * 32, runs[0]], "metric_key": "a"}
    one_run = [(1, 7, 9.0), (2, 0, 5.0), (2, 1, "NaN"), (2, 1, 3.0)]

    told = each_wire.get("metrics/get-history-bulk", **asked).json()["metrics"]
    assert [(one["timestamp"], one["step"], one["value"]) for one in told] == one_run * 2
    assert [one["run_id"] for one in told] == [runs[0]] * 4 + [runs[1]] * 4
    assert set(told[0]) == {"key", "value", "timestamp", "step", "run_id"}
    assert each_wire.get("metrics/get-history-bulk", **asked, max_results=5).json()["metrics"] == told[:5]
    assert each_wire.get("metrics/get-history-bulk", **asked, max_results=0).json() == {"metrics": []}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"metric_key": "a"}, "must specify at least one run_id"),
        ({"run_id": ["a"] * 101, "metric_key": "a"}, "cannot specify more than 100"),
        ({"run_id": ["a"]}, "must specify a metric_key"),
        ({"run_id": ["a"], "metric_key": "a", "max_results": -1}, "between 0 and 25000"),
        ({"run_id": ["a"], "metric_key": "a", "max_results": "many"}, "max_results"),
    ],
)
def test_what_bulk_history_cannot_answer_is_refused(wire: Wire, asked: dict[str, Any], why: str) -> None:
    answer = wire.get("metrics/get-history-bulk", **asked)

    assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert why in answer.json()["message"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"metric_key": "a"}, "Missing value for required parameter 'run_ids'."),
        ({"run_ids": ["a"] * 101, "metric_key": "a"}, "must specify at most 100 run_ids. Received 101"),
        ({"run_ids": ["a"], "metric_key": ""}, "Missing value for required parameter 'metric_key'"),
        ({"run_ids": ["a"], "metric_key": "a", "max_results": 0}, "max_results must be between 1 and 2500"),
        ({"run_ids": ["a"], "metric_key": "a", "start_step": 1}, "If either start step or end step are specified"),
        ({"run_ids": ["a"], "metric_key": "a", "start_step": 1, "end_step": 0}, "must be greater than start_step. "),
    ],
)
def test_what_a_curve_cannot_be_made_of_is_refused_in_the_words_clients_know(
    wire: Wire, asked: dict[str, Any], why: str
) -> None:
    answer = wire.get("metrics/get-history-bulk-interval", **asked)

    assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert why in answer.json()["message"]


def test_metrics_about_a_logged_model_are_told_with_the_model(each_wire: Wire) -> None:
    run_id, model_id = each_wire.run(), each_wire.model()["model_id"]
    about = {"model_id": model_id, "dataset_name": "test", "dataset_digest": "d1"}
    each_wire.post("runs/log-batch", run_id=run_id, metrics=[point(1, step=1) | about, point(2, step=2) | about])
    each_wire.post("runs/log-metric", run_id=run_id, **point(3, key="b"), model_id=model_id)

    found = each_wire.get(f"logged-models/{model_id}").json()["model"]["data"]["metrics"]
    assert [(one["key"], one["value"], one.get("dataset_name")) for one in found] == [
        ("a", 2.0, "test"),
        ("b", 3.0, None),
    ]


def test_what_many_clients_log_at_once_is_all_there(tracking_url: str) -> None:
    with httpx.Client(base_url=f"{tracking_url}/api/2.0/mlflow/") as client:
        run_id = client.post("runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]

        def log(number: int) -> int:
            sent = point(number, step=number, key=f"k{number % 3}")
            bad = {"key": "no$"} if number % 10 == 0 else {}
            return client.post("runs/log-metric", json={"run_id": run_id, **sent, **bad}).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(log, range(300)))
        found = [
            len(client.get("metrics/get-history", params={"run_id": run_id, "metric_key": f"k{n}"}).json()["metrics"])
            for n in range(3)
        ]

    assert statuses.count(200) == sum(found) == 270
    assert statuses.count(400) == 30
