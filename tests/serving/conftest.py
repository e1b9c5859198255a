"""Models on disk, and a real gateway process that serves them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tenure.records.frames import Frame
from tenure.records.routing import InputColumn, PinnedFile, Release, Route, RoutingTable
from tenure.serving import journal, routing
from tenure.settings import Settings

HERE = Path(__file__).parent
collect_ignore = [
    "alone.py",
    "forking_scorers.py",
    "light_scorer.py",
    "save_flavors.py",
    "save_models.py",
    "tricky_model.py",
]  # run by tests, not tests themselves
TRICKY = [InputColumn(name="what", type="string"), InputColumn(name="number", type="double", required=False)]
DELAY = [
    InputColumn(name="carrier", type="string"),
    InputColumn(name="distance", type="double"),
    InputColumn(name="hour", type="long"),
]


def act(what: str, number: float = 1.0) -> dict[str, Any]:
    """A request to the tricky model."""
    return {"dataframe_records": [{"what": what, "number": number}]}


def wait_until(true: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """Ask again and again until it is true; fail with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.01)  # polling a real process, with a deadline
    return found


def pinned(folder: Path) -> list[PinnedFile]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        PinnedFile(
            path=path.relative_to(folder).as_posix(),
            size_bytes=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in files
    ]


def release(folder: Path, version: int = 1, role: Any = "champion", **changes: Any) -> Release:
    """A release of the model in a folder."""
    given = {
        "release_id": f"r-{folder.name}-{version}-{role}",
        "model": folder.name,
        "version": version,
        "role": role,
        "share": 0.0 if role != "champion" else 1.0,
        "location": str(folder),
        "digest": f"{folder}-{version}",
        "files": pinned(folder),
        "inputs": TRICKY if folder.name == "tricky" else DELAY,
    }
    return Release(**(given | changes))


def table(epoch: int, **routes: list[Release]) -> RoutingTable:
    return RoutingTable(
        epoch=epoch,
        routes={
            name: Route(endpoint=name, model=releases[0].model if releases else "tricky", releases=releases)
            for name, releases in routes.items()
        },
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, `delay` (scikit-learn) and `tricky`, saved in a process of their own.

    Saving takes six seconds of a processor, so the processes of one run share the folder, and nobody writes to it.
    """
    shared_by_all = "PYTEST_XDIST_TESTRUNUID" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if shared_by_all else base) / "models"
    folder.mkdir(exist_ok=True)
    done = folder / "saved"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            subprocess.run([sys.executable, str(HERE / "save_models.py"), str(folder)], check=True, cwd=folder)
            done.touch()
    return folder


@pytest.fixture
def tricky_folder(tmp_path: Path) -> Path:
    """A version's folder with the tricky model, as light scorers read it."""
    folder = tmp_path / "tricky"
    folder.mkdir()
    shutil.copy(HERE / "tricky_model.py", folder)
    return folder


class Gateway:
    """A real gateway process on a data folder. `light`: its scorers hold the tricky model without mlflow."""

    def __init__(self, folder: Path, port: int, *, light: bool = False, name: str = "gateway", **changes: Any) -> None:
        self.folder = folder
        self.name = name
        self.scorer = ["tests.serving.light_scorer"] if light else []
        self.settings = Settings(data=str(folder), scoring_port=port, **{"spare_scorer": False, **changes})
        self.url = self.settings.gateway_url
        self.epoch = routing.read_table(folder).epoch
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = msgspec.json.encode(self.settings).decode()
        command = [sys.executable, "-m", "tests.serving.alone", settings, self.name, *self.scorer]
        self.log = (self.folder / "gateway.log").open("ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, cwd=HERE.parents[1]
        )
        wait_until(lambda: self.healthy() or self.process.poll() is not None, "the gateway answers")
        if self.process.poll() is not None:
            self._ended()
            pytest.fail((self.folder / "gateway.log").read_text())

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._ended()

    def close(self) -> None:
        if self.process is not None:
            self.kill()

    def _ended(self) -> int:
        assert self.process is not None
        assert self.process.stdin is not None
        code = self.process.wait(20)
        self.process.stdin.close()
        self.log.close()
        self.process = None
        return code

    def healthy(self) -> bool:
        try:
            return httpx.get(self.url + "/health").status_code == 200
        except httpx.TransportError:
            return False

    def publish(self, **routes: list[Release]) -> None:
        self.epoch += 1
        routing.write_table(self.folder, table(self.epoch, **routes))

    def state(self, release_id: str) -> tuple[str, str]:
        """State and detail of a release, as the gateway tells control."""
        for status in routing.read_statuses(self.folder):
            for health in status.releases:
                if health.release_id == release_id:
                    return health.state, health.detail
        return "unknown", ""

    def serves(self, release_id: str) -> None:
        wait_until(lambda: self.state(release_id)[0] == "serving", f"{release_id} serves")

    def score(self, endpoint: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(
            f"{self.url}/endpoints/{endpoint}/invocations",
            content=content,
            headers={"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()},
            timeout=30,
        )

    def frames(self) -> list[Frame]:
        found: list[Frame] = []
        for segment in journal.segments(self.folder / "journal"):
            offset = 0
            while True:
                frames, offset = journal.read_frames(segment.path, offset)
                if not frames:
                    break
                found += frames
        return found


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Makes a gateway with light scorers and settings of the test's own; it is stopped with the test."""
    made: list[Gateway] = []
    (tmp_path / "gateway").mkdir()

    def make(**changes: Any) -> Gateway:
        started = Gateway(tmp_path / "gateway", free_port(), light=True, **changes)
        made.append(started)
        started.start()
        return started

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Gateway]:
    """One gateway for all tests that leave it as it was: endpoints `flights`, `tricky` and `empty`."""
    one = Gateway(tmp_path_factory.mktemp("shared"), free_port(), max_body_mib=1, max_rows=5000, queue_limit=32)
    try:
        one.start()
        one.publish(flights=[release(models / "delay")], tricky=[release(models / "tricky")], empty=[])
        one.serves("r-delay-1-champion")
        one.serves("r-tricky-1-champion")
        yield one
    finally:
        one.close()
