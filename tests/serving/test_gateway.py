"""The gateway over real HTTP, with real scorers."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest

from tenure.records.base import id_of_reference, instant_of_id
from tenure.records.frames import PredictionFrame

from .conftest import Gateway, act, wait_until

ROOT = Path(__file__).parents[2]
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


def test_a_row_that_is_sent_again_is_the_same_prediction(shared: Gateway) -> None:
    body = {"dataframe_records": [ROW, ROW], "event_time": "2013-02-01T05:00:00Z", "reference": ["a", "b"]}
    frames = [frame_of(shared, shared.score("flights", body, tenure_idempotent="true")) for _ in range(2)]
    assert frames[0].row_ids == frames[1].row_ids
    assert frames[0].row_ids == [f"{id_of_reference('flights', one, 1_359_694_800_000_000)}:0" for one in "ab"]
    alone = body | {"dataframe_records": [ROW], "reference": "b"}
    assert frame_of(shared, shared.score("flights", alone, tenure_idempotent="true")).row_ids == frames[0].row_ids[1:]


@pytest.mark.parametrize(("said", "reference"), [("true", None), ("yes", ["a"])])
def test_an_idempotent_request_says_so_and_names_its_rows(shared: Gateway, said: str, reference: Any) -> None:
    answer = shared.score("flights", {"dataframe_records": [ROW], "reference": reference}, tenure_idempotent=said)
    assert answer.status_code == 400
    assert answer.json()["error"]["where"] in ("reference", "tenure-idempotent")


def test_row_k_of_a_batch_is_output_k(shared: Gateway) -> None:
    rows = [{"what": "echo", "number": float(k)} for k in range(1000)]
    answer = shared.score("tricky", {"dataframe_records": rows})
    assert answer.json() == {"predictions": [float(k) for k in range(1000)]}
    assert frame_of(shared, answer).score == [float(k) for k in range(1000)]


def test_a_new_category_is_answered(shared: Gateway) -> None:
    assert shared.score("flights", {"dataframe_records": [ROW | {"carrier": "never seen"}]}).status_code == 200


def test_a_missing_number_that_may_be_missing_reaches_the_model_as_such(shared: Gateway) -> None:
    answer = shared.score("tricky", {"dataframe_records": [{"what": "echo"}]})
    assert answer.json() == {"predictions": [None]}
    assert frame_of(shared, answer).score == [None]


@pytest.mark.parametrize(
    ("endpoint", "body", "status", "said"),
    [
        ("flights", {"dataframe_records": [ROW | {"hour": 1.5}]}, 400, "'hour' must hold whole numbers"),
        ("flights", b"{", 400, "must be JSON"),
        ("flights", {"dataframe_records": []}, 400, "at least one row"),
        ("nowhere", {"dataframe_records": [ROW]}, 404, "There is no endpoint 'nowhere'"),
        ("empty", {"dataframe_records": [ROW]}, 503, "It has no champion. Promote an approved version"),
        ("flights", {"dataframe_records": [ROW] * 5001}, 413, "at most 5000 rows. Got 5001"),
        ("flights", b'{"dataframe_records": [' + b" " * 2_000_000 + b"]}", 413, "at most 1 MiB"),
        ("tricky", {"dataframe_records": [{"what": "raise"}]}, 500, "failed at this input with ValueError"),
    ],
)
def test_what_is_refused_has_one_shape_and_a_reason(
    shared: Gateway, endpoint: str, body: object, status: int, said: str
) -> None:
    before = len(shared.frames())
    answer = shared.score(endpoint, body)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert said in told["error"]["message"] == told["message"]
    assert told["error"]["code"]
    assert told["error_code"]
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert len(shared.frames()) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"cookie": "a=b"}, 403),
    ],
)
def test_headers_decide_before_the_body_is_read(shared: Gateway, headers: dict[str, str], status: int) -> None:
    assert shared.score("flights", {"dataframe_records": [ROW]}, **headers).status_code == status


def test_a_large_body_is_refused_before_it_is_read(shared: Gateway) -> None:
    """The length is announced, nothing is sent, and the refusal comes all the same."""
    with socket.create_connection((shared.settings.host, shared.settings.gateway_port), timeout=5) as line:
        line.sendall(
            b"POST /endpoints/flights/invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 209715200\r\n\r\n"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_a_large_body_without_a_length_is_refused_and_not_kept(shared: Gateway) -> None:
    before = resident_mib(shared)

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 2**20

    answer = httpx.post(
        f"{shared.url}/endpoints/flights/invocations",
        content=parts(),
        headers={"content-type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 413
    assert resident_mib(shared) < before + 20


def resident_mib(gateway: Gateway) -> float:
    assert gateway.process is not None
    fields = Path(f"/proc/{gateway.process.pid}/statm").read_text().split()
    return int(fields[1]) * 4096 / 2**20


@pytest.mark.parametrize("body", [b"1" * 10, b"abc\r\n", b""])
def test_a_client_that_goes_away_harms_nobody(shared: Gateway, body: bytes) -> None:
    with socket.create_connection((shared.settings.host, shared.settings.gateway_port), timeout=5) as line:
        line.sendall(
            b"POST /endpoints/flights/invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n" + body
        )
    assert shared.healthy()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/ping", 200),
        ("GET", "/", 404),
        ("GET", "/endpoints/flights/invocations", 405),
        ("POST", "/endpoints/flights/docs", 405),
        ("GET", "/endpoints/flights/nothing", 404),
        ("GET", "/endpoints/nowhere/docs", 404),
        ("GET", "/endpoints/empty/docs", 503),
    ],
)
def test_every_address_answers_in_our_shape(shared: Gateway, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, shared.url + path)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["error"]["message"]


def test_keep_alive_requests_do_not_wait_for_nagle(shared: Gateway) -> None:
    """Without TCP_NODELAY each answer would take 40 ms longer; the best of ten says so on a busy machine too."""
    with httpx.Client(base_url=shared.url) as client:
        took = []
        for _ in range(10):
            start = time.perf_counter()
            client.post("/endpoints/nowhere/invocations", json={})
            took.append(time.perf_counter() - start)
    assert min(took) < 0.02


def test_the_docs_example_works_when_it_is_pasted(shared: Gateway) -> None:
    page = httpx.get(f"{shared.url}/endpoints/flights/docs")
    curl, python, v2 = (unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL)[:3])
    answered = json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, check=True).stdout)
    assert len(answered["predictions"]) == 1
    said = subprocess.run([sys.executable, "-c", python], capture_output=True, check=True, text=True).stdout
    assert said.startswith(str(answered["predictions"]))
    tensors = json.loads(subprocess.run(["bash", "-c", v2], capture_output=True, check=True).stdout)
    assert tensors["outputs"][0]["data"] == answered["predictions"][0]
    assert "came with the model" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!127\.0\.0\.1)", page.text)


def test_the_openapi_document_describes_the_columns_and_its_example_works(shared: Gateway) -> None:
    document = httpx.get(f"{shared.url}/endpoints/flights/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["carrier", "distance", "hour"]
    assert row["properties"]["hour"] == {"type": "integer", "format": "int64"}
    url = document["servers"][0]["url"]
    for path in ("/endpoints/flights/invocations", "/v2/models/flights/infer"):
        operation = document["paths"][path]["post"]
        example = operation["requestBody"]["content"]["application/json"]["example"]
        answer = httpx.post(url + path, json=example)
        assert answer.status_code == 200
        shown = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert answer.json() == shown
    for path in ("/v2/models/flights", "/v2/models/flights/ready"):
        assert path in document["paths"]
        assert httpx.get(url + path).status_code == 200


def test_mlflows_own_scoring_client_is_content(shared: Gateway) -> None:
    """Run apart: the tests' process stays free of mlflow."""
    script = (
        "import sys, pandas as pd\n"
        "from mlflow.pyfunc.scoring_server.client import ScoringServerClient\n"
        "client = ScoringServerClient('127.0.0.1', int(sys.argv[1]))\n"
        "client.url_prefix = sys.argv[2]\n"
        "client.wait_server_ready()\n"
        "print(client.get_version())\n"
        "frame = pd.DataFrame({'carrier': ['UA'], 'distance': [1400.0], 'hour': [17]})\n"
        "print(len(client.invoke(frame).get_predictions()))\n"
        "try: client.invoke(frame.assign(hour='x'))\n"
        "except Exception as problem: print(problem)\n"
    )
    command = [sys.executable, "-c", script, str(shared.settings.gateway_port), f"{shared.url}/endpoints/flights"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    version, first, second = run.stdout.splitlines()[:3]
    assert version == metadata.version("mlflow-skinny")
    assert first == "1"
    assert "'hour' must hold whole numbers" in second


def test_the_gateway_stays_small(shared: Gateway) -> None:
    """It maps no numerical library: the scorers do."""
    assert shared.process is not None
    maps = Path(f"/proc/{shared.process.pid}/maps").read_text()
    assert not re.search(r"numpy|pandas|sqlalchemy|sklearn", maps)
    heavy = ["numpy", "pyarrow", "grpc", "pandas", "mlflow", "litestar", "sqlalchemy", "sklearn"]
    script = f"import sys, tenure.serving.gateway; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


# --- what models may do to their scorer ---


def test_a_model_may_print_what_it_likes(shared: Gateway) -> None:
    assert shared.score("tricky", act("shout", 7.0)).json() == {"predictions": [7.0]}
    log = shared.folder / "logs" / "scorer-tricky-1.log"
    wait_until(lambda: log.stat().st_size > 200_000, "what was printed is in the log")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_model_sees_none_of_our_secrets_and_sends_no_telemetry(shared: Gateway) -> None:
    (names,) = shared.score("tricky", act("environment")).json()["predictions"]
    assert set(names) == {"MLFLOW_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY", "OMP_NUM_THREADS"}


def test_requests_that_wait_together_are_scored_together_and_told_apart(shared: Gateway) -> None:
    def ask(k: int) -> Any:
        body = {"dataframe_records": [{"what": "slow" if k == 0 else "echo", "number": float(k)}] * (1 + k % 3)}
        return shared.score("tricky", body).json()["predictions"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(30)))
    assert answers == [[float(k)] * (1 + k % 3) for k in range(30)]


def test_one_bad_request_does_not_fail_those_that_waited_with_it(shared: Gateway) -> None:
    def ask(k: int) -> int:
        what = "slow" if k < 2 else "raise" if k % 5 == 0 else "echo"
        return shared.score("tricky", act(what)).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(ask, range(30)))
    assert statuses == [500 if k >= 2 and k % 5 == 0 else 200 for k in range(30)]
