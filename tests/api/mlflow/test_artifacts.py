"""Artifacts over the wire: whole or not at all, inside the root, as downloads."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tenure.store.local_files import LocalContent
from tests.api.mlflow.conftest import FILES, MLMODEL, Wire


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


@pytest.mark.parametrize(
    ("name", "kind", "called"),
    [
        ("a.txt", "text/plain", "filename=a.txt"),
        ("MLmodel", "text/plain", "filename=MLmodel"),
        ("chart.PNG", "image/png", "filename=chart.PNG"),
        ("report.pdf", "application/pdf", "filename=report.pdf"),
        ("model.pkl", "application/octet-stream", "filename=model.pkl"),
        ("page.html", "application/octet-stream", "filename=page.html"),
        ("drawing.svg", "application/octet-stream", "filename=drawing.svg"),
        ("ü.txt", "text/plain", "filename*=UTF-8''%C3%BC.txt"),
        ('a";x=y.txt', "text/plain", "filename*=UTF-8''a%22%3Bx%3Dy.txt"),
    ],
)
def test_a_download_says_what_it_is_and_never_what_a_browser_would_run(
    wire: Wire, name: str, kind: str, called: str
) -> None:
    wire.put(f"0/r/artifacts/{name}", b"<script>")
    found = wire.call("GET", f"{FILES}/0/r/artifacts/{name}").headers

    assert (found["content-type"], found["content-disposition"]) == (kind, f"attachment; {called}")


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


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=5-9", 206, 5, 9),
        ("bytes=1999995-", 206, 1_999_995, 1_999_999),
        ("bytes=1999995-9999999", 206, 1_999_995, 1_999_999),
        ("bytes=-5", 206, 1_999_995, 1_999_999),
        ("bytes=-9999999", 206, 0, 1_999_999),
        ("bytes=500-1800000", 206, 500, 1_800_000),
        ("bytes=5-4", 200, 0, 1_999_999),
        ("bytes=0-1,5-9", 200, 0, 1_999_999),
        ("lines=0-1", 200, 0, 1_999_999),
        ("bytes=-", 200, 0, 1_999_999),
        ("bytes=\u0661-", 200, 0, 1_999_999),
    ],
)
def test_one_range_of_a_file_may_be_asked_for(wire: Wire, asked: str, status: int, first: int, last: int) -> None:
    content = os.urandom(2_000_000)
    wire.put("0/a", content)
    found = wire.call("GET", f"{FILES}/0/a", headers={"range": asked})

    assert (found.status, found.content) == (status, content[first : last + 1])
    assert found.headers["content-length"] == str(last - first + 1)
    assert found.headers.get("content-range") == (f"bytes {first}-{last}/2000000" if status == 206 else None)


@pytest.mark.parametrize("asked", ["bytes=3-", "bytes=99999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_told(wire: Wire, asked: str) -> None:
    wire.put("0/a", b"123")
    found = wire.call("GET", f"{FILES}/0/a", headers={"range": asked})
    assert (found.status, found.headers["content-range"], found.content) == (416, "bytes */3", b"")


def test_the_head_of_a_file_tells_its_size(tracking_url: str, wire: Wire) -> None:
    wire.put("0/a", os.urandom(3_000_000))
    connection = http.client.HTTPConnection(urlsplit(tracking_url).netloc, timeout=10)
    for path, status in ((f"{FILES}/0/a", 200), (f"{FILES}/0/none", 404)):
        connection.request("HEAD", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (status, b"")
        assert answer.status != 200 or answer.headers["content-length"] == "3000000"
    connection.close()


def test_a_download_ends_when_its_client_goes_away(
    tracking_url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.put("0/large", os.urandom(60_000_000))
    closed = threading.Event()
    close = LocalContent.close

    def noted(content: LocalContent) -> None:
        close(content)
        closed.set()

    monkeypatch.setattr(LocalContent, "close", noted)
    place = urlsplit(tracking_url)
    with socket.create_connection((place.hostname, place.port)) as client:
        client.sendall(f"GET {FILES}/0/large HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert closed.wait(10)


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(tracking_url: str, wire: Wire) -> None:
    wire.put("0/large", os.urandom(60_000_000))
    file = Path(wire.ground.artifacts.base, "0/large")
    connection = http.client.HTTPConnection(urlsplit(tracking_url).netloc, timeout=10)
    connection.request("GET", f"{FILES}/0/large")
    answer = connection.getresponse()
    os.truncate(file, 1_000_000)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()


def test_of_two_uploads_of_one_key_at_once_one_is_there_whole(tracking_url: str, wire: Wire) -> None:
    statuses: list[int] = []

    def put(letter: bytes) -> None:
        connection = http.client.HTTPConnection(urlsplit(tracking_url).netloc, timeout=30)
        connection.request("PUT", f"{FILES}/0/same", body=letter * 5_000_000)
        statuses.append(connection.getresponse().status)
        connection.close()

    threads = [threading.Thread(target=put, args=(letter,)) for letter in (b"x", b"y", b"z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = wire.call("GET", f"{FILES}/0/same").content
    assert statuses == [200, 200, 200]
    assert (len(content), len(set(content))) == (5_000_000, 1)
    assert stored(wire) == ["0/same"]


def test_no_file_changes_while_its_folder_is_registered(wire: Wire) -> None:
    model = wire.model()
    folder = model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    with wire.ground.registrations.pinning(f"{wire.ground.artifacts.base}/{folder}"):
        assert wire.put(f"{folder}/MLmodel", b"another").status == 503  # which clients repeat
        assert wire.call("DELETE", f"{FILES}/{folder}").status == 503
        assert wire.put(f"{folder}2/MLmodel", b"beside").status == 200
    assert wire.put(f"{folder}/MLmodel", b"another").status == 200


def test_a_file_of_a_logged_model_is_downloaded_by_its_path(wire: Wire) -> None:
    model = wire.model()
    route = f"/ajax-api/2.0/mlflow/logged-models/{model['model_id']}/artifacts/files"
    found = wire.call("GET", route, query={"artifact_file_path": "MLmodel"})

    assert (found.content, found.headers["content-disposition"]) == (MLMODEL, "attachment; filename=MLmodel")
    assert wire.call("GET", route).status == 400
    assert wire.call("GET", route, query={"artifact_file_path": "../x"}).status == 400
    assert wire.call("GET", route, query={"artifact_file_path": "none"}).status == 404
    assert wire.call("GET", route, query={"artifact_file_path": "MLmodel", "presigned": "true"}).status == 501


@pytest.mark.parametrize(
    ("route", "query"),
    [
        ("/get-artifact", {"run_id": "none", "path": "../x"}),
        ("/model-versions/get-artifact", {"name": "none", "version": "1", "path": "../x"}),
        ("/ajax-api/2.0/mlflow/logged-models/m-none/artifacts/files", {"artifact_file_path": "../x"}),
    ],
)
def test_a_bad_path_is_told_before_what_it_belongs_to_is_looked_up(
    wire: Wire, route: str, query: dict[str, str]
) -> None:
    refused = wire.call("GET", route, query=query)
    assert (refused.status, refused.json()["message"]) == (400, "Invalid path")
    plain = {name: "x" if value == "../x" else value for name, value in query.items()}
    assert wire.call("GET", route, query=plain).status == 404


def test_a_page_uploads_a_small_file_to_a_run(wire: Wire) -> None:
    run_id = wire.run()
    route = "/ajax-api/2.0/mlflow/upload-artifact"

    def send(body: bytes, **query: str) -> int:
        return wire.call("POST", route, query=query, body=body, content_type="text/plain").status

    assert send(b"hello", run_id=run_id, path="notes/a.txt") == 200
    assert wire.call("GET", f"{FILES}/0/{run_id}/artifacts/notes/a.txt").content == b"hello"
    assert send(b"hello", path="a") == send(b"hello", run_id=run_id) == send(b"", run_id=run_id, path="a") == 400
    assert send(b"hello", run_id=run_id, path="../a") == 400
    assert send(b"hello", run_id="none", path="a") == 404
    assert send(b"x" * (10 * 1024 * 1024 + 1), run_id=run_id, path="a") == 400


def test_transfers_by_signed_urls_are_not_offered_for_a_folder(wire: Wire) -> None:
    run_id = wire.run()
    for answer in (
        wire.call("GET", "/api/2.0/mlflow-artifacts/presigned/0/a"),
        wire.post("artifacts/presigned-upload-url", run_id=run_id, path="a"),
        wire.post("artifacts/presigned-download-url", run_id=run_id, path="a"),
    ):
        assert (answer.status, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
