"""`tenure serve`: starts control, gateway and worker (or some of them), restarts what dies, and stops all in order."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from tenure.errors import CannotStart
from tenure.settings import LOOPBACK, PROCESSES, Settings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_AFTER_S = 30.0
HOST = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
URL = re.compile(r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
STOPPED = ("gateway", "worker", "control")
UP = {"control": "/ready", "gateway": "/health"}
"""What each process answers once all of it is there."""


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
    """Holds a lock in the data folder for each kind of process, so that no two servers run the same on one folder."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._children = {kind: Child(kind, environment) for kind in _processes(settings)}

    def run(self) -> None:
        _check_address(self._settings)
        with _locked(self._settings.folder, self._settings.kinds):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._stopping.set())
            try:
                self._start()
                self._watch()
            finally:
                self._stop()

    def _start(self) -> None:
        """Control migrates the database, so a worker waits for it; the gateway needs no database."""
        settings, ports = self._settings, _ports(self._settings)
        for kind, child in self._children.items():
            if kind != "worker":
                child.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        for kind, port in ports.items():
            while not self._stopping.is_set() and not _answers(settings.here, port, UP[kind]):
                if any(child.died() for child in self._children.values()):
                    raise CannotStart("A process of the server ended while it was starting; its reason stands above.")
                if time.monotonic() > deadline:
                    raise CannotStart(f"The server did not answer on port {port} within {START_TIMEOUT_S:.0f} s.")
                self._stopping.wait(0.02)
        if self._stopping.is_set():
            return
        if "worker" in self._children:
            self._children["worker"].start()
        print("\n".join(_greeting(settings)), flush=True)

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            for child in self._children.values():
                if child.died():
                    child.revive()

    def _stop(self) -> None:
        """The gateway stops first, so that nothing is answered that nobody journals any more."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for kind in sorted(self._children, key=lambda kind: STOPPED.index(kind.partition("-")[0])):
            self._children[kind].ask_to_stop()
        for child in self._children.values():
            child.stop(deadline)


def _processes(settings: Settings) -> list[str]:
    """Every process by its name; gateways after the first have a number."""
    more = range(2, settings.gateways + 1) if "gateway" in settings.kinds else ()
    return [*settings.kinds, *(f"gateway-{number}" for number in more)]


def _ports(settings: Settings) -> dict[str, int]:
    """The port of each process that listens here."""
    ports = {"control": settings.port, "gateway": settings.gateway_port}
    return {kind: port for kind, port in ports.items() if kind in settings.kinds}


def _greeting(settings: Settings) -> Iterator[str]:
    control, gateway, worker = (kind in settings.kinds for kind in PROCESSES)
    if control:
        yield f"Tenure answers at {settings.shown_url} (pages, API, MLflow's protocol)"
        yield f"  scoring at {settings.shown_scoring_url}" if gateway else "  scoring is not run here"
    else:
        yield f"Tenure answers at {settings.shown_scoring_url} (scoring)" if gateway else "Tenure works"
    if not worker:
        yield "  outcomes, monitors and retraining wait for a worker, which is not run here"
    yield f"  data in {settings.folder}"
    if settings.sign_in == "required":
        yield "  everybody signs in or shows a token"
    if control:
        yield f"  train with MLFLOW_TRACKING_URI={settings.shown_url} — stop with Ctrl-C"


def _check_address(settings: Settings) -> None:
    check_sign_in(settings)
    for port in _ports(settings).values():
        with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as problem:
                raise CannotStart(
                    f"Port {port} cannot be used: {problem.strerror}. Choose others with --port and --scoring-port."
                ) from None


def check_sign_in(settings: Settings) -> None:
    """Raise CannotStart for a server that others reach while it trusts whoever asks."""
    reached = settings.host not in LOOPBACK
    if settings.sign_in == "solo" and (reached or settings.public_url or settings.allowed_hosts):
        what = f"--host {settings.host}" if reached else "--public-url" if settings.public_url else "--allowed-hosts"
        raise CannotStart(
            f"With {what} others reach this server, so everybody must sign in: add --sign-in required, and "
            "--allowed-hosts with what a Host header may say, exactly. To keep it to this machine, leave "
            f"{what} out and forward the port, for instance with ssh -L."
        )
    if reached and not settings.allowed_hosts:
        raise CannotStart(
            f"--host {settings.host} needs --allowed-hosts: the names and ports by which this server is asked, "
            "exactly, such as tenure.example.com,10.0.0.5:5000. A request with another Host is refused."
        )
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise CannotStart("--oidc-issuer needs --oidc-client-id: what the provider calls this server.")
    if settings.oidc_issuer and not _is_safe(settings.oidc_issuer):
        raise CannotStart(f"--oidc-issuer must begin with https://. Got {settings.oidc_issuer!r}.")
    if settings.oidc_issuer and find_spec("joserfc") is None:
        raise CannotStart("--oidc-issuer needs the extra sso: pip install 'tenure[sso]'.")
    for host in settings.hosts:
        if not HOST.fullmatch(host):
            raise CannotStart(
                f"--allowed-hosts must hold hosts as a Host header says them: name or name:port, without scheme, path "
                f"or wildcard, separated by commas. Got {host!r}."
            )
    for name in ("public_url", "public_scoring_url"):
        given = getattr(settings, name)
        if given and not URL.fullmatch(given):
            raise CannotStart(
                f"--{name.replace('_', '-')} must be http:// or https:// and a host, without a path. Got {given!r}."
            )
        if given and given.partition("://")[2] not in settings.hosts:
            raise CannotStart(
                f"--allowed-hosts must hold the host of --{name.replace('_', '-')}: "
                f"{given.partition('://')[2]}. It holds {settings.allowed_hosts or 'nothing'}."
            )


def _is_safe(url: str) -> bool:
    """Whether what is asked there travels unread: over TLS, or not beyond this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


@contextlib.contextmanager
def _locked(folder: Path, kinds: Iterable[str]) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for kind in kinds:
                handle = os.open(folder / f"{kind}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Another server uses the data folder {folder}. Stop it, or give another --data."
            ) from None
        except OSError as problem:
            raise CannotStart(
                f"The data folder {folder} must be writable: {problem.strerror}. Give another --data."
            ) from None
        yield


def _answers(host: str, port: int, path: str) -> bool:
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"127.0.0.1:{port}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
