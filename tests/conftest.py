"""Shared ground for tests: a real SQLite (and Postgres, where there is one) and a real server."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from _pytest.doctest import DoctestModule
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tenure.build import experiments
from tenure.manage import people
from tenure.records.base import Instant
from tenure.settings import Settings
from tenure.store import migrate
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.ground import Ground
from tenure.store.keys import open_key
from tests import postgres

REQUIRE_ALL = os.environ.get("TENURE_TEST_REQUIRE") == "all"
NOON = Instant(1_750_000_000_000_000)
os.environ["TENURE_WORKER_NICENESS"] = "0"  # tests run beside it, and wait for it
LONG = (
    "tests/stories/test_demo.py",
    "tests/stories/",
    "tests/web/test_browser.py",
    "tests/serving/forms/",
    "tests/serving/",
    "tests/web/",
    "tests/retrain/",
    "tests/api/mlflow/test_client.py",
)
"""Where the long files are: a suite on several processors ends soonest when it begins with them."""


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Examples that run stand in the package: no process of several searches the files of the tests for them."""
    found = yield
    return [one for one in found if not isinstance(one, DoctestModule)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, in this order; pytest itself sorts the folders it is given by name."""
    places = {name: place for place, name in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        return min((at for name, at in places.items() if item.nodeid.startswith(name)), default=len(LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What imports made stays for good: no collection of garbage looks at it again, as in control itself."""
    gc.freeze()


def missing(what: str) -> NoReturn:
    """Skip for want of `what`; fail instead where everything must be there."""
    if REQUIRE_ALL:
        pytest.fail(f"{what} is missing, and TENURE_TEST_REQUIRE=all")
    pytest.skip(f"{what} is missing")


def make_ground(folder: Path, url: str = "", clock: Callable[[], Instant] = lambda: NOON) -> Ground:
    """A ground in a folder. A new SQLite starts as a copy: migrations run once for all tests of a process.

    No test pulls the plug, so nothing waits for a disk: SQLite is told so, and the key is written without an fsync.
    """
    settings = Settings(data=str(folder), database_url=url)
    file = Path(settings.database.removeprefix("sqlite:///"))
    is_new = not url and not file.exists()
    if is_new:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_seeded_sqlite())
    database = Database(settings.database)
    if database.is_sqlite:
        sa.event.listen(database.engine, "connect", _leave_the_disk_alone)
    if not is_new:
        migrate.to_newest(database)
        database.write(lambda tx: experiments.seed(tx, NOON))
    _write_key(folder / "keys" / "signing.pem")
    return Ground(settings, database, ArtifactStore(settings.artifacts), open_key(folder), clock)


@cache
def _seeded_sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seeded.db"
        _migrate(f"sqlite:///{file}")
        database = Database(f"sqlite:///{file}")
        database.write(lambda tx: experiments.seed(tx, NOON))
        database.close()
        return file.read_bytes()


def _leave_the_disk_alone(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _write_key(path: Path) -> None:
    """A new key for each ground, as `open_key` would make it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    private = Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _migrate(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database, "head")
    database.close()


@pytest.fixture(scope="session", autouse=True)
def _authorities_read_once() -> Iterator[None]:
    """httpx reads every authority of the world for each client, 0.04 s, and nothing here speaks TLS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(autouse=True)
def _no_experiment_stays_set() -> Iterator[None]:
    """mlflow puts the experiment that was set into the environment too, where the next processes would find it."""
    yield
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hash passwords with the least work in this process; servers of the stories hash them as they do in service."""
    from argon2 import PasswordHasher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = make_ground(tmp_path)
    yield made
    made.database.close()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A throw-away Postgres cluster on a Unix socket, or the one that TENURE_TEST_POSTGRES names."""
    given = os.environ.get("TENURE_TEST_POSTGRES")
    if given:
        yield given
        return
    binaries = postgres.binaries()
    if binaries is None:
        missing("Postgres")
    with postgres.cluster(binaries, tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture(scope="session")
def emptied_postgres(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Gives the URL of a migrated database without a row: one for all tests, emptied before each.

    To make and drop a database of ninety tables takes 0.5 s, to empty it 0.02 s.
    """
    with new_postgres(postgres_url) as url:
        _migrate(url)
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            names = sa.inspect(connection).get_table_names()

        def empty() -> str:
            with engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '20s'")  # of a test that left something open
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # the audit log has guards
                deleting = (f"DELETE FROM {name}" for name in names if name != "alembic_version")
                connection.exec_driver_sql("; ".join(deleting))
                connection.exec_driver_sql("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'")
            return url

        yield empty
        engine.dispose()


@contextlib.contextmanager
def new_postgres(admin_url: str, *, words: str = "") -> Iterator[str]:
    """The URL of an empty database, gone when the block ends; with `words` it sorts as that language does."""
    name = f"t{time.monotonic_ns()}"
    admin = sa.create_engine(admin_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        sorting = f" TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE '{words}'" if words else ""
        connection.execute(sa.text(f"CREATE DATABASE {name}{sorting}"))
        try:
            yield admin_url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def each_ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """The same test on both databases; each test gets an empty one."""
    if request.param == "sqlite":
        made = make_ground(tmp_path)
        yield made
        made.database.close()
        return
    made = make_ground(tmp_path, request.getfixturevalue("emptied_postgres")())
    yield made
    made.database.close()


@dataclass(frozen=True)
class Running:
    """A real `tenure serve`."""

    url: str
    scoring_url: str
    data: Path
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens on, and neither on the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def wait_until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Ask again and again until it is true; fail with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.02)  # polling a real process, with a deadline


@contextlib.contextmanager
def serving(data: Path, *arguments: str, port: int = 0) -> Iterator[Running]:
    """`tenure serve` until the block ends, on free ports unless told otherwise."""
    port = port or free_port()
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(data), "--port", str(port), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if not process.stdout.readline().startswith(b"Tenure"):
            pytest.fail("tenure serve did not start")
        yield Running(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", data, process)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("server"), "--webhook-allow", "127.0.0.1", "--spare-scorer", "no") as running:
        yield running


__all__ = ["Running", "free_port", "make_ground", "missing", "serving", "wait_until"]
