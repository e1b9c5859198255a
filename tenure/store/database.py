"""The database: one writer with group commit, many readers; SQLite or Postgres.

On SQLite every write of a process goes through one thread. Requests that wait share a transaction, each inside
its own savepoint, and each is answered after the commit, so that a hundred small writes cost one fsync.
On Postgres each write is a transaction of its own on a pooled connection.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from tenure.errors import CannotStart, Conflict, InvalidInput, TenureError, Unavailable

Transaction = sa.Connection
Answer = TypeVar("Answer")
Work = Callable[[Transaction], Answer]


class Outcome(NamedTuple):
    """What became of one piece of work: its answer, or why it failed."""

    answer: Any
    failure: BaseException | None


GROUP_LIMIT = 256
CHECKPOINT_ROWS = 8000
BUSY_TIMEOUT_MS = 30_000
NOT_STORABLE = "A value cannot be stored: a text must not contain the NUL character, and a number must fit 64 bits."
POSTGRES_WRITERS = 8  # they wait for its disk, not for each other


class Database:
    """Runs work in transactions.

    `write` and `read` block; `submit` and `submit_read` return a future, for faces that may not block.
    """

    def __init__(self, url: str, *, readers: int = 4, fsync: bool = False) -> None:
        """`fsync`: force every commit of SQLite to disk. Without it a commit survives a kill, not a power loss."""
        self.engine = _engine(url, readers, "FULL" if fsync else "NORMAL")
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="tenure-read")
        self._writers = (
            None if self.is_sqlite else ThreadPoolExecutor(POSTGRES_WRITERS, thread_name_prefix="tenure-write")
        )
        self._waiting: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._closed = False
        self._start_lock = threading.Lock()
        self._small: tuple[sa.Connection, sqlite3.Connection] | None = None
        self._small_lock = threading.Lock()
        self._moved_at = 0
        self._watching: sa.PoolProxiedConnection | None = None

    @property
    def files(self) -> list[Path]:
        """The file that everything is in; none on Postgres."""
        return [Path(self.engine.url.database).resolve()] if self.is_sqlite and self.engine.url.database else []

    def read(self, work: Work[Answer]) -> Answer:
        """Run `work` in a transaction that is rolled back at its end."""
        with self.reading() as tx:
            return work(tx)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self.engine.connect() as tx, _named_failures():
            tx.begin()  # so that statements given to the driver see one state of the database too
            yield tx

    def write(self, work: Work[Answer]) -> Answer:
        """Run `work` in a transaction and return its answer after the commit."""
        return self.submit(work).result()

    def submit(self, work: Work[Answer]) -> Future[Answer]:
        """Have `work` run in a transaction; the future is resolved after the commit."""
        if self._closed:
            raise Unavailable("The database is being closed. Try again when the server is back.")
        if self._writers is not None:
            return self._writers.submit(self._write_alone, work)
        self._ensure_writer()
        future: Future[Answer] = Future()
        self._waiting.put((work, future))
        return future

    def write_now(self, works: Sequence[Work[Any]]) -> list[Outcome] | None:
        """Run works of a few rows on the calling thread, in one transaction; None when that would mean to wait.

        Handing work to another thread and back costs more than a small transaction does, above all on a busy machine.
        Where somebody else is writing, and now and then to move the log into the database, the caller should `submit`
        instead, so that it never waits for a lock or a disk.
        """
        if not self.is_sqlite or self._closed or not self._small_lock.acquire(blocking=False):
            return None
        try:
            if not self._waiting.empty():
                return None
            tx, plain = self._small_connection()
            if plain.total_changes - self._moved_at >= CHECKPOINT_ROWS:
                self._moved_at = plain.total_changes
                return None
            try:
                plain.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # somebody else is writing
                return None
            return _run_group(tx, plain, works)
        finally:
            self._small_lock.release()

    def _small_connection(self) -> tuple[sa.Connection, sqlite3.Connection]:
        if self._small is None:
            tx = self.engine.connect()
            plain = cast(sqlite3.Connection, tx.connection.driver_connection)
            for pragma in ("busy_timeout=0", "wal_autocheckpoint=0"):
                plain.execute(f"PRAGMA {pragma}")
            self._small = tx, plain
        return self._small

    def committed(self) -> object:
        """Something that differs from what it was before when anybody has committed since; for one thread.

        It asks one question that touches no table.
        """
        if not self.is_sqlite:
            return self.read(lambda tx: tx.exec_driver_sql("SELECT CAST(txid_current_snapshot() AS text)").scalar())
        if self._watching is None:
            self._watching = self.engine.raw_connection()  # SQLite tells a connection of what the others did
        return self._watching.cursor().execute("PRAGMA data_version").fetchall()

    def submit_read(self, work: Work[Answer]) -> Future[Answer]:
        return self._readers.submit(self.read, work)

    def close(self) -> None:
        """Finish what waits, then let every connection go."""
        self._closed = True
        if self._writer is not None:
            self._waiting.put(None)
            self._writer.join()
        if self._writers is not None:
            self._writers.shutdown()
        self._readers.shutdown()
        with self._small_lock:
            if self._small is not None:
                self._small[0].invalidate()  # its settings are not for the pool
                self._small[0].close()
                self._small = None
        if self._watching is not None:
            self._watching.close()
        self.engine.dispose()

    def _write_alone(self, work: Work[Answer]) -> Answer:
        with _named_failures(), self.engine.begin() as tx:
            return work(tx)

    def _ensure_writer(self) -> None:
        with self._start_lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_groups, name="tenure-write", daemon=True)
                self._writer.start()

    def _write_groups(self) -> None:
        while True:
            group = self._next_group()
            if group:
                self._write_group(group)
            if group is None:
                return

    def _next_group(self) -> list[tuple[Work[Any], Future[Any]]] | None:
        """Everything that waits, at least one and at most GROUP_LIMIT; None when closing."""
        first = self._waiting.get()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP_LIMIT:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._waiting.put(None)
                break
            group.append(item)
        return group

    def _write_group(self, group: list[tuple[Work[Any], Future[Any]]]) -> None:
        try:
            with _named_failures(), self.engine.connect() as tx:
                plain = cast(sqlite3.Connection, tx.connection.driver_connection)
                plain.execute("BEGIN IMMEDIATE")
                outcomes = _run_group(tx, plain, [work for work, _ in group])
        except BaseException as failure:
            outcomes = [Outcome(None, failure)] * len(group)
        for (_, future), (answer, failed) in zip(group, outcomes, strict=True):
            if failed is None:
                future.set_result(answer)
            else:
                future.set_exception(failed)


def _run_group(tx: Transaction, plain: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Outcome]:
    """Run works in the transaction that was just begun, each so that its failure undoes itself and nothing else.

    Begin and commit are given to the driver: through SQLAlchemy each would cost as much as the work.
    """
    try:
        if len(works) == 1:
            outcomes = [_attempt(tx, works[0])]
            plain.execute("ROLLBACK" if outcomes[0].failure else "COMMIT")
        else:
            outcomes = [_attempt_apart(tx, plain, work) for work in works]
            plain.execute("COMMIT")
    except BaseException as failure:  # nothing of the group is stored: tell each
        if plain.in_transaction:
            plain.execute("ROLLBACK")
        outcomes = [Outcome(None, _named(failure))] * len(works)
    if tx.in_transaction():  # what SQLAlchemy thinks, when a work spoke to it
        tx.rollback()
    return outcomes


def _attempt(tx: Transaction, work: Work[Any]) -> Outcome:
    try:
        return Outcome(work(tx), None)
    except Exception as failure:
        return Outcome(None, _named(failure))


def _attempt_apart(tx: Transaction, plain: sqlite3.Connection, work: Work[Any]) -> Outcome:
    plain.execute("SAVEPOINT work")
    outcome = _attempt(tx, work)
    if outcome.failure is not None:
        plain.execute("ROLLBACK TO work")
    plain.execute("RELEASE work")
    return outcome


@contextmanager
def _named_failures() -> Iterator[None]:
    """Failures of the database within, as errors of ours."""
    try:
        yield
    except Exception as failure:
        named = _named(failure)
        if named is failure:
            raise
        raise named from failure


def _named(failure: BaseException) -> BaseException:
    """A failure of the database as an error of ours: a full disk, a lock, a lost connection; never with SQL in it."""
    if isinstance(failure, sa.exc.IntegrityError):
        named: TenureError = Conflict(
            "Somebody stored the same, or removed what this needs, at the same moment. Read it again, then try again."
        )
    elif isinstance(failure, sa.exc.DataError):
        named = InvalidInput(NOT_STORABLE)
    elif isinstance(failure, sa.exc.OperationalError | sqlite3.OperationalError):
        reason = str(getattr(failure, "orig", failure)).splitlines()[0]
        named = Unavailable(f"The database cannot do this now: {reason}. Nothing was stored; try again.")
    else:
        return failure
    named.__cause__ = failure
    return named


def _engine(url: str, readers: int, synchronous: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise CannotStart(
            "The database URL must look like sqlite:///path/to/file.db or postgresql://user@host/name. "
            "What was given cannot be read; look for a missing scheme or an unquoted character."
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed, readers, synchronous)
    if parsed.get_backend_name() == "postgresql":
        try:
            return sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"), pool_size=readers + POSTGRES_WRITERS, pool_pre_ping=True
            )
        except ModuleNotFoundError:
            raise CannotStart("Postgres needs the extra: pip install 'tenure[postgres]'.") from None
    raise CannotStart(f"The database must be SQLite or Postgres. Got {parsed.get_backend_name()!r}.")


def _sqlite_engine(url: sa.URL, readers: int, synchronous: str) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise CannotStart("A SQLite database must be a file: its processes share it. Write sqlite:///path/to/file.db.")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, poolclass=QueuePool, pool_size=readers + 2, max_overflow=16, connect_args={"check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        plain = cast(sqlite3.Connection, connection)
        plain.isolation_level = None  # we say BEGIN ourselves: the driver's own habit breaks savepoints
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # so that REPLACE INTO fires the delete guard of the audit log
            "cache_size=-16000",
            "temp_store=MEMORY",
        ):
            plain.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        plain = cast(sqlite3.Connection, connection.connection.driver_connection)
        if not plain.in_transaction:  # a writer has begun by itself
            plain.execute("BEGIN")  # through SQLAlchemy it would cost five times as much

    return engine
