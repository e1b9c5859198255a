"""The audit log tells of predictions and outcomes by their files, and a changed file shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tenure.monitor import compaction, segments
from tenure.records.base import Instant
from tenure.records.changes import AuditEvent
from tenure.store import audit, lake_files, tables

from .year import ENDPOINT, START, Traffic, ids


def told(traffic: Traffic) -> list[AuditEvent]:
    return traffic.ground.database.read(lambda tx: audit.of_actions(tx, [segments.ACTION], 2**62))


def tell(traffic: Traffic) -> None:
    teller = segments.Teller()
    while teller.tell_due(traffic.ground, Instant(traffic.now() + segments.TELL_US)):
        pass


def files_of(traffic: Traffic) -> list[Path]:
    return sorted((traffic.ground.settings.folder / "lake").rglob("*.parquet"))


def test_predictions_and_outcomes_are_told_of_once_with_counts_time_and_digest(traffic: Traffic) -> None:
    frame = traffic.predict(score=[0.1, 0.2])
    traffic.look()
    traffic.tell(ids(frame), [1.0, 0.0])
    traffic.look()
    assert not segments.Teller().tell_due(traffic.ground, traffic.now())  # a moment later, there may be more
    tell(traffic)
    tell(traffic)
    [event] = told(traffic)
    assert (event.subject, event.actor) == (f"segments:{ENDPOINT}", "tenure-worker")
    assert event.detail["rows"] == {"predictions": 2, "outcomes": 2}
    assert event.detail["from_at"] == START
    assert len(event.detail["files"]) == 2
    found = segments.verify(traffic.ground)
    assert (found.files, found.rows, found.untold, found.first_bad) == (2, 4, 0, None)


def test_what_is_too_new_is_counted(traffic: Traffic) -> None:
    traffic.predict()
    traffic.look()
    found = segments.verify(traffic.ground)
    assert (found.files, found.untold, found.problem) == (0, 1, "")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "was changed"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_a_file_that_was_changed_or_taken_away_is_named(traffic: Traffic, spoil: object, problem: str) -> None:
    traffic.predict()
    traffic.look()
    tell(traffic)
    [path] = files_of(traffic)
    spoil(path)  # type: ignore[operator]
    found = segments.verify(traffic.ground)
    assert found.first_bad == str(path.relative_to(traffic.ground.settings.folder / "lake"))
    assert problem in found.problem


def test_a_file_that_was_slipped_in_as_told_of_is_named(traffic: Traffic) -> None:
    traffic.predict()
    traffic.look()
    traffic.ground.database.write(lambda tx: tx.execute(sa.update(tables.lake_files).values(told_at=1)))
    assert "no event tells of it" in segments.verify(traffic.ground).problem


def test_a_merged_file_names_what_it_replaced_and_that_stays_until_then(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "CROWD", 2)
    for _ in range(2):
        traffic.predict()
        traffic.look()
    tell(traffic)
    first = [file["path"] for file in told(traffic)[0].detail["files"]]
    traffic.predict()
    traffic.look()  # merges
    traffic.clock += 2 * compaction.GRACE_US
    traffic.look()
    assert segments.verify(traffic.ground).problem == ""
    tell(traffic)
    event = told(traffic)[-1]
    assert any("/merged-" in file["path"] for file in event.detail["files"])
    gone = [file["path"] for file in event.detail["replaces"]]
    assert gone
    assert set(gone) <= set(first)
    traffic.clock += 2 * compaction.GRACE_US
    traffic.look()
    left = {str(path.relative_to(traffic.ground.settings.folder / "lake")) for path in files_of(traffic)}
    assert not left & set(gone)
    found = segments.verify(traffic.ground)
    assert (found.rows, found.problem) == (3, "")


def test_files_of_an_older_release_get_their_digest_when_they_are_told_of(traffic: Traffic) -> None:
    traffic.predict()
    traffic.look()
    traffic.ground.database.write(lambda tx: tx.execute(sa.update(tables.lake_files).values(sha256=None)))
    tell(traffic)
    [path] = files_of(traffic)
    [file] = told(traffic)[0].detail["files"]
    assert file["sha256"] == segments._sha256(path)
    kept = traffic.ground.database.read(lake_files.all_told)
    assert next(iter(kept.values())).sha256 == file["sha256"]
