"""The stage that the demo plays on: a real server of its own, a client, and a console."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tenure.errors import CannotStart, TenureError
from tenure.sdk.client import Client

MODEL = "flight-delay"
RECIPE = "flight-delay=tenure.demo.recipe:fit"


class DemoFailed(TenureError):
    """Something that the demo promises did not happen."""

    code = "demo_failed"


@dataclass(frozen=True)
class Stage:
    """`model` is also the endpoint's name; a second run on the same data takes the next free one."""

    client: Client
    console: Console
    server: subprocess.Popen[bytes]
    folder: Path
    model: str

    def check(self, happened: object, what: str) -> None:
        """Fail the demo unless something really happened."""
        if not happened:
            raise DemoFailed(f"The demo expected that {what}. It did not happen; the server's folder is {self.folder}.")

    def tell(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self.tell(f"   [green]✓[/green] {text}")

    def refused(self, text: str) -> None:
        self.tell(f"   [yellow]✗[/yellow] {text}")

    def chapter(self, number: int, name: str, text: str) -> None:
        self.tell(f"\n[bold]{number} {name}[/bold]  [dim]{text}[/dim]")


@contextlib.contextmanager
def set_stage(console: Console, data: str | None, port: int | None) -> Iterator[Stage]:
    """Start a server and stop it at the end, whatever happened in between."""
    folder = Path(data) if data else Path(tempfile.mkdtemp(prefix="tenure-demo-"))
    port = port or free_port()
    server = _start(folder, port)
    try:
        client = Client(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}")
        yield Stage(client, console, server, folder, _free_name(client))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder), "--port", str(port), "--recipe", RECIPE]
    server = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [*command, "--worker-tick-ms", "50"],
        stdout=subprocess.PIPE,
        env={**os.environ, "TENURE_SCORING_PORT": str(port + 1)},
        start_new_session=True,  # Ctrl-C is ours to handle: the server is stopped in order
    )
    assert server.stdout is not None
    if not server.stdout.readline():
        raise CannotStart("The demo's server did not start; its reason stands above.")
    return server


def _free_name(client: Client) -> str:
    taken = {model["name"] for model in client.get("/api/v1/models")}
    names = (MODEL if number == 1 else f"{MODEL}-{number}" for number in range(1, 1000))
    return next(name for name in names if name not in taken)


def free_port() -> int:
    """A port that is free together with the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port
