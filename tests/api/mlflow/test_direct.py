"""Transfers by signed URLs, against a real S3-compatible server on loopback."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tenure.store.artifacts import ArtifactStore
from tenure.store.ground import Ground
from tests.api.mlflow.conftest import FILES, MLMODEL, Answer, Wire
from tests.conftest import free_port, missing, serving, wait_until

CREATE, COMPLETE, ABORT = (f"/api/2.0/mlflow-artifacts/mpu/{step}" for step in ("create", "complete", "abort"))
PRESIGNED = "/api/2.0/mlflow-artifacts/presigned"
PART = 5 * 1024 * 1024
SESSION = Path(__file__).with_name("direct_session.py")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3-compatible server with an empty bucket `tenure`."""
    try:
        import botocore.session
        import moto  # noqa: F401
    except ModuleNotFoundError:
        missing("moto with its server, and botocore")
    port = free_port()
    serve = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", serve], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}.items():
            patch.setenv(name, value)
        try:
            wait_until(lambda: answers(url), 30, "the S3 server answers")
            botocore.session.get_session().create_client("s3").create_bucket(Bucket="tenure")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture
def bucket_wire(ground: Ground, s3: str, tmp_path: Path) -> Wire:
    """The application with its artifacts in the bucket."""
    assert s3
    url = f"s3://tenure/{tmp_path.name}"
    settings = msgspec.structs.replace(ground.settings, artifacts_url=url, direct_transfers=True)
    return Wire(dataclasses.replace(ground, settings=settings, artifacts=ArtifactStore(url)))


def post(wire: Wire, route: str, /, **fields: Any) -> Answer:
    return wire.call("POST", route, body=msgspec.json.encode(fields))


def put_parts(opened: Any, *contents: bytes) -> list[dict[str, Any]]:
    """Put every part where its URL says, as a client does; what completing needs to know."""
    told = []
    for credential, content in zip(opened["credentials"], contents, strict=True):
        answer = httpx.put(credential["url"], content=content, headers=credential.get("headers", {}))
        assert answer.status_code == 200, answer.text
        told.append({"part_number": credential["part_number"], "etag": answer.headers["etag"], "url": "ignored"})
    return told


def registered(wire: Wire) -> str:
    """The folder of a logged model that is a version of `delay`."""
    wire.post("registered-models/create", name="delay")
    model = wire.model()
    assert wire.post("model-versions/create", name="delay", source=f"models:/{model['model_id']}").status == 200
    return str(model["artifact_uri"].removeprefix("mlflow-artifacts:/"))


def test_a_file_goes_up_in_parts_and_comes_down_by_a_signed_url(bucket_wire: Wire) -> None:
    contents = [os.urandom(PART), os.urandom(1000)]
    opened = post(bucket_wire, f"{CREATE}/0/r/artifacts", path="/home/me/ü b.bin", num_parts=2).json()
    assert [one["part_number"] for one in opened["credentials"]] == [1, 2]
    parts = put_parts(opened, *contents)
    found = bucket_wire.call("GET", f"{FILES}/0/r/artifacts/ü b.bin")
    assert found.status == 404  # not before it is whole
    told = {"path": "ü b.bin", "upload_id": opened["upload_id"], "parts": parts[::-1]}
    assert post(bucket_wire, f"{COMPLETE}/0/r/artifacts", **told).content == b"{}"

    assert bucket_wire.call("GET", f"{FILES}/0/r/artifacts/ü b.bin").content == b"".join(contents)
    signed = bucket_wire.call("GET", f"{PRESIGNED}/0/r/artifacts/ü b.bin").json()
    assert signed["file_size"] == PART + 1000
    ranged = httpx.get(signed["url"], headers={**signed["headers"], "range": "bytes=5242880-"})
    assert (ranged.status_code, ranged.content) == (206, contents[1])
    assert bucket_wire.call("GET", f"{PRESIGNED}/0/none").status == 404


def test_an_upload_in_parts_ends_once(bucket_wire: Wire) -> None:
    opened = post(bucket_wire, f"{CREATE}/0", path="a").json()
    told = {"path": "a", "upload_id": opened["upload_id"]}
    assert post(bucket_wire, f"{COMPLETE}/0", **told, parts=[{"part_number": 1, "etag": "nonsense"}]).status == 400
    assert post(bucket_wire, f"{ABORT}/0", **told).status == 200
    assert post(bucket_wire, f"{ABORT}/0", **told).status == 404


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"path": ""},
        {"path": ".."},
        {"path": "a/.."},
        {"path": "%2e%2e"},
        {"path": "C:\\.."},
        {"path": "a", "num_parts": 0},
        {"path": "a", "num_parts": 10_001},
        {"path": "a", "num_parts": "many"},
    ],
)
def test_an_upload_in_parts_needs_a_plain_name_and_a_number(bucket_wire: Wire, fields: dict[str, Any]) -> None:
    assert post(bucket_wire, f"{CREATE}/0", **fields).status == 400


def test_a_pinned_file_is_not_replaced_by_any_signed_url(bucket_wire: Wire) -> None:
    folder = registered(bucket_wire)
    run_of_model = {"model_id": folder.split("/")[2]}
    assert post(bucket_wire, f"{CREATE}/{folder}", path="MLmodel").status == 409
    asked = {**run_of_model, "path": "MLmodel"}
    assert bucket_wire.post("artifacts/presigned-upload-url", **asked).status == 409
    assert bucket_wire.post("artifacts/presigned-upload-url", **run_of_model, path="notes").status == 200


def test_what_was_signed_before_a_registration_does_not_change_the_version(bucket_wire: Wire) -> None:
    model = bucket_wire.model()
    folder = model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    asked = {"model_id": model["model_id"], "path": "weights.bin"}
    signed = bucket_wire.post("artifacts/presigned-upload-url", **asked).json()
    opened = post(bucket_wire, f"{CREATE}/{folder}", path="MLmodel").json()
    parts = put_parts(opened, b"another MLmodel")
    first = httpx.put(signed["presigned_url"], content=b"weights", headers=signed["headers"])
    assert first.status_code == 200
    bucket_wire.post("registered-models/create", name="delay")
    source = f"models:/{model['model_id']}"
    assert bucket_wire.post("model-versions/create", name="delay", source=source).status == 200

    told = {"path": "MLmodel", "upload_id": opened["upload_id"], "parts": parts}
    assert post(bucket_wire, f"{COMPLETE}/{folder}", **told).status == 409
    again = httpx.put(signed["presigned_url"], content=b"others!", headers=signed["headers"])
    assert again.status_code == 412
    assert "if-none-match" in httpx.URL(signed["presigned_url"]).params["X-Amz-SignedHeaders"]  # S3 insists on it
    assert bucket_wire.call("GET", f"{FILES}/{folder}/MLmodel").content == MLMODEL
    assert bucket_wire.call("GET", f"{FILES}/{folder}/weights.bin").content == b"weights"


def test_files_of_runs_and_models_move_by_signed_urls(bucket_wire: Wire) -> None:
    run_id = bucket_wire.run()
    signed = bucket_wire.post("artifacts/presigned-upload-url", run_id=run_id, path="plots/roc.png").json()
    assert httpx.put(signed["presigned_url"], content=b"123", headers=signed["headers"]).status_code == 200
    back = bucket_wire.post("artifacts/presigned-download-url", run_id=run_id, path="plots/roc.png").json()
    assert (httpx.get(back["presigned_url"], headers=back["headers"]).content, back["file_size"]) == (b"123", 3)
    listed = bucket_wire.get("artifacts/list", run_id=run_id).json()["files"]
    assert listed == [{"path": "plots", "is_dir": True}]

    model = bucket_wire.model()
    files = f"/ajax-api/2.0/mlflow/logged-models/{model['model_id']}/artifacts/files"
    asked = {"artifact_file_path": "MLmodel", "presigned": "true"}
    assert httpx.get(bucket_wire.call("GET", files, query=asked).json()["url"]).content == MLMODEL


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"run_id": "a", "model_id": "b"},
        {"run_id": True, "path": "../a"},
        {"run_id": True, "path": "/etc/passwd"},
        {"run_id": True, "path": ""},
        {"run_id": True, "path": "a", "expiration": 0},
        {"run_id": True, "path": "a", "expiration": 604801},
    ],
)
def test_a_signed_url_is_for_one_plain_path_and_a_time(bucket_wire: Wire, fields: dict[str, Any]) -> None:
    if fields.get("run_id") is True:
        fields = {**fields, "run_id": bucket_wire.run()}
    for route in ("upload", "download"):
        assert bucket_wire.post(f"artifacts/presigned-{route}-url", **fields).status == 400


def test_a_broken_or_refused_upload_through_the_server_leaves_nothing_in_the_bucket(bucket_wire: Wire) -> None:
    for size in (10, 7_000_000):
        assert bucket_wire.put("0/half", b"x" * size, broken=True).status == 400
    assert bucket_wire.ground.artifacts.files("") == []
    content = os.urandom(7_000_000)
    assert bucket_wire.put("0/whole", content).status == 200
    found = bucket_wire.call("GET", f"{FILES}/0/whole", headers={"range": "bytes=6999990-"})
    assert (found.status, found.content) == (206, content[-10:])
    assert bucket_wire.call("GET", f"{FILES}/0/whole").content == content
    assert bucket_wire.call("DELETE", f"{FILES}/0/whole").status == 200
    assert bucket_wire.call("GET", f"{FILES}/0/whole").status == 404


def test_a_bucket_that_is_not_there_is_unavailable_and_tells_no_address(ground: Ground, s3: str) -> None:
    wire = Wire(dataclasses.replace(ground, artifacts=ArtifactStore("s3://nowhere/x")))
    for answer in (wire.put("0/a", b"1"), post(wire, f"{CREATE}/0", path="a")):
        assert answer.status in (404, 503)
        assert s3.removeprefix("http://") not in answer.content.decode()


def test_a_default_root_in_a_bucket_is_opened_and_signed_for(ground: Ground, s3: str, tmp_path: Path) -> None:
    assert s3
    root = f"s3://tenure/{tmp_path.name}-root"
    settings = msgspec.structs.replace(ground.settings, default_artifact_root=root)
    wire = Wire(dataclasses.replace(ground, settings=settings))
    run_id = wire.run(wire.experiment())
    signed = wire.post("artifacts/presigned-upload-url", run_id=run_id, path="a").json()
    assert httpx.put(signed["presigned_url"], content=b"123", headers=signed["headers"]).status_code == 200
    listed = wire.get("artifacts/list", run_id=run_id).json()
    assert (listed["root_uri"], listed["files"]) == (
        f"{root}/1/{run_id}/artifacts",
        [{"path": "a", "is_dir": False, "file_size": 3}],
    )
    assert wire.get("artifacts/list", run_id=wire.run()).status == 200  # proxied ones stay where they are


@pytest.mark.slow
def test_the_unmodified_client_sends_and_fetches_large_files_directly(tmp_path: Path, s3: str) -> None:
    options = ("--artifacts-url", "s3://tenure/session", "--direct-transfers", "yes", "--only", "control")
    with serving(tmp_path / "data", *options) as running:
        command = [sys.executable, str(SESSION), running.url, s3]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
