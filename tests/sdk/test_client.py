from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import tenure
from tenure import errors
from tenure.records.profiles import Profile
from tenure.sdk.client import OUTCOMES_A_REQUEST, Client

ENDPOINT = {
    "name": "late",
    "model": "flights",
    "created_at": 1,
    "created_by": "owner",
    "scoring_url": "http://127.0.0.1:1/endpoints/late",
    "epoch": 3,
    "releases": [],
    "health": [],
}


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hung up is what some tests are about."""


class Server:
    """A real HTTP server in a thread: `answer` decides, `asked` keeps what came."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self.answer: Callable[[str, str], tuple[int, Any, dict[str, str]]] = lambda _method, _path: (200, None, {})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = msgspec.json.decode(body) if body else None
                server.asked.append((self.command, self.path, sent, dict(self.headers.items())))
                status, content, headers = server.answer(self.command, self.path)
                raw = (
                    content if isinstance(content, bytes) else b"" if content is None else msgspec.json.encode(content)
                )
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(raw))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, *_: object) -> None:
                pass

        self._http = QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, server.url) as made:
        yield made


def scored(predictions: list[Any]) -> tuple[int, Any, dict[str, str]]:
    return 200, {"predictions": predictions}, {"Tenure-Prediction-Id": "0190", "Tenure-Model-Version": "7"}


def test_a_table_is_scored_and_each_row_has_its_prediction_id(server, client):
    server.answer = lambda _method, _path: scored([0.1, 0.9])
    frame = pd.DataFrame(
        {
            "wind": [1.5, float("nan")],
            "carrier": ["UA", None],
            "stops": pd.array([1, None], dtype="Int64"),
            "delayed": [True, False],
            "at": pd.to_datetime(["2013-02-01T05:00", None]),
        }
    )
    answer = client.score("late/flights", frame, event_time=datetime(2013, 2, 1), reference=[17, "b"])
    method, path, body, _ = server.asked[0]
    assert (method, path) == ("POST", "/endpoints/late%2Fflights/invocations")
    assert body == {
        "dataframe_split": {
            "columns": ["wind", "carrier", "stops", "delayed", "at"],
            "data": [[1.5, "UA", 1, True, "2013-02-01T05:00:00"], [None, None, None, False, None]],
        },
        "event_time": "2013-02-01T00:00:00+00:00",
        "reference": ["17", "b"],
    }
    assert answer.predictions == [0.1, 0.9]
    assert answer.prediction_ids == ["0190:0", "0190:1"]
    assert answer.version == 7


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        ({"a": 1, "b": "x"}, [[1, "x"]]),
        ({"a": [1.0, float("nan")], "b": np.array(["x", "y"])}, [[1.0, "x"], [None, "y"]]),
        ({"a": np.array([1, 2], dtype=np.int32), "b": [np.float64(0.5), None]}, [[1, 0.5], [2, None]]),
        ({"a": pd.Series(["u"], dtype="category"), "b": [pd.NaT]}, [["u", None]]),
        ({"a": [], "b": []}, []),
    ],
)
def test_columns_of_many_kinds_become_plain_json(server, client, frame, data):
    server.answer = lambda _method, _path: scored([])
    client.score("late", frame)
    assert server.asked[0][2]["dataframe_split"] == {"columns": ["a", "b"], "data": data}


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        (datetime(2013, 2, 1, 5, tzinfo=UTC), "2013-02-01T05:00:00+00:00"),
        ("2013-02-01T05:00:00Z", "2013-02-01T05:00:00Z"),
        (1_359_694_800_000_000, 1_359_694_800_000_000),
        (np.int64(5), 5),
        (np.datetime64("2013-02-01T05:00"), "2013-02-01T05:00:00+00:00"),
        (pd.Series(pd.to_datetime(["2013-02-01"])), ["2013-02-01T00:00:00+00:00"]),
        ([datetime(2013, 2, 1), 7], ["2013-02-01T00:00:00+00:00", 7]),
    ],
)
def test_event_times_of_many_kinds_are_sent_in_utc(server, client, moment, sent):
    server.answer = lambda _method, _path: scored([0])
    client.score("late", {"a": [1]}, event_time=moment)
    assert server.asked[0][2]["event_time"] == sent


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"a": [1.0, float("inf")]}, "JSON has no infinity. Got inf in row 1 of 'a'"),
        ({"a": [1], "b": [1, 2]}, "'a' has 1 rows, 'b' has 2"),
        ({"a": [1], "b": 2}, "Every column must be a list"),
        ({}, "at least one column"),
        ([[1, 2]], "must be a DataFrame or a dict of columns. Got list"),
        ({"a": [object()]}, "Got object in row 0 of 'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Got 'a' more than once"),
        ({"a": np.ones((2, 2))}, "one dimension"),
    ],
)
def test_a_table_that_cannot_be_sent_is_refused_before_it_leaves(server, client, frame, said):
    with pytest.raises(errors.InvalidInput, match=r".*") as refused:
        client.score("late", frame)
    assert said in refused.value.message
    assert server.asked == []


def test_the_scoring_address_is_asked_from_the_server_once(server):
    server.answer = lambda method, _path: (
        (200, {"scoring_url": server.url + "/"}, {}) if method == "GET" else scored([1])
    )
    with Client(server.url) as client:
        client.score("late", {"a": 1})
        client.score("late", {"a": 1})
    assert [path for _, path, *_ in server.asked] == ["/api/v1/server", *["/endpoints/late/invocations"] * 2]


def test_outcomes_leave_in_batches_and_are_counted(server, client):
    server.answer = lambda _method, _path: (202, {"accepted": len(server.asked[-1][2]["outcomes"])}, {})
    values = np.zeros(OUTCOMES_A_REQUEST + 5, dtype=bool)
    accepted = client.outcomes("late", values, references=np.arange(len(values)), event_time="2013-02-02T00:00:00Z")
    assert accepted.accepted == len(values)
    assert [len(body["outcomes"]) for _, _, body, _ in server.asked] == [OUTCOMES_A_REQUEST, 5]
    assert server.asked[1][1] == "/api/v1/endpoints/late/outcomes"
    assert server.asked[1][2]["outcomes"][-1] == {
        "value": False,
        "reference": str(len(values) - 1),
        "event_time": "2013-02-02T00:00:00Z",
    }


def test_a_request_says_where_and_what_for_and_is_told_what_was_refused(server, client):
    problems = [{"where": "wind[0]", "reason": "range", "message": "No."}]
    told = {"error": {"code": "values_refused", "message": "No.", "problems": problems}}
    server.answer = lambda _method, _path: (400, told, {})
    with pytest.raises(errors.ValuesRefused) as refused:
        client.score("late", {"wind": [1.0]}, jurisdiction="EU", channel="app")
    assert (refused.value.reason, refused.value.problems) == ("range", tuple(problems))
    sent = {name.lower(): value for name, value in server.asked[0][3].items()}
    assert (sent["tenure-jurisdiction"], sent["tenure-channel"]) == ("EU", "app")
    assert "tenure-purpose" not in sent
    server.answer = lambda _method, _path: (
        429,
        {"error": {"code": "over_quota", "message": "No."}},
        {"Retry-After": "9"},
    )
    with pytest.raises(errors.OverQuota) as over:
        client.score("late", {"wind": [1.0]})
    assert over.value.retry_after_s == 9


def test_outcomes_need_a_prediction_each(server, client):
    for names in ({}, {"prediction_ids": ["a"], "references": ["b"]}):
        with pytest.raises(errors.InvalidInput, match="exactly one of"):
            client.outcomes("late", [1], **names)
    with pytest.raises(errors.InvalidInput, match="Got 2 values, 1 of prediction_id"):
        client.outcomes("late", [1, 0], prediction_ids=["a"])
    assert server.asked == []


def kinds(kind: type[errors.TenureError]) -> list[type[errors.TenureError]]:
    """The tree of `tenure.errors`; faces add errors of their own to it, which no client of ours is told."""
    ours = (child for child in kind.__subclasses__() if child.__module__ == errors.__name__)
    return [kind, *(below for child in ours for below in kinds(child))]


@pytest.mark.parametrize("kind", kinds(errors.TenureError)[1:], ids=lambda kind: kind.code)
def test_every_error_of_the_server_is_raised_as_its_own_kind(server, client, kind):
    problem = {"code": kind.code, "message": "No.", "where": "a[1]", "failures": ["rule one", "rule two"]}
    server.answer = lambda _method, _path: (409, {"error": problem}, {})
    with pytest.raises(kind) as raised:
        client.get("/api/v1/models")
    assert type(raised.value) is kind
    assert (raised.value.message, raised.value.where) == ("No.", "a[1]")
    if isinstance(raised.value, errors.GateNotMet):
        assert raised.value.failures == ("rule one", "rule two")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>bad gateway</html>", "answered 502 without saying why"),
        ({"error": {"code": "internal", "message": "The server failed."}}, "The server failed."),
        (b"", "answered 502"),
    ],
)
def test_an_error_that_nobody_named_is_one_all_the_same(server, client, content, said):
    server.answer = lambda _method, _path: (502, content, {})
    with pytest.raises(errors.TenureError) as raised:
        client.post("/api/v1/changes", {"a": 1})
    assert said in raised.value.message


def test_an_answer_that_is_not_json_is_an_error(server, client):
    server.answer = lambda _method, _path: (200, b"<html>", {})
    with pytest.raises(errors.TenureError, match="not JSON"):
        client.get("/")


def test_a_server_that_is_not_there_is_named():
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{silent.server_port}"
    silent.server_close()
    with Client(url) as client, pytest.raises(errors.Unavailable, match=f"Nothing answers at {url}/health"):
        client.get("/health")


def test_a_server_that_takes_too_long_is_named(server):
    waiting = threading.Event()
    server.answer = lambda _method, _path: (waiting.wait(10), (200, None, {}))[1]
    with (
        Client(server.url, timeout_s=0.05) as client,
        pytest.raises(errors.Unavailable, match="did not answer in time"),
    ):
        client.get("/health")
    waiting.set()


def test_an_address_must_be_one():
    with pytest.raises(errors.InvalidInput, match="must look like"):
        Client("localhost:5000")


def test_the_environment_says_where_the_server_is_and_who_asks(server, monkeypatch):
    monkeypatch.setenv("TENURE_URL", server.url + "/")
    monkeypatch.setenv("TENURE_TOKEN", "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with tenure.Client() as client:
        assert client.get("/health") is None
        assert client.delete("/api/v1/x", {"hard": True}) is None
    assert server.asked[0][1] == "/health"
    assert server.asked[0][3]["Authorization"] == "Bearer secret"
    assert "Cookie" not in server.asked[0][3]


def test_a_models_file_is_applied_under_its_own_name(server, client):
    client.apply({"model": "late flights", "purpose": "p"}, dry_run=True)
    method, path, body, _ = server.asked[0]
    assert (method, path) == ("PUT", "/api/v1/models/late%20flights/file?dry_run=true")
    assert body == {"model": "late flights", "purpose": "p"}
    with pytest.raises(errors.InvalidInput, match="must name its model"):
        client.apply({"purpose": "p"})


def test_an_endpoint_is_made_when_it_is_not_there(server, client):
    made = []

    def answer(method: str, _path: str) -> tuple[int, Any, dict[str, str]]:
        if method == "POST":
            made.append(1)
            return 201, ENDPOINT, {}
        return (200, ENDPOINT, {}) if made else (404, {"error": {"code": "not_found", "message": "None."}}, {})

    server.answer = answer
    with pytest.raises(errors.NotFound):
        client.endpoint("late")
    assert client.endpoint("late", model="flights").epoch == 3
    assert server.asked[2][2] == {"name": "late", "model": "flights"}


def test_a_baseline_is_stored_with_its_version(server):
    frame = {"wind": np.arange(300.0), "carrier": ["UA", "AA", None] * 100}
    logged = tenure.log_baseline("flights", "3", frame, holdout=([0, 1] * 50, np.linspace(0, 1, 100)), url=server.url)
    method, path, body, _ = server.asked[0]
    assert (method, path) == ("PUT", "/api/v1/models/flights/versions/3/profile")
    assert msgspec.convert(body, Profile) == logged
    assert logged.judged is not None
