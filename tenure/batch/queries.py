"""Rows of a query, over any database that SQLAlchemy knows, or a file of DuckDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tenure.batch import sources
from tenure.batch.sources import Stamp, rechunked
from tenure.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import pyarrow as pa

DUCKDB = "duckdb://"


class Query:
    """A query's rows in the order that it gives them. `ORDER BY` makes that the same order the next time."""

    text, repeats = False, False

    def __init__(self, query: str, database: str) -> None:
        self._query = query.strip().rstrip(";")
        self._database = database
        self.rows: int | None = None
        self.said = f"query on {database.partition(':')[0]}"
        self.names = self._first_names()

    def chunks(self, columns: Sequence[str], first_row: int) -> Iterator[pa.Table]:
        for number, table in enumerate(rechunked(self._batches())):
            if (number + 1) * sources.CHUNK_ROWS > first_row:
                yield table.select(list(columns))

    def stamps(self) -> list[Stamp]:
        told = hashlib.sha256(f"{self._database}\n{self._query}".encode()).hexdigest()
        return [(told, 0, 0)]

    def sha256(self) -> str:
        return ""

    def _first_names(self) -> list[str]:
        first = next(iter(self._batches()), None)
        if first is None:
            raise InvalidInput("The query must give rows. It gives none.")
        names: list[str] = first.schema.names
        if len(set(names)) < len(names):
            raise InvalidInput("Every column of the query must have a name of its own. Name them with AS.")
        return names

    def _batches(self) -> Iterator[pa.RecordBatch]:
        return _of_duckdb(self._database, self._query) if self._database.startswith(DUCKDB) else self._of_sqlalchemy()

    def _of_sqlalchemy(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import sqlalchemy as sa

        try:
            engine = sa.create_engine(self._database)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ModuleNotFoundError):
            raise InvalidInput(
                "The database must be a URL of SQLAlchemy with its driver installed, such as postgresql+psycopg://… "
                "or sqlite:///file.db, or duckdb:///file.duckdb.",
                where="database",
            ) from None
        try:
            with engine.connect() as connection:
                told = connection.execution_options(stream_results=True, max_row_buffer=sources.CHUNK_ROWS)
                answer = told.execute(sa.text(self._query))
                names = list(answer.keys())
                while rows := answer.fetchmany(sources.CHUNK_ROWS):
                    columns = [_array(values) for values in zip(*rows, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, names=names)
        except sa.exc.OperationalError:
            raise Unavailable(
                "The database cannot be reached, or does not take the query. Try it with the database's own client."
            ) from None
        except sa.exc.SQLAlchemyError as problem:
            raise InvalidInput(f"The database does not take the query ({type(problem).__name__}).") from None
        finally:
            engine.dispose()


def _of_duckdb(database: str, query: str) -> Iterator[pa.RecordBatch]:
    import duckdb

    path = database.removeprefix(DUCKDB).removeprefix("/") or ":memory:"
    try:
        with duckdb.connect(path, read_only=path != ":memory:") as connection:
            answer: Any = connection.sql(query)
            if answer is None:
                raise InvalidInput("The query must give rows. It gives none.")
            yield from answer.to_arrow_reader(sources.CHUNK_ROWS)
    except duckdb.Error as problem:
        raise InvalidInput(f"DuckDB does not take the query: {str(problem).splitlines()[0][:200]}") from None


def _array(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])
