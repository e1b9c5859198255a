"""Artifacts: files that stream through the server into and out of the artifact store.

A path that a client names is a key of the store, checked by `safe_key`. A file that a registered version was pinned
to cannot be overwritten or deleted. Every file leaves as a download from a sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec

from tenure.api.mlflow import respond
from tenure.api.mlflow.routes import FILES, V2, Asked, Route
from tenure.build import logged_models, model_versions, runs
from tenure.build.limits import required
from tenure.errors import Conflict, InvalidInput, NotFound, TenureError, TooLarge, Unavailable
from tenure.records.people import Permission
from tenure.records.tracking import FileEntry, Part
from tenure.store.artifacts import ArtifactStore, safe_key
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.roots import Opened, Roots

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

GIB = 1024**3
WAITING_CHUNKS = 16  # of at most 64 KiB each, as uvicorn reads them
WHOLE_BYTES = 1024 * 1024
DOWNLOAD_HEADERS = (
    (b"content-type", b"application/octet-stream"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)


class Listed(msgspec.Struct):
    path: str | None = None


class OfRun(msgspec.Struct):
    run_id: str | None = None
    run_uuid: str | None = None
    path: str | None = None
    page_token: str | None = None


class OfModel(msgspec.Struct):
    model_id: str | None = None
    artifact_directory_path: str | None = None
    page_token: str | None = None


class Files(Part):
    files: list[FileEntry] = []


class RootedFiles(Part):
    root_uri: str
    files: list[FileEntry] = []


# --- lists ---


async def list_proxied(sent: Listed, asked: Asked) -> Files:
    """One level, with names relative to what was asked for."""
    folder = safe_key(sent.path.rstrip("/")) if sent.path and sent.path.strip("/") else ""
    return Files(files=await asyncio.to_thread(_level, asked.ground.artifacts, folder, ""))


async def list_of_run(sent: OfRun, asked: Asked) -> RootedFiles:
    run_id = sent.run_id or sent.run_uuid
    info = await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: runs.info(tx, run_id)))
    return await _rooted(asked, info.artifact_uri, sent.path)


async def list_of_model(sent: OfModel, asked: Asked) -> RootedFiles:
    model_id = required(sent.model_id, "model_id")
    root = await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: logged_models.location(tx, model_id)))
    return await _rooted(asked, root, sent.artifact_directory_path)


async def _rooted(asked: Asked, root: str, path: str | None) -> RootedFiles:
    opened = _opened(asked.ground, root)
    below = path.strip("/") if path else ""
    folder = opened.below(safe_key(below)) if below else opened.key
    prefix = f"{below}/" if below else ""
    return RootedFiles(root_uri=root, files=await asyncio.to_thread(_level, opened.store, folder, prefix))


def _level(artifacts: ArtifactStore, folder: str, prefix: str) -> list[FileEntry]:
    folders, files = artifacts.level(folder)
    found = [FileEntry(path=prefix + key.rsplit("/", 1)[-1], is_dir=True) for key in folders]
    found += [
        FileEntry(path=prefix + file.key.rsplit("/", 1)[-1], is_dir=False, file_size=file.size_bytes) for file in files
    ]
    return sorted(found, key=lambda entry: entry.path)


def _opened(ground: Ground, location: str) -> Opened:
    """Where the files of a location are, if this server opens it."""
    opened = ground.opened(location)
    if opened is None:
        raise InvalidInput(
            f"These artifacts lie where this server does not reach ({location.split(':', 1)[0][:20]}). "
            "Read them from there directly."
        )
    return opened


# --- download ---


async def download(asked: Asked, _scope: Scope, _receive: Receive, send: Send, parts: dict[str, str]) -> None:
    await _send_file(Opened(asked.ground.artifacts, _key(parts)), send)


async def get_artifact(asked: Asked, scope: Scope, _receive: Receive, send: Send, _parts: dict[str, str]) -> None:
    """A file of a run, by `run_id` and `path`."""
    given = _query(scope)
    run_id = given.get("run_id") or given.get("run_uuid")
    info = await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: runs.info(tx, run_id)))
    await _send_file(_below(asked.ground, info.artifact_uri, given.get("path")), send)


async def get_version_artifact(
    asked: Asked, scope: Scope, _receive: Receive, send: Send, _parts: dict[str, str]
) -> None:
    """A file of a registered version, by `name`, `version` and `path`."""
    given = _query(scope)
    info = await asyncio.wrap_future(
        asked.ground.database.submit_read(lambda tx: model_versions.get(tx, given.get("name"), given.get("version")))
    )
    await _send_file(_below(asked.ground, info.storage_location, given.get("path")), send)


def _query(scope: Scope) -> dict[str, str]:
    given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return {name: values[-1] for name, values in given.items()}


def _key(parts: dict[str, str]) -> str:
    return safe_key(parts["path"].rstrip("/"))


def _below(ground: Ground, location: str, path: str | None) -> Opened:
    key = safe_key(required(path, "path").rstrip("/"))
    opened = _opened(ground, location)
    return Opened(opened.store, opened.below(key))


async def _send_file(file: Opened, send: Send) -> None:
    artifacts, key = file
    size = await asyncio.to_thread(artifacts.size, key)
    chunks = await asyncio.to_thread(artifacts.read, key)
    name = quote(key.rsplit("/", 1)[-1])
    headers = [
        *DOWNLOAD_HEADERS,
        (b"content-disposition", f"attachment; filename*=UTF-8''{name}".encode()),
        (b"content-length", b"%d" % size),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while (chunk := await asyncio.to_thread(next, chunks, b"")) != b"":
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


# --- upload ---


async def upload(asked: Asked, scope: Scope, receive: Receive, send: Send, parts: dict[str, str]) -> None:
    """Store a file. It appears whole or not at all."""
    key = _key(parts)
    limit_bytes = asked.ground.settings.max_artifact_gib * GIB
    announced = _announced(scope)
    if announced is not None and announced > limit_bytes:
        raise TooLarge(f"An artifact may have at most {asked.ground.settings.max_artifact_gib} GiB. Got {announced}.")
    roots = asked.ground.roots
    await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: _check_unpinned(tx, roots, key)))
    if announced is not None and announced <= WHOLE_BYTES:
        body = b"".join([chunk async for chunk in _chunks(receive, limit_bytes)])
        await asyncio.to_thread(_write, asked.ground.artifacts, key, iter([body] if body else []))
    else:
        await _stream(asked.ground.artifacts, key, receive, limit_bytes)
    await _send_empty(send)


async def delete(asked: Asked, _scope: Scope, _receive: Receive, send: Send, parts: dict[str, str]) -> None:
    """Delete a file, or every file below a folder."""
    key, artifacts = _key(parts), asked.ground.artifacts
    found = [file.key for file in await asyncio.to_thread(artifacts.files, key)]
    with contextlib.suppress(NotFound):
        await asyncio.to_thread(artifacts.size, key)
        found.append(key)
    roots = asked.ground.roots
    await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: _check_unpinned(tx, roots, *found)))
    await asyncio.to_thread(artifacts.delete, found)
    await _send_empty(send)


def _check_unpinned(tx: Transaction, roots: Roots, *keys: str) -> None:
    for key in keys:
        pinned = model_versions.pins(tx, roots, key)
        if pinned:
            raise Conflict(
                f"This file belongs to version {pinned[1]} of {pinned[0]!r}, whose bytes never change. "
                "Log a new model and register it as a new version."
            )


def _announced(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


async def _chunks(receive: Receive, limit_bytes: int) -> Any:
    """The body as it arrives. Raises when the client goes away before its end, or sends too much."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The client went away before its file was complete. Nothing was stored.")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(f"An artifact may have at most {limit_bytes // GIB} GiB. Nothing was stored.")
        if chunk:
            yield chunk


async def _stream(artifacts: ArtifactStore, key: str, receive: Receive, limit_bytes: int) -> None:
    """Hand the body to the store's own thread through a short queue: what is in memory stays bounded."""
    waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(WAITING_CHUNKS)
    stopped = threading.Event()

    def hand_over(item: bytes | BaseException | None) -> None:
        while not stopped.is_set():  # the store may fail while nobody takes what waits
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.5)
                return

    def arriving() -> Iterator[bytes]:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def write() -> None:
        try:
            _write(artifacts, key, arriving())
        finally:
            stopped.set()

    writing = asyncio.create_task(asyncio.to_thread(write))
    ending: BaseException | None = None
    try:
        async for chunk in _chunks(receive, limit_bytes):
            if stopped.is_set():
                break
            try:
                waiting.put_nowait(chunk)
            except queue.Full:
                await asyncio.to_thread(hand_over, chunk)
    except BaseException as failure:
        ending = failure
        raise
    finally:
        await asyncio.to_thread(hand_over, ending)
        if ending is not None:
            with contextlib.suppress(Exception):  # the client is told why its body ended, not what the store made of it
                await writing
    await writing


def _write(artifacts: ArtifactStore, key: str, chunks: Iterator[bytes]) -> None:
    try:
        artifacts.write(key, chunks)
    except TenureError:
        raise
    except OSError as failure:
        raise Unavailable(f"The artifact store cannot keep this file now: {failure.strerror}.") from failure
    except Exception as failure:  # obstore has one error for all that a store may say
        if any(word in str(failure) for word in ("directory", "InvalidPath", "not supported", "File name too long")):
            raise InvalidInput(
                "This path cannot be stored: a file cannot also be a folder, and names are at most 255 bytes long.",
                where="path",
            ) from failure
        raise Unavailable("The artifact store cannot keep this file now. Nothing was stored; try again.") from failure


async def _send_empty(send: Send) -> None:
    headers = [respond.JSON, (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": respond.EMPTY})


FILE = f"{FILES}artifacts/{{path:path}}"
ROUTES = (
    Route("GET", f"{FILES}artifacts", list_proxied, Listed, "apart", Permission.READ),
    Route("GET", FILE, download, kind="stream", permission=Permission.READ),
    Route("PUT", FILE, upload, kind="stream"),
    Route("DELETE", FILE, delete, kind="stream"),
    Route("GET", f"{V2}artifacts/list", list_of_run, OfRun, "apart", Permission.READ),
    Route(
        "GET",
        f"{V2}logged-models/{{model_id}}/artifacts/directories",
        list_of_model,
        OfModel,
        "apart",
        Permission.READ,
    ),
    Route("GET", "/get-artifact", get_artifact, kind="stream", permission=Permission.READ),
    Route("GET", "/model-versions/get-artifact", get_version_artifact, kind="stream", permission=Permission.READ),
)
