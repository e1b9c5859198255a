"""Tables of the operator's databases that features are looked up in: SQLite, DuckDB or Postgres, read only.

Everything here blocks and is called on a thread. A DuckDB file is opened for each look, since whoever writes it must be
alone with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from tenure.errors import Unavailable
from tenure.records.lookups import Row

DUCKDB = "duckdb:///"
WHOLE = ("int", "serial", "long")


class LookupTables:
    """Reads rows by key.

    `sources` are URLs by name, or `$TENURE_NAME` of the environment; `timeout_s` is how long Postgres may take.
    """

    def __init__(self, sources: Mapping[str, str], timeout_s: float) -> None:
        self._sources = dict(sources)
        self._timeout_s = timeout_s
        self._engines: dict[str, sa.Engine] = {}
        self._whole: dict[tuple[str, str, str], bool] = {}
        self._lock = threading.Lock()

    def read(
        self, source: str, table: str, key: str, columns: Sequence[str], keys: Sequence[str | int]
    ) -> dict[str | int, Row]:
        """The columns of the rows that have one of the keys. A key that no row has is left out; of several rows with
        one key any is taken. Raises Unavailable."""
        try:
            url = self._url(source)
            if url.startswith(DUCKDB):
                return self._read_duckdb(url.removeprefix(DUCKDB), source, table, key, columns, keys)
            return self._read_sql(url, source, table, key, columns, keys)
        except Unavailable:
            raise
        except Exception as problem:
            raise Unavailable(
                f"The look-up in {source!r} fails ({type(problem).__name__}): table {table!r}, columns "
                f"{', '.join([key, *columns])}. Check that they are there and may be read."
            ) from None

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()

    def _url(self, source: str) -> str:
        told = self._sources.get(source, "")
        url = os.environ.get(told[1:], "") if told.startswith("$") else told
        if not url:
            raise Unavailable(f"The look-up source {source!r} is not configured: tenure serve --lookup {source}=URL.")
        return url

    def _read_sql(
        self, url: str, source: str, table: str, key: str, columns: Sequence[str], keys: Sequence[str | int]
    ) -> dict[str | int, Row]:
        schema, _, name = table.rpartition(".")
        with self._engine(source, url).connect() as tx:
            place = source, table, key
            if place not in self._whole:
                found = {one["name"]: one["type"] for one in sa.inspect(tx).get_columns(name, schema=schema or None)}
                self._whole[place] = isinstance(found[key], sa.Integer)
            asked = _as_kept(keys, self._whole[place])
            held = sa.table(name, *map(sa.column, [key, *columns]), schema=schema or None)
            rows = tx.execute(sa.select(held).where(held.c[key].in_(list(asked))))
            return {given: tuple(row[1:]) for row in rows for given in asked[row[0]]}

    def _read_duckdb(
        self, path: str, source: str, table: str, key: str, columns: Sequence[str], keys: Sequence[str | int]
    ) -> dict[str | int, Row]:
        import duckdb

        place = source, table, key
        quoted = ".".join(map(_quoted, table.split(".")))
        with duckdb.connect(path, read_only=True) as tx:
            if place not in self._whole:
                kinds = {row[0]: str(row[1]).lower() for row in tx.execute(f"DESCRIBE {quoted}").fetchall()}
                self._whole[place] = any(word in kinds[key] for word in WHOLE)
            asked = _as_kept(keys, self._whole[place])
            if not asked:
                return {}
            wanted = ", ".join(map(_quoted, [key, *columns]))
            marks = ", ".join("?" * len(asked))
            statement = f"SELECT {wanted} FROM {quoted} WHERE {_quoted(key)} IN ({marks})"  # noqa: S608 - names are quoted
            rows = tx.execute(statement, list(asked)).fetchall()
        return {given: tuple(row[1:]) for row in rows for given in asked[row[0]]}

    def _engine(self, source: str, url: str) -> sa.Engine:
        with self._lock:
            if source not in self._engines:
                self._engines[source] = _opened(url, self._timeout_s)
            return self._engines[source]


def _opened(url: str, timeout_s: float) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = f"file:{parsed.database}"
        parsed = parsed.set(database=file, query={"mode": "ro", "uri": "true"})
        return sa.create_engine(parsed, connect_args={"timeout": timeout_s, "check_same_thread": False})
    options = f"-c default_transaction_read_only=on -c statement_timeout={int(timeout_s * 1000)}"
    waits = {"connect_timeout": max(1, round(timeout_s)), "options": options}
    return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=waits)


def _as_kept(keys: Sequence[str | int], whole: bool) -> dict[Any, list[str | int]]:
    """Keys as the table has them, each with how it was given: 7 and "7" name the same row."""
    kept: dict[Any, list[str | int]] = {}
    for key in keys:
        if not whole:
            kept.setdefault(str(key), []).append(key)
        elif (number := _number(key)) is not None:
            kept.setdefault(number, []).append(key)
    return kept


def _number(key: str | int) -> int | None:
    try:
        number = int(key)
    except ValueError:
        return None
    return number if abs(number) < 2**63 else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
