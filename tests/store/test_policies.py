"""Published policies and their withdrawals never change, on either database."""

from __future__ import annotations

import sqlite3
from datetime import date
from functools import partial

import pytest
import sqlalchemy as sa

from tenure.manage import published
from tenure.records.base import Instant
from tenure.records.policies import PolicyException, ProxyTest
from tenure.store import exceptions, policies, proxy_tests
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)
POLICY = {
    "policy": "lending",
    "purpose": "Lend fairly",
    "forbid": [{"semantic": "race", "reason": "law", "valid_from": "2026-01-01"}],
}


def fill(ground: Ground) -> None:
    policy = published.parse(POLICY)
    ground.database.write(lambda tx: published.publish(tx, policy, by="root", now=NOW))
    ground.database.write(
        lambda tx: published.withdraw(tx, "lending", 1, date(2030, 1, 1), reason="repealed", by="root", now=NOW)
    )


def test_a_policy_is_read_as_it_was_written(each_ground: Ground):
    fill(each_ground)
    found = each_ground.database.read(policies.published)
    assert [(one.title, one.body, one.withdrawn.from_date) for one in found if one.withdrawn] == [
        ("lending@1", published.parse(POLICY), date(2030, 1, 1))
    ]
    assert each_ground.database.read(lambda tx: policies.published(tx, "other")) == []


@pytest.mark.parametrize("table", ["policies", "policy_withdrawals"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET version = 2", "UPDATE {} SET name = name", "DELETE FROM {}", "DELETE FROM {} WHERE version = 1"],
)
def test_the_database_refuses_to_change_what_was_published(each_ground: Ground, table: str, statement: str):
    fill(each_ground)
    with pytest.raises(sa.exc.DBAPIError, match="never changes"), each_ground.database.engine.begin() as tx:
        tx.execute(sa.text(statement.format(table)))
    assert each_ground.database.read(policies.published)[0].version == 1


def test_postgres_refuses_to_truncate_policies(each_ground: Ground):
    if each_ground.database.is_sqlite:
        return
    fill(each_ground)
    for table in ("policies", "policy_withdrawals"):
        with pytest.raises(sa.exc.DBAPIError, match="never changes"), each_ground.database.engine.begin() as tx:
            tx.execute(sa.text(f"TRUNCATE {table}"))


def test_postgres_refuses_to_put_a_policy_over_another(each_ground: Ground):
    if each_ground.database.is_sqlite:
        return
    fill(each_ground)
    upsert = "INSERT INTO policies SELECT * FROM policies ON CONFLICT (name, version) DO UPDATE SET body = 'changed'"
    with pytest.raises(sa.exc.DBAPIError, match="never changes"), each_ground.database.engine.begin() as tx:
        tx.execute(sa.text(upsert))


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
@pytest.mark.parametrize("table", ["policies", "policy_withdrawals"])
def test_sqlite_refuses_to_replace_a_policy(ground: Ground, recursive_triggers: str, table: str):
    """`REPLACE INTO` deletes without a delete trigger unless a pragma of the connection says otherwise."""
    fill(ground)
    plain = sqlite3.connect(ground.settings.folder / "tenure.db")
    plain.execute(f"PRAGMA recursive_triggers={recursive_triggers}")
    with pytest.raises(sqlite3.IntegrityError, match="never changes"):
        plain.execute(f"REPLACE INTO {table} SELECT * FROM {table}")
    plain.close()


def test_exceptions_are_found_by_model_and_state(each_ground: Ground):
    one = PolicyException(
        exception_id="e1",
        model="m",
        subject="semantic:age",
        owner="bo",
        reason="why",
        expires=date(2030, 1, 1),
        state="requested",
        requested_by="ann",
        requested_at=NOW,
    )
    each_ground.database.write(lambda tx: exceptions.add(tx, one))
    assert each_ground.database.read(lambda tx: exceptions.get(tx, "e1", to_change=True)) == one
    for model, state, found in (("m", "requested", [one]), ("m", "approved", []), ("n", None, [])):
        assert each_ground.database.read(lambda tx, m=model, s=state: exceptions.search(tx, model=m, state=s)) == found


def test_the_newest_proxy_test_of_each_attribute_counts(each_ground: Ground):
    def test(number: int, attribute: str) -> ProxyTest:
        return ProxyTest(
            test_id=f"t{number}",
            model="m",
            version=1,
            attribute=attribute,
            measure="roc_auc",
            auc=0.5,
            low=0.4,
            high=0.6,
            rows=100,
            left_out=0,
            groups={},
            features=[],
            folds=5,
            digest=f"d{number}",
            made_by="stu",
            made_at=NOW + number,
        )

    for number, attribute in enumerate(("race", "age", "race")):
        each_ground.database.write(partial(proxy_tests.add, test=test(number, attribute)))
    found = each_ground.database.read(lambda tx: proxy_tests.newest(tx, "m", 1))
    assert [(one.attribute, one.digest) for one in found] == [("age", "d1"), ("race", "d2")]
    assert each_ground.database.read(lambda tx: proxy_tests.newest(tx, "m", 2)) == []
