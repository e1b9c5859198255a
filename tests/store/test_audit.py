"""The audit log: appended to, guarded by the database, and proven by its chain."""

import sqlite3

import pytest
import sqlalchemy as sa

from tenure.errors import TenureError
from tenure.records.base import Instant
from tenure.records.changes import AuditEvent
from tenure.store import audit, chain, tables
from tenure.store.database import Transaction
from tenure.store.ground import Ground


def tell(ground: Ground, count: int) -> None:
    def append(tx: Transaction) -> None:
        for number in range(1, count + 1):
            audit.append(tx, "thing.done", subject=f"thing-{number}", by="ada", at=Instant(number))

    ground.database.write(append)


def tampering(ground: Ground, *statements: str) -> None:
    """What somebody does who owns the database: put the guards aside first, then change what was told."""
    aside, back = ["ALTER TABLE audit DISABLE TRIGGER USER"], ["ALTER TABLE audit ENABLE TRIGGER USER"]
    if ground.database.is_sqlite:
        aside, back = [f"DROP TRIGGER audit_no_{what}" for what in ("replace", "update", "delete")], []
    with ground.database.engine.begin() as tx:
        for statement in [*aside, *statements, *back]:
            tx.execute(sa.text(statement))


def test_a_log_that_nobody_touched_fits(each_ground: Ground):
    tell(each_ground, 5)
    verified = each_ground.database.read(audit.verify)
    assert (verified.events, verified.first_bad, verified.problem) == (5, None, "")
    newest = each_ground.database.read(lambda tx: audit.search(tx, limit=1))[0]
    assert verified.head == newest.hash


def test_an_empty_log_fits(each_ground: Ground):
    assert each_ground.database.read(audit.verify).first_bad is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'eve' WHERE sequence = 2",
        "UPDATE audit SET sequence = 9 WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "DELETE FROM audit",
        "INSERT INTO audit (sequence, at, actor, action, subject, body, previous_hash, hash) "
        "SELECT sequence, at, 'eve', action, subject, body, previous_hash, 'x' FROM audit WHERE sequence = 2 "
        "ON CONFLICT (sequence) DO UPDATE SET actor = 'eve'",
    ],
)
def test_the_database_refuses_to_change_the_log(each_ground: Ground, statement: str):
    tell(each_ground, 3)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), each_ground.database.engine.begin() as tx:
        tx.execute(sa.text(statement))
    assert each_ground.database.read(audit.verify).events == 3


def test_postgres_refuses_to_truncate_the_log(each_ground: Ground):
    if each_ground.database.is_sqlite:
        return
    tell(each_ground, 3)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), each_ground.database.engine.begin() as tx:
        tx.execute(sa.text("TRUNCATE audit"))


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
def test_sqlite_refuses_to_replace_an_event(ground: Ground, recursive_triggers: str):
    """`REPLACE INTO` deletes without a delete trigger unless a pragma of the connection says otherwise."""
    tell(ground, 3)
    plain = sqlite3.connect(ground.settings.folder / "tenure.db")
    plain.execute(f"PRAGMA recursive_triggers={recursive_triggers}")
    columns = "sequence, at, actor, action, subject, body, previous_hash, hash"
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute(
            f"REPLACE INTO audit ({columns}) SELECT 2, at, 'eve', action, subject, body, previous_hash, 'x' "
            "FROM audit WHERE sequence = 2"
        )
    plain.close()
    assert ground.database.read(audit.verify).first_bad is None


@pytest.mark.parametrize(
    ("statements", "first_bad", "problem"),
    [
        (["UPDATE audit SET body = '{}' WHERE sequence = 3"], 3, "not what was hashed"),
        (["UPDATE audit SET actor = 'eve' WHERE sequence = 3"], 3, "columns differ"),
        (["UPDATE audit SET at = 99 WHERE sequence = 3"], 3, "columns differ"),
        (["UPDATE audit SET hash = 'x' WHERE sequence = 3"], 3, "not what was hashed"),
        (["UPDATE audit SET reason = 'x' WHERE sequence = 3"], 3, "columns differ"),
        (["DELETE FROM audit WHERE sequence IN (3, 4)"], 5, "event 3 is missing, and so are those up to 4"),
        (
            [
                "INSERT INTO audit (sequence, at, actor, action, subject, body, previous_hash, hash) "
                "SELECT 0, at, 'eve', action, subject, body, previous_hash, hash FROM audit WHERE sequence = 1"
            ],
            0,
            "put in or moved",
        ),
        (["UPDATE audit SET previous_hash = 'x' WHERE sequence = 3"], 3, "does not follow"),
        (["DELETE FROM audit WHERE sequence = 3"], 4, "event 3 is missing"),
        (["DELETE FROM audit WHERE sequence = 1"], 2, "event 1 is missing"),
        (
            [
                "UPDATE audit SET sequence = 99 WHERE sequence = 3",
                "UPDATE audit SET sequence = 3 WHERE sequence = 4",
                "UPDATE audit SET sequence = 4 WHERE sequence = 99",
            ],
            3,
            "does not follow",
        ),
        (["DELETE FROM audit WHERE sequence = 3", "UPDATE audit SET sequence = 3 WHERE sequence = 5"], 3, "not follow"),
    ],
)
def test_tampering_is_named_by_its_event(each_ground: Ground, statements: list[str], first_bad: int, problem: str):
    tell(each_ground, 5)
    tampering(each_ground, *statements)
    verified = each_ground.database.read(audit.verify)
    assert verified.first_bad == first_bad
    assert problem in verified.problem


def test_an_event_put_in_with_a_right_hash_but_unreadable_content_is_named(each_ground: Ground):
    tell(each_ground, 2)
    head = each_ground.database.read(audit.verify).head
    body = b"no json"
    row = {
        "sequence": 3,
        "at": 3,
        "actor": "eve",
        "action": "x",
        "subject": "x",
        "body": body,
        "previous_hash": head,
        "hash": audit.chained(head, body),
    }
    each_ground.database.write(lambda tx: tx.execute(sa.insert(tables.audit).values(row)))
    verified = each_ground.database.read(audit.verify)
    assert (verified.first_bad, verified.problem) == (3, "its content cannot be read")


def test_a_cut_tail_is_seen_only_by_who_kept_the_head(each_ground: Ground):
    tell(each_ground, 5)
    head = each_ground.database.read(audit.verify).head
    tampering(each_ground, "DELETE FROM audit WHERE sequence > 3")
    verified = each_ground.database.read(audit.verify)
    assert verified.first_bad is None
    assert (verified.events, verified.head) != (5, head)


def test_a_failing_write_leaves_no_event(each_ground: Ground):
    def fail(tx: Transaction) -> None:
        audit.append(tx, "thing.done", subject="x", by="ada", at=Instant(1))
        raise TenureError("no")

    with pytest.raises(TenureError):
        each_ground.database.write(fail)
    assert each_ground.database.read(audit.verify).events == 0


def test_events_are_found_by_who_what_about_what_when_and_why(each_ground: Ground):
    tell(each_ground, 3)

    def more(tx: Transaction) -> None:
        audit.append(
            tx, "other.done", subject="thing-1", by="eve", at=Instant(9), detail={"reason": "It was 100% Late"}
        )
        audit.append(tx, "other.undone", subject="thing-1", by="ada", at=Instant(8), detail={"reason": ["no", "text"]})

    each_ground.database.write(more)

    def found(**wanted: object) -> list[int]:
        return [event.sequence for event in each_ground.database.read(lambda tx: audit.search(tx, **wanted))]  # type: ignore[arg-type]

    assert found() == [5, 4, 3, 2, 1]
    assert found(actor="ada") == [5, 3, 2, 1]
    assert found(action="thing.") == [3, 2, 1]
    assert found(action="other.") == [5, 4]
    assert found(action="other.done") == [4]
    assert found(action="") == [5, 4, 3, 2, 1]
    assert found(action="zzz") == []
    assert found(action="other.", actor="ada") == [5]
    assert found(subject="thing-1") == [5, 4, 1]
    assert found(subject="thing-1", actor="ada", action="thing") == [1]
    assert found(before=3, limit=1) == [2]
    assert found(action="%") == []
    assert found(reason="100% late") == [4]
    assert found(reason="1__%") == []
    assert found(reason="") == [4]
    assert found(reason="late", actor="ada") == []
    assert found(from_at=3) == [5, 4, 3]
    assert found(from_at=2, until_at=9) == [5, 3, 2]
    assert found(until_at=1) == []
    assert found(from_at=10) == []
    assert found(action="other.", from_at=9) == [4]


def test_pages_of_the_log_meet_without_gap_or_overlap(each_ground: Ground):
    tell(each_ground, 10)
    for chosen in ({}, {"actor": "ada"}, {"action": "thing"}, {"from_at": 2}):
        seen, before = [], None
        while True:
            page = each_ground.database.read(
                lambda tx, chosen=chosen, before=before: audit.search(tx, **chosen, before=before, limit=3)
            )
            if not page:
                break
            seen += [one.sequence for one in page]
            before = seen[-1]
        assert seen == list(range(10, 1 if chosen.get("from_at") else 0, -1))


def test_one_event_is_read_by_its_number(each_ground: Ground):
    tell(each_ground, 2)
    one = each_ground.database.read(lambda tx: audit.get(tx, 2))
    assert one is not None
    assert (one.sequence, one.subject) == (2, "thing-2")
    assert each_ground.database.read(lambda tx: audit.get(tx, 3)) is None


def test_histories_are_read_by_subject_and_by_kind(each_ground: Ground):
    def append(tx: Transaction) -> None:
        for at, subject in enumerate(["m", "m/1", "m0", "m-2", "n/1", "m/2"], start=1):
            audit.append(tx, "thing.done" if at % 2 else "thing.undone", subject=subject, by="ada", at=Instant(at))

    each_ground.database.write(append)

    def subjects(found: list[AuditEvent]) -> list[str]:
        return [one.subject for one in found]

    with each_ground.database.reading() as tx:
        assert subjects(audit.of_subjects(tx, ["m"], ["m"], 99)) == ["m", "m/1", "m/2"]
        assert subjects(audit.of_subjects(tx, ["n/1"], [], 99)) == ["n/1"]
        assert subjects(audit.of_subjects(tx, ["m"], ["m"], 5)) == ["m", "m/1"]
        assert subjects(audit.of_actions(tx, ["thing.undone"], 99)) == ["m/1", "m-2", "m/2"]


def test_a_long_log_is_walked_in_pages(each_ground: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "VERIFY_PAGE", 3)
    tell(each_ground, 10)
    assert each_ground.database.read(audit.verify).events == 10
    tampering(each_ground, "UPDATE audit SET at = 99 WHERE sequence = 8")
    assert each_ground.database.read(audit.verify).first_bad == 8


def test_an_export_is_what_was_hashed_byte_for_byte(each_ground: Ground, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "EXPORT_PAGE", 2)
    tell(each_ground, 5)
    lines, after = b"", -1
    while after is not None:
        more, after = each_ground.database.read(lambda tx, after=after: audit.export(tx, after))
        lines += more
    rows = [chain.row_of_line(line) for line in lines.splitlines()]
    assert [row[0] for row in rows if row] == [1, 2, 3, 4, 5]
    walk = chain.Walk()
    assert walk.follow([row for row in rows if row])
    assert walk.head == each_ground.database.read(audit.verify).head


def test_a_long_reason_of_wide_characters_is_kept_whole_and_found_by_its_beginning(each_ground: Ground):
    why = "".join(chr(0x1F300 + number % 500) for number in range(1990)) + " at the end"

    def append(tx: Transaction) -> None:
        audit.append(tx, "thing.done", subject="x", by="ada", at=Instant(1), detail={"reason": why})

    each_ground.database.write(append)
    [found] = each_ground.database.read(lambda tx: audit.search(tx, reason=why[:50]))
    assert found.detail["reason"] == why
    assert each_ground.database.read(audit.verify).problem == ""
