"""Statements given to the database's driver directly.

SQLAlchemy's layers cost about 20 µs a statement, a point query of SQLite 3 µs: what is written for every metric goes
this way. Statements are written with `?` and run unchanged on SQLite and Postgres.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tenure.errors import Conflict, InvalidInput, Unavailable
from tenure.store.database import NOT_STORABLE, Transaction

Row = tuple[Any, ...]


def execute(tx: Transaction, statement: str, values: Sequence[Any] = ()) -> Any:
    """Run one statement and return the driver's cursor: `fetchone`, `fetchall`, `rowcount`."""
    try:
        return _connection(tx).execute(_written(statement, tx.dialect.name), values)
    except tx.dialect.loaded_dbapi.Error as failure:
        raise _named(tx, failure) from failure


def execute_many(tx: Transaction, statement: str, rows: Sequence[Row]) -> None:
    """Run one statement for every row."""
    if not rows:
        return
    try:
        _connection(tx).cursor().executemany(_written(statement, tx.dialect.name), rows)
    except tx.dialect.loaded_dbapi.Error as failure:
        raise _named(tx, failure) from failure


def add_rows(tx: Transaction, into: str, kinds: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of numbers that are not there yet. `into` names table and columns, `kinds` their types in Postgres.

    Postgres takes them as one array a column: row by row, a thousand of them cost three times as much.
    """
    if not rows:
        return
    if tx.dialect.name == "sqlite":
        execute_many(tx, f"INSERT INTO {into} VALUES ({marks(len(kinds))}) ON CONFLICT DO NOTHING", rows)  # noqa: S608 - our names
        return
    columns = ", ".join(f"?::{kind}[]" for kind in kinds)
    statement = f"INSERT INTO {into} SELECT * FROM unnest({columns}) ON CONFLICT DO NOTHING"  # noqa: S608 - our names
    execute(tx, statement, [_array(column) for column in zip(*rows, strict=True)])


def _array(numbers: Sequence[float | None]) -> str:
    """Numbers as Postgres writes an array; the driver takes five times as long over a list."""
    return "{" + ",".join("NULL" if number is None else repr(number) for number in numbers) + "}"


def marks(count: int) -> str:
    """Places for a list of values: `?, ?, ?`."""
    return ", ".join("?" * count)


def _connection(tx: Transaction) -> Any:
    return tx.connection.driver_connection


@lru_cache(maxsize=512)
def _written(statement: str, dialect: str) -> str:
    return statement if dialect == "sqlite" else statement.replace("%", "%%").replace("?", "%s")


def _named(tx: Transaction, failure: Exception) -> Exception:
    """A failure of the driver as one of ours, without its SQL; a fault of ours as it is."""
    database = tx.dialect.loaded_dbapi
    if isinstance(failure, database.IntegrityError):
        return Conflict("Somebody else stored the same at the same moment. Look at what is there and try again.")
    if isinstance(failure, database.DataError):
        return InvalidInput(NOT_STORABLE)
    if isinstance(failure, database.OperationalError):
        reason = str(failure).splitlines()[0]
        return Unavailable(f"The database cannot do this now: {reason}. Nothing was stored; try again.")
    return failure
