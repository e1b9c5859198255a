"""Taking up what another server sends: on both databases, again and again without doubling anything."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.build import experiments, imports, metrics, runs
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.records.imports import (
    Asked,
    Counts,
    ExperimentSent,
    ItemDone,
    LoggedModelSent,
    ModelLink,
    ModelPoint,
    PointsSent,
    RegisteredModelSent,
    RunSent,
    Said,
    Series,
    VersionSent,
)
from tenure.records.registry import Pinned
from tenure.records.routing import PinnedFile
from tenure.records.tracking import Dataset, DatasetInput, KeyValue
from tenure.store import audit
from tenure.store.ground import Ground
from tests.conftest import NOON

SOURCE = "0123456789abcdef"
RUN = "a" * 32
MODEL = "m-" + "b" * 32
VERSION = VersionSent(
    name="late", version=7, user_id="ada", current_stage="None", creation_time=5, last_updated_time=6, run_id=RUN
)


def experiment(source_id: str, name: str, stage: Any = "active") -> ExperimentSent:
    return ExperimentSent(
        source_id=source_id,
        name=name,
        artifact_location="",
        lifecycle_stage=stage,
        creation_time=1,
        last_update_time=2,
        tags={"team": "risk"},
    )


def run(run_id: str = RUN, experiment_id: str = "5", **more: Any) -> RunSent:
    given: dict[str, Any] = {
        "name": "r",
        "user_id": "ada",
        "status": "FINISHED",
        "start_time": 3,
        "end_time": 4,
        "deleted_time": None,
        "lifecycle_stage": "active",
        "artifact_uri": "s3://elsewhere/5/r",
        "params": {"depth": "3"},
        "tags": {"a": "b"},
        **more,
    }
    return RunSent(run_id=run_id, experiment_id=experiment_id, **given)


def series(values: list[Any], **more: Any) -> PointsSent:
    steps = list(range(len(values)))
    return PointsSent(
        series=[Series(run_id=RUN, key="loss", values=values, timestamps=[9] * len(values), steps=steps, **more)]
    )


def take(ground: Ground, *runs_: RunSent) -> None:
    ground.database.write(lambda tx: imports.take_experiments(tx, SOURCE, [experiment("5", "flights")], now=NOON))
    ground.database.write(lambda tx: imports.take_runs(tx, SOURCE, runs_ or [run()], now=NOON))


def test_experiments_keep_ids_that_are_free_and_the_counter_goes_on_behind_them(each_ground: Ground) -> None:
    database = each_ground.database
    mine = database.write(lambda tx: experiments.create(tx, "mine", location=None, tags=[], now=NOON))
    sent = [experiment("0", "Default"), experiment(mine, "theirs"), experiment("40", "far", "deleted")]
    sent.append(experiment("9223372036854775807", "huge"))
    for _ in range(2):
        taken = database.write(lambda tx: imports.take_experiments(tx, SOURCE, sent, now=NOON))
        ids = {one.source_id: one.target_id for one in taken}
        assert (ids["0"], ids["40"]) == ("0", "40")
        assert len({*ids.values(), mine}) == 5
    far = database.read(lambda tx: experiments.get(tx, "40"))
    assert (far.lifecycle_stage, far.artifact_location, far.creation_time) == ("deleted", "mlflow-artifacts:/40", 1)
    following = database.write(lambda tx: experiments.create(tx, "next", location=None, tags=[], now=NOON))
    assert int(following) > 40


def test_an_experiment_is_not_joined_with_one_that_is_deleted_here(each_ground: Ground) -> None:
    database = each_ground.database
    mine = database.write(lambda tx: experiments.create(tx, "flights", location=None, tags=[], now=NOON))
    database.write(lambda tx: experiments.delete(tx, mine, by="ada", now=NOON))
    with pytest.raises(Conflict, match="Restore it"):
        take(each_ground)
    database.write(lambda tx: experiments.restore(tx, mine, by="ada", now=NOON))
    take(each_ground)


def test_a_run_that_is_sent_again_follows_its_source_and_is_not_doubled(each_ground: Ground) -> None:
    database = each_ground.database
    dataset = Dataset(name="toy", digest="d", source_type="local", source="{}")
    given = [DatasetInput(dataset=dataset, tags=[KeyValue(key="mlflow.data.context", value="training")])]
    links = [ModelLink(model_id=MODEL, step=2)]
    take(each_ground, run(datasets=given, models_made=links))
    take(
        each_ground, run(datasets=given, models_made=links, status="FAILED", tags={"a": "c"}, lifecycle_stage="deleted")
    )
    found = database.read(lambda tx: runs.get(tx, RUN))
    assert (found.info.status, found.info.lifecycle_stage) == ("FAILED", "deleted")
    assert [(tag.key, tag.value) for tag in found.data.tags] == [("a", "c")]
    assert (len(found.inputs.dataset_inputs), len(found.outputs.model_outputs)) == (1, 1)


def test_points_arrive_once_and_the_latest_is_the_greatest_step(each_ground: Ground) -> None:
    take(each_ground)
    database = each_ground.database
    for _ in range(2):
        database.write(lambda tx: imports.take_points(tx, series([1.0, None, "-Infinity", "Infinity", 0.25])))
    points, _ = database.read(lambda tx: metrics.history(tx, RUN, "loss", max_results=None, page_token=None))
    assert [point.value for point in points] == [1.0, "NaN", "-Infinity", "Infinity", 0.25]
    (latest,) = database.read(lambda tx: runs.get(tx, RUN)).data.metrics
    assert (latest.value, latest.step) == (0.25, 4)


def test_points_that_do_not_fit_are_refused_whole(each_ground: Ground) -> None:
    database = each_ground.database
    with pytest.raises(NotFound, match="Send the run before"):
        database.write(lambda tx: imports.take_points(tx, series([1.0])))
    take(each_ground)
    uneven = PointsSent(series=[Series(run_id=RUN, key="loss", values=[1.0], timestamps=[], steps=[1])])
    for sent, says in ((uneven, "of one length"), (series([0.0] * 20_001), "at most 20000")):
        with pytest.raises(InvalidInput, match=says):
            database.write(lambda tx, sent=sent: imports.take_points(tx, sent))


def test_a_run_of_an_unknown_experiment_is_refused_and_the_others_are_taken(each_ground: Ground) -> None:
    database = each_ground.database
    database.write(lambda tx: imports.take_experiments(tx, SOURCE, [experiment("5", "flights")], now=NOON))
    sent = [run(), run("c" * 32, "6")]
    taken = database.write(lambda tx: imports.take_runs(tx, SOURCE, sent, now=NOON))
    assert taken.taken == {RUN: f"mlflow-artifacts:/5/{RUN}/artifacts"}
    assert [one.source_id for one in taken.refused] == ["c" * 32]


def test_locations_are_rewritten_when_files_have_arrived_and_not_before(each_ground: Ground) -> None:
    take(each_ground)
    database = each_ground.database

    def finish(copied: bool) -> str:
        said = Said(digest="d", counts=Counts(), copied=copied)
        items = [ItemDone(source_id=RUN, said=said)]
        database.write(lambda tx: imports.finish(tx, SOURCE, "run", items, now=NOON))
        return database.read(lambda tx: runs.info(tx, RUN)).artifact_uri

    assert finish(False) == "s3://elsewhere/5/r"
    assert finish(True) == f"mlflow-artifacts:/5/{RUN}/artifacts"
    take(each_ground)
    assert finish(False) == f"mlflow-artifacts:/5/{RUN}/artifacts"


def test_counting_tells_what_is_here_of_each_item(each_ground: Ground) -> None:
    take(each_ground)
    database = each_ground.database
    model = LoggedModelSent(
        model_id=MODEL,
        experiment_id="5",
        name="m",
        artifact_location=f"mlflow-artifacts:/5/models/{MODEL}/artifacts",
        creation_time=1,
        last_update_time=2,
        status="READY",
        lifecycle_stage="active",
        params={"C": "1"},
        points=[ModelPoint(key="auc", value=0.9, timestamp=1, step=0, run_id=RUN)],
    )
    database.write(lambda tx: imports.take_points(tx, series([1.0, 2.0])))
    database.write(lambda tx: imports.take_logged_models(tx, SOURCE, [model], now=NOON))
    each_ground.artifacts.write(f"5/models/{MODEL}/artifacts/MLmodel", [b"12345"])
    count = lambda kind, one: imports.count(  # noqa: E731
        database, each_ground.roots, SOURCE, Asked(kind=kind, source_ids=[one, "absent"])
    )
    assert count("run", RUN) == {RUN: Counts(params=1, tags=1, points=2, latest=1)}
    assert count("logged_model", MODEL) == {MODEL: Counts(params=1, points=1, files=1, bytes=5)}
    assert count("experiment", "5") == {"5": Counts(tags=1)}


def test_a_version_keeps_its_number_and_another_of_that_number_is_a_conflict(each_ground: Ground) -> None:
    database = each_ground.database
    model = RegisteredModelSent(name="late", description="d", creation_time=1, last_updated_time=2, tags={"a": "b"})
    pinned = Pinned(files=[PinnedFile(path="MLmodel", size_bytes=1, sha256="0")], digest="sha256:0", signature=None)
    nothing = Pinned(files=[], digest="", signature=None)

    def send(version: VersionSent, files: Pinned) -> None:
        database.write(lambda tx: imports.take_version(tx, SOURCE, version, files, by="ada", now=NOON))

    for _ in range(2):
        database.write(lambda tx: imports.take_registered_models(tx, SOURCE, [model], by="ada", now=NOON))
        send(VERSION, nothing)
    send(VERSION, pinned)  # what could not be read the first time
    send(VERSION, pinned)
    other = VersionSent(
        name="late", version=7, user_id="bob", current_stage="None", creation_time=50, last_updated_time=6
    )
    with pytest.raises(Conflict, match="another one"):
        send(other, nothing)
    counted = imports.count(database, each_ground.roots, SOURCE, Asked(kind="model_version", source_ids=["late/7"]))
    assert counted == {"late/7": Counts()}
    registered = database.read(lambda tx: audit.search(tx, action="version.registered"))
    assert [event.detail["files"] for event in registered] == [1, 0]


def test_a_model_whose_name_cannot_be_here_is_refused_by_name(each_ground: Ground) -> None:
    sent = [RegisteredModelSent(name="a/b", description=None, creation_time=1, last_updated_time=2)]
    taken = each_ground.database.write(lambda tx: imports.take_registered_models(tx, SOURCE, sent, by="ada", now=NOON))
    assert (taken.taken, [one.source_id for one in taken.refused]) == ({}, ["a/b"])
