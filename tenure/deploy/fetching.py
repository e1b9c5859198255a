"""A release's files on this machine: copied out of the artifact store, each checked against its pinned digest.

What is loaded is what was approved: a folder appears under its digest only when every byte of it was verified.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tenure.errors import Conflict, NotFound, Unavailable
from tenure.records.routing import PinnedFile, Release
from tenure.store.artifacts import safe_key
from tenure.store.roots import Opened, Roots


def fetch(roots: Roots, cache: Path) -> Callable[[Release], Path]:
    """A function that gives the local folder of a release's files, fetching them when they are not there yet.

    The folder is `cache/<digest>`; several threads and processes may ask for the same one at once. The function
    raises Conflict when a file is not what was pinned, NotFound when it is gone from the store, and Unavailable
    when the disk refuses it.
    """

    def local(release: Release) -> Path:
        folder = cache / release.digest.removeprefix("sha256:")
        if not folder.is_dir():
            _fill(roots, release, folder)
        return folder

    return local


def _fill(roots: Roots, release: Release, folder: Path) -> None:
    """Copy and verify into a draft, then give it its name: readers see all of the folder or nothing."""
    opened = roots.opened(release.location)
    if opened is None:
        raise NotFound(
            f"{release.model} version {release.version} lies outside every artifact root of this server. Start it with "
            "the --default-artifact-root that it had when the version was registered."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        try:
            for file in release.files:
                _copy(opened, release, file, draft / safe_key(file.path))
            _name(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as problem:
        raise Unavailable(
            f"The files of {release.model} version {release.version} cannot be kept on this machine: "
            f"{problem.strerror}. Make room in the data folder and try again."
        ) from None


def _name(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # another fetch of the same digest was first: its bytes are our bytes
            raise


def _copy(opened: Opened, release: Release, file: PinnedFile, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as copy:
        for chunk in _content(opened, release, file):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if (size, digest.hexdigest()) != (file.size_bytes, file.sha256):
        raise Conflict(
            f"{release.model} version {release.version} must be loaded with the bytes that were registered. "
            f"{file.path!r} has {size} bytes with SHA-256 {digest.hexdigest()[:12]}…; pinned are {file.size_bytes} "
            f"bytes with {file.sha256[:12]}…. Restore the file in the artifact store, or register a new version.",
            where=file.path,
        )


def _content(opened: Opened, release: Release, file: PinnedFile) -> Iterable[bytes]:
    try:
        return opened.store.read(opened.below(file.path))
    except NotFound:
        raise NotFound(
            f"{release.model} version {release.version} needs the file {file.path!r}, which is gone from the "
            "artifact store. Restore it, or register a new version.",
            where=file.path,
        ) from None
