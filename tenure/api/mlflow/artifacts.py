"""Artifacts: lists of files, and files that stream through the server into and out of the artifact store.

A path that a client names is a key of the store, checked by `safe_key`. A file that a registered version was pinned
to cannot be overwritten or deleted. Every file leaves as a download from a sandbox.
"""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qs

import msgspec

from tenure import access
from tenure.api.mlflow import direct, respond
from tenure.api.mlflow.places import (
    asked_key,
    check_unpinned,
    file_below,
    key_in,
    location_of_model,
    location_of_run,
    location_of_version,
    opened_for,
)
from tenure.api.mlflow.routes import FILES, V2, Asked, Route
from tenure.api.mlflow.streams import GIB, Receive, Scope, Send, announced, apart, body_chunks, receive_file, send_file
from tenure.build import deleted
from tenure.errors import InvalidInput, NotFound, TooLarge
from tenure.records.people import Permission
from tenure.records.tracking import FileEntry, Part
from tenure.store.artifacts import ArtifactStore, Draft, safe_key
from tenure.store.ground import Ground
from tenure.store.roots import Opened

SMALL_UPLOAD_BYTES = 10 * 1024 * 1024


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
    folder = key_in(sent.path) if sent.path and sent.path.strip("/") else ""
    return Files(files=await apart(_level, asked.ground.artifacts, folder, ""))


async def list_of_run(sent: OfRun, asked: Asked) -> RootedFiles:
    return await _rooted(asked, await location_of_run(asked, sent.run_id or sent.run_uuid), sent.path)


async def list_of_model(sent: OfModel, asked: Asked) -> RootedFiles:
    return await _rooted(asked, await location_of_model(asked, sent.model_id), sent.artifact_directory_path)


async def _rooted(asked: Asked, root: str, path: str | None) -> RootedFiles:
    opened = opened_for(asked.ground, root)
    below = path.strip("/") if path else ""
    folder = opened.below(safe_key(below)) if below else opened.key
    prefix = f"{below}/" if below else ""
    return RootedFiles(root_uri=root, files=await apart(_level, opened.store, folder, prefix))


def _level(artifacts: ArtifactStore, folder: str, prefix: str) -> list[FileEntry]:
    folders, files = artifacts.level(folder)
    found = [FileEntry(path=prefix + key.rsplit("/", 1)[-1], is_dir=True) for key in folders]
    found += [
        FileEntry(path=prefix + file.key.rsplit("/", 1)[-1], is_dir=False, file_size=file.size_bytes) for file in files
    ]
    return sorted(found, key=lambda entry: entry.path)


# --- download ---


def query_of(scope: Scope) -> dict[str, str]:
    given = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return {name: values[-1] for name, values in given.items()}


async def download(asked: Asked, scope: Scope, receive: Receive, send: Send, parts: dict[str, str]) -> None:
    await send_file(Opened(asked.ground.artifacts, key_in(parts["path"])), scope, receive, send)


async def get_artifact(asked: Asked, scope: Scope, receive: Receive, send: Send, _parts: dict[str, str]) -> None:
    """A file of a run, by `run_id` and `path`."""
    given = query_of(scope)
    key = asked_key(given.get("path"))
    root = await location_of_run(asked, given.get("run_id") or given.get("run_uuid"))
    await send_file(file_below(asked.ground, root, key), scope, receive, send)


async def get_version_artifact(
    asked: Asked, scope: Scope, receive: Receive, send: Send, _parts: dict[str, str]
) -> None:
    """A file of a registered version, by `name`, `version` and `path`."""
    given = query_of(scope)
    key = asked_key(given.get("path"))
    root = await location_of_version(asked, given.get("name"), given.get("version"))
    await _send_or_sign(file_below(asked.ground, root, key), scope, receive, send)


async def get_model_artifact(asked: Asked, scope: Scope, receive: Receive, send: Send, parts: dict[str, str]) -> None:
    """A file of a logged model, by `artifact_file_path`."""
    path = query_of(scope).get("artifact_file_path")
    if not path:
        raise InvalidInput('Request must include the "artifact_file_path" query parameter.', where="artifact_file_path")
    key = asked_key(path)
    root = await location_of_model(asked, parts["model_id"])
    await _send_or_sign(file_below(asked.ground, root, key), scope, receive, send)


async def _send_or_sign(file: Opened, scope: Scope, receive: Receive, send: Send) -> None:
    if query_of(scope).get("presigned") != "true":
        await send_file(file, scope, receive, send)
        return
    await _send_json(send, respond.answer(await direct.readable(file, direct.READING_SECONDS)))


# --- upload ---


async def upload(asked: Asked, scope: Scope, receive: Receive, send: Send, parts: dict[str, str]) -> None:
    """Store a file. It appears whole or not at all."""
    ground = asked.ground
    file = Opened(ground.artifacts, key_in(parts["path"]))
    limit_bytes = ground.settings.max_artifact_gib * GIB
    size = announced(scope)
    if size is not None and size > limit_bytes:
        raise TooLarge(f"An artifact may have at most {ground.settings.max_artifact_gib} GiB. Got {size} bytes.")
    if size is None or size > SMALL_UPLOAD_BYTES:  # told before the bytes are sent, not only after
        await apart(check_unpinned, ground, *file)
    await receive_file(file, receive, limit_bytes=limit_bytes, keep=lambda draft: keep(ground, file, draft))
    await _send_json(send, respond.EMPTY)


async def upload_of_run(asked: Asked, scope: Scope, receive: Receive, send: Send, _parts: dict[str, str]) -> None:
    """A small file of a run, as MLflow's pages send it."""
    given = query_of(scope)
    run_id = given.get("run_id") or given.get("run_uuid")
    if not run_id:
        raise InvalidInput("Request must specify run_uuid. Send run_id or run_uuid in the query.", where="run_id")
    if not given.get("path"):
        raise InvalidInput("Request must specify path.", where="path")
    key = asked_key(given["path"])
    file = file_below(asked.ground, await location_of_run(asked, run_id), key)
    if (announced(scope) or 0) > SMALL_UPLOAD_BYTES:
        raise InvalidInput("Artifact size is too large. Max size is 10MB.")
    content = b"".join([chunk async for chunk in body_chunks(receive, SMALL_UPLOAD_BYTES)])
    if not content:
        raise InvalidInput("Request must specify data.")
    await apart(_store, asked.ground, file, content)
    await _send_json(send, b"")


def _store(ground: Ground, file: Opened, content: bytes) -> None:
    draft = file.store.draft(file.key)
    try:
        draft.write([content])
        keep(ground, file, draft)
    finally:
        draft.drop()


def keep(ground: Ground, file: Opened, draft: Draft) -> None:
    """Give a draft its key, unless that is a version's file."""
    with ground.registrations.changing(file.place):
        check_unpinned(ground, file.store, file.key)
        draft.keep()


async def delete(asked: Asked, _scope: Scope, _receive: Receive, send: Send, parts: dict[str, str]) -> None:
    """Delete a file, or every file below a folder. Writes one audit event, before the files go."""
    await apart(_delete, asked, key_in(parts["path"]))
    await _send_json(send, respond.EMPTY)


def _delete(asked: Asked, key: str) -> None:
    ground = asked.ground
    found = [file.key for file in ground.artifacts.files(key)]
    with contextlib.suppress(NotFound):
        ground.artifacts.size(key)
        found.append(key)
    with ground.registrations.changing(*(Opened(ground.artifacts, one).place for one in found)):
        check_unpinned(ground, ground.artifacts, *found)
        if found:
            ground.database.write(lambda tx: deleted.tell_files(tx, key, found, by=asked.by, now=asked.now))
        ground.artifacts.delete(found)


async def _send_json(send: Send, body: bytes) -> None:
    headers = [respond.JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


FILE = f"{FILES}artifacts/{{path:path}}"
MODEL = f"{V2}logged-models/{{model_id}}/artifacts"
READ = Permission.READ
OF_NAME = access.of_model("name", place="query")
ROUTES = (
    Route("GET", f"{FILES}artifacts", list_proxied, Listed, "apart", READ),
    Route("GET", FILE, download, kind="stream", permission=READ),
    Route("PUT", FILE, upload, kind="stream"),
    Route("DELETE", FILE, delete, kind="stream"),
    Route("GET", f"{V2}artifacts/list", list_of_run, OfRun, "apart", READ),
    Route("GET", f"{MODEL}/directories", list_of_model, OfModel, "apart", READ),
    Route("GET", f"{MODEL}/files", get_model_artifact, kind="stream", permission=READ),
    Route("POST", f"{V2}upload-artifact", upload_of_run, kind="stream"),
    Route("GET", "/get-artifact", get_artifact, kind="stream", permission=READ),
    Route("GET", "/model-versions/get-artifact", get_version_artifact, kind="stream", permission=READ, subject=OF_NAME),
)
