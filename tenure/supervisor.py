"""`tenure serve`: starts control, gateway and worker, restarts what dies, and stops them all in order."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

from tenure.errors import CannotStart
from tenure.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_AFTER_S = 30.0


class Child:
    """One process that must be there; it is started again with growing pauses when it dies."""

    def __init__(self, kind: str, environment: dict[str, str]) -> None:
        self.kind = kind
        self._environment = environment
        self._failures = 0
        self._started_at = 0.0
        self._restart_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", "tenure.app", self.kind], env=self._environment, stdin=subprocess.DEVNULL
        )

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def revive(self) -> None:
        """Start a dead process again when its pause is over."""
        now = time.monotonic()
        if self._restart_at == 0.0:
            self._failures = 0 if now - self._started_at > STEADY_AFTER_S else self._failures + 1
            self._restart_at = now + BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
            code = self.process.returncode if self.process else None
            print(f"tenure: {self.kind} ended with {code}; starting it again", file=sys.stderr, flush=True)
        if now >= self._restart_at:
            self._restart_at = 0.0
            self.start()

    def stop(self, deadline: float) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


class Supervisor:
    """Holds the data folder's lock for as long as the server lives, so that no two servers share a folder."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._children = {kind: Child(kind, environment) for kind in ("control", "gateway", "worker")}

    def run(self) -> None:
        _check_address(self._settings)
        with _locked(self._settings.folder):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._stopping.set())
            try:
                self._start()
                self._watch()
            finally:
                self._stop()

    def _start(self) -> None:
        """Control migrates the database, so the worker waits for it; the gateway needs no database."""
        control, gateway, worker = self._children.values()
        control.start()
        gateway.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        for port in (self._settings.port, self._settings.gateway_port):
            while not self._stopping.is_set() and not _is_healthy(self._settings.host, port):
                if control.died() or gateway.died():
                    raise CannotStart("A process of the server ended while it was starting; its reason stands above.")
                if time.monotonic() > deadline:
                    raise CannotStart(f"The server did not answer on port {port} within {START_TIMEOUT_S:.0f} s.")
                self._stopping.wait(0.02)
        if self._stopping.is_set():
            return
        worker.start()
        settings = self._settings
        print(
            f"Tenure answers at {settings.control_url} (pages, API, MLflow's protocol)\n"
            f"  scoring at {settings.gateway_url}\n"
            f"  data in {settings.folder}\n"
            f"  train with MLFLOW_TRACKING_URI={settings.control_url} — stop with Ctrl-C",
            flush=True,
        )

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            for child in self._children.values():
                if child.died():
                    child.revive()

    def _stop(self) -> None:
        """The gateway stops first, so that nothing is answered that nobody journals any more."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for kind in ("gateway", "worker", "control"):
            self._children[kind].ask_to_stop()
        for child in self._children.values():
            child.stop(deadline)


def _check_address(settings: Settings) -> None:
    if settings.host not in LOOPBACK:
        raise CannotStart(
            f"Tenure listens on loopback only (127.0.0.1, localhost or ::1) until sign-in for machines is configured. "
            f"Got --host {settings.host}. To reach it from elsewhere, forward the port, for instance with ssh -L."
        )
    for port in (settings.port, settings.gateway_port):
        with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as problem:
                raise CannotStart(
                    f"Port {port} cannot be used: {problem.strerror}. Choose others with --port and --scoring-port."
                ) from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise CannotStart(
            f"The data folder {folder} must be writable: {problem.strerror}. Give another --data."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise CannotStart(f"Another server uses the data folder {folder}. Stop it or give another --data.") from None
    try:
        yield
    finally:
        os.close(handle)


def _is_healthy(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
