"""Ways around a check by what lies beside: another model's sub-resource, another one's cache, a thing named twice."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest

from tenure.build import manifests, model_versions, registered_models
from tenure.records.endpoints import ReleaseInfo
from tenure.records.registry import NewVersion
from tenure.store import releases as kept_releases

from .conftest import MODELS, NOW, PASSWORD, Server

ARTIFACTS = "/api/2.0/mlflow-artifacts"
V2 = "/api/2.0/mlflow"
SECRET = "the other model's weights"


@pytest.fixture
def two(server: Server) -> Server:
    """Two registered models with a version each, whose file says whose it is, and a release each."""
    for model in MODELS:
        place = f"1/models/m-{model}/artifacts"
        server.ground.artifacts.write(f"{place}/MLmodel", [SECRET.encode() if model == "fraud" else b"flavors: {}"])
        where = f"mlflow-artifacts:/{place}"
        new = NewVersion(name=model, source=where, storage_location=where)
        pinned = manifests.pin(server.ground.artifacts, place)
        server.ground.database.write(
            lambda tx, model=model: registered_models.create(tx, model, description=None, tags=[], by="owner", now=NOW)
        )
        server.ground.database.write(
            lambda tx, new=new, pinned=pinned: model_versions.register(tx, new, pinned, by="owner", now=NOW)
        )
        body = {"name": f"{model}-at", "model": model}
        assert server.ask("POST", "/api/v1/endpoints", server.bearer("engineer"), json=body).status == 201
        shadow = ReleaseInfo(
            release_id=f"r-{model}",
            endpoint=f"{model}-at",
            model=model,
            version=1,
            role="shadow",
            share=0.0,
            reason="a trial",
            released_by="owner",
            from_at=NOW,
            until_at=None,
        )
        server.ground.database.write(lambda tx, shadow=shadow: kept_releases.add(tx, shadow))
    return server


def test_a_scoped_token_reads_its_own_models_file_and_no_other(two: Server):
    one = two.bearer("engineer@late", "reader@late")
    path = "/model-versions/get-artifact"

    def get(*given: tuple[str, str]) -> tuple[int, str]:
        answer = two.ask("GET", path, one, query=urlencode([*given, ("version", "1"), ("path", "MLmodel")]))
        return answer.status, answer.text

    assert get(("name", "late")) == (200, "flavors: {}")
    for given in ([("name", "fraud")], [("name", "late"), ("name", "fraud")], [("name", "fraud"), ("name", "late")]):
        status, text = get(*given)
        assert SECRET not in text
        assert status == (403 if given[-1][1] == "fraud" else 200), given


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{ARTIFACTS}/artifacts/1/models/m-fraud/artifacts/MLmodel"),
        ("PUT", f"{ARTIFACTS}/artifacts/1/models/m-fraud/artifacts/MLmodel"),
        ("DELETE", f"{ARTIFACTS}/artifacts/1/models/m-fraud/artifacts/MLmodel"),
        ("GET", f"{ARTIFACTS}/presigned/1/models/m-fraud/artifacts/MLmodel"),
        ("POST", f"{ARTIFACTS}/mpu/create/1/models/m-fraud/artifacts"),
        ("POST", f"{ARTIFACTS}/mpu/complete/1/models/m-fraud/artifacts"),
        ("POST", f"{ARTIFACTS}/mpu/abort/1/models/m-fraud/artifacts"),
        ("POST", f"{V2}/artifacts/presigned-upload-url"),
        ("POST", f"{V2}/artifacts/presigned-download-url"),
        ("GET", f"{ARTIFACTS}/artifacts"),
        ("GET", f"{V2}/artifacts/list"),
        ("POST", f"{V2}/upload-artifact"),
        ("GET", "/get-artifact"),
    ],
)
def test_a_scoped_token_uses_no_door_to_files_that_is_not_about_its_model(two: Server, method: str, path: str):
    """Through `late`'s own folder too: a folder is nobody's until a version pins it."""
    scoped = two.bearer("engineer@late", "data-scientist@late")
    for where in (path, path.replace("m-fraud", "m-late"), path.replace("m-fraud/", "m-late/../m-fraud/")):
        answer = two.ask(method, where, scoped, json={"path": "x", "file_path": "x"})
        assert (answer.status, SECRET in answer.text) == (403, False), where
    for model in MODELS:
        assert b"".join(two.ground.artifacts.read(f"1/models/m-{model}/artifacts/MLmodel"))


def test_a_pinned_file_is_not_replaced_by_who_may_write_everywhere_else(two: Server):
    trainer = two.bearer("data-scientist")
    for method in ("PUT", "DELETE"):
        for path in ("1/models/m-fraud/artifacts/MLmodel", "1/models/m-late/artifacts/MLmodel"):
            answer = two.ask(method, f"{ARTIFACTS}/artifacts/{path}", trainer, body=b"other")
            assert (answer.status, "whose bytes never change" in answer.text) == (409, True), answer.text


def test_a_release_of_another_endpoint_is_not_ended_through_ones_own(two: Server):
    scoped = two.bearer("engineer@late")
    end = "/api/v1/endpoints/late-at/releases/r-{}"
    answer = two.ask("DELETE", end.format("fraud"), scoped, query="reason=mine+now")
    assert answer.status == 404
    answer = two.ask("DELETE", "/api/v1/endpoints/fraud-at/releases/r-fraud", scoped, query="reason=mine+now")
    assert answer.status == 403
    [still] = two.ground.database.read(lambda tx: kept_releases.open_ones(tx, endpoint="fraud-at"))
    assert still.release_id == "r-fraud"


@pytest.mark.parametrize("body", [b'{"model":"late","name":"n","model":"fraud"}', b'{"name":"n","model":"fraud"}'])
def test_a_field_that_stands_twice_is_checked_as_it_is_used(two: Server, body: bytes):
    scoped = {**two.bearer("engineer@late"), "content-type": "application/json"}
    answer = two.ask("POST", "/api/v1/endpoints", scoped, body=body)
    assert answer.status == 403, answer.text
    twice = b'{"name":"late","name":"fraud","key":"k","value":"v"}'
    assert two.ask("POST", f"{V2}/registered-models/set-tag", scoped, body=twice).status == 403
    camel = b'{"name":"late","newName":"late","new_name":"fraud-2"}'
    assert two.ask("POST", f"{V2}/registered-models/rename", scoped, body=camel).status in (400, 403)


# --- caches ---


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def who(server: Server, headers: dict[str, str]) -> str | int:
    answer = server.ask("GET", "/api/v1/account", headers)
    return str(answer.json()["name"]) if answer.status == 200 else answer.status


def test_no_ones_remembered_password_answers_for_another(server: Server):
    """Names and passwords that run into each other, asked in turn so that each is remembered before the other."""
    for name in ("ada", "ada-b", "ad"):
        server.person(name, "reader")
    for _ in range(2):
        for name in ("ada", "ada-b", "ad"):
            assert who(server, basic(name, PASSWORD)) == name
    for name, secret in (("ada", PASSWORD + "x"), ("ada", PASSWORD[:-1]), ("Ada", PASSWORD), ("ad", f"a:{PASSWORD}")):
        assert who(server, basic(name, secret)) == 401
    assert who(server, basic("ada", PASSWORD)) == "ada"


def test_no_ones_remembered_token_answers_for_another(server: Server):
    first, second = server.bearer("reader"), server.bearer("engineer")
    for _ in range(2):
        assert [who(server, one) for one in (first, second)] == ["service-1", "service-2"]
    secret = first["authorization"].partition(" ")[2]
    for end in (secret[:-1], secret + "A", secret[:-1] + ("A" if secret[-1] != "A" else "B"), secret.swapcase()):
        assert who(server, {"authorization": f"Bearer {end}"}) == 401
        assert who(server, basic("service-1", end)) == 401
    assert who(server, basic("service-2", secret)) == 401
    assert [who(server, one) for one in (first, second)] == ["service-1", "service-2"]
