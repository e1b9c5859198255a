"""What was deleted is removed for good: all of it, and nothing else."""

from __future__ import annotations

import os
import threading

import pytest
import sqlalchemy as sa

from tenure.build import deleted, experiments, logged_models, model_versions, registered_models, runs
from tenure.build import metrics as build_metrics
from tenure.errors import NotFound, Unavailable
from tenure.records.base import DAY_US, Instant
from tenure.records.deleted import Removal, Removed
from tenure.records.registry import NewVersion, Pinned
from tenure.records.tracking import MetricPoint
from tenure.store import audit, driver, imports, tables
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tests.conftest import NOON

LATER = Instant(NOON + 40 * DAY_US)
"""When the retention of what was deleted at NOON is over."""


class Town:
    """An experiment on a ground, and what a test puts into it."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.experiment = self.write(lambda tx: experiments.create(tx, "flights", location=None, tags=[], now=NOON))

    def write(self, work: object) -> str:
        return self.ground.database.write(work)  # type: ignore[arg-type, return-value]

    def run(self, *, deleted_at: Instant | None = NOON) -> str:
        """A run with two points, a param, a tag and a file."""

        def make(tx: Transaction) -> str:
            made = runs.create(tx, self.experiment, name=None, user_id="ada", start_time=1, tags=[], now=NOON)
            run_id = made.info.run_id
            points = [MetricPoint(key="loss", value=0.5, timestamp=1, step=step) for step in (1, 2)]
            build_metrics.log_batch(tx, run_id, points, [], [])
            runs.log_param(tx, run_id, "depth", "3")
            if deleted_at is not None:
                runs.delete(tx, run_id, by="ada", now=deleted_at)
            return run_id

        run_id = self.write(make)
        self.ground.artifacts.write(f"{self.experiment}/{run_id}/artifacts/notes.txt", [b"hello"])
        return run_id

    def model(self, run_id: str | None = None, *, deleted_at: Instant | None = NOON) -> str:
        def make(tx: Transaction) -> str:
            made = logged_models.create(
                tx, self.experiment, name="m", model_type=None, source_run_id=run_id, params=[], tags=[], now=NOON
            )
            model_id = made.info.model_id
            if deleted_at is not None:
                logged_models.delete(tx, model_id, by="ann", now=deleted_at)
            return model_id

        model_id = self.write(make)
        self.ground.artifacts.write(f"{self.experiment}/models/{model_id}/artifacts/MLmodel", [b"flavors"])
        return model_id

    def version(self, *, run_id: str | None = None, model_id: str | None = None, location: str = "s3://x/y") -> None:
        def make(tx: Transaction) -> str:
            registered_models.create(tx, "late", description=None, tags=[], by="ada", now=NOON)
            new = NewVersion(name="late", source=location, storage_location=location, run_id=run_id, model_id=model_id)
            model_versions.register(tx, new, Pinned(files=[], digest="", signature=None), by="ada", now=NOON)
            return ""

        self.write(make)

    def remove(self, kind: str, *ids: str, now: Instant = LATER, older_than_s: float | None = None) -> Removed:
        asked = Removal(kind=kind, ids=list(ids), older_than_s=older_than_s)  # type: ignore[arg-type]
        return deleted.remove(self.ground, asked, by="ada", now=now)

    def removable(self, kind: str, now: Instant = LATER) -> tuple[set[str], dict[str, str]]:
        due = deleted.due_ms(self.ground, None, now)
        page = deleted.removables(self.ground, kind, due=due)  # type: ignore[arg-type]
        return {one.id for one in page.items}, {one.id: one.why for one in page.held}

    def rows(self) -> dict[str, int]:
        """How many rows each table of tracking holds."""
        names = ("runs", "params", "tags", "metrics", "latest_metrics", "run_inputs", "run_models", "logged_models")

        def count(tx: Transaction) -> dict[str, int]:
            return {
                name: tx.scalar(sa.select(sa.func.count()).select_from(tables.metadata.tables[name])) or 0
                for name in names
            }

        return self.ground.database.read(count)

    def files(self) -> list[str]:
        return [file.key for file in self.ground.artifacts.files("")]


@pytest.fixture
def town(each_ground: Ground) -> Town:
    return Town(each_ground)


def test_a_run_goes_with_its_rows_and_files_once_its_retention_is_over(town: Town) -> None:
    old, young, alive = town.run(), town.run(deleted_at=LATER), town.run(deleted_at=None)
    assert town.removable("run") == ({old}, {})
    removed = town.remove("run", old, young, alive)
    assert (removed.done, removed.points, removed.files, removed.bytes) == ([old], 2, 1, 5)
    assert {one.id for one in removed.held} == {young, alive}
    assert town.rows() | {"tags": 0} == {
        "runs": 2, "params": 2, "tags": 0, "metrics": 4, "latest_metrics": 2, "run_inputs": 0, "run_models": 0,
        "logged_models": 0,
    }  # fmt: skip
    assert len(town.files()) == 2
    assert not any(old in key for key in town.files())


def test_another_retention_can_be_asked_for(town: Town) -> None:
    run_id = town.run()
    assert town.remove("run", run_id, now=NOON).held[0].why.startswith("it was restored, or")
    assert town.remove("run", run_id, now=NOON, older_than_s=0).done == [run_id]


def test_what_a_version_needs_stays_and_is_named(town: Town) -> None:
    by_run, by_location, source = town.run(), town.run(), town.run()
    model_id = town.model(source)
    town.version(run_id=by_run)
    location = f"mlflow-artifacts:/{town.experiment}/{by_location}/artifacts/model"
    town.ground.database.write(
        lambda tx: driver.execute(
            tx, "UPDATE model_versions SET storage_location = ?, model_id = ?", (location, model_id)
        )
    )
    found, held = town.removable("run")
    assert (found, set(held)) == (set(), {by_run, by_location, source})
    assert set(held.values()) == {"version late/1 needs it"}
    assert town.removable("logged_model") == (set(), {model_id: "version late/1 needs it"})
    assert town.remove("run", by_run, by_location, source).done == []
    assert town.remove("logged_model", model_id).done == []
    town.ground.database.write(lambda tx: model_versions.delete(tx, "late", 1, by="ada", now=NOON))
    assert town.removable("run")[0] == {by_run, by_location, source}


def test_what_governance_refers_to_stays(town: Town) -> None:
    run_id = town.run()
    row = ("r1", "late", "late", "promoted", 1, "{}", f'[{{"run_id": "{run_id}"}}]', 0, 0)
    columns = "retraining_id, endpoint, model, state, champion_version, trigger, steps, event_at, started_at"
    town.ground.database.write(
        lambda tx: driver.execute(tx, f"INSERT INTO retraining_runs ({columns}) VALUES ({driver.marks(9)})", row)
    )
    assert town.removable("run") == (set(), {run_id: deleted.EVIDENCE})


def test_an_experiment_goes_when_nothing_is_left_in_it_and_its_name_is_free(town: Town) -> None:
    alive, model_id = town.run(deleted_at=None), town.model(deleted_at=None)
    number = town.experiment
    town.ground.database.write(lambda tx: experiments.delete(tx, number, by="ada", now=NOON))
    assert town.removable("experiment") == ({number}, {})
    assert town.remove("experiment", number).unfinished == [number]
    assert town.remove("run", alive).done == [alive]
    assert town.remove("logged_model", model_id).done == [model_id]
    assert town.remove("experiment", number).done == [number]
    assert town.files() == []
    again = town.write(lambda tx: experiments.create(tx, "flights", location=None, tags=[], now=LATER))
    assert again


def test_an_experiment_with_something_that_stays_stays(town: Town) -> None:
    run_id = town.run()
    town.version(run_id=run_id)
    town.ground.database.write(lambda tx: experiments.delete(tx, town.experiment, by="ada", now=NOON))
    (why,) = town.removable("experiment")[1].values()
    assert "needs it" in why


def test_what_broke_off_is_gone_for_everybody_and_finished_by_the_next_call(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = town.run()

    def refuse(self: ArtifactStore, keys: list[str]) -> None:
        raise Unavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(ArtifactStore, "delete", refuse)
        with pytest.raises(Unavailable):
            town.remove("run", run_id)
    database = town.ground.database
    with pytest.raises(NotFound, match="not found"):
        database.read(lambda tx: runs.get(tx, run_id))
    with pytest.raises(NotFound, match="not found"):
        database.write(lambda tx: runs.restore(tx, run_id, by="ada", now=LATER))
    with pytest.raises(NotFound):
        database.write(lambda tx: runs.log_param(tx, run_id, "late", "1"))
    database.write(lambda tx: experiments.delete(tx, town.experiment, by="ada", now=LATER))
    database.write(lambda tx: experiments.restore(tx, town.experiment, by="ada", now=LATER))
    assert town.removable("run") == ({run_id}, {})
    assert town.remove("run", run_id).done == [run_id]
    assert town.files() == []
    assert town.rows()["metrics"] == 0


def test_a_restored_run_wins(town: Town) -> None:
    run_id = town.run()
    town.ground.database.write(lambda tx: runs.restore(tx, run_id, by="ada", now=LATER))
    removed = town.remove("run", run_id)
    assert (removed.done, [one.id for one in removed.held]) == ([], [run_id])
    assert len(town.files()) == 1


def test_two_at_once_do_no_harm(town: Town) -> None:
    ids = [town.run() for _ in range(6)]
    answers: list[Removed] = []
    threads = [threading.Thread(target=lambda: answers.append(town.remove("run", *ids))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert {one for answer in answers for one in answer.done} == set(ids)
    assert (town.rows()["runs"], town.files()) == (0, [])


def test_a_long_history_goes_in_several_requests(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sorted([town.run(), town.run()])
    monkeypatch.setattr(deleted, "POINTS_A_REQUEST", 2)
    monkeypatch.setattr(deleted, "POINTS_A_TRANSACTION", 1)
    answer = town.remove("run", first, second)
    assert (answer.done, answer.points, sorted(answer.unfinished)) == ([], 2, [first, second])
    while answer.unfinished:
        answer = town.remove("run", *answer.unfinished)
    assert town.rows()["runs"] == 0


def test_a_location_that_is_not_the_runs_own_is_left_alone(town: Town) -> None:
    neighbour, run_id = town.run(deleted_at=None), town.run()
    root = f"mlflow-artifacts:/{town.experiment}"
    town.ground.database.write(
        lambda tx: driver.execute(tx, "UPDATE runs SET artifact_uri = ? WHERE run_id = ?", (root, run_id))
    )
    page = deleted.removables(town.ground, "run", due=deleted.due_ms(town.ground, None, LATER))
    assert [one.reached for one in page.items] == [False]
    assert town.remove("run", run_id).done == [run_id]
    assert any(neighbour in key for key in town.files())


def test_one_audit_event_tells_how_many_and_a_digest_of_which(town: Town) -> None:
    ids = [town.run(), town.run()]
    town.remove("run", *ids)
    (event,) = town.ground.database.read(lambda tx: audit.search(tx, action="deleted.removed"))
    assert (event.detail["kind"], event.detail["count"]) == ("run", 2)
    assert event.detail["digest"] == deleted.digest_of(ids)


def test_an_import_does_not_bring_back_what_was_removed(town: Town) -> None:
    run_id = town.run()
    town.ground.database.write(lambda tx: imports.begin(tx, "s", "run", [(run_id, run_id)], NOON))
    town.remove("run", run_id)
    (known,) = town.ground.database.read(lambda tx: imports.known(tx, "s", "run", "", 10))
    assert known.state == "removed"


class Folders:
    """Folders of artifacts without rows, of any age."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def make(self, key: str, *, days_old: float) -> str:
        self.ground.artifacts.write(f"{key}/artifacts/model.bin", [b"bytes"])
        changed_s = (LATER - days_old * DAY_US) / 1_000_000
        path = f"{self.ground.artifacts.base}/{key}/artifacts/model.bin"
        os.utime(path, (changed_s, changed_s))
        return key


@pytest.fixture
def folders(ground: Ground) -> Folders:
    return Folders(ground)


def test_folders_that_nothing_owns_are_swept_when_they_are_old(ground: Ground, folders: Folders) -> None:
    town = Town(ground)
    alive = town.run(deleted_at=None)
    old = folders.make("7/" + "a" * 32, days_old=2)
    model = folders.make("7/models/m-" + "b" * 32, days_old=2)
    folders.make("7/" + "c" * 32, days_old=0.5)
    folders.make(f"{town.experiment}/{alive}", days_old=2)
    folders.make("7/something of a person", days_old=900)
    found = deleted.orphans(ground, now=LATER)
    assert [one.folder for one in found.items] == [old, model]
    assert found.young == 1
    swept = deleted.sweep(ground, [old, model, f"{town.experiment}/{alive}", "7", ""], by="ada", now=LATER)
    assert (swept.folders, swept.files, swept.bytes) == (2, 2, 10)
    assert len([key for key in town.files() if key.startswith("7/")]) == 2
    (event,) = ground.database.read(lambda tx: audit.search(tx, action="orphans.swept"))
    assert event.detail["folders"] == 2


def test_a_folder_where_a_version_keeps_its_files_is_no_orphan(ground: Ground, folders: Folders) -> None:
    town = Town(ground)
    key = folders.make("7/" + "a" * 32, days_old=2)
    town.version(location=f"mlflow-artifacts:/{key}/artifacts")
    assert deleted.orphans(ground, now=LATER).items == []
    assert deleted.sweep(ground, [key], by="ada", now=LATER).folders == 0
