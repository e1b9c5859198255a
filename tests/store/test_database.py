"""Writes that wait share a transaction, and none suffers from another's failure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from tenure.errors import CannotStart, InvalidInput, Unavailable
from tenure.store import driver, tables
from tenure.store.database import Database, Transaction, Work
from tenure.store.ground import Ground

KEPT = tables.settings_kept


def keeping(key: str, *, then_fail: bool = False) -> Work[str]:
    def work(tx: Transaction) -> str:
        tx.execute(sa.insert(KEPT).values(key=key, value="v"))
        if then_fail:
            raise InvalidInput("on purpose")
        return key

    return work


def kept(ground: Ground) -> set[str]:
    return set(ground.database.read(lambda tx: tx.scalars(sa.select(KEPT.c.key)).all()))


def test_a_write_is_there_when_it_is_answered(each_ground: Ground) -> None:
    assert each_ground.database.write(keeping("a")) == "a"
    assert "a" in kept(each_ground)


def test_work_that_fails_undoes_itself_and_nothing_else(each_ground: Ground) -> None:
    futures = [each_ground.database.submit(keeping(f"k{n}", then_fail=n % 3 == 0)) for n in range(60)]
    failed = {n for n, future in enumerate(futures) if isinstance(future.exception(), InvalidInput)}
    assert failed == {n for n in range(60) if n % 3 == 0}
    assert {f"k{n}" for n in range(60) if n % 3} == {key for key in kept(each_ground) if key.startswith("k")}


def test_work_that_fails_alone_leaves_nothing(each_ground: Ground) -> None:
    with pytest.raises(InvalidInput):
        each_ground.database.write(keeping("alone", then_fail=True))
    assert "alone" not in kept(each_ground)
    assert each_ground.database.write(keeping("alone")) == "alone"


def test_many_threads_write_at_once(each_ground: Ground) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda n: each_ground.database.write(keeping(f"t{n}")), range(200)))
    assert set(keys) <= kept(each_ground)


def test_reading_cannot_keep_anything(each_ground: Ground) -> None:
    each_ground.database.read(keeping("read"))
    assert "read" not in kept(each_ground)


def test_what_is_read_together_is_of_one_state_by_the_driver_too(ground: Ground) -> None:
    counting = f"SELECT COUNT(*) FROM {KEPT.name}"
    with ground.database.reading() as tx:
        before = driver.execute(tx, counting).fetchone()
        ground.database.write(keeping("meanwhile"))
        assert driver.execute(tx, counting).fetchone() == before
    assert "meanwhile" in kept(ground)


def test_closing_finishes_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    tables.metadata.create_all(database.engine)
    futures = [database.submit(keeping(f"c{n}")) for n in range(50)]
    database.close()
    assert [future.result() for future in futures] == [f"c{n}" for n in range(50)]
    with pytest.raises(Unavailable, match="being closed"):
        database.submit(keeping("late"))


def test_a_failure_of_the_database_tells_no_sql(ground: Ground) -> None:
    with pytest.raises(Unavailable) as failure:
        ground.database.write(lambda tx: tx.execute(sa.text("SELECT secret FROM nowhere")))
    assert "SELECT" not in failure.value.message


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://a/b", "not a url"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(CannotStart):
        Database(url)


@pytest.mark.parametrize("directly", [False, True])
def test_a_value_that_postgres_cannot_store_is_refused_by_name(
    emptied_postgres: Callable[[], str], directly: bool
) -> None:
    def work(tx: Transaction) -> None:
        if directly:
            driver.execute(tx, "INSERT INTO settings_kept (key, value) VALUES (?, ?)", ("k", "a\x00b"))
        else:
            tx.execute(sa.insert(KEPT).values(key="k", value="a\x00b"))

    database = Database(emptied_postgres())
    with pytest.raises(InvalidInput, match="NUL"):
        database.write(work)
    database.close()


@pytest.mark.parametrize(("fsync", "level"), [(False, 1), (True, 2)])
def test_commits_are_forced_to_disk_when_asked_to(tmp_path: Path, fsync: bool, level: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kept.db'}", fsync=fsync)
    assert database.read(lambda tx: tx.exec_driver_sql("PRAGMA synchronous").scalar()) == level
    database.close()


def test_what_anybody_committed_is_noticed_and_what_was_read_or_undone_is_not(each_ground: Ground) -> None:
    database, other = each_ground.database, Database(each_ground.settings.database)
    before = database.committed()
    kept(each_ground)
    assert database.committed() == before
    for writer in (other, database):
        writer.write(keeping(f"by {id(writer)}"))
        assert database.committed() != before
        before = database.committed()
    with pytest.raises(InvalidInput):
        other.write(keeping("undone", then_fail=True))
    if database.is_sqlite:  # Postgres counts what was begun to be written too
        assert database.committed() == before
    other.close()
