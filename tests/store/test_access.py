"""Grants, services, tokens and failed passwords as stored, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.people import Grant, Permission, Person, RoleHeld, Service
from tenure.records.tokens import Token
from tenure.store import grants, migrate, password_failures, people, services, settings_kept, tokens
from tenure.store.database import Database
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)


def grant(number: int, **changes: object) -> Grant:
    given = {"grant_id": str(number), "principal": "ada", "role": "reader", "model": None, "since_at": number}
    return Grant(**{**given, "granted_by": "owner", **changes})  # type: ignore[arg-type]


def test_a_grant_that_ended_stays_on_record(each_ground: Ground):
    database = each_ground.database
    for one in (grant(1), grant(2, role="engineer", model="late"), grant(3, principal="ci")):
        database.write(lambda tx, one=one: grants.add(tx, one))
    database.write(lambda tx: grants.end(tx, "1", by="eve", now=NOW))
    held = [RoleHeld(role="engineer", since_at=2, model="late")]
    assert database.read(lambda tx: grants.roles_of(tx, "ada")) == held
    assert database.read(grants.roles_of_all) == {"ada": held, "ci": [RoleHeld(role="reader", since_at=3)]}
    history = database.read(lambda tx: grants.search(tx, principal="ada", with_ended=True))
    assert [(one.role, one.until_at, one.revoked_by) for one in history] == [
        ("reader", NOW, "eve"),
        ("engineer", None, None),
    ]
    assert database.read(lambda tx: grants.get(tx, "9")) is None


@pytest.mark.parametrize(
    ("changes", "holds"), [({}, True), ({"model": "late"}, False), ({"principal": "ci"}, False), ({"role": "x"}, False)]
)
def test_somebody_administers_only_for_all_models_and_in_person(ground: Ground, changes: dict[str, str], holds: bool):
    database = ground.database
    person = Person(name="ada", printed_name="Ada", roles=[], created_at=NOW)
    database.write(lambda tx: people.add(tx, person, "hash"))
    database.write(lambda tx: grants.add(tx, grant(1, **{"role": "admin", **changes})))
    assert database.read(lambda tx: grants.anybody_holds(tx, "admin")) is holds
    database.write(lambda tx: grants.end(tx, "1", by="x", now=NOW))
    assert not database.read(lambda tx: grants.anybody_holds(tx, "admin"))


def test_a_service_is_kept_with_its_roles(each_ground: Ground):
    service = Service(name="ci", purpose="deploys", roles=[], created_by="ada", created_at=NOW)
    each_ground.database.write(lambda tx: services.add(tx, service))
    each_ground.database.write(lambda tx: grants.add(tx, grant(1, principal="ci")))
    listed = each_ground.database.read(services.list_all)
    assert listed == [each_ground.database.read(lambda tx: services.get(tx, "ci"))]
    assert listed[0].roles == [RoleHeld(role="reader", since_at=1)]
    assert each_ground.database.read(lambda tx: services.get(tx, "cd")) is None


def test_a_token_is_found_by_its_digest_alone(each_ground: Ground):
    database = each_ground.database
    token = Token(
        token_id="t1",
        principal="ci",
        label="nightly",
        permissions=[Permission.READ, Permission.TRACK],
        models=["late"],
        created_by="ada",
        created_at=NOW,
        expires_at=NOW + 5,
    )
    database.write(lambda tx: tokens.add(tx, token, "aa"))
    assert database.read(lambda tx: tokens.of_digest(tx, "aa")) == token
    assert database.read(lambda tx: tokens.of_digest(tx, "ab")) is None
    assert database.read(lambda tx: tokens.search(tx, principal="ada")) == []
    database.write(lambda tx: tokens.note_use(tx, "t1", Instant(NOW + 1)))
    assert database.read(tokens.not_revoked)["aa"].last_used_at == NOW + 1
    database.write(lambda tx: tokens.revoke(tx, "t1", Instant(NOW + 2)))
    assert database.read(tokens.not_revoked) == {}
    assert database.read(tokens.search)[0].revoked_at == NOW + 2


def test_failures_are_forgotten_when_they_count_no_more(each_ground: Ground):
    database = each_ground.database
    for at in (1, 2, 3):
        database.write(lambda tx, at=at: password_failures.add(tx, "ada", Instant(at), since=Instant(0)))
    assert database.read(lambda tx: password_failures.of(tx, "ada", since=Instant(1))) == [2, 3]
    database.write(lambda tx: password_failures.add(tx, "ada", Instant(9), since=Instant(2)))
    assert database.read(lambda tx: password_failures.of_all(tx, since=Instant(0))) == {"ada": [3, 9]}
    database.write(lambda tx: password_failures.forget(tx, "ada"))
    assert database.read(lambda tx: password_failures.of_all(tx, since=Instant(0))) == {}


def test_a_kept_value_can_be_dropped(each_ground: Ground):
    each_ground.database.write(lambda tx: settings_kept.put(tx, "k", "v"))
    each_ground.database.write(lambda tx: settings_kept.drop(tx, "k"))
    assert each_ground.database.read(lambda tx: settings_kept.get(tx, "k")) is None


def test_roles_that_people_held_become_grants(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    migrate.upgrade(database, "0004")
    row = {"p": "ada", "r": '[{"role":"validator","since_at":7},{"role":"admin","since_at":9}]'}
    with database.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO people VALUES (:p, 'Ada', 'h', :r, 1, 1)"), row)
    migrate.upgrade(database, "head")
    held = database.read(lambda tx: grants.roles_of(tx, "ada"))
    assert held == [RoleHeld(role="validator", since_at=7), RoleHeld(role="admin", since_at=9)]
    database.close()
