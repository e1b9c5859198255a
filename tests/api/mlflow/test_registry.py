"""Registered models and versions over the wire: pinned files, aliases, stages, sources."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tenure.build import model_versions
from tenure.records.registry import ModelVersionInfo
from tenure.store import audit
from tests.api.mlflow.conftest import MLMODEL, Wire


def registered(wire: Wire, name: str = "delay", **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A version and the logged model that it was made from."""
    wire.post("registered-models/create", name=name)
    model = wire.model(**fields)
    source = f"models:/{model['model_id']}"
    answer = wire.post("model-versions/create", name=name, source=source, model_id=model["model_id"])
    assert answer.status == 200, answer.content
    return answer.json()["model_version"], model


def info(wire: Wire, name: str, version: int) -> ModelVersionInfo:
    with wire.ground.database.reading() as tx:
        return model_versions.get(tx, name, version)


def actions(wire: Wire) -> list[str]:
    with wire.ground.database.reading() as tx:
        return [event.action for event in reversed(audit.search(tx))]


def test_a_version_pins_every_file_and_knows_its_inputs(each_wire: Wire) -> None:
    run_id = each_wire.run()
    version, model = registered(each_wire, source_run_id=run_id)
    found = info(each_wire, "delay", 1)

    assert (version["version"], version["status"], version["current_stage"]) == ("1", "READY", "None")
    assert (version["run_id"], version["model_id"], version["user_id"]) == (run_id, model["model_id"], "owner")
    pinned = {file.path: (file.size_bytes, file.sha256) for file in found.files}
    assert pinned == {
        "MLmodel": (len(MLMODEL), hashlib.sha256(MLMODEL).hexdigest()),
        "model.skops": (9, hashlib.sha256(b"the model").hexdigest()),
    }
    manifest = "".join(f"{sha}  {size}  {path}\n" for path, (size, sha) in sorted(pinned.items()))
    assert found.digest == "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    assert [(one.name, one.type, one.required) for one in found.inputs] == [
        ("distance", "double", True),
        ("carrier", "string", False),
    ]
    location = f"mlflow-artifacts:/0/models/{model['model_id']}/artifacts"
    assert (found.state, found.storage_location) == ("registered", location)
    uri = each_wire.get("model-versions/get-download-uri", name="delay", version="1").json()["artifact_uri"]
    assert uri == model["artifact_uri"]
    told = each_wire.get(f"logged-models/{model['model_id']}").json()["model"]["info"]
    assert told["registrations"] == [{"name": "delay", "version": "1"}]
    assert told["tags"] == [{"key": "mlflow.modelVersions", "value": '[{"name": "delay", "version": 1}]'}]


def test_a_pinned_file_is_neither_overwritten_nor_deleted(wire: Wire) -> None:
    _, model = registered(wire)
    folder = model["artifact_uri"].removeprefix("mlflow-artifacts:/")

    assert wire.put(f"{folder}/model.skops", b"another").status == 409
    assert wire.call("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{folder}").status == 409
    assert wire.put(f"{folder}/notes.txt", b"new files may come").status == 200
    assert wire.call("GET", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/model.skops").content == b"the model"


def test_a_version_without_files_here_has_no_digest(each_wire: Wire) -> None:
    each_wire.post("registered-models/create", name="far")
    answer = each_wire.post("model-versions/create", name="far", source="s3://bucket/model")

    assert answer.status == 200
    assert (info(each_wire, "far", 1).digest, info(each_wire, "far", 1).files) == (None, [])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"- a\n- b", b"signature: 5", b"signature: {inputs: '{'}", b"\xff\xfe", b"a: &a [*a]"]
)
def test_a_model_description_that_cannot_be_read_gives_a_version_without_inputs(wire: Wire, content: bytes) -> None:
    wire.post("registered-models/create", name="odd")
    model = wire.model()
    wire.put(f"{model['artifact_uri'].removeprefix('mlflow-artifacts:/')}/MLmodel", content)
    answer = wire.post("model-versions/create", name="odd", source=f"models:/{model['model_id']}")

    assert answer.status == 200
    assert info(wire, "odd", 1).inputs == []


def test_a_source_must_be_the_clients_to_name(wire: Wire) -> None:
    wire.post("registered-models/create", name="delay")
    run_id, other = wire.run(), wire.run()
    model, foreign = wire.model(), wire.model()
    root = f"mlflow-artifacts:/0/{run_id}/artifacts"

    def status(source: str, **fields: Any) -> int:
        return wire.post("model-versions/create", name="delay", source=source, **fields).status

    assert status(f"{root}/model", run_id=run_id) == 200
    assert status(f"runs:/{run_id}/model", run_id=run_id) == 200
    assert status(f"{model['artifact_uri']}", model_id=model["model_id"]) == 200
    for source, fields in (
        (f"{root}/model", {}),
        (f"{root}/model", {"run_id": other}),
        (f"{root}/../../{other}/artifacts", {"run_id": run_id}),
        (f"{root}/%2e%2e/x", {"run_id": run_id}),
        (f"{root}/%252e%252e/x", {"run_id": run_id}),
        (f"{root}/a?b", {"run_id": run_id}),
        (f"{root}/a#b", {"run_id": run_id}),
        (f"mlflow-artifacts://host/0/{run_id}/artifacts", {"run_id": run_id}),
        (f"http://host/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts", {"run_id": run_id}),
        (f"runs:/{run_id}/../x", {"run_id": run_id}),
        (f"runs:/{run_id}/model", {"run_id": other}),
        (f"models:/{model['model_id']}", {"model_id": foreign["model_id"]}),
        ("/etc/passwd", {"run_id": run_id}),
        ("file:///etc", {"run_id": run_id}),
        ("etc/../passwd", {}),
        ("etc\\passwd", {}),
        (f"runs:/elsewhere/../{run_id}/model", {}),
        ("runs:/elsewhere/model", {"model_id": model["model_id"]}),
        ("models:/delay", {}),
        ("runs:/x", {}),
        ("", {}),
    ):
        assert status(source, **fields) == 400, source
    assert status("models:/delay/99") == status("models:/none/1") == status(f"models:/m-{'0' * 32}") == 404


@pytest.mark.parametrize("source", ["path/to/source", "runs:/elsewhere/model", "https://example.com/model"])
def test_a_source_that_names_nothing_here_is_recorded_and_never_opened(wire: Wire, source: str) -> None:
    wire.post("registered-models/create", name="delay")
    told = wire.post("model-versions/create", name="delay", source=source, run_id="of-another-server")
    found = info(wire, "delay", 1)

    assert told.status == 200, told.content
    assert (found.source, found.storage_location, found.run_id) == (source, source, "of-another-server")
    assert (found.digest, found.files, wire.ground.opened(found.storage_location)) == (None, [], None)
    uri = wire.get("model-versions/get-download-uri", name="delay", version="1").json()["artifact_uri"]
    assert uri == source


def test_a_runs_model_is_found_beside_its_run(each_wire: Wire) -> None:
    """MLflow 3 keeps the files of `runs:/<id>/<name>` with the logged model of that name."""
    run_id = each_wire.run()
    each_wire.post("registered-models/create", name="delay")
    model = each_wire.model(source_run_id=run_id)
    for source in (f"runs:/{run_id}/forest", f"runs:/{run_id}/another"):
        assert each_wire.post("model-versions/create", name="delay", source=source).status == 200
    first, second = info(each_wire, "delay", 1), info(each_wire, "delay", 2)

    assert (first.storage_location, first.model_id, first.run_id) == (model["artifact_uri"], model["model_id"], run_id)
    assert sorted(file.path for file in first.files) == ["MLmodel", "model.skops"]
    assert (second.storage_location, second.model_id, second.run_id) == (
        f"mlflow-artifacts:/0/{run_id}/artifacts/another",
        None,
        run_id,
    )


def test_a_copy_has_the_files_and_the_origin_of_what_it_was_copied_from(each_wire: Wire) -> None:
    run_id = each_wire.run()
    first, model = registered(each_wire, source_run_id=run_id)
    each_wire.post("registered-models/create", name="prod")
    each_wire.post("registered-models/alias", name="delay", alias="best", version="1")
    for source, fields in (("models:/delay/1", {"run_id": run_id}), ("models:/delay@best", {})):
        assert each_wire.post("model-versions/create", name="prod", source=source, **fields).status == 200
    copies = [info(each_wire, "prod", number) for number in (1, 2)]

    assert [copy.source for copy in copies] == ["models:/delay/1", "models:/delay/1"], "an alias moves, a version stays"
    assert {copy.digest for copy in copies} == {info(each_wire, "delay", 1).digest}
    assert {copy.storage_location for copy in copies} == {model["artifact_uri"]}
    assert {(copy.run_id, copy.model_id) for copy in copies} == {(first["run_id"], first["model_id"])}
    other = each_wire.post("model-versions/create", name="prod", source="models:/delay/1", run_id=each_wire.run())
    assert other.status == 400


def test_numbers_are_not_used_again_until_the_model_is_gone(each_wire: Wire) -> None:
    registered(each_wire)
    registered(each_wire)
    each_wire.post("registered-models/alias", name="delay", alias="best", version="2")
    each_wire.delete("model-versions/delete", name="delay", version="2")
    again, _ = registered(each_wire)

    assert again["version"] == "3"
    assert each_wire.get("model-versions/get", name="delay", version="2").status == 404
    assert each_wire.get("registered-models/alias", name="delay", alias="best").status == 400
    each_wire.delete("registered-models/delete", name="delay")
    fresh, _ = registered(each_wire)
    assert fresh["version"] == "1"


def test_an_alias_moves_and_goes_and_an_unknown_one_is_a_bad_parameter(each_wire: Wire) -> None:
    registered(each_wire)
    registered(each_wire)
    for version in ("1", 2):
        assert each_wire.post("registered-models/alias", name="delay", alias="Best-1", version=version).status == 200
    found = each_wire.get("registered-models/alias", name="delay", alias="Best-1").json()["model_version"]
    told = each_wire.get("registered-models/get", name="delay").json()["registered_model"]
    gone = [each_wire.delete("registered-models/alias", name="delay", alias="Best-1").status for _ in range(2)]
    unknown = each_wire.get("registered-models/alias", name="delay", alias="Best-1")

    assert (found["version"], found["aliases"]) == ("2", ["Best-1"])
    assert told["aliases"] == [{"alias": "Best-1", "version": "2"}]
    assert gone == [200, 200]
    assert (unknown.status, unknown.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    for alias in ("latest", "v1", "V22", "a b", "", "a/b", "x" * 256):
        assert each_wire.post("registered-models/alias", name="delay", alias=alias, version="1").status == 400
    assert each_wire.post("registered-models/alias", name="delay", alias="best", version="9").status == 404


def test_renaming_takes_versions_tags_and_aliases_along(each_wire: Wire) -> None:
    registered(each_wire)
    each_wire.post("registered-models/set-tag", name="delay", key="a", value="b")
    each_wire.post("registered-models/alias", name="delay", alias="best", version="1")
    each_wire.post("model-versions/set-tag", name="delay", version="1", key="c", value="d")
    renamed = each_wire.post("registered-models/rename", name="delay", new_name="late").json()["registered_model"]

    assert renamed["tags"] == [{"key": "a", "value": "b"}]
    found = each_wire.get("registered-models/alias", name="late", alias="best").json()["model_version"]
    assert (found["name"], found["tags"]) == ("late", [{"key": "c", "value": "d"}])
    assert each_wire.get("registered-models/get", name="delay").status == 404
    assert len(info(each_wire, "late", 1).files) == 2


def test_stages_are_labels_in_any_case(each_wire: Wire) -> None:
    for _ in range(2):
        registered(each_wire)
    for version in ("1", "2"):
        each_wire.post(
            "model-versions/transition-stage",
            name="delay",
            version=version,
            stage="production",
            archive_existing_versions=True,
        )
    found = each_wire.get("registered-models/get-latest-versions", name="delay").json()["model_versions"]
    only = each_wire.post("registered-models/get-latest-versions", name="delay", stages=["Production"]).json()

    assert {one["version"]: one["current_stage"] for one in found} == {"1": "Archived", "2": "Production"}
    assert [one["version"] for one in only["model_versions"]] == ["2"]
    assert each_wire.post("model-versions/transition-stage", name="delay", version="1", stage="x").status == 400


def test_every_change_of_the_registry_is_an_event_and_the_chain_holds(each_wire: Wire) -> None:
    registered(each_wire)
    each_wire.post("registered-models/create", name="delay")  # refused: nothing happens, nothing is told
    each_wire.post("registered-models/alias", name="delay", alias="best", version="1")
    each_wire.delete("registered-models/alias", name="delay", alias="best")
    each_wire.post("registered-models/rename", name="delay", new_name="late")
    each_wire.delete("model-versions/delete", name="late", version="1")
    each_wire.delete("registered-models/delete", name="late")

    assert actions(each_wire) == [
        "model.created",
        "version.registered",
        "alias.set",
        "alias.deleted",
        "model.renamed",
        "version.deleted",
        "model.deleted",
    ]
    with each_wire.ground.database.reading() as tx:
        assert audit.verify(tx).first_bad is None


def test_models_are_searched_and_prompts_are_hidden(each_wire: Wire) -> None:
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    each_wire.post("registered-models/create", name="ask", tags=prompt)
    for name, team in (("b-model", "x"), ("a-model", "y")):
        each_wire.post("registered-models/create", name=name, tags=[{"key": "team", "value": team}])

    def names(**asked: Any) -> list[str]:
        found = each_wire.get("registered-models/search", **asked).json().get("registered_models", [])
        return [one["name"] for one in found]

    assert names() == ["a-model", "b-model"]
    assert names(filter="tag.`mlflow.prompt.is_prompt` != 'true'") == ["a-model", "b-model"]
    assert names(filter="tags.`mlflow.prompt.is_prompt` = 'true'") == ["ask"]
    assert names(filter="name LIKE 'a%' AND tag.`mlflow.prompt.is_prompt` != 'true'") == ["a-model"]
    assert names(filter="tags.`mlflow.prompt.is_prompt` = 'False'") == ["a-model", "b-model"]
    assert names(filter="tags.`mlflow.prompt.is_prompt` != 'false'") == ["ask"]
    assert names(order_by=["name DESC"]) == ["b-model", "a-model"]
    assert names(filter="name ILIKE '%MODEL' AND tags.team = 'x'") == ["b-model"]
    page = each_wire.get("registered-models/search", max_results=1).json()
    assert page["next_page_token"]
    assert names(max_results=1, page_token=page["next_page_token"]) == ["b-model"]
    assert each_wire.get("registered-models/search", max_results=1001).status == 400


def test_versions_are_searched(each_wire: Wire) -> None:
    run_id = each_wire.run()
    registered(each_wire, source_run_id=run_id)
    registered(each_wire)
    registered(each_wire, "other")
    each_wire.post("model-versions/set-tag", name="delay", version="2", key="a", value="b")

    def found(text: str) -> list[tuple[str, str]]:
        answer = each_wire.get("model-versions/search", filter=text, order_by=["version_number ASC"])
        assert answer.status == 200, answer.content
        return [(one["name"], one["version"]) for one in answer.json().get("model_versions", [])]

    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    each_wire.post("registered-models/create", name="ask", tags=prompt)
    assert each_wire.post("model-versions/create", name="ask", source="prompt-text", tags=prompt).status == 200

    assert found("name = 'delay'") == [("delay", "1"), ("delay", "2")]
    assert found("name = 'ask'") == found("name = 'ask' AND tags.`mlflow.prompt.is_prompt` != 'true'") == []
    assert found("tags.`mlflow.prompt.is_prompt` = 'true'") == [("ask", "1")]
    assert found(f"run_id = '{run_id}'") == [("delay", "1")]
    assert found(f"run_id IN ('{run_id}', 'x')") == [("delay", "1")]
    assert found("name = 'delay' AND version_number > 1") == [("delay", "2")]
    assert found("name = 'delay' AND version_number = '1'") == [("delay", "1")]
    assert found("tags.a = 'b'") == [("delay", "2")]
    assert found("source_path LIKE 'models:/%' AND name IN ('other')") == [("other", "1")]
    each_wire.post("model-versions/set-tag", name="other", version="1", key="c", value="d")  # changed last
    answer = each_wire.get("model-versions/search", order_by=["version_number DESC"]).json()["model_versions"]
    by_name = [(one["name"], one["version"]) for one in answer]
    assert by_name == [("delay", "2"), ("delay", "1"), ("other", "1")], "names break ties, not the time"


def test_descriptions_and_tags_of_models_and_versions(each_wire: Wire) -> None:
    registered(each_wire)
    each_wire.patch("registered-models/update", name="delay", description="warns")
    each_wire.patch("model-versions/update", name="delay", version="1", description="first")
    for path, where in (("registered-models", {}), ("model-versions", {"version": "1"})):
        assert each_wire.post(f"{path}/set-tag", name="delay", key="a", value="b", **where).status == 200
        statuses = [each_wire.delete(f"{path}/delete-tag", name="delay", key="a", **where).status for _ in range(2)]
        assert statuses == [200, 200]
    model = each_wire.get("registered-models/get", name="delay").json()["registered_model"]

    assert model["description"] == "warns"
    assert model["latest_versions"][0]["description"] == "first"
    assert "tags" not in model


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "x" * 256, ".."])
def test_a_name_that_reads_like_a_path_is_refused(wire: Wire, name: str) -> None:
    assert wire.post("registered-models/create", name=name).status == 400
