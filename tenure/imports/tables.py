"""Reading a database that somebody else's release made: read only, and doing without what it does not have."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tenure.errors import CannotStart, InvalidInput, Unavailable
from tenure.imports.source import plain

DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
NEEDED = frozenset({"experiments", "runs", "metrics"})


class Tables:
    """The tables of MLflow's database at a URL, of one workspace where the release knows several."""

    def __init__(self, url: str, workspace: str) -> None:
        self.workspace = workspace
        self._engine = _engine(url)
        with self._connected() as connection:
            inspector = sa.inspect(connection)
            self.columns = {
                table: {column["name"] for column in inspector.get_columns(table)}
                for table in inspector.get_table_names()
            }
        if not self.columns.keys() >= NEEDED:
            raise InvalidInput(
                "This database holds no MLflow tables (experiments, runs, metrics). Is it the right one?"
            )

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """A connection; what goes wrong on it as an error of ours, without SQL."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as problem:
            reason = str(getattr(problem, "orig", problem)).splitlines()[0]
            raise Unavailable(f"The database of the source cannot be read now: {reason}. Start again later.") from None

    def of_workspace(self, table: str) -> Any:
        return sa.column("workspace") == self.workspace if "workspace" in self.columns.get(table, ()) else None

    def pairs(
        self, table: str, where: Any, owner: str = "run_uuid", key: str = "key", value: str = "value"
    ) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for who, name, text in self.rows(table, {owner: None, key: None, value: ""}, where):
            found.setdefault(who, {})[name] = text or ""
        return found

    def counted(self, table: str, owner: str, where: Any) -> dict[str, int]:
        if table not in self.columns:
            return {}
        asked: Any = sa.select(sa.column(owner), sa.func.count()).select_from(sa.table(table)).where(where)
        with self._connected() as connection:
            return {row[0]: row[1] for row in connection.execute(asked.group_by(sa.column(owner)))}

    def count(self, table: str, where: Any = None) -> int:
        if table not in self.columns:
            return 0
        asked: Any = sa.select(sa.func.count()).select_from(sa.table(table))
        with self._connected() as connection:
            return int(connection.execute(asked if where is None else asked.where(where)).scalar() or 0)

    def rows(
        self,
        table: str,
        columns: Mapping[str, Any],
        where: Any = None,
        *,
        order: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Any]:
        """Rows of a table with these columns; a column that is not there has its default, a missing table no rows."""
        if table not in self.columns:
            return []
        asked = self.query(table, columns)
        if where is not None:
            asked = asked.where(where)
        if order is not None:
            asked = asked.order_by(sa.column(order))
        with self._connected() as connection:
            return connection.execute(asked.limit(limit) if limit else asked).all()

    def stream(self, table: str, columns: Mapping[str, Any], where: Any, chunk: int) -> Iterator[Any]:
        """The same, without holding all rows in memory."""
        with self._connected() as connection:
            yield from connection.execution_options(yield_per=chunk).execute(self.query(table, columns).where(where))

    def query(self, table: str, columns: Mapping[str, Any]) -> Any:
        there = self.columns[table]
        chosen = [
            sa.column(name) if name in there else sa.literal(default).label(name) for name, default in columns.items()
        ]
        return sa.select(*chosen).select_from(sa.table(table))


def address_of(url: str) -> str:
    """The address by which an import from this database is known again."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(parsed.database or '').resolve()}"
    return plain(parsed.render_as_string(hide_password=True))


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(
            "The source must be http://host:port, sqlite:///path/to/mlflow.db, postgresql://… or mysql://…. "
            "What was given cannot be read.",
            where="--from",
        ) from None


def _engine(url: str) -> sa.Engine:
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        path = Path(parsed.database or "")
        if not path.is_file():
            raise InvalidInput(f"There is no database file at {path}.", where="--from")
        # mode=ro: a source is never written to
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        return sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
            poolclass=NullPool,
        )
    if backend in DRIVERS and parsed.drivername == backend:
        parsed = parsed.set(drivername=DRIVERS[backend])
    try:
        return sa.create_engine(parsed)
    except (ModuleNotFoundError, sa.exc.NoSuchModuleError) as problem:
        hint = {
            "postgresql": "pip install 'tenure[postgres]'",
            "mysql": "pip install pymysql, and write mysql+pymysql://",
        }.get(backend, "only sqlite, postgresql and mysql are read")
        raise CannotStart(f"A driver for {backend} is not installed ({problem}): {hint}.") from None


def numbers(identifiers: Collection[str]) -> list[int]:
    return [int(identifier) for identifier in identifiers]
