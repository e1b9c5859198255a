"""A throw-away Postgres on a Unix socket, where one is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

START_S = 30


def binaries() -> Path | None:
    """The folder of the newest Postgres on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return found[0] if found else None


@contextlib.contextmanager
def cluster(programs: Path, folder: Path, *, durable: bool = False) -> Iterator[str]:
    """The URL of a cluster's first database. Postgres refuses to run as root, so root hands it to `postgres`.

    `durable`: force commits to disk, as a server in service does; tests do not wait for that.
    """
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    socket_folder = Path(f"/tmp/tenure-pg-{os.getpid()}")
    socket_folder.mkdir(mode=0o777, exist_ok=True)
    data = socket_folder / "data"
    if as_user:
        shutil.chown(socket_folder, "postgres")
    log = folder / "postgres.log"
    options = ["-c", "listen_addresses=", *([] if durable else ["-F"])]
    with log.open("wb") as output:
        subprocess.run(
            [*as_user, programs / "initdb", "-D", data, "-U", "tenure", "-A", "trust", "-N"],
            check=True,
            stdout=output,
            stderr=output,
            cwd="/",
        )
        server = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", data, "-k", socket_folder, *options],
            stdout=output,
            stderr=output,
            cwd="/",
        )
    url = f"postgresql+psycopg://tenure@/postgres?host={socket_folder}"
    try:
        _wait_for(url)
        yield url
    finally:
        # `runuser` keeps SIGINT to itself, so Postgres is told to stop by its own command.
        stop = [*as_user, programs / "pg_ctl", "stop", "-D", data, "-m", "immediate"]
        subprocess.run(stop, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        server.wait(30)
        shutil.rmtree(socket_folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_S
    while not _answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Postgres did not answer within {START_S} s.")
        time.sleep(0.02)  # polling a real process, with a deadline


def _answers(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        with engine.connect():
            return True
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
