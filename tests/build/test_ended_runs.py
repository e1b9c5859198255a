"""What is logged to a run after its end shows against the digest that the audit log has of it."""

import sqlalchemy as sa

from tenure.build import ended_runs, metrics, runs
from tenure.records.base import Instant
from tenure.records.tracking import MetricPoint
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)


def make_run(ground: Ground, *, over: bool = True) -> str:
    def write(tx: sa.Connection) -> str:
        made = runs.create(tx, "0", name=None, user_id="ann", start_time=None, tags=[], now=NOW)
        log(tx, made.info.run_id, 0.5)
        if over:
            end(tx, made.info.run_id)
        return made.info.run_id

    return ground.database.write(write)


def log(tx: sa.Connection, run_id: str, value: float, step: int = 0) -> None:
    metrics.log(tx, run_id, MetricPoint(key="auc", value=value, timestamp=1, step=step))


def end(tx: sa.Connection, run_id: str, status: str = "FINISHED") -> None:
    runs.update(tx, run_id, status=status, end_time=1, name=None, digest=None, by="ann", now=NOW)


def test_runs_that_nobody_touched_are_counted(each_ground: Ground) -> None:
    make_run(each_ground)
    make_run(each_ground, over=False)
    found = ended_runs.verify(each_ground.database)
    assert (found.runs, found.changed) == (1, [])


def test_what_was_logged_after_the_end_is_named(each_ground: Ground) -> None:
    later, tagged, tampered = (make_run(each_ground) for _ in range(3))
    each_ground.database.write(lambda tx: log(tx, later, 0.9, step=1))
    each_ground.database.write(lambda tx: runs.set_tag(tx, tagged, "k", "v"))
    tamper = sa.text("UPDATE tags SET value = 'x' WHERE run_id = :run_id")
    each_ground.database.write(lambda tx: tx.execute(tamper, {"run_id": tampered}))
    found = ended_runs.verify(each_ground.database)
    assert found.runs == 3
    assert {one.run_id: one.what for one in found.changed} == {
        later: "metric points 1 → 2",
        tagged: "tags 1 → 2",
        tampered: "other values",
    }


def test_a_run_that_ended_again_is_held_against_its_last_end(each_ground: Ground) -> None:
    run_id = make_run(each_ground)
    each_ground.database.write(lambda tx: log(tx, run_id, 0.9, step=1))
    each_ground.database.write(lambda tx: end(tx, run_id, "RUNNING"))
    assert ended_runs.verify(each_ground.database).runs == 0
    each_ground.database.write(lambda tx: end(tx, run_id))
    assert ended_runs.verify(each_ground.database).changed == []
