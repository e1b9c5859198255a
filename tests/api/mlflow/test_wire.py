"""What arrives and what leaves, whatever the noun: names, numbers, errors, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tenure.access import READER
from tenure.api.mlflow.app import ROUTES, declared
from tenure.records.people import Permission
from tests.api.mlflow.conftest import Wire


def raw(wire: Wire, body: bytes, path: str = "runs/log-batch") -> Any:
    return wire.call("POST", f"/api/2.0/mlflow/{path}", body=body)


def test_an_empty_answer_is_an_empty_object(wire: Wire) -> None:
    assert wire.post("runs/search", experiment_ids=["0"]).content == b"{}"


def test_the_same_routes_answer_under_ajax_api(wire: Wire) -> None:
    answer = wire.call("GET", "/ajax-api/2.0/mlflow/experiments/get", query={"experiment_id": "0"})

    assert answer.json()["experiment"]["name"] == "Default"


def test_camel_case_is_read_and_both_at_once_is_refused(wire: Wire) -> None:
    run_id = wire.run()

    assert wire.post("runs/log-metric", runId=run_id, key="a", value=1, timestamp=1).status == 200
    both = wire.post("runs/log-metric", run_id=run_id, runId=run_id, key="a", value=1, timestamp=1)
    assert (both.status, both.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_body_that_was_encoded_twice_is_read(wire: Wire) -> None:
    twice = json.dumps(json.dumps({"run_id": wire.run(), "key": "a", "value": "1"})).encode()

    assert raw(wire, twice, "runs/set-tag").status == 200


def test_unknown_fields_are_ignored_and_null_means_not_sent(wire: Wire) -> None:
    answer = wire.post("runs/create", experiment_id="0", run_name=None, tags=None, color="blue")

    assert answer.status == 200


def test_numbers_may_be_numeric_strings_and_nan_and_infinity_have_names(wire: Wire) -> None:
    run_id = wire.run()
    for step, value in enumerate(("NaN", "Infinity", "-Infinity", "0.5", 1)):
        sent = wire.post("runs/log-metric", run_id=run_id, key="a", value=value, timestamp="17", step=str(step))
        assert sent.status == 200

    points = wire.get("metrics/get-history", run_id=run_id, metric_key="a").json()["metrics"]
    assert [point["value"] for point in points] == ["NaN", "Infinity", "-Infinity", 0.5, 1.0]
    assert [point["step"] for point in points] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"17",
        b'"text"',
        b"\xff\xfe",
        b'{"run_id": 5}',
        b'{"run_id": "a", "metrics": {}}',
        b'{"run_id": "a", "metrics": [{"key": "a"}]}',
        b'{"run_id": "a", "metrics": [{"key": "a", "value": "x", "timestamp": 1}]}',
        b'{"run_id": "a", "metrics": [{"key": "a", "value": 1, "timestamp": 99999999999999999999}]}',
        b'{"run_id": "a\\u0000b"}',
        b"[" * 5000,
    ],
)
def test_a_broken_body_is_a_clear_refusal(wire: Wire, body: bytes) -> None:
    answer = raw(wire, body)

    assert answer.status == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "Traceback" not in answer.json()["message"]


def test_a_refusal_names_the_parameter_in_the_words_that_clients_know(wire: Wire) -> None:
    run_id = wire.run()

    missing = wire.post("runs/log-metric", run_id=run_id, key="a", value=1)
    wrong = wire.post("runs/log-metric", run_id=run_id, key="a", value="x", timestamp=1)
    assert "Missing value for required parameter 'timestamp'" in missing.json()["message"]
    assert "Invalid value \"x\" for parameter 'value' supplied" in wrong.json()["message"]


def test_a_body_must_be_announced_as_json(wire: Wire) -> None:
    answer = wire.call("POST", "/api/2.0/mlflow/runs/create", body=b"{}", content_type="text/plain")

    assert answer.status == 400


def test_a_body_may_not_be_larger_than_the_limit(wire: Wire) -> None:
    answer = raw(wire, b'{"run_id": "' + b"x" * (33 * 1024 * 1024) + b'"}')

    assert answer.status == 413


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/traces", "/api/3.0/mlflow/datasets", "/ajax-api/2.0/mlflow/gateway"])
def test_a_route_that_is_not_served_says_so_in_the_code_that_clients_look_for(wire: Wire, path: str) -> None:
    answer = wire.call("POST", path, body=b"{}")

    assert (answer.status, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_multipart_transfer_is_not_implemented_and_says_so(wire: Wire) -> None:
    answer = wire.call("POST", "/api/2.0/mlflow-artifacts/mpu/create/0/a", body=b"{}")

    assert (answer.status, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_server_info_offers_nothing_beyond_the_plain_protocol(wire: Wire) -> None:
    info = wire.call("GET", "/api/3.0/mlflow/server-info").json()

    plain = {"store_type": "SqlStore", "artifact_serving_enabled": True}
    assert {name: value for name, value in info.items() if value} == plain


def test_every_route_declares_a_permission_and_a_reader_cannot_write(wire: Wire) -> None:
    assert len(declared()) == len(ROUTES) >= 64
    assert all(isinstance(asked.permission, Permission) for asked in declared().values())
    writing = {route.permission for route in ROUTES if route.kind in ("write", "small")}
    assert writing.isdisjoint(READER.permissions)

    asked = Refused(wire)
    assert asked("POST", "/api/2.0/mlflow/experiments/create") == 403
    assert asked("PUT", "/api/2.0/mlflow-artifacts/artifacts/a") == 403
    assert asked("GET", "/api/2.0/mlflow/registered-models/search") == 200


class Refused:
    """Calls as somebody who may only read; answers the status."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def __call__(self, method: str, path: str) -> int:
        app = self.wire.app

        async def as_reader(scope: Any, receive: Any, send: Any) -> None:
            scope["state"]["principal"] = READER
            await app(scope, receive, send)

        self.wire.app = as_reader
        try:
            return self.wire.call(method, path, body=b"{}" if method == "POST" else None).status
        finally:
            self.wire.app = app


def test_an_unforeseen_failure_tells_the_client_nothing(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tenure.store import experiments

    def fails(*_given: object) -> None:
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr(experiments, "get", fails)
    answer = wire.get("experiments/get", experiment_id="0")

    assert (answer.status, answer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.json()["message"]
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        lambda wire: wire.post("runs/search", experiment_ids=["0"], page_token="garbage"),
        lambda wire: wire.post("experiments/search", max_results=5, page_token="AAAA"),
        lambda wire: wire.get("registered-models/search", page_token="e30="),
        lambda wire: wire.get("model-versions/search", page_token="!"),
        lambda wire: wire.post("logged-models/search", experiment_ids=["0"], page_token="eyJvZmZzZXQiOjF9"),
        lambda wire: wire.post("runs/search", experiment_ids=["0"], max_results=0),
        lambda wire: wire.post("runs/search", experiment_ids=["0"], max_results=50_001),
        lambda wire: wire.post("runs/search", experiment_ids=["x"]),
        lambda wire: wire.post("experiments/search"),
    ],
)
def test_a_page_that_cannot_be_is_refused(wire: Wire, call: Callable[[Wire], Any]) -> None:
    assert call(wire).status == 400


def test_no_message_of_ours_holds_a_machine_path(wire: Wire, tmp_path: Path) -> None:
    answers = [
        wire.call("GET", "/api/2.0/mlflow-artifacts/artifacts/0/none"),
        wire.put("0/x/" + "y" * 300, b"1"),
    ]

    assert [answer.status for answer in answers] == [404, 400]
    assert all(str(tmp_path) not in answer.json()["message"] for answer in answers)
