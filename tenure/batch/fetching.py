"""A version's files, or its form's, on this machine: asked of the server once, each held against its pinned digest."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from tenure.errors import Conflict, Unavailable
from tenure.records.routing import PinnedFile, Release
from tenure.sdk.client import Client
from tenure.store.artifacts import safe_key


def default_cache() -> Path:
    """Where files are kept between batches: below `XDG_CACHE_HOME`, else below the home folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tenure"


def fetcher(client: Client, endpoint: str, cache: Path, *, form: bool = False) -> Callable[[Release], Path]:
    """A function that gives the folder of a release's files, or of its form's.

    It raises Conflict when a file is not what was pinned, Unavailable when the disk refuses it, and what the server
    says.
    """

    def local(release: Release) -> Path:
        digest, files = release.digest, release.files
        if form:
            assert release.form is not None
            digest, files = release.form.digest, release.form.files
        folder = cache / "versions" / digest.removeprefix("sha256:")
        if not folder.is_dir():
            try:
                _fill(client, endpoint, release, files, folder, form=form)
            except OSError as problem:
                raise Unavailable(f"The version's files cannot be kept in {cache}: {problem.strerror}.") from None
        return folder

    return local


def _fill(
    client: Client, endpoint: str, release: Release, files: list[PinnedFile], folder: Path, *, form: bool
) -> None:
    """Copy and verify into a draft, then give it its name: whoever looks sees all of the folder or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for file in files:
            _copy(client, endpoint, release, file, draft / safe_key(file.path), form=form)
        if not folder.is_dir():
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(client: Client, endpoint: str, release: Release, file: PinnedFile, target: Path, *, form: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/releases/{quote(release.release_id, safe='')}/file"
    with target.open("xb") as copy:
        for chunk in client.download(path, {"path": file.path, "form": "true" if form else "false"}):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
    if (size, digest.hexdigest()) != (file.size_bytes, file.sha256):
        raise Conflict(
            f"{release.model} version {release.version} must be scored with the bytes that were registered. "
            f"{file.path!r} has {size} bytes with SHA-256 {digest.hexdigest()[:12]}…; pinned are {file.size_bytes} "
            f"bytes with {file.sha256[:12]}….",
            where=file.path,
        )
