"""Lineage as events of the OpenLineage standard."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from tenure.manage import lineage, openlineage
from tenure.manage.lineage_nodes import node_of
from tenure.store.ground import Ground

from .chain import DATASET, RETRAINING, Chain

NEEDED = {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"}


def events(ground: Ground) -> list[dict[str, Any]]:
    found = ground.database.read(lambda tx: lineage.of(tx, node_of("dataset", DATASET)))
    return openlineage.events(found, namespace="http://here", producer="urn:tenure:0")


def ways(event: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [one["name"] for one in event["inputs"]], [one["name"] for one in event["outputs"]]


def test_every_event_has_what_the_standard_asks_for(each_ground: Ground) -> None:
    Chain(each_ground)
    told = events(each_ground)
    for event in told:
        assert set(event) == NEEDED
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        assert event["job"]["namespace"] == "http://here"
    moments = [datetime.fromisoformat(event["eventTime"]) for event in told]
    assert moments == sorted(moments)
    assert events(each_ground) == told, "the same ids again"


def test_runs_releases_and_retrainings_are_jobs_and_the_rest_is_data(each_ground: Ground) -> None:
    made = Chain(each_ground)
    told = {event["job"]["name"]: ways(event) for event in events(each_ground)}
    assert told["trained:forest"] == ([f"dataset:{DATASET}"], [f"logged_model:{made.model_id}"])
    assert told["registered:fraud 1"] == ([f"logged_model:{made.model_id}"], ["version:fraud/1"])
    assert told["registered:credit 1"] == (["version:fraud/1"], ["version:credit/1"])
    assert told["retrained:fraud"] == (["version:fraud/1"], ["version:fraud/2"])
    runs = {event["run"]["runId"] for event in events(each_ground)}
    assert str(uuid.UUID(made.run_id)) in runs
    assert RETRAINING not in told
