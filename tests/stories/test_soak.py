"""Many clients log while the server is killed: what was acknowledged is there once, and no batch is half there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Running, free_port, new_postgres, serving, wait_until
from tests.stories.logging_client import POINTS
from tests.stories.test_kill import children, is_alive

CONTROL = ("--only", "control")


def soak(data: Path, *options: str, processes: int, threads: int, seconds: float = 0) -> dict[str, int]:
    """Log for so many seconds at least; half-way the server is killed and started again. Answers counts."""
    port = free_port()
    with contextlib.ExitStack() as clients:
        with serving(data, *CONTROL, *options, port=port) as first, asking(first) as client:
            run_ids = [_new_run(client) for _ in range(processes * threads)]
            logging = [clients.enter_context(_logging(port, run_ids[one::processes])) for one in range(processes)]
            _wait_for_more(client, run_ids, seconds / 2)
            family = children(first.process.pid)
            for pid in (*family, first.process.pid):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(is_alive(pid) for pid in family), 20, "the server is gone")
        with serving(data, *CONTROL, *options, port=port) as second, asking(second) as client:
            _wait_for_more(client, run_ids, seconds / 2)
            told = [json.loads(one.communicate(timeout=180)[0]) for one in logging]
            counts = {"repeated": sum(one["repeated"] for one in told), "singles": 0, "batches": 0, "unacknowledged": 0}
            for run_id, acknowledged in ((run_id, one) for part in told for run_id, one in part["runs"].items()):
                _count(counts, acknowledged, _look(client, run_id))
    assert [one["refused"] for one in told] == [[]] * processes
    assert counts["repeated"] > 0, "no answer was lost, so nothing was tried"
    return counts


def asking(server: Running) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/api/2.0/mlflow/", timeout=60)


def _new_run(client: httpx.Client) -> str:
    run_id: str = client.post("runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    return run_id


@contextlib.contextmanager
def _logging(port: int, run_ids: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of clients, until it is communicated with."""
    command = [sys.executable, "-m", "tests.stories.logging_client", str(port), *run_ids]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for_more(client: httpx.Client, run_ids: list[str], seconds: float) -> None:
    """Until so many seconds are over, and each of some runs has ten points more."""
    began, some = time.monotonic(), run_ids[:4]
    enough = [len(_steps(client, run_id, "single")) + 10 for run_id in some]
    wait_until(lambda: time.monotonic() - began >= seconds, seconds + 5, "the time is over")
    for run_id, count in zip(some, enough, strict=True):
        wait_until(lambda run_id=run_id, count=count: len(_steps(client, run_id, "single")) >= count, 60, "more points")


def _steps(client: httpx.Client, run_id: str, key: str) -> list[int]:
    answer = client.get("metrics/get-history", params={"run_id": run_id, "metric_key": key})
    return [point["step"] for point in answer.json().get("metrics", [])]


def _look(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """What a run holds: steps of its points; numbers of the batches that its params and tags are named after."""
    data = client.get("runs/get", params={"run_id": run_id}).json()["run"]["data"]
    params, tags = (
        {one["key"][1:] for one in data.get(kind, []) if one["key"][1:].isdigit()} for kind in ("params", "tags")
    )
    steps = {"singles": _steps(client, run_id, "single"), "points": _steps(client, run_id, "batch")}
    return {**steps, "params": params, "tags": tags}


def _count(counts: dict[str, int], acknowledged: dict[str, list[int]], there: dict[str, Any]) -> None:
    """Everything acknowledged is there once; what else is there is whole, and is at most what was under way."""
    singles, points = there["singles"], there["points"]
    assert len(singles) == len(set(singles)), "a point is there twice"
    assert len(points) == len(set(points)), "a point of a batch is there twice"
    assert set(acknowledged["singles"]) <= set(singles), "an acknowledged point is lost"
    batches = {step // POINTS for step in points}
    assert sorted(points) == sorted(step for one in batches for step in range(one * POINTS, (one + 1) * POINTS)), "half"
    assert there["params"] == there["tags"] == {str(one) for one in batches}, "half of a batch is there"
    assert set(acknowledged["batches"]) <= batches, "an acknowledged batch is lost"
    counts["singles"] += len(acknowledged["singles"])
    counts["batches"] += len(acknowledged["batches"])
    counts["unacknowledged"] += len(singles) + len(batches) - sum(len(one) for one in acknowledged.values())


def test_killed_under_load_the_server_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    counts = soak(tmp_path, processes=2, threads=4)
    assert counts["singles"] >= 80


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_minute_of_many_clients_through_a_kill(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if database == "sqlite":
        counts = soak(tmp_path, processes=4, threads=32, seconds=60)
    else:
        with new_postgres(request.getfixturevalue("postgres_url")) as url:
            counts = soak(tmp_path, "--database-url", url, processes=4, threads=32, seconds=60)
    with capsys.disabled():
        print(database, counts)
    assert min(counts["singles"], counts["batches"]) > 1000
