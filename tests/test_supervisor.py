"""`tenure serve` starts on an empty folder, says clearly why it cannot, and ends in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tenure import settings
from tests.conftest import Running, free_port, serving, wait_until


def refused(*arguments: str) -> str:
    """What `tenure serve` says when it does not start."""
    command = [sys.executable, "-m", "tenure", "serve", *arguments]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_health_and_version_answer_on_both_ports(server: Running) -> None:
    for url in (server.url, server.scoring_url):
        assert httpx.get(f"{url}/health").text.strip() == "OK"
        assert httpx.get(f"{url}/version").text == httpx.get(f"{server.url}/version").text


def test_a_request_for_another_host_is_refused(server: Running) -> None:
    answer = httpx.get(f"{server.url}/api/v1/models", headers={"Host": "evil.example:80"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "not_allowed"


def test_an_unknown_route_is_json_below_api_and_a_page_elsewhere(server: Running) -> None:
    assert httpx.get(f"{server.url}/api/v1/nothing").json()["error"]["code"] == "not_found"
    page = httpx.get(f"{server.url}/nothing")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")


def test_a_body_that_is_too_large_is_refused_early(server: Running) -> None:
    answer = httpx.post(f"{server.url}/api/v1/changes", content=b"x" * (33 * 1024 * 1024))
    assert answer.status_code == 413
    assert "at most 32 MiB" in answer.json()["error"]["message"]


def test_json_that_is_nested_too_deeply_is_refused(server: Running) -> None:
    for path in ("/api/v1/changes", "/api/2.0/mlflow/runs/create"):
        answer = httpx.post(server.url + path, content=b"[" * 100_000, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


def test_what_does_not_fit_is_named(server: Running) -> None:
    problem = httpx.post(f"{server.url}/api/v1/endpoints", json={"name": "Bad Name", "model": "m"}).json()["error"]
    assert (problem["code"], problem["where"]) == ("invalid_input", "name")
    assert "does not fit" in problem["message"]


def test_serving_beyond_loopback_is_refused(tmp_path: Path) -> None:
    assert "--sign-in required" in refused("--data", str(tmp_path), "--host", "0.0.0.0")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in refused("--data", str(tmp_path), "--port", str(port))


def test_two_servers_do_not_share_a_folder(server: Running) -> None:
    said = refused("--data", str(server.data), "--port", str(free_port()))
    assert "Another server uses the data folder" in said


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "data folder" in refused("--data", str(tmp_path / "file" / "below"), "--port", str(free_port()))


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--only", "control,gatway", "--only takes control, gateway, worker"),
        ("--port", "many", "A setting cannot be read"),
        ("--journal-fsync", "perhaps", "A setting cannot be read: Expected `bool`"),
        ("--recipe", "nonsense", "A recipe must read NAME=MODULE:FUNCTION"),
        ("--database-url", "mysql://x/y", "SQLite or Postgres"),
        ("--database-url", "nonsense", "must look like"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, option: str, value: str, says: str) -> None:
    arguments = ["--data", str(tmp_path), option, value]
    if option != "--port":
        arguments += ["--port", str(free_port())]
    assert says in refused(*arguments)


@pytest.mark.parametrize(("said", "means"), [("yes", True), ("no", False), ("true", True), ("0", False)])
def test_yes_and_no_are_understood(said: str, means: bool) -> None:
    assert settings.load({"spare_scorer": said}, {}).spare_scorer is means
    assert settings.load({}, {"TENURE_SPARE_SCORER": said}).spare_scorer is means


def test_it_stops_when_asked_to_and_starts_again_on_the_folder_it_left(tmp_path: Path) -> None:
    for _ in range(2):
        with serving(tmp_path / "data") as running:
            experiments = f"{running.url}/api/2.0/mlflow/experiments/get?experiment_id=0"
            assert httpx.get(experiments).json()["experiment"]["name"] == "Default"
            running.process.send_signal(signal.SIGINT)
            assert running.process.wait(20) == 0


def kind_of(pid: int) -> str:
    """Which of ours a process is; empty before it has become one."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return command[3].decode() if len(command) > 3 else ""


def test_the_worker_stands_back(tmp_path: Path) -> None:
    with serving(tmp_path, "--only", "control,worker", "--worker-niceness", "7") as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")

        def niceness() -> dict[str, int]:
            told = {}
            for pid in map(int, children.read_text().split()):
                told[kind_of(pid)] = os.getpriority(os.PRIO_PROCESS, pid)
            return told

        ours = os.getpriority(os.PRIO_PROCESS, 0)
        wait_until(lambda: niceness() == {"control": ours, "worker": ours + 7}, 20, "the worker stands back")


def test_processes_of_one_server_may_run_under_supervisors_of_their_own(tmp_path: Path) -> None:
    with serving(tmp_path, "--only", "control") as control:
        assert httpx.get(f"{control.url}/health").text.strip() == "OK"
        said = refused("--data", str(tmp_path), "--port", str(free_port()), "--only", "control,worker")
        assert "Another server uses the data folder" in said
        with serving(tmp_path, "--only", "gateway,worker") as others:
            assert httpx.get(f"{others.scoring_url}/health").text.strip() == "OK"
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{others.url}/health")
