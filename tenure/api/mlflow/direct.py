"""Transfers between clients and the object store by signed URLs, in parts or whole.

A version's files keep their bytes: a URL to write is refused for a pinned file, and an upload in parts completes only
here, after the same look. A URL to write a whole file that was handed out before its folder was registered can still
be used until it expires (15 minutes at most), but not to replace a file where the store can be told so (S3 with the
extra `s3`); elsewhere such a change is found by its digest, before the version is approved and before it is loaded.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from tenure.api.mlflow.places import asked_key, check_unpinned, file_below, key_in, location_of_model, location_of_run
from tenure.api.mlflow.respond import NotImplementedHere
from tenure.api.mlflow.routes import FILES, V2, Asked, Route
from tenure.api.mlflow.streams import apart
from tenure.build.limits import refuse, required
from tenure.errors import InvalidInput, NotFound
from tenure.records.people import Permission
from tenure.records.tracking import Int64, Part
from tenure.store.artifacts import ArtifactStore
from tenure.store.direct import Direct, S3Parts, Signed, UploadedPart
from tenure.store.roots import Opened

WRITING_SECONDS = 900
READING_SECONDS = 300
PARTS_SECONDS = 3600
LONGEST_READING_SECONDS = 3600
MOST_SECONDS = 7 * 24 * 3600
MOST_PARTS = 10_000


class CreateUpload(msgspec.Struct):
    folder: str
    path: str | None = None
    num_parts: Int64 | None = None


class PartSent(msgspec.Struct):
    part_number: Int64
    etag: str | None = None


class CompleteUpload(msgspec.Struct):
    folder: str
    path: str | None = None
    upload_id: str | None = None
    parts: list[PartSent] = []


class OfFile(msgspec.Struct):
    path: str


class OfOwner(msgspec.Struct):
    run_id: str | None = None
    model_id: str | None = None
    path: str | None = None
    expiration: Int64 | None = None


class Credential(Part):
    url: str
    part_number: int
    headers: dict[str, str] = {}


class UploadOpened(Part):
    upload_id: str
    credentials: list[Credential]


class Readable(msgspec.Struct):
    url: str
    headers: dict[str, str]
    file_size: int


class WritableUrl(msgspec.Struct):
    presigned_url: str
    headers: dict[str, str]


class ReadableUrl(WritableUrl):
    file_size: int


# --- in parts ---


async def create_upload(sent: CreateUpload, asked: Asked) -> UploadOpened:
    store = asked.ground.artifacts
    parts = parts_of(store)
    key, count = _key_of(sent.folder, sent.path), 1 if sent.num_parts is None else sent.num_parts
    if not 1 <= count <= MOST_PARTS:
        refuse(count, "num_parts", f"It must be between 1 and {MOST_PARTS}.")
    await apart(check_unpinned, asked.ground, store, key)
    upload_id, signed = await apart(parts.create, key, count, PARTS_SECONDS)
    told = [
        Credential(url=one.url, part_number=number, headers=one.headers) for number, one in enumerate(signed, start=1)
    ]
    return UploadOpened(upload_id=upload_id, credentials=told)


async def complete_upload(sent: CompleteUpload, asked: Asked) -> None:
    ground = asked.ground
    parts = parts_of(ground.artifacts)
    key, upload_id = _key_of(sent.folder, sent.path), required(sent.upload_id, "upload_id")
    if not sent.parts:
        required(None, "parts")
    uploaded = [UploadedPart(part.part_number, part.etag or "") for part in sent.parts]

    def complete() -> None:
        with ground.registrations.changing(Opened(ground.artifacts, key).place):
            check_unpinned(ground, ground.artifacts, key)
            parts.complete(key, upload_id, uploaded)

    await apart(complete)


async def abort_upload(sent: CompleteUpload, asked: Asked) -> None:
    parts = parts_of(asked.ground.artifacts)
    key, upload_id = _key_of(sent.folder, sent.path), required(sent.upload_id, "upload_id")
    await apart(parts.abort, key, upload_id)


def _key_of(folder: str, path: str | None) -> str:
    """The folder is in the URL, the file's name in the body; old clients send their own whole path there."""
    name = required(path, "path").replace("\\", "/").rsplit("/", 1)[-1]
    return key_in(f"{folder.strip('/')}/{name}")


# --- whole ---


async def readable_proxied(sent: OfFile, asked: Asked) -> Readable:
    return await readable(Opened(asked.ground.artifacts, key_in(sent.path)), READING_SECONDS)


async def readable(file: Opened, seconds: int) -> Readable:
    signer = signer_of(file.store)
    size = await apart(file.store.size, file.key)
    signed = await apart(signer.reading, file.key, seconds)
    return Readable(signed.url, signed.headers, size)


async def readable_of_owner(sent: OfOwner, asked: Asked) -> ReadableUrl:
    file = await _file_of_owner(sent, asked)
    seconds = min(_seconds(sent.expiration, READING_SECONDS), LONGEST_READING_SECONDS)
    found = await readable(file, seconds)
    return ReadableUrl(found.url, found.headers, found.file_size)


async def writable_of_owner(sent: OfOwner, asked: Asked) -> WritableUrl:
    file = await _file_of_owner(sent, asked)
    seconds = min(_seconds(sent.expiration, WRITING_SECONDS), WRITING_SECONDS)
    signer, ground = signer_of(file.store), asked.ground

    def sign() -> Signed:
        with ground.registrations.changing(file.place):
            check_unpinned(ground, *file)
            return signer.writing(file.key, seconds, is_new=_is_new(file))

    signed = await apart(sign)
    return WritableUrl(signed.url, signed.headers)


def _is_new(file: Opened) -> bool:
    try:
        file.store.size(file.key)
    except NotFound:
        return True
    return False


async def _file_of_owner(sent: OfOwner, asked: Asked) -> Opened:
    if bool(sent.run_id) == bool(sent.model_id):
        raise InvalidInput("Exactly one of run_id and model_id must be provided.")
    key = asked_key(sent.path)
    if sent.run_id:
        location = await location_of_run(asked, sent.run_id)
    else:
        location = await location_of_model(asked, sent.model_id)
    return file_below(asked.ground, location, key)


def _seconds(asked: int | None, default: int) -> int:
    if asked is not None and not 1 <= asked <= MOST_SECONDS:
        refuse(asked, "expiration", f"It must be between 1 and {MOST_SECONDS} seconds.")
    return asked or default


# --- what a store can do ---


def signer_of(store: ArtifactStore) -> Direct:
    return store.direct or _refuse()


def parts_of(store: ArtifactStore) -> S3Parts:
    return (store.direct and store.direct.parts) or _refuse()


def _refuse() -> NoReturn:
    raise NotImplementedHere(
        "Multipart and presigned transfer is not offered for this artifact store. PUT or GET the artifact itself."
    )


READ = Permission.READ
ROUTES = (
    Route("POST", f"{FILES}mpu/create/{{folder:path}}", create_upload, CreateUpload, "apart"),
    Route("POST", f"{FILES}mpu/complete/{{folder:path}}", complete_upload, CompleteUpload, "apart"),
    Route("POST", f"{FILES}mpu/abort/{{folder:path}}", abort_upload, CompleteUpload, "apart"),
    Route("GET", f"{FILES}presigned/{{path:path}}", readable_proxied, OfFile, "apart", READ),
    Route("POST", f"{V2}artifacts/presigned-upload-url", writable_of_owner, OfOwner, "apart"),
    Route("POST", f"{V2}artifacts/presigned-download-url", readable_of_owner, OfOwner, "apart", READ),
)
