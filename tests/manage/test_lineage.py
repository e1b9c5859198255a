"""Lineage on both databases: every kind of edge, from either end, within bounds."""

from __future__ import annotations

import msgspec
import pytest

from tenure.build import datasets
from tenure.errors import InvalidInput, NotFound
from tenure.manage import lineage
from tenure.manage.lineage_nodes import node_of
from tenure.records.base import Instant
from tenure.records.lineage import NODE_KINDS, Direction, Lineage
from tenure.records.model_files import AppliedFile, ModelFile
from tenure.records.tracking import Dataset, DatasetInput
from tenure.store import driver, model_versions, releases
from tenure.store import model_files as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from . import chain
from .chain import DATASET, NOW, RETRAINING, Chain


def look(ground: Ground, text: str, direction: Direction = "both", **more: int) -> Lineage:
    kind, _, identifier = text.partition(":")
    node = node_of(kind, identifier)
    return ground.database.read(lambda tx: lineage.of(tx, node, direction=direction, **more))


def names(found: Lineage) -> set[str]:
    return {str(info.node) for info in found.nodes} - {str(found.start)}


def edges(found: Lineage) -> set[str]:
    return {f"{edge.source} {edge.how} {edge.target}" for edge in found.edges}


def test_all_that_came_of_a_dataset_is_found_with_how(each_ground: Ground) -> None:
    made = Chain(each_ground)
    found = look(each_ground, f"dataset:{DATASET}", "down")
    assert edges(found) == {
        f"dataset:{DATASET} read by run:{made.run_id}",
        f"run:{made.run_id} made logged_model:{made.model_id}",
        f"logged_model:{made.model_id} registered as version:fraud/1",
        "version:fraud/1 copied as version:fraud-eu/1",
        "version:fraud/1 in service as release:r-fraud-1-champion",
        "release:r-fraud-1-champion serves endpoint:fraud-live",
        "version:fraud/1 gives its score to version:credit/1",
        "version:credit/1 in service as release:r-credit-1-champion",
        "release:r-credit-1-champion serves endpoint:credit-live",
        f"version:fraud/1 retrained by retraining:{RETRAINING}",
        f"retraining:{RETRAINING} made version:fraud/2",
    }
    assert found.cut == []
    scored = next(edge for edge in found.edges if edge.how == "gives its score to")
    assert scored.detail == "high", "through the column in between"


def test_whatever_is_found_down_leads_up_again(each_ground: Ground) -> None:
    Chain(each_ground)
    met = set()
    for kind in (f"dataset:{DATASET}", "model:fraud"):
        for name in names(look(each_ground, kind, "down")):
            assert kind in names(look(each_ground, name, "up")), name
            met |= {name.partition(":")[0]}
    assert met | {"dataset", "model"} == set(NODE_KINDS)


def test_a_version_knows_both_ways(each_ground: Ground) -> None:
    Chain(each_ground)
    found = look(each_ground, "version:credit/1")
    assert {"version:fraud/1", "model:fraud", f"dataset:{DATASET}", "endpoint:credit-live"} <= names(found)
    assert names(look(each_ground, "version:credit/2", "up")) == {"model:credit"}
    assert "version:credit/1" not in names(look(each_ground, "version:fraud/2", "down")), "it never answered"


def test_a_score_counts_from_when_its_taker_was_there(each_ground: Ground) -> None:
    Chain(each_ground)

    def replace(tx: Transaction) -> None:
        releases.end(tx, "r-fraud-1-champion", Instant(NOW + 10))
        chain.release(tx, "fraud-live", "fraud", 2, from_at=NOW + 10)
        chain.version(tx, "credit", at=Instant(NOW + 60_000_000), signature=chain.columns("risk"))

    each_ground.database.write(replace)
    of_old = look(each_ground, "version:credit/1", "up")
    ended = {str(edge.source): edge.ended for edge in of_old.edges if edge.how == "gives its score to"}
    assert ended == {"version:fraud/1": True, "version:fraud/2": False, "model:fraud": False}
    scored = {edge for edge in edges(look(each_ground, "version:credit/3", "up")) if "its score" in edge}
    assert scored == {
        "version:fraud/2 gives its score to version:credit/3",
        "model:fraud gives its score to version:credit/3",
    }


def test_what_ended_or_was_deleted_is_told_so(each_ground: Ground) -> None:
    Chain(each_ground)
    each_ground.database.write(lambda tx: releases.end(tx, "r-fraud-1-champion", Instant(NOW + 10)))
    each_ground.database.write(lambda tx: model_versions.redact(tx, "fraud", 1, NOW // 1000))
    found = {str(info.node): info for info in look(each_ground, "version:fraud-eu/1", "up").nodes}
    assert found["version:fraud/1"].gone
    released = look(each_ground, "endpoint:fraud-live", "up").nodes
    assert [info.ended for info in released if info.node.kind == "release"] == [True]
    with pytest.raises(NotFound, match="no version 'fraud/1'"):
        look(each_ground, "version:fraud/1")


def test_ten_thousand_runs_are_cut_and_counted(each_ground: Ground) -> None:
    made = Chain(each_ground)

    def many(tx: Transaction) -> None:
        rows = [(f"{number:032x}", number) for number in range(10_000)]
        driver.execute_many(
            tx,
            "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage)"
            " SELECT ?, experiment_id, 'many', 'ann', 'FINISHED', ?, 'x', 'active' FROM experiments"
            " WHERE name = 'risk'",
            rows,
        )
        driver.execute_many(
            tx,
            "INSERT INTO run_inputs (run_id, dataset_id, tags) SELECT ?, dataset_id, '[]' FROM datasets",
            [(run_id,) for run_id, _ in rows],
        )

    each_ground.database.write(many)
    found = look(each_ground, f"dataset:{DATASET}", "down", limit=100)
    assert len(found.nodes) <= 100
    assert sum(one.count for one in found.cut) == 10_001 - len([1 for one in found.nodes if one.node.kind == "run"])
    assert {one.because for one in found.cut} == {"count"}
    assert f"dataset:{DATASET}" in names(look(each_ground, f"run:{made.run_id}"))


def test_a_dataset_is_one_whichever_experiment_reads_it(each_ground: Ground) -> None:
    made = Chain(each_ground)

    def again(tx: Transaction) -> str:
        run_id = chain.run(tx, "0", "elsewhere")
        data = Dataset(name="loans", digest="a1b2", source_type="local", source="{}")
        datasets.log_inputs(tx, run_id, [DatasetInput(dataset=data, tags=[])], [])
        return run_id

    other = each_ground.database.write(again)
    assert {f"run:{other}", f"run:{made.run_id}"} <= names(look(each_ground, f"dataset:{DATASET}"))


@pytest.mark.parametrize(
    ("kind", "identifier", "problem"),
    [
        ("wheel", "x", "must be one of dataset, run"),
        ("version", "fraud", "must be <model>/<number>"),
        ("version", "fraud/1x", "must be <model>/<number>"),
        ("version", "fraud/99999999999", "must be <model>/<number>"),
        ("dataset", "loans", "must be <name>@<digest>"),
        ("run", "", "must be not empty"),
    ],
)
def test_what_names_no_node_is_refused(kind: str, identifier: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        node_of(kind, identifier)


@pytest.mark.parametrize("depth", [0, -1, 51, 10**9])
def test_a_depth_has_bounds(ground: Ground, depth: int) -> None:
    Chain(ground)
    with pytest.raises(InvalidInput, match="between 1 and 50"):
        look(ground, "model:fraud", depth=depth)


@pytest.mark.parametrize("name", ["run:none", "model:none", "version:fraud/9", "dataset:loans@no", "endpoint:none"])
def test_what_is_not_there_is_not_found(ground: Ground, name: str) -> None:
    Chain(ground)
    with pytest.raises(NotFound):
        look(ground, name)


def test_a_model_that_takes_its_own_score_ends(ground: Ground) -> None:
    Chain(ground)
    circular = {"model": "fraud", "features": {"age": {"derived_from": ["model:fraud", "age"]}}, **chain.FILE}
    file = msgspec.convert(circular, ModelFile)  # reading one refuses it; one that was kept before may say so
    before = AppliedFile(model="fraud", revision=9, digest="d", applied_by="ann", applied_at=NOW, file=file)
    ground.database.write(lambda tx: kept.add(tx, before))
    found = look(ground, "version:fraud/1")
    assert "version:fraud/1 gives its score to version:fraud/2" in edges(found)
    assert all(edge.source != edge.target for edge in found.edges)
