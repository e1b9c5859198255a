"""MLflow's registry routes and models under governance: no route moves, hides or removes what was approved."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tenure.api.mlflow import registry
from tenure.build import model_versions, registered_models
from tenure.errors import InvalidInput, NotAllowed
from tenure.manage import model_files, published
from tenure.records.endpoints import ReleaseInfo
from tenure.records.model_files import Approval, ModelFile, Step
from tenure.store import endpoints, releases
from tests.api.mlflow.conftest import Wire
from tests.api.mlflow.test_registry import registered

PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
V1 = {"name": "delay", "version": "1"}
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "registered-models/rename", {"name": "delay", "new_name": "free"}),
    ("DELETE", "registered-models/delete", {"name": "delay"}),
    ("POST", "registered-models/set-tag", {"name": "delay", **PROMPT}),
    ("POST", "registered-models/alias", {"name": "delay", "alias": "champion", "version": "2"}),
    ("POST", "registered-models/alias", {"name": "delay", "alias": "challenger", "version": "2"}),
    ("DELETE", "registered-models/alias", {"name": "delay", "alias": "champion"}),
    ("POST", "model-versions/create", {"name": "delay", "source": "path/to/source"}),
    ("POST", "model-versions/create", {"name": "delay", "source": "runs:/elsewhere/model"}),
    ("POST", "model-versions/create", {"name": "delay", "source": "models:/noted/1"}),
    ("DELETE", "model-versions/delete", V1),
]
FREE: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "registered-models/create", {"name": "another"}),
    ("PATCH", "registered-models/update", {"name": "delay", "description": "warns"}),
    ("POST", "registered-models/set-tag", {"name": "delay", "key": "team", "value": "x"}),
    ("DELETE", "registered-models/delete-tag", {"name": "delay", "key": "team"}),
    ("POST", "registered-models/alias", {"name": "delay", "alias": "candidate", "version": "2"}),
    ("POST", "registered-models/alias", {"name": "delay", "alias": "Champion", "version": "2"}),
    ("DELETE", "registered-models/alias", {"name": "delay", "alias": "candidate"}),
    ("POST", "model-versions/create", {"name": "another", "source": "models:/delay/1"}),
    ("PATCH", "model-versions/update", {**V1, "description": "first"}),
    ("POST", "model-versions/transition-stage", {**V1, "stage": "Archived"}),
    (
        "POST",
        "model-versions/transition-stage",
        {"name": "delay", "version": "2", "stage": "Production", "archive_existing_versions": True},
    ),
    ("POST", "model-versions/set-tag", {**V1, **PROMPT}),
    ("DELETE", "model-versions/delete-tag", {**V1, "key": "none"}),
]


def govern(wire: Wire, name: str) -> None:
    approval = Approval(steps=[Step(role="validator")])
    declared = ModelFile(model=name, purpose="warn travellers", owner="pricing@example.com", approval=approval)
    wire.ground.database.write(lambda tx: model_files.apply(tx, declared, by="owner", now=wire.ground.clock()))


def test_no_tag_loosens_a_rule(each_wire: Wire) -> None:
    """What a client may set freely is read by no rule, and sets nobody free of those that bind."""
    registered(each_wire)
    govern(each_wire, "delay")
    now = each_wire.ground.clock()
    release = ReleaseInfo(
        release_id="r",
        endpoint="e",
        model="delay",
        version=1,
        role="champion",
        share=1.0,
        from_at=now,
        until_at=None,
        released_by="owner",
        reason="first",
    )
    each_wire.ground.database.write(lambda tx: endpoints.add(tx, "e", "delay", by="owner", now=now))
    each_wire.ground.database.write(lambda tx: releases.add(tx, release))
    for key in ("approval", "tenure.approval", "tenure.model_file", "use", "owner"):
        assert each_wire.post("registered-models/set-tag", name="delay", key=key, value="{}").status == 200
        assert each_wire.post("model-versions/set-tag", **V1, key=key, value="{}").status == 200
    assert each_wire.post("registered-models/set-tag", name="delay", **PROMPT).status != 200
    stands = each_wire.ground.database.read(lambda tx: model_files.current(tx, "delay"))
    assert stands is not None
    looser = msgspec.structs.replace(stands.file, tier="low")
    with pytest.raises(InvalidInput, match="loosens rules"):
        each_wire.ground.database.write(lambda tx: model_files.apply(tx, looser, by="owner", now=now))


def held(wire: Wire) -> Any:
    """What only governance may change, as whoever looks for models sees it."""
    with wire.ground.database.reading() as tx:
        aliases = registered_models.aliases(tx, "delay")
        versions = [
            (one.version, one.state, one.digest, one.source, one.storage_location, one.run_id, one.model_id)
            for one in model_versions.search(tx, text="name = 'delay'", order_by=["version_number"])[0]
        ]
        listed = "delay" in {model.name for model in registered_models.list_all(tx)}
        return {role: aliases.get(role) for role in ("champion", "challenger")}, versions, listed


@pytest.mark.parametrize("prefix", ["/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"])
def test_no_route_of_the_registry_walks_around_governance(each_wire: Wire, prefix: str) -> None:
    for _ in range(2):
        registered(each_wire)
    each_wire.post("registered-models/create", name="noted")
    each_wire.post("model-versions/create", name="noted", source="path/to/source")
    each_wire.post("registered-models/alias", name="delay", alias="champion", version="1")
    govern(each_wire, "delay")
    before = held(each_wire)
    call = {"POST": each_wire.post, "PATCH": each_wire.patch, "DELETE": each_wire.delete}

    for method, path, sent in REFUSED:
        answer = call[method](prefix + path, **sent)
        assert (answer.status, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), (path, answer.content)
    for method, path, sent in FREE:
        assert call[method](prefix + path, **sent).status == 200, path
    assert held(each_wire) == before


def test_every_route_that_writes_to_the_registry_is_known_to_be_guarded_or_free() -> None:
    tried = {(method, f"/api/2.0/mlflow/{path}") for method, path, _ in REFUSED + FREE}
    assert {(route.method, route.path) for route in registry.ROUTES if route.kind != "read"} == tried


def test_a_model_does_not_bring_its_past_under_governance_by_another_name(each_wire: Wire) -> None:
    registered(each_wire, "free")
    each_wire.post("registered-models/alias", name="free", alias="champion", version="1")
    govern(each_wire, "delay")  # before any model of that name is registered
    refused = [
        each_wire.post("registered-models/rename", name="free", new_name="delay"),
        each_wire.post("registered-models/create", name="delay", tags=[PROMPT]),
    ]

    assert {(one.status, one.json()["error_code"]) for one in refused} == {(403, "PERMISSION_DENIED")}
    each_wire.post("registered-models/create", name="ask", tags=[PROMPT])
    with pytest.raises(NotAllowed, match="is a prompt"):
        govern(each_wire, "ask")


def test_a_model_without_governance_takes_every_alias_stage_and_deletion(each_wire: Wire) -> None:
    for _ in range(2):
        registered(each_wire)
    call = {"POST": each_wire.post, "PATCH": each_wire.patch, "DELETE": each_wire.delete}
    removing = [one for one in REFUSED if one[1].endswith(("/rename", "/delete"))]
    for method, path, sent in [("POST", "registered-models/create", {"name": "noted"}), *REFUSED, *FREE]:
        if (method, path, sent) not in removing and sent.get("source") != "models:/noted/1":
            assert call[method](path, **sent).status == 200, (path, sent)
    each_wire.delete("registered-models/delete-tag", name="delay", key=PROMPT["key"])

    assert call["DELETE"]("model-versions/delete", **V1).status == 200
    assert call["POST"]("registered-models/rename", name="delay", new_name="free").status == 200
    assert call["DELETE"]("registered-models/delete", name="free").status == 200


def test_a_rule_for_registration_is_told_plainly_and_nothing_of_the_version_stays(wire: Wire) -> None:
    registered(wire)
    govern(wire, "delay")
    rule = {"name": "seeded", "gates": ["register"], "require": "seed >= 0", "explain": "Log a seed with the run."}
    policy = published.parse({"policy": "reproducible", "purpose": "Train again alike", "rules": [rule]})
    wire.ground.database.write(lambda tx: published.publish(tx, policy, by="root", now=wire.ground.clock()))
    before = held(wire)

    answer = wire.post("model-versions/create", name="delay", source=before[1][0][3])

    assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "reproducible@1/seeded: Log a seed with the run. Found seed: not known." in answer.json()["message"]
    assert held(wire) == before
    registered(wire, "free")  # a model without governance is not asked
