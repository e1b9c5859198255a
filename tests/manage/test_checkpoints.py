"""Signed checkpoints: what they show about the log that they were signed over, with a server and without."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from tenure.errors import CannotStart, Conflict, InvalidInput
from tenure.manage import checkpoints
from tenure.records.audit import Checkpoint
from tenure.records.base import HOUR_US, Instant
from tenure.settings import Settings, load
from tenure.store import audit, chain, tables
from tenure.store import checkpoints as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.keys import open_key

NOW = Instant(1_750_000_000_000_000)


def tell(ground: Ground, count: int, by: str = "ada") -> None:
    def append(tx: Transaction) -> None:
        for number in range(count):
            audit.append(tx, "thing.done", subject=f"thing-{number}", by=by, at=Instant(number))

    ground.database.write(append)


def sign(ground: Ground, now: Instant = NOW) -> Checkpoint:
    return ground.database.write(lambda tx: checkpoints.sign(tx, ground.key, by="ada", now=now))


def lines_of(ground: Ground) -> list[bytes]:
    return ground.database.read(lambda tx: audit.export(tx, 0))[0].splitlines(keepends=True)


def tampering(ground: Ground, *statements: str) -> None:
    """What somebody does who owns the database: put the guards aside, then change what was told."""
    tables_ = ("audit", "audit_checkpoints")
    aside = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables_]
    back = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables_]
    if ground.database.is_sqlite:
        aside = [
            f"DROP TRIGGER IF EXISTS {table}_no_{what}" for table in tables_ for what in ("replace", "update", "delete")
        ]
        back = []
    with ground.database.engine.begin() as tx:
        for statement in [*aside, *statements, *back]:
            tx.execute(sa.text(statement))


def written_anew(ground: Ground, *, change: Callable[[int, str], str], until: int | None = None) -> None:
    """Write the chain anew with right hashes, with other actors, up to an event."""
    rows = ground.database.read(lambda tx: tx.execute(sa.select(tables.audit).order_by("sequence")).all())
    tampering(ground, "DELETE FROM audit")
    previous = chain.GENESIS
    for row in rows[:until]:
        body = msgspec.json.decode(row.body, type=chain.Body)
        body.actor, body.previous = change(row.sequence, row.actor), previous
        told = msgspec.json.encode(body)
        values = dict(row._mapping) | {
            "actor": body.actor,
            "body": told,
            "previous_hash": previous,
            "hash": chain.chained(previous, told),
        }
        ground.database.write(lambda tx, values=values: tx.execute(sa.insert(tables.audit).values(**values)))
        previous = values["hash"]


def verified(ground: Ground) -> tuple[int | None, str]:
    found = ground.database.read(lambda tx: checkpoints.verify(tx, ground.key))
    return found.first_bad, found.problem


def offline(lines: list[bytes], *made: Checkpoint, pem: str) -> tuple[int | None, str]:
    statements = [checkpoints.opened(one.envelope.encode(), [pem]) for one in made]
    found = checkpoints.verify_export(lines, statements)
    return found.first_bad, found.problem


def test_a_checkpoint_says_how_the_log_ended_and_is_covered_by_itself(each_ground: Ground) -> None:
    tell(each_ground, 3)
    made = sign(each_ground)
    told = checkpoints.opened(made.envelope.encode(), [each_ground.key.public_pem])
    assert (told.size, told.head, told.at) == (4, made.head, "2025-06-15T15:06:40Z")
    assert told.key_id == each_ground.key.key_id
    last = each_ground.database.read(lambda tx: audit.get(tx, 4))
    assert last is not None
    assert (last.action, last.actor, last.hash) == ("checkpoint.signed", "ada", made.head)
    found = each_ground.database.read(lambda tx: checkpoints.verify(tx, each_ground.key))
    assert (found.events, found.checkpoints, found.problem) == (4, 1, "")


def test_where_nothing_was_added_nothing_is_signed(each_ground: Ground) -> None:
    tell(each_ground, 1)
    first = sign(each_ground)
    assert sign(each_ground, Instant(NOW + 1)) == first
    assert each_ground.database.read(audit.size_and_head)[0] == 2
    tell(each_ground, 1)
    assert sign(each_ground).size == 4
    assert [one.size for one in each_ground.database.read(kept.above)] == [2, 4]


def test_a_cut_tail_shows(each_ground: Ground) -> None:
    tell(each_ground, 5)
    made = sign(each_ground)
    lines = lines_of(each_ground)[:3]
    tampering(each_ground, "DELETE FROM audit WHERE sequence > 3")
    bad, problem = verified(each_ground)
    assert bad == 4
    assert "cut off" in problem
    assert offline(lines, made, pem=each_ground.key.public_pem) == (bad, problem)
    assert offline(lines, pem=each_ground.key.public_pem) == (None, "")  # nobody sees it without a checkpoint


def test_a_log_that_was_written_anew_shows(each_ground: Ground) -> None:
    tell(each_ground, 3)
    first = sign(each_ground)
    tell(each_ground, 3)
    second = sign(each_ground)
    written_anew(each_ground, change=lambda number, actor: "eve" if number == 6 else actor)
    bad, problem = verified(each_ground)
    assert bad == 5  # of what the first checkpoint saw, nothing was changed
    assert "the events 5 to 8 were written anew" in problem
    lines = lines_of(each_ground)
    assert offline(lines, first, second, pem=each_ground.key.public_pem) == (bad, problem)
    assert offline(lines, second, pem=each_ground.key.public_pem)[0] == 1
    assert offline(lines, first, pem=each_ground.key.public_pem) == (None, "")


def test_a_log_that_was_written_anew_and_is_longer_shows_by_an_older_checkpoint(each_ground: Ground) -> None:
    tell(each_ground, 3)
    old = sign(each_ground)
    tampering(each_ground, "DELETE FROM audit_checkpoints")
    written_anew(each_ground, change=lambda number, actor: "eve")
    tell(each_ground, 5)
    assert verified(each_ground) == (None, "")  # the server's own checkpoints went with it
    assert "written anew" in offline(lines_of(each_ground), old, pem=each_ground.key.public_pem)[1]


def test_a_log_that_is_not_what_was_seen_is_not_signed_over(each_ground: Ground) -> None:
    tell(each_ground, 3)
    sign(each_ground)
    tampering(each_ground, "DELETE FROM audit WHERE sequence > 2")
    tell(each_ground, 5)
    with pytest.raises(Conflict, match="not what its newest checkpoint saw"):
        sign(each_ground)


@pytest.mark.parametrize(
    ("spoil", "bad", "problem"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b'"ada"', b'"eve"'), *lines[3:]], 3, "not what was hashed"),
        (lambda lines: [*lines[:2], *lines[3:]], 4, "event 3 is missing"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 4, "event 3 is missing"),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], 2, "put in or moved"),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], 3, "line 3 of the export cannot be read"),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3, "line 3 of the export cannot be read"),
        (lambda lines: [*lines[:2], b"\xff\xfe\n", *lines[2:]], 3, "line 3 of the export cannot be read"),
        (lambda lines: lines[:4], 5, "cut off"),
        (lambda lines: [], 1, "cut off"),
        (lambda lines: [line.replace(b":{", b": {") for line in lines], 1, "not what was hashed"),
    ],
)
def test_an_export_that_was_changed_is_named_by_its_event(
    ground: Ground, spoil: Callable[[list[bytes]], list[bytes]], bad: int, problem: str
) -> None:
    tell(ground, 5)
    made = sign(ground)
    lines = lines_of(ground)
    assert offline(lines, made, pem=ground.key.public_pem) == (None, "")
    found = offline(spoil(lines), made, pem=ground.key.public_pem)
    assert found[0] == bad
    assert problem in found[1]


def test_an_event_that_was_replaced_with_a_right_hash_shows_at_the_next(ground: Ground) -> None:
    tell(ground, 3)
    lines = lines_of(ground)
    row = chain.row_of_line(lines[1])
    assert row is not None
    body = row[6].replace(b'"ada"', b'"eve"')
    lines[1] = chain.line_of(body, chain.chained(row[7], body))
    bad, problem = offline(lines, pem=ground.key.public_pem)
    assert bad == 3
    assert "event 2 was replaced, or this one was" in problem


def test_a_checkpoint_of_another_key_or_another_kind_is_refused(ground: Ground, tmp_path: Path) -> None:
    tell(ground, 1)
    made = sign(ground)
    other = open_key(tmp_path / "other")
    with pytest.raises(InvalidInput, match="not signed by this key"):
        checkpoints.opened(made.envelope.encode(), [other.public_pem])
    both = [other.public_pem, ground.key.public_pem]
    assert checkpoints.opened(made.envelope.encode(), both).size == 2
    for spoiled in (made.envelope.replace("checkpoint+json", "signature+json"), "{}", "", "[" * 10_000):
        with pytest.raises(InvalidInput):
            checkpoints.opened(spoiled.encode(), both)
    with pytest.raises(InvalidInput, match="PEM"):
        checkpoints.opened(made.envelope.encode(), ["no key"])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_checkpoints SET size = 3",
        "UPDATE audit_checkpoints SET head = 'x'",
        "UPDATE audit_checkpoints SET envelope = '{}'",
    ],
)
def test_a_checkpoint_that_was_changed_shows(each_ground: Ground, statement: str) -> None:
    tell(each_ground, 5)
    sign(each_ground)
    tampering(each_ground, statement)
    bad, problem = verified(each_ground)
    assert bad
    assert "checkpoint" in problem


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_checkpoints SET head = 'x'",
        "DELETE FROM audit_checkpoints",
        "INSERT INTO audit_checkpoints (size, head, at, key_id, envelope) "
        "SELECT size, 'x', at, key_id, envelope FROM audit_checkpoints WHERE true "
        "ON CONFLICT (size) DO UPDATE SET head = 'x'",
        "TRUNCATE audit_checkpoints",
        "REPLACE INTO audit_checkpoints SELECT size, 'x', at, key_id, envelope FROM audit_checkpoints",
    ],
)
def test_the_database_keeps_every_checkpoint(each_ground: Ground, statement: str) -> None:
    if statement.startswith("TRUNCATE" if each_ground.database.is_sqlite else "REPLACE"):
        return
    tell(each_ground, 1)
    made = sign(each_ground)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), each_ground.database.engine.begin() as tx:
        tx.execute(sa.text(statement))
    assert each_ground.database.read(kept.newest) == made


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
def test_sqlite_refuses_to_replace_a_checkpoint(ground: Ground, recursive_triggers: str) -> None:
    tell(ground, 1)
    sign(ground)
    plain = sqlite3.connect(ground.settings.folder / "tenure.db")
    plain.execute(f"PRAGMA recursive_triggers={recursive_triggers}")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute("REPLACE INTO audit_checkpoints SELECT size, 'x', at, key_id, envelope FROM audit_checkpoints")
    plain.close()


def test_the_worker_signs_when_it_is_due_and_brings_it_elsewhere(ground: Ground, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    ground = replace(ground, settings=msgspec.structs.replace(ground.settings, audit_export=str(place)))
    keeper = checkpoints.Keeper()
    keeper.keep_due(ground, NOW)
    assert not place.exists()  # an empty log says nothing
    tell(ground, 2)
    later = Instant(NOW + HOUR_US)
    keeper.keep_due(ground, later)
    tell(ground, 2)
    keeper.keep_due(ground, Instant(later + 23 * HOUR_US))
    assert [path.name for path in place.glob("*.json")] == ["checkpoint-000000000003.json"]
    keeper.keep_due(ground, Instant(later + 24 * HOUR_US))
    keeper.keep_due(ground, Instant(later + 240 * HOUR_US))  # nothing was added
    written = sorted(place.glob("*.json"))
    assert [path.name for path in written] == ["checkpoint-000000000003.json", "checkpoint-000000000006.json"]
    told = [checkpoints.opened(path.read_bytes(), [ground.key.public_pem]) for path in written]
    assert [one.size for one in told] == [3, 6]


def test_a_place_that_cannot_be_written_to_gets_everything_later(ground: Ground, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.write_text("in the way")
    ground = replace(ground, settings=msgspec.structs.replace(ground.settings, audit_export=str(place)))
    keeper = checkpoints.Keeper()
    tell(ground, 1)
    keeper.keep_due(ground, NOW)
    assert ground.database.read(kept.newest) is not None
    place.unlink()
    keeper.keep_due(ground, Instant(NOW + checkpoints.LOOK_US))
    assert not place.exists()  # it waits
    keeper.keep_due(ground, Instant(NOW + checkpoints.AGAIN_US))
    assert len(list(place.glob("*.json"))) == 1


@pytest.mark.parametrize("inside", ["data", "data/audit", "file://{tmp}/data/x"])
def test_checkpoints_are_not_kept_in_what_they_vouch_for(tmp_path: Path, inside: str) -> None:
    place = inside.format(tmp=tmp_path) if "{" in inside else str(tmp_path / inside)
    with pytest.raises(CannotStart, match="outside of the data folder"):
        load({"data": str(tmp_path / "data"), "audit_export": place}, {})
    fine: Settings = load({"data": str(tmp_path / "data"), "audit_export": str(tmp_path / "other")}, {})
    assert fine.audit_export.endswith("other")
