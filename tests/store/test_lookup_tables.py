"""Rows by key, from each kind of database that features are looked up in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from tenure.errors import Unavailable
from tenure.store.lookup_tables import LookupTables
from tests.conftest import new_postgres

WRITTEN = [
    'CREATE TABLE "scores" (customer_id BIGINT, "the score" DOUBLE PRECISION, updated_at TIMESTAMP)',
    "INSERT INTO scores VALUES (7, 0.25, '2025-06-01 12:00:00'), (8, NULL, '2025-06-01 12:00:00')",
    "CREATE TABLE names (customer TEXT, segment TEXT)",
    "INSERT INTO names VALUES ('7', 'gold'), ('it''s', 'silver')",
]


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with two tables."""
    if request.param == "duckdb":
        with duckdb.connect(tmp_path / "some.duckdb") as tx:
            for statement in WRITTEN:
                tx.execute(statement)
        yield f"duckdb:///{tmp_path}/some.duckdb"
    elif request.param == "sqlite":
        written = f"sqlite:///{tmp_path}/some.db"
        _write(written)
        yield written
    else:
        with new_postgres(request.getfixturevalue("postgres_url")) as made:
            _write(made)
            yield made


def _write(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        for statement in WRITTEN:
            tx.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def tables(url: str) -> Iterator[LookupTables]:
    made = LookupTables({"crm": url}, 5.0)
    yield made
    made.close()


def test_rows_are_found_by_key_however_it_is_written(tables: LookupTables) -> None:
    found = tables.read("crm", "scores", "customer_id", ["the score", "updated_at"], [7, "7", 8, 9, "x", 2**70])
    assert found.keys() == {7, "7", 8}
    score, at = found[7]
    assert score == 0.25
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    assert moment.replace(tzinfo=UTC) == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert found[8][0] is None


def test_keys_of_text_are_values_and_nothing_else(tables: LookupTables) -> None:
    wanted = ["it's", 7, "' OR 1=1 --", '"; DROP TABLE names; --']
    assert tables.read("crm", "names", "customer", ["segment"], wanted) == {"it's": ("silver",), 7: ("gold",)}
    assert tables.read("crm", "names", "customer", ["segment"], ["7"]) == {"7": ("gold",)}


@pytest.mark.parametrize(
    ("table", "column"), [("nowhere", "segment"), ("names", "nothing"), ('names"; --', "segment"), ("names", 'x" --')]
)
def test_what_is_not_there_is_told(tables: LookupTables, table: str, column: str) -> None:
    with pytest.raises(Unavailable, match="look-up in 'crm' fails"):
        tables.read("crm", table, "customer", [column], ["7"])


def test_nothing_is_written(url: str, tables: LookupTables) -> None:
    tables.read("crm", "names", "customer", ["segment"], ["7"])
    for engine in tables._engines.values():
        with engine.connect() as tx, pytest.raises(sa.exc.DBAPIError, match=r"read.?only"):
            tx.exec_driver_sql("DELETE FROM names")


def test_a_source_may_be_named_by_a_variable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_URL", url)
    made = LookupTables({"crm": "$CRM_URL", "other": "$NOT_SET"}, 5.0)
    assert made.read("crm", "names", "customer", ["segment"], ["7"]) == {"7": ("gold",)}
    for name in ("other", "unknown"):
        with pytest.raises(Unavailable, match="not configured"):
            made.read(name, "names", "customer", ["segment"], ["7"])
    made.close()
