"""Artifacts over the wire: whole or not at all, inside the root, as downloads."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.mlflow.conftest import FILES, Wire


def stored(wire: Wire) -> list[str]:
    """Every file below the artifact root, drafts too."""
    root = Path(wire.ground.settings.artifacts)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 1_000_000, 9_000_000])
def test_a_file_comes_back_as_it_was(wire: Wire, size: int) -> None:
    content = os.urandom(size)
    assert wire.put("0/r/artifacts/a b/ü%41.bin", content).content == b"{}"
    found = wire.call("GET", f"{FILES}/0/r/artifacts/a b/ü%41.bin")

    assert found.content == content
    assert found.headers["content-length"] == str(size)
    assert found.headers["content-disposition"].startswith("attachment;")
    assert found.headers["content-security-policy"].startswith("sandbox")
    assert (found.headers["x-content-type-options"], found.headers["content-type"]) == (
        "nosniff",
        "application/octet-stream",
    )


@pytest.mark.parametrize("size", [10, 500_000, 12_000_000])
def test_a_broken_upload_leaves_nothing_and_what_was_there_stays(wire: Wire, size: int) -> None:
    wire.put("0/kept", b"before")
    for path in ("0/kept", "0/new"):
        assert wire.put(path, b"x" * size, broken=True).status == 400

    assert stored(wire) == ["0/kept"]
    assert wire.call("GET", f"{FILES}/0/kept").content == b"before"


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "a/../../out",
        "/etc/passwd",
        "a//b",
        "%2e%2e/out",
        "%252e%252e/out",
        "a\\..\\out",
        "a\x00b",
        "C:/out",
        "a?b",
        "a#b",
        "./a",
    ],
)
def test_no_path_leads_out_of_the_root(wire: Wire, path: str) -> None:
    statuses = [
        wire.put(path, b"1").status,
        wire.call("GET", f"{FILES}/{path}").status,
        wire.call("DELETE", f"{FILES}/{path}").status,
        wire.call("GET", FILES, query={"path": path}).status,
        wire.call("GET", "/get-artifact", query={"run_id": wire.run(), "path": path}).status,
        wire.get("artifacts/list", run_id=wire.run(), path=path).status,
    ]

    assert set(statuses[:4]) <= {400, 404}
    assert stored(wire) == []
    assert set(statuses[4:]) <= {400, 404, 200}  # a leading slash is stripped where a folder is listed
    assert statuses[4] != 200


def test_a_level_is_listed_with_names_relative_to_it(wire: Wire) -> None:
    for path in ("0/r/artifacts/a.txt", "0/r/artifacts/plots/roc.png", "0/r/artifacts/plots/deep/x"):
        wire.put(path, b"123")

    top = wire.call("GET", FILES, query={"path": "0/r/artifacts"}).json()["files"]
    below = wire.call("GET", FILES, query={"path": "0/r/artifacts/plots"}).json()["files"]
    assert top == [{"path": "a.txt", "is_dir": False, "file_size": 3}, {"path": "plots", "is_dir": True}]
    assert [file["path"] for file in below] == ["deep", "roc.png"]
    assert wire.call("GET", FILES, query={"path": "0/none"}).content == b"{}"


def test_files_of_a_run_are_listed_and_downloaded_by_its_id(wire: Wire) -> None:
    run_id = wire.run()
    wire.put(f"0/{run_id}/artifacts/plots/roc.png", b"123")
    listed = wire.get("artifacts/list", run_id=run_id, path="plots").json()

    assert listed["root_uri"] == f"mlflow-artifacts:/0/{run_id}/artifacts"
    assert listed["files"] == [{"path": "plots/roc.png", "is_dir": False, "file_size": 3}]
    found = wire.call("GET", "/get-artifact", query={"run_id": run_id, "path": "plots/roc.png"})
    assert found.content == b"123"
    assert wire.call("GET", "/get-artifact", query={"run_id": run_id, "path": "none"}).status == 404
    assert wire.call("GET", "/get-artifact", query={"run_id": run_id}).status == 400


def test_artifacts_that_lie_elsewhere_are_not_opened(wire: Wire) -> None:
    made = wire.post("experiments/create", name="far", artifact_location="s3://bucket/a").json()["experiment_id"]
    run_id = wire.run(made)

    assert wire.get("artifacts/list", run_id=run_id).status == 400
    assert wire.call("GET", "/get-artifact", query={"run_id": run_id, "path": "a"}).status == 400


def test_a_file_cannot_also_be_a_folder(wire: Wire) -> None:
    wire.put("0/a", b"1")

    assert wire.put("0/a/b", b"1").status == 400
    assert wire.put("0/" + "x" * 300, b"1").status == 400


def test_deleting_takes_a_file_or_a_folder(wire: Wire) -> None:
    for path in ("0/a/b", "0/a/c/d", "0/e"):
        wire.put(path, b"1")
    assert wire.call("DELETE", f"{FILES}/0/a").status == 200
    assert wire.call("DELETE", f"{FILES}/0/none").status == 200

    assert stored(wire) == ["0/e"]


def test_a_large_upload_and_download_stay_in_bounded_memory(tracking_url: str) -> None:
    place, size = urlsplit(tracking_url), 150 * 1024 * 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = os.urandom(1024 * 1024)

    def chunks() -> Iterator[bytes]:
        for _ in range(size // len(chunk)):
            yield chunk

    connection = http.client.HTTPConnection(place.netloc, timeout=60)
    connection.request("PUT", f"{FILES}/0/large", body=chunks(), headers={"content-length": str(size)})
    assert connection.getresponse().read() == b"{}"
    connection.request("GET", f"{FILES}/0/large")
    answer, received = connection.getresponse(), 0
    while piece := answer.read(1024 * 1024):
        received += len(piece)
    connection.close()
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert received == size
    assert grown_kib < 100 * 1024


def test_an_upload_whose_client_dies_leaves_nothing(tracking_url: str, wire: Wire) -> None:
    place = urlsplit(tracking_url)
    with socket.create_connection((place.hostname, place.port)) as client:
        client.sendall(
            f"PUT {FILES}/0/half HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\n\r\n".encode() + b"x" * 9_000_000
        )
    deadline = time.monotonic() + 10
    while stored(wire) and time.monotonic() < deadline:
        time.sleep(0.02)  # polling a real server, with a deadline

    assert stored(wire) == []
    assert wire.call("GET", f"{FILES}/0/half").status == 404
