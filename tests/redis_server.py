"""A throw-away Redis on a Unix socket, where one is installed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 20


def binary() -> str | None:
    return shutil.which("redis-server")


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[str]:
    """The URL of its first database. It keeps nothing on disk."""
    import redis

    path = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"unix://{path}?db=0"
    try:
        with redis.Redis.from_url(url) as client:
            deadline = time.monotonic() + START_S
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Redis did not answer within {START_S} s.")
                time.sleep(0.02)  # polling a real process, with a deadline
        yield url
    finally:
        server.terminate()
        server.wait(START_S)
