"""Runs, params, tags and inputs over the wire."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import msgspec
import pytest

from tenure.records.changes import AuditEvent
from tenure.store import audit
from tenure.store.ground import Ground
from tests.api.mlflow.conftest import Wire


def events(wire: Wire, action: str) -> list[AuditEvent]:
    with wire.ground.database.reading() as tx:
        return audit.search(tx, action=action)


def run_of(wire: Wire, run_id: str) -> dict[str, dict[str, object]]:
    return dict(wire.get("runs/get", run_id=run_id).json()["run"])


def tags_of(wire: Wire, run_id: str) -> dict[str, str]:
    data = wire.get("runs/get", run_id=run_id).json()["run"]["data"]
    return {tag["key"]: tag["value"] for tag in data.get("tags", [])}


def test_a_run_without_a_name_gets_one_that_its_tag_mirrors(each_wire: Wire) -> None:
    info = each_wire.post("runs/create", experiment_id="0", start_time=5).json()["run"]["info"]

    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", info["run_name"])
    assert len(info["run_name"]) <= 20
    assert tags_of(each_wire, info["run_id"])["mlflow.runName"] == info["run_name"]
    assert info["run_uuid"] == info["run_id"]
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{info['run_id']}/artifacts"
    assert (info["status"], info["lifecycle_stage"], info["start_time"]) == ("RUNNING", "active", 5)
    assert "end_time" not in info


def test_name_and_name_tag_follow_each_other_and_may_not_differ(each_wire: Wire) -> None:
    tag = [{"key": "mlflow.runName", "value": "b"}]
    refused = each_wire.post("runs/create", experiment_id="0", run_name="a", tags=tag)
    assert (refused.status, "(run_name='a', mlflow.runName='b')" in refused.json()["message"]) == (400, True)
    run_id = each_wire.run(run_name="a")
    each_wire.post("runs/set-tag", run_id=run_id, key="mlflow.runName", value="c")
    by_tag = run_of(each_wire, run_id)["info"]["run_name"]
    each_wire.post("runs/update", run_id=run_id, run_name="d")

    assert by_tag == "c"
    assert tags_of(each_wire, run_id)["mlflow.runName"] == "d"


def test_a_param_is_written_once(each_wire: Wire) -> None:
    run_id = each_wire.run()
    first, same, other = (
        each_wire.post("runs/log-parameter", run_id=run_id, key="depth", value=value) for value in ("3", "3", "4")
    )

    assert (first.status, same.status, other.status) == (200, 200, 400)
    assert "Changing param values is not allowed" in other.json()["message"]


def test_long_values_are_cut_and_bad_keys_refused(each_wire: Wire) -> None:
    run_id = each_wire.run()
    each_wire.post("runs/log-parameter", run_id=run_id, key="long", value="x" * 7000)
    each_wire.post("runs/set-tag", run_id=run_id, key="long", value="x" * 9000)

    found = each_wire.get("runs/get", run_id=run_id).json()["run"]["data"]
    assert len(found["params"][0]["value"]) == 6000
    assert len(tags_of(each_wire, run_id)["long"]) == 8000
    each_wire.post("runs/update", run_id=run_id, run_name="n" * 9000)
    assert len(tags_of(each_wire, run_id)["mlflow.runName"]) == 8000
    for key in ("", "../up", "/root", "a//b", "a\nb", "x" * 251, "a$b", "."):
        assert each_wire.post("runs/set-tag", run_id=run_id, key=key, value="v").status == 400
    assert each_wire.post("runs/set-tag", run_id=run_id, key="schlüssel/ä-1.x: y", value="v").status == 200


def test_where_nothing_may_be_cut_a_long_value_is_refused(ground: Ground) -> None:
    settings = msgspec.structs.replace(ground.settings, truncate_long_values=False)
    wire = Wire(replace(ground, settings=settings))
    run_id, model_id = wire.run(), wire.model()["model_id"]
    param, tag = {"key": "p", "value": "x" * 6001}, {"key": "t", "value": "x" * 8001}
    refused = [
        wire.post("runs/create", experiment_id="0", tags=[tag]),
        wire.post("runs/create", experiment_id="0", run_name=tag["value"]),
        wire.post("runs/update", run_id=run_id, run_name=tag["value"]),
        wire.post("runs/log-parameter", run_id=run_id, **param),
        wire.post("runs/set-tag", run_id=run_id, **tag),
        wire.post("runs/log-batch", run_id=run_id, params=[param]),
        wire.post("runs/log-batch", run_id=run_id, tags=[tag]),
        wire.post("logged-models", experiment_id="0", params=[param]),
        wire.post(f"logged-models/{model_id}/params", params=[param]),
        wire.patch(f"logged-models/{model_id}/tags", tags=[{"key": "t", "value": "x" * 20_001}]),
    ]

    assert {one.status for one in refused} == {400}
    assert all("exceeds the maximum length" in one.json()["message"] for one in refused)
    assert wire.post("runs/log-parameter", run_id=run_id, key="p", value="x" * 6000).status == 200


def test_the_end_of_a_run_is_one_event_with_counts_and_a_digest(each_wire: Wire) -> None:
    run_id = each_wire.run()
    points = [{"key": "auc", "value": step / 3, "timestamp": step, "step": step} for step in range(10)]
    each_wire.post("runs/log-batch", run_id=run_id, metrics=points, params=[{"key": "a", "value": "b"}])
    ended = each_wire.post("runs/update", run_id=run_id, status="FINISHED", end_time=9).json()["run_info"]
    (event,) = events(each_wire, "run.ended")
    each_wire.post("runs/log-metric", run_id=run_id, key="auc", value=1, timestamp=99, step=99)
    each_wire.post("runs/update", run_id=run_id, status="FINISHED")

    assert (ended["status"], ended["end_time"]) == ("FINISHED", 9)
    assert event.subject == f"run:{run_id}"
    assert (event.detail["metric_points"], event.detail["metric_keys"], event.detail["params"]) == (10, 1, 1)
    later = events(each_wire, "run.ended")[0].detail
    assert later["metric_points"] == 11
    assert later["sha256"] != event.detail["sha256"]
    assert each_wire.post("runs/update", run_id=run_id, status="DONE").status == 400


def test_a_deleted_run_is_read_and_not_written_until_it_is_restored(each_wire: Wire) -> None:
    run_id = each_wire.run()
    each_wire.post("runs/delete", run_id=run_id)
    refused = [
        each_wire.post("runs/log-metric", run_id=run_id, key="a", value=1, timestamp=1),
        each_wire.post("runs/log-batch", run_id=run_id),
        each_wire.post("runs/set-tag", run_id=run_id, key="a", value="b"),
        each_wire.post("runs/update", run_id=run_id, status="FINISHED"),
    ]

    assert {one.status for one in refused} == {400}
    assert run_of(each_wire, run_id)["info"]["lifecycle_stage"] == "deleted"
    hidden = each_wire.post("runs/search", experiment_ids=["0"]).json()
    shown = each_wire.post("runs/search", experiment_ids=["0"], run_view_type="DELETED_ONLY").json()
    assert (hidden, len(shown["runs"])) == ({}, 1)
    assert each_wire.post("runs/restore", run_id=run_id).status == 200
    assert each_wire.post("runs/set-tag", run_id=run_id, key="a", value="b").status == 200


def test_deleting_and_restoring_a_run_again_changes_nothing_and_is_told_once(each_wire: Wire) -> None:
    run_id = each_wire.run()
    calls = ("restore", "delete", "delete", "restore", "restore")
    answers = [each_wire.post(f"runs/{call}", run_id=run_id).status for call in calls]

    assert answers == [200] * 5
    assert [len(events(each_wire, action)) for action in ("run.deleted", "run.restored")] == [1, 1]


def test_an_unknown_run_is_not_found(wire: Wire) -> None:
    answer = wire.post("runs/log-metric", run_id="f" * 32, key="a", value=1, timestamp=1)

    assert (answer.status, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_deleting_a_tag_that_is_not_there_is_not_found(each_wire: Wire) -> None:
    run_id = each_wire.run(tags=[{"key": "a", "value": "b"}])

    answers = [each_wire.post("runs/delete-tag", run_id=run_id, key="a").status for _ in range(2)]
    assert answers == [200, 404]


def test_inputs_and_outputs_are_told_once_however_often_they_are_logged(each_wire: Wire) -> None:
    run_id, model = each_wire.run(), each_wire.model()["model_id"]
    dataset = {"name": "train", "digest": "abc", "source_type": "local", "source": "{}", "schema": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    for _ in range(2):
        each_wire.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": tags}])
        each_wire.post("runs/log-inputs", run_id=run_id, models=[{"model_id": model}])
        each_wire.post("runs/outputs", run_id=run_id, models=[{"model_id": model, "step": 0}])

    run = run_of(each_wire, run_id)
    assert run["inputs"] == {
        "dataset_inputs": [{"dataset": dataset, "tags": tags}],
        "model_inputs": [{"model_id": model}],
    }
    assert run["outputs"] == {"model_outputs": [{"model_id": model, "step": 0}]}
    for asked in ("datasets.name = 'train'", "dataset.context IN ('training', 'x')", "dataset.digest LIKE 'a%'"):
        assert len(each_wire.post("runs/search", experiment_ids=["0"], filter=asked).json()["runs"]) == 1


def test_a_dataset_needs_name_digest_and_source(wire: Wire) -> None:
    run_id = wire.run()
    whole = {"name": "train", "digest": "abc", "source_type": "local", "source": "{}"}

    for name in whole:
        part = {key: value for key, value in whole.items() if key != name}
        assert wire.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": part}]).status == 400
    long = {**whole, "digest": "x" * 37}
    assert wire.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": long}]).status == 400


def test_a_thousand_datasets_may_come_at_once_and_not_any_number(wire: Wire) -> None:
    run_id = wire.run()
    each = [
        {"dataset": {"name": f"d{number}", "digest": "d", "source_type": "t", "source": "{}"}} for number in range(5001)
    ]

    assert wire.post("runs/log-inputs", run_id=run_id, datasets=each[:1100]).status == 200
    assert len(wire.post("experiments/search-datasets", experiment_ids=["0"]).json()["dataset_summaries"]) == 1000
    assert wire.post("runs/log-inputs", run_id=run_id, datasets=each).status == 400


def test_old_clients_keep_models_in_a_tag(wire: Wire) -> None:
    run_id = wire.run()
    described = {"artifact_path": "m", "flavors": {}, "utc_time_created": "now", "run_id": run_id}
    for _ in range(2):
        assert (
            wire.post("runs/log-model", run_id=run_id, model_json=msgspec.json.encode(described).decode()).status == 200
        )

    assert tags_of(wire, run_id)["mlflow.log-model.history"] == json.dumps([described, described])
    assert wire.post("runs/log-model", run_id=run_id, model_json="{}").status == 400


@pytest.mark.parametrize(("view", "found"), [("ALL", 2), ("ACTIVE_ONLY", 1), ("DELETED_ONLY", 1)])
def test_a_view_shows_the_lifecycle_stages_it_names(each_wire: Wire, view: str, found: int) -> None:
    each_wire.run()
    each_wire.post("runs/delete", run_id=each_wire.run())

    answer = each_wire.post("runs/search", experiment_ids=["0"], run_view_type=view, order_by=["metrics.a"])
    assert len(answer.json()["runs"]) == found


def test_text_is_searched_alike_on_both_databases(each_wire: Wire) -> None:
    for name in ("alpha_1", "Alpha%1", "beta\\x", "[x]"):
        each_wire.run(run_name=name)

    def names(text: str) -> list[str]:
        asked = {"experiment_ids": ["0"], "filter": text, "order_by": ["run_name"]}
        return sorted(run["info"]["run_name"] for run in each_wire.post("runs/search", **asked).json().get("runs", []))

    assert names("run_name LIKE 'alpha%'") == ["alpha_1"]
    assert names("run_name ILIKE 'alpha%'") == ["Alpha%1", "alpha_1"]
    assert names("run_name LIKE 'beta\\%'") == ["beta\\x"]
    assert names("run_name LIKE '[_]'") == ["[x]"]
    assert names("run_name != 'alpha_1' AND status = 'RUNNING' AND start_time > 5") == ["Alpha%1", "[x]", "beta\\x"]


@pytest.mark.parametrize(
    "pattern", ["%a" * 20 + "%b", "%a_" * 500 + "b%c", "_%" * 200 + "b", "%" + "*?" * 300, "[" * 500]
)
def test_a_pattern_that_is_built_to_be_slow_is_answered_at_once(each_wire: Wire, pattern: str) -> None:
    for _ in range(5):
        each_wire.post("runs/log-parameter", run_id=each_wire.run(), key="p", value="a" * 6000)
    began = time.perf_counter()
    for operator in ("LIKE", "ILIKE"):
        asked = {"experiment_ids": ["0"], "filter": f"params.p {operator} '{pattern}'"}
        answer = each_wire.post("runs/search", **asked)
        assert (answer.status, answer.json().get("runs", [])) == (200, [])
    assert time.perf_counter() - began < 2.0
