"""The vault: values go in sealed, and come out for a proxy test alone."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tenure.errors import CannotStart, InvalidInput, NotFound
from tenure.manage import facts, proxies, proxy_job, published, roles, vault
from tenure.records.base import Instant
from tenure.records.people import Permission, RoleHeld
from tenure.records.policies import ProxyOrder
from tenure.store import audit, changes
from tenure.store import vault as kept
from tenure.store.ground import Ground
from tenure.store.keys import passing_key

from .makers import MODEL, NOW, ask, make_ready

CSV = "text/csv"


def put(ground: Ground, attribute: str, body: bytes, content_type: str = CSV) -> Any:
    found = vault.read(body, content_type, "id")
    return ground.database.write(lambda tx: vault.put(tx, ground.key, attribute, found, by="stu", now=NOW))


def opened(ground: Ground, attribute: str) -> Any:
    return ground.database.write(
        lambda tx: vault.opened(tx, ground.key, attribute, purpose="a test", by="stu", now=NOW)
    )


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_an_attribute_is_sealed_and_told_without_its_values(each_ground: Ground):
    entry = put(each_ground, "race", b"id,race\n007,purple-people\n008,\n")
    assert (entry.rows, entry.put_by) == (2, "stu")
    with each_ground.database.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM vault")).one()
    stored = b"".join(bytes(part) if isinstance(part, bytes | memoryview) else str(part).encode() for part in row)
    assert b"purple" not in stored
    assert b"007" not in stored
    assert opened(each_ground, "race") == {"007": "purple-people", "008": None}
    events = each_ground.database.read(lambda tx: audit.search(tx, action="vault."))
    assert [(one.action, one.subject, one.actor) for one in events] == [
        ("vault.opened", "race", "stu"),
        ("vault.put", "race", "stu"),
    ]
    assert events[0].detail == {"purpose": "a test"}
    assert "purple" not in str(events)


def test_numbers_stay_numbers_and_the_same_values_have_the_same_digest(ground: Ground):
    body = parquet(id=["a", "b"], age=[30, 40])
    first = put(ground, "age", body, "application/vnd.apache.parquet")
    assert opened(ground, "age") == {"a": 30.0, "b": 40.0}
    again = put(ground, "age", body, "application/vnd.apache.parquet")
    assert first.digest == again.digest
    assert put(ground, "age", b"id,age\na,31\nb,40\n").digest != first.digest


def test_another_key_opens_nothing(ground: Ground):
    """What a training job has: a key that is written nowhere."""
    put(ground, "race", b"id,race\n1,a\n")
    with pytest.raises(CannotStart, match="sealed with another key"):
        ground.database.read(lambda tx: kept.opened(tx, passing_key(), "race"))
    stranger = replace(ground, key=passing_key())
    with pytest.raises(CannotStart):
        opened(stranger, "race")


def test_a_value_that_was_moved_to_another_name_opens_nothing(ground: Ground):
    put(ground, "race", b"id,race\n1,a\n")
    with ground.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE vault SET attribute = 'sex'"))
    with pytest.raises(CannotStart):
        opened(ground, "sex")
    with pytest.raises(NotFound, match="It holds: sex"):
        opened(ground, "race")


def test_a_training_job_holds_a_key_of_its_own(ground: Ground):
    """The job's module knows no way to the server's key."""
    from tenure.retrain import job

    assert not hasattr(job, "open_key")
    assert job.passing_key().key_id != ground.key.key_id


def test_only_a_steward_has_the_permission():
    for role in ("admin", "scorer", "data-scientist", "engineer", "auditor", "reader", "validator", "business-owner"):
        for solo in (True, False):
            held = roles.principal_of("x", "person", [RoleHeld(role=role, since_at=1)], solo=solo)
            assert Permission.PROTECT not in held.permissions, role
    steward = roles.principal_of("x", "person", [RoleHeld(role="steward", since_at=1)])
    assert Permission.PROTECT in steward.permissions


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"id,race\n1,a\n1,b\n", "row 2 '1' comes twice"),
        (b"id,race\n1,a\n,b\n", "row 2 is empty"),
        (b"id,race,sex\n1,a,b\n", "and one more"),
        (b"name,race\n1,a\n", "must have the column 'id'"),
        (b"id,race\n", "at least one row"),
        (b"id,race\n1,a,3,4\n", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_is_refused(ground: Ground, body: bytes, says: str):
    with pytest.raises(InvalidInput, match=says):
        put(ground, "race", body)


def test_names_and_kinds_of_content_are_checked(ground: Ground):
    for name in ("", "Race", "../x", "a" * 65, "r ace"):
        with pytest.raises(InvalidInput):
            vault.check_name(name)
    with pytest.raises(InvalidInput, match="content type"):
        put(ground, "race", b"{}", "application/json")
    with pytest.raises(InvalidInput, match="cannot be read"):
        put(ground, "race", b"PAR1 nonsense", "application/vnd.apache.parquet")


# --- proxy tests ---


def rows_of(count: int = 400) -> tuple[bytes, bytes]:
    """Rows of a version that takes `wind` and `carrier`, where the carrier tells the group, and the groups."""
    rng = np.random.default_rng(1)
    group = rng.integers(0, 2, count)
    carrier = np.where(rng.random(count) < 0.9, group, 1 - group)
    lines = [f"k{row},{rng.normal():.3f},{('AA', 'B6')[carrier[row]]}" for row in range(count)]
    groups = [f"k{row},{('u', 'v')[group[row]]}" for row in range(count)]
    told = ["\n".join([head, *body]).encode() for head, body in (("id,wind,carrier", lines), ("id,race", groups))]
    return told[0], told[1]


def measured(ground: Ground, version: int, body: bytes, now: int = NOW) -> Any:
    return proxies.measure(
        ground, MODEL, version, body, CSV, key="id", attributes=[], purpose="fair lending", by="stu", now=Instant(now)
    )


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure in this process: loading scikit-learn in another takes seconds."""
    monkeypatch.setattr(proxies, "run", proxy_job.measure)


@pytest.mark.usefixtures("here")
def test_a_proxy_test_is_evidence_and_voids_what_was_pending_on_other_figures(ground: Ground):
    version = make_ready(ground)
    body, groups = rows_of()
    put(ground, "race", groups)
    change = ask(ground, version)
    found = measured(ground, version, body)[0]
    assert 0.8 < found.low < found.auc < found.high < 1
    assert (found.strongest, found.rows, found.groups.keys()) == ("carrier", 400, {"u", "v"})
    told = ground.database.read(lambda tx: facts.gather(tx, MODEL, version, None, published.for_model(tx, MODEL, NOW)))
    assert told.proxies is not None
    assert (told.proxies[0].attribute, told.proxies[0].strongest) == ("race", "carrier")
    assert [
        one.change.change_id for one in ground.database.read(lambda tx: changes.search(tx, state="invalidated"))
    ] == [change.change_id]
    again = ask(ground, version)
    assert measured(ground, version, body, NOW + 9)[0].digest == found.digest
    assert [one.change.change_id for one in ground.database.read(lambda tx: changes.search(tx, state="open"))] == [
        again.change_id
    ]
    actions = [event.action for event in reversed(ground.database.read(lambda tx: audit.search(tx, subject="race")))]
    assert actions == ["vault.put", "vault.opened", "vault.opened"]


@pytest.mark.usefixtures("here")
def test_what_cannot_be_judged_is_refused_with_the_reason(ground: Ground):
    version = make_ready(ground)
    body, groups = rows_of(60)
    with pytest.raises(InvalidInput, match="The vault is empty"):
        measured(ground, version, body)
    put(ground, "race", groups)
    with pytest.raises(InvalidInput, match="two groups of at least 50"):
        measured(ground, version, body)
    with pytest.raises(InvalidInput, match="Missing: 'carrier'"):
        measured(ground, version, b"id,wind\n1,2\n")
    with pytest.raises(InvalidInput, match="Say why"):
        proxies.measure(ground, MODEL, version, body, CSV, key="id", attributes=[], purpose=" ", by="stu", now=NOW)


def test_the_child_gets_the_rows_and_no_secret(monkeypatch: pytest.MonkeyPatch):
    given: dict[str, Any] = {}

    def child(command: list[str], **more: Any) -> Any:
        given.update(more, command=command)
        raise proxies.subprocess.TimeoutExpired(command, 1)

    monkeypatch.setenv("TENURE_OIDC_CLIENT_SECRET", "secret")
    monkeypatch.setenv("TENURE_DATA", "/somewhere")
    monkeypatch.setattr(proxies.subprocess, "run", child)
    with pytest.raises(InvalidInput, match="was ended"):
        proxies.run(ProxyOrder(columns={"a": [1.0]}, attribute=["u"]))
    assert not [name for name in given["env"] if name.startswith("TENURE")]
    assert given["command"][1:] == ["-m", "tenure.manage.proxy_job"]


@pytest.mark.slow
def test_the_child_measures_what_it_gets_through_the_pipe():
    group = np.random.default_rng(1).integers(0, 2, 400)
    carrier: Any = [("x", "y")[one] for one in group]
    race: Any = [("u", "v")[one] for one in group]
    found = proxies.run(ProxyOrder(columns={"carrier": carrier}, attribute=race))
    assert (found.auc, found.features[0].feature) == (1.0, "carrier")
    assert proxies.run(ProxyOrder(columns={"a": [1.0]}, attribute=["u"])).problem
