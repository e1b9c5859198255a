"""Logged models over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.mlflow.conftest import Wire


def names(wire: Wire, **asked: Any) -> list[str]:
    answer = wire.post("logged-models/search", **{"experiment_ids": ["0"], **asked})
    assert answer.status == 200, answer.content
    return [model["info"]["name"] for model in answer.json().get("models", [])]


def made(wire: Wire, name: str, **fields: Any) -> str:
    return str(wire.post("logged-models", experiment_id="0", name=name, **fields).json()["model"]["info"]["model_id"])


def test_a_model_is_pending_until_its_files_are_there(each_wire: Wire) -> None:
    run_id = each_wire.run()
    info = each_wire.model(source_run_id=run_id, model_type="tree", params=[{"key": "a", "value": "1"}])
    model_id = info["model_id"]
    ready = each_wire.patch(f"logged-models/{model_id}", status="LOGGED_MODEL_READY").json()["model"]

    assert info["status"] == "LOGGED_MODEL_PENDING"
    assert ready["info"]["status"] == "LOGGED_MODEL_READY"
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    assert (ready["info"]["source_run_id"], ready["info"]["model_type"]) == (run_id, "tree")
    assert ready["data"]["params"] == [{"key": "a", "value": "1"}]
    listed = each_wire.get(f"logged-models/{model_id}/artifacts/directories").json()
    assert [file["path"] for file in listed["files"]] == ["MLmodel", "model.skops"]
    assert each_wire.patch(f"logged-models/{model_id}", status="READY").status == 400


def test_a_model_may_come_from_a_run_of_another_server(each_wire: Wire) -> None:
    made(each_wire, "moved", source_run_id="elsewhere")

    assert names(each_wire, filter="source_run_id = 'elsewhere'") == ["moved"]
    assert each_wire.post("logged-models", experiment_id="0", source_run_id="x" * 251).status == 400


def test_a_deleted_model_is_not_found_unless_asked_for(each_wire: Wire) -> None:
    model_id = made(each_wire, "gone")
    each_wire.delete(f"logged-models/{model_id}")

    assert each_wire.get(f"logged-models/{model_id}").status == 404
    assert each_wire.get(f"logged-models/{model_id}", allow_deleted="true").status == 200
    assert names(each_wire) == []


def test_a_param_of_a_model_is_called_as_its_framework_calls_it(each_wire: Wire) -> None:
    """Not as a run's: a model whose parameters have odd names is logged all the same."""
    params = [{"key": key, "value": "1"} for key in ("a" * 251, "steps[0].alpha", "../up", "größe (m²)")]
    kept = made(each_wire, "odd", params=params)
    told = each_wire.get(f"logged-models/{kept}").json()["model"]["data"]["params"]

    assert sorted(told, key=str) == sorted(params, key=str)
    for key in ("", "a" * 6001):
        assert each_wire.post(f"logged-models/{kept}/params", params=[{"key": key, "value": "1"}]).status == 400


def test_tags_are_set_and_deleted_and_params_are_written_once(each_wire: Wire) -> None:
    model_id = made(each_wire, "one")
    tagged = each_wire.patch(f"logged-models/{model_id}/tags", tags=[{"key": "a/b", "value": "1"}]).json()["model"]
    gone = [each_wire.delete(f"logged-models/{model_id}/tags/a/b").status for _ in range(2)]
    params = [
        each_wire.post(f"logged-models/{model_id}/params", params=[{"key": "p", "value": value}]).status
        for value in ("1", "1", "2")
    ]

    assert tagged["info"]["tags"] == [{"key": "a/b", "value": "1"}]
    assert gone == [200, 404]
    assert params == [200, 200, 400]


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "a%b", 'a"b', "a'b"])
def test_a_name_that_reads_like_a_path_is_refused(wire: Wire, name: str) -> None:
    assert wire.post("logged-models", experiment_id="0", name=name).status == 400


def test_searching_by_attribute_param_tag_and_metric_on_a_dataset(each_wire: Wire) -> None:
    run_id = each_wire.run()
    first = made(each_wire, "first", params=[{"key": "depth", "value": "3"}], tags=[{"key": "team", "value": "a"}])
    second = made(each_wire, "second", source_run_id=run_id)
    made(each_wire, "third")
    each_wire.patch(f"logged-models/{first}", status="LOGGED_MODEL_UPLOAD_FAILED")
    for model_id, dataset, value, step in (
        (first, "train", 0.9, 1),
        (first, "train", 0.1, 2),
        (first, "test", 0.5, 1),
        (second, "train", 0.7, 1),
    ):
        each_wire.post(
            "runs/log-metric",
            run_id=run_id,
            key="auc",
            value=value,
            timestamp=step,
            step=step,
            model_id=model_id,
            dataset_name=dataset,
            dataset_digest=f"{dataset}-1",
        ) if dataset != "test" else each_wire.post(
            "runs/log-metric",
            run_id=run_id,
            key="auc",
            value=value,
            timestamp=9,
            step=0,
            model_id=model_id,
            dataset_name=dataset,
            dataset_digest="test-1",
        )

    def found(**asked: Any) -> set[str]:
        return set(names(each_wire, **asked))

    train = [{"dataset_name": "train"}]
    assert found() == {"first", "second", "third"}
    assert found(filter="name = 'first' AND status = 'FAILED'") == {"first"}
    assert found(filter="params.depth = '3' and tags.team LIKE 'a'") == {"first"}
    assert found(filter=f"source_run_id = '{run_id}'") == {"second"}
    assert found(filter="metrics.auc > 0.3", datasets=train) == {"second"}
    assert found(filter="metrics.auc > 0.3", datasets=[{"dataset_name": "test", "dataset_digest": "test-1"}]) == {
        "first"
    }
    assert found(datasets=train) == {"first", "second"}
    assert found(filter="creation_timestamp > 5 AND name IN ('first', 'third')") == {"first", "third"}
    order = [{"field_name": "metrics.auc", "ascending": False, "dataset_name": "train"}]
    assert names(each_wire, order_by=order)[:2] == ["second", "first"]
    order = [{"field_name": "metrics.auc", "ascending": False, "dataset_digest": "test-1"}]
    assert names(each_wire, order_by=order)[0] == "first"
    assert names(each_wire, order_by=[{"field_name": "name"}]) == ["first", "second", "third"]
    assert names(each_wire, experiment_ids=[]) == []
    for refused in ("params.depth = 3", "metric.auc > 1", "status > 'READY'"):
        assert each_wire.post("logged-models/search", experiment_ids=["0"], filter=refused).status == 400


def test_a_page_token_belongs_to_its_question(each_wire: Wire) -> None:
    for number in range(3):
        made(each_wire, f"m{number}")
    asked = {"experiment_ids": ["0"], "max_results": 2, "order_by": [{"field_name": "name"}]}
    first = each_wire.post("logged-models/search", **asked).json()
    token = first["next_page_token"]
    rest = each_wire.post("logged-models/search", **asked, page_token=token).json()

    assert [model["info"]["name"] for model in first["models"] + rest["models"]] == ["m0", "m1", "m2"]
    for changed, why in (
        ({"experiment_ids": ["1"]}, "Experiment IDs in the page token do not match"),
        ({"filter": "name = 'm0'"}, "Filter string in the page token does not match"),
        ({"datasets": [{"dataset_name": "a"}]}, "Filter string in the page token does not match"),
        ({"order_by": []}, "Order by in the page token does not match"),
    ):
        refused = each_wire.post("logged-models/search", **{**asked, **changed}, page_token=token)
        assert (refused.status, why in refused.json()["message"]) == (400, True)
    more = each_wire.post("logged-models/search", **{**asked, "max_results": 9}, page_token=token).json()
    assert more == rest
