"""Kill -9 of each process in turn, under load: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import tenure
from tenure.errors import TenureError
from tests.conftest import serving, wait_until
from tests.stories import steps

PAUSE_S = 0.05  # between two calls of a thread, so that what was killed finds a processor to start again on
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # mlflow's, about itself


EACH_ONCE = ("scorer", "gateway", "worker", "control")
LEAN = ("--spare-scorer", "no", "--compile-timeout-s", "0.01")  # nothing starts that the story does not need


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def find(supervisor: int, kind: str) -> int:
    """The process id of control, gateway, worker or a scorer below this supervisor; 0 when there is none now."""
    if kind == "scorer":
        gateway = find(supervisor, "gateway")
        return next((pid for pid in children(gateway) if "scorer" in command_of(pid)), 0) if gateway else 0
    return next((pid for pid in children(supervisor) if f"tenure.app {kind}" in command_of(pid)), 0)


@contextmanager
def load(work: Callable[[int], None], threads: int) -> Iterator[None]:
    """Have threads do `work(n)` again and again; failures of ours and lost connections are what a client retries."""
    stopping = threading.Event()
    surprises: list[Exception] = []

    def repeat(thread: int) -> None:
        n = thread * 1_000_000
        while not stopping.is_set():
            n += 1
            try:
                work(n)
                stopping.wait(PAUSE_S)
            except (TenureError, httpx.HTTPError):
                stopping.wait(0.02)
            except Exception as surprise:
                surprises.append(surprise)
                return

    running = [threading.Thread(target=repeat, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in running:
            thread.join()
    assert surprises == []


@pytest.mark.parametrize(
    ("killed", "options"),
    [
        pytest.param(EACH_ONCE, LEAN, id="each once"),
        pytest.param((*EACH_ONCE, "scorer", "gateway"), (), id="some again", marks=pytest.mark.slow),
    ],
)
def test_nothing_acknowledged_is_lost_when_processes_are_killed(
    tmp_path: Path, killed: tuple[str, ...], options: tuple[str, ...]
) -> None:
    from mlflow import MlflowClient
    from sklearn.neighbors import KNeighborsClassifier

    with (
        serving(tmp_path / "data", *options) as server,
        httpx.Client(timeout=10) as posting,
        # No form of it is equal to itself, so there is a scorer to be killed.
        steps.serve_champion(server, "killed", KNeighborsClassifier(algorithm="brute")) as client,
    ):
        run_id = MlflowClient(server.url).create_run("0").info.run_id
        predicted: list[str] = []
        told: list[str] = []
        logged: list[int] = []

        def score(n: int) -> None:
            answer = client.score("killed", {"a": 0.1, "b": 0.2}, reference=f"r{n}")
            predicted.append(answer.prediction_id)

        def tell(_n: int) -> None:
            """One after the other; what is told again after a lost answer is the same."""
            if len(told) < len(predicted):
                identifier = predicted[len(told)]
                client.outcomes("killed", [len(told) % 2], prediction_ids=[identifier])
                told.append(identifier)

        def log(n: int) -> None:
            body = {"run_id": run_id, "key": "loss", "value": float(n), "timestamp": 1, "step": n}
            answer = posting.post(f"{server.url}/api/2.0/mlflow/runs/log-metric", json=body)
            answer.raise_for_status()
            logged.append(n)

        with load(score, 3), load(tell, 1), load(log, 2):
            for kind in killed:
                wait_for_load(predicted, logged, f"before {kind} is killed")
                kill(server.process.pid, kind)
            so_far = len(told)
            wait_for_load(predicted, logged, "after the last kill")
            wait_until(lambda: len(told) > so_far, 60, "outcomes go on")

        wait_until(
            lambda: steps.progress(client, "killed")["journal_bytes_waiting"] == 0, 60, "the journal is taken in"
        )
        there = metric_steps(posting, server.url, run_id)
        assert len(there) == len(set(there)), "a point is there twice"
        assert set(logged) <= set(there), "an acknowledged metric is lost"
        assert_all_in_lake(client, server.data, predicted)
        wait_until(
            lambda: steps.progress(client, "killed")["outcomes"] >= len(set(told)), 60, "every outcome is joined"
        )
        assert steps.progress(client, "killed")["outcomes_conflicting"] == 0


def wait_for_load(predicted: list[str], logged: list[int], when: str) -> None:
    """Wait until twenty more of each were acknowledged."""
    enough = len(predicted) + 20, len(logged) + 20
    wait_until(lambda: len(predicted) > enough[0] and len(logged) > enough[1], 60, f"load {when}")


def kill(supervisor: int, kind: str) -> None:
    wait_until(lambda: find(supervisor, kind), 60, f"{kind} is there")
    os.kill(find(supervisor, kind), signal.SIGKILL)


def metric_steps(posting: httpx.Client, url: str, run_id: str) -> list[int]:
    answer = posting.get(f"{url}/api/2.0/mlflow/metrics/get-history", params={"run_id": run_id, "metric_key": "loss"})
    return [int(point.get("step", 0)) for point in answer.json().get("metrics", [])]


def assert_all_in_lake(client: tenure.Client, data: Path, predicted: list[str]) -> None:
    """Every answered prediction is in a Parquet file that the lake knows, exactly once."""
    import duckdb

    files = f"{data}/lake/predictions/endpoint=killed/*/*.parquet"
    found = duckdb.sql(f"select prediction_id from read_parquet('{files}', hive_partitioning=false)").fetchall()
    ids = [str(identifier).split(":")[0] for (identifier,) in found]
    assert len(predicted) == len(set(predicted))
    assert set(predicted) <= set(ids), "an answered prediction is lost"
    assert steps.progress(client, "killed")["predictions"] == len(set(ids)), "a prediction is counted twice"


def test_a_supervisor_that_is_killed_takes_its_processes_along(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        family = [find(server.process.pid, kind) for kind in ("control", "gateway", "worker")]
        os.kill(server.process.pid, signal.SIGKILL)
        started = time.monotonic()
        wait_until(lambda: not any(is_alive(pid) for pid in family), 20, "the processes are gone")
        assert time.monotonic() - started < 20


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
