"""A real version, compiled by the real process, answers in a real gateway as its scorer did."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tenure.deploy import compiling
from tenure.records.forms import FormOrder, FormReport, FormResult
from tenure.records.routing import PinnedFile, Release, ReleaseForm
from tenure.serving.forms import loading
from tests.serving.conftest import DELAY, Gateway, free_port, pinned, release, wait_until

ROWS: list[dict[str, Any]] = [
    {"carrier": carrier, "distance": distance, "hour": hour}
    for carrier in ("AA", "UA", "B6", "never seen")
    for distance, hour in ((100.5, 7), (2400.0, 21))
]


class Made:
    """What the process that compiles left in a folder."""

    def __init__(self, folder: Path, version: Path, files: list[PinnedFile], memory_mib: int = 4096) -> None:
        order = FormOrder(model="delay", version=1, folder=str(version), files=files, inputs=DELAY, out=str(folder))
        (folder / "order").write_bytes(msgspec.msgpack.encode(order))
        command = compiling.command(folder / "order", memory_mib)
        self.ended = subprocess.run(command, env=compiling.environment(), capture_output=True, text=True, check=False)
        self.folder = folder

    def form(self) -> tuple[FormReport, ReleaseForm]:
        assert self.ended.returncode == 0, self.ended.stderr
        result = msgspec.msgpack.decode((self.folder / "result.msgpack").read_bytes(), type=FormResult)
        kept = self.folder / "kept"
        kept.mkdir()
        shutil.copy(self.folder / "form.msgpack", kept)
        form = compiling.released(result, pinned(kept))
        return result.report, msgspec.structs.replace(form, location=str(kept))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, models: Path) -> tuple[FormReport, ReleaseForm]:
    return Made(tmp_path_factory.mktemp("made"), models / "delay", pinned(models / "delay")).form()


def test_a_version_that_cannot_be_loaded_is_told_so(tmp_path: Path, models: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(models / "delay", broken)
    next(broken.glob("model.*")).write_bytes(b"no pickle")
    (tmp_path / "out").mkdir()
    ended = Made(tmp_path / "out", broken, pinned(broken)).ended
    assert ended.returncode != 0
    assert "the version cannot be loaded: " in ended.stderr


def test_a_process_that_needs_too_much_memory_ends_with_that_reason(tmp_path: Path, models: Path) -> None:
    ended = Made(tmp_path, models / "delay", pinned(models / "delay"), memory_mib=1).ended
    assert ended.returncode != 0
    assert not (tmp_path / "result.msgpack").exists()


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Gateway]:
    one = Gateway(tmp_path_factory.mktemp("flights"), free_port())
    try:
        one.start()
        one.publish(flights=[release(models / "delay")])
        one.serves("r-delay-1-champion")
        yield one
    finally:
        one.close()


def with_form(models: Path, form: ReleaseForm) -> Release:
    return release(models / "delay", form=form)


def children(gateway: Gateway) -> list[str]:
    assert gateway.process is not None
    return Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()


def answer(gateway: Gateway, **more: Any) -> Any:
    said = gateway.score("flights", {"dataframe_records": ROWS, **more})
    assert said.status_code == 200, said.text
    return said.json()["predictions"]


def same(said: list[Any], expected: list[Any]) -> bool:
    return loading.same(said, expected, 1e-9)


def test_the_process_proves_a_pipeline_equal(made: tuple[FormReport, ReleaseForm]) -> None:
    report, form = made
    assert (report.kind, form.kind) == ("linear", "linear")
    assert report.largest_difference < 1e-12
    assert len(form.answers) >= 5


def test_bytes_that_are_not_what_was_pinned_are_not_loaded(tmp_path: Path, models: Path) -> None:
    files = [msgspec.structs.replace(file, sha256="0" * 64) for file in pinned(models / "delay")]
    ended = Made(tmp_path, models / "delay", files).ended
    assert ended.returncode != 0
    assert "pinned were" in ended.stderr
    assert not (tmp_path / "result.msgpack").exists()


def test_a_gateway_switches_to_the_form_without_a_failed_request_and_lets_the_scorer_go(
    flights: Gateway, models: Path, made: tuple[FormReport, ReleaseForm]
) -> None:
    by_scorer = answer(flights)
    assert len(children(flights)) == 1
    flights.publish(flights=[with_form(models, made[1])])

    def switched() -> bool:
        assert same(answer(flights), by_scorer)
        return flights.state("r-delay-1-champion") == ("serving", "in the gateway, as linear")

    wait_until(switched, "the form answers")
    wait_until(lambda: not children(flights), "the scorer is gone")
    assert same(answer(flights), by_scorer)
    many = flights.score("flights", {"dataframe_records": ROWS * 100})
    assert many.json()["predictions"] == answer(flights) * 100
    described = flights.score("flights", {"dataframe_records": [{"carrier": "AA", "distance": "far", "hour": 1}]})
    assert described.status_code == 400


SHORT, LONG = "application/json", "application/json;charset=utf-8"
REQUESTS: list[Any] = [
    {"dataframe_records": ROWS},
    {"dataframe_split": {"columns": ["carrier", "distance", "hour"], "data": [["AA", 1.5, 7]]}},
    {"dataframe_records": ROWS[:1], "event_time": ["2013-02-01T05:00:00Z"], "reference": ["order-7"]},
    {"dataframe_records": ROWS[:2], "reference": ["one", "two"]},
    {"dataframe_records": [{"carrier": "AA", "distance": "far", "hour": 1}]},
    {"dataframe_records": [{"carrier": "AA"}]},
    {"dataframe_records": []},
    {"inputs": {"carrier": ["AA"], "distance": [1, 2], "hour": [3]}},
    {"rows": 3},
    b"[1, 2",
    b"",
    b"\xff",
]


def test_nobody_can_tell_whether_a_request_took_the_short_way(
    models: Path, made: tuple[FormReport, ReleaseForm], tmp_path: Path
) -> None:
    one = Gateway(tmp_path, free_port())
    try:
        one.publish(flights=[with_form(models, made[1])])
        one.start()
        one.serves("r-delay-1-champion")
        for body in REQUESTS:
            for name in ("flights", "nowhere"):
                short, long = (one.score(name, body, **{"content-type": way}) for way in (SHORT, LONG))
                assert (short.status_code, short.json()) == (long.status_code, long.json())
                assert said_beside(short) == said_beside(long)
        frames = [msgspec.to_builtins(frame) for frame in one.frames()]
    finally:
        one.close()
    kept = [{name: value for name, value in frame.items() if name not in PER_REQUEST} for frame in frames]
    assert len(kept) == 8
    assert kept[::2] == kept[1::2]


PER_REQUEST = ("prediction_id", "at", "event_at", "latency_us")


def said_beside(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in ("date", "tenure-prediction-id")}


def test_what_a_form_does_not_take_is_asked_of_the_version_itself(
    flights: Gateway, models: Path, made: tuple[FormReport, ReleaseForm]
) -> None:
    flights.publish(flights=[with_form(models, made[1])])
    wait_until(lambda: flights.state("r-delay-1-champion")[1] == "in the gateway, as linear", "the form answers")
    expected = answer(flights)
    with_params = {"dataframe_records": ROWS, "params": {"any": 1}}
    assert flights.score("flights", with_params).status_code == 503
    said = wait_until(lambda: (got := flights.score("flights", with_params)).status_code == 200 and got, "it starts")
    assert same(said.json()["predictions"], expected)
    assert len(children(flights)) == 1


def test_a_form_that_is_not_what_was_proven_leaves_the_version_to_its_scorer(
    flights: Gateway, models: Path, made: tuple[FormReport, ReleaseForm], tmp_path: Path
) -> None:
    expected = answer(flights)
    content = (Path(made[1].location) / "form.msgpack").read_bytes()
    (tmp_path / "form.msgpack").write_bytes(content.replace(b"AA", b"ZZ"))
    tampered = msgspec.structs.replace(made[1], location=str(tmp_path), digest="another")
    flights.publish(flights=[with_form(models, tampered)])
    state = wait_until(
        lambda: (got := flights.state("r-delay-1-champion"))[0] == "serving" and "not the one" in got[1] and got, "told"
    )
    assert "its compiled form is not used" in state[1]
    assert same(answer(flights), expected)
    wait_until(lambda: len(children(flights)) == 1, "one scorer answers")


def test_a_gateway_that_starts_anew_answers_by_the_form_without_a_scorer(
    models: Path, made: tuple[FormReport, ReleaseForm], tmp_path: Path
) -> None:
    one = Gateway(tmp_path, free_port())
    try:
        one.publish(flights=[with_form(models, made[1])])
        one.start()
        one.serves("r-delay-1-champion")
        assert len(answer(one)) == len(ROWS)
        assert children(one) == []
    finally:
        one.close()


QUIET = """
import sys

def counted():
    lines = open("/proc/net/snmp").read().splitlines()
    names = {}
    for head, values in zip(lines[::2], lines[1::2]):
        kind, *fields = head.split()
        names |= {kind + field: int(value) for field, value in zip(fields, values.split()[1:])}
    return [names[one] for one in ("Ip:OutRequests", "Ip:OutNoRoutes", "Tcp:ActiveOpens", "Udp:OutDatagrams")]

def talks(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"{event} {given}")

before = counted()
"""
SILENT = """
sys.addaudithook(talks)
import os, time
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
from tenure.serving.forms.making import compiling
from tenure.serving.forms import onnx
from tests.serving.forms.makers import compiled, table, target
from sklearn.tree import DecisionTreeRegressor
frame = table(50, numbers=1, words=0)
files = compiled(DecisionTreeRegressor(max_depth=2).fit(frame, target(frame, 0)), frame).files
onnx.runner(files["model.onnx"])
time.sleep(1)
print(before, counted())
"""
TALKING = """
import socket
try:
    socket.create_connection(("203.0.113.1", 443), 1)
except OSError:
    pass
print(before, counted())
"""


def in_an_empty_network(code: str) -> tuple[str, str]:
    """What a process counted before and after, in a network of its own, where whatever leaves is counted."""
    command = ["unshare", "-rn", sys.executable, "-c", QUIET + code]
    root = Path(__file__).parents[3]
    environment = {**compiling.environment(), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is missing")
    if "unshare failed" in ended.stderr:
        pytest.skip("networks of one's own are not allowed here")
    assert ended.returncode == 0, ended.stderr
    before, _, after = ended.stdout.strip().partition("] [")
    return before.strip("[]"), after.strip("[]")


def test_nothing_leaves_the_machine_when_a_version_is_compiled_and_its_form_is_loaded() -> None:
    before, after = in_an_empty_network(SILENT)
    assert before == after
    before, after = in_an_empty_network(TALKING)
    assert before != after, "what leaves would have been counted"


def test_every_process_that_is_started_is_told_to_send_no_telemetry() -> None:
    from tenure import app
    from tenure.serving import processes
    from tenure.settings import Settings

    assert app.environment(Settings())["ORT_DISABLE_TELEMETRY"] == "1"
    assert processes.QUIET["ORT_DISABLE_TELEMETRY"] == "1"
    assert compiling.environment()["ORT_DISABLE_TELEMETRY"] == "1"
    assert os.environ.get("ORT_DISABLE_TELEMETRY", "1") == "1"
