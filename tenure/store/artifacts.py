"""Files by key: in a local folder by default, in S3, GCS or Azure by URL.

A key is a `/`-separated path that was checked by `safe_key`; a client never names a place outside the root. A file
appears whole or not at all: what arrives is a draft until it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from tenure.errors import InvalidInput

if TYPE_CHECKING:
    from tenure.store.direct import Direct


@dataclass(frozen=True)
class FileInfo:
    key: str
    size_bytes: int
    changed_at: int = 0  # µs UTC


class Draft(Protocol):
    """A file that is being written. `keep` ends it; `drop` does too, also after a failure, and else does nothing."""

    def write(self, chunks: list[bytes]) -> None: ...

    def keep(self) -> None:
        """Give the file its key, in place of any that has it."""

    def drop(self) -> None: ...


class Content(Protocol):
    """A stored file that was opened for reading."""

    size_bytes: int

    def chunks(self, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """The bytes from `first` on, at most `count`, in pieces; to be asked once. Its end or `close` ends it."""

    def close(self) -> None: ...


class Files(Protocol):
    """What a kind of store must do. Failures leave as errors of ours, without paths of the server."""

    def open(self, key: str) -> Content: ...

    def draft(self, key: str) -> Draft: ...

    def size(self, key: str) -> int: ...

    def files(self, prefix: str) -> list[FileInfo]: ...

    def level(self, prefix: str) -> tuple[list[str], list[FileInfo]]: ...

    def delete(self, keys: list[str]) -> None: ...

    def sweep(self) -> None: ...


class ArtifactStore:
    """Reads and writes files by key, streaming. `direct` signs URLs for clients, where the store is an object store."""

    def __init__(self, root: str) -> None:
        self.is_local = not is_url(root)
        self._files: Files
        if self.is_local:
            from tenure.store.local_files import LocalFiles

            folder = folder_of(root)
            self.base, self._files = str(folder), LocalFiles(folder)
            self.direct: Direct | None = None
        else:
            from tenure.store.object_files import ObjectFiles

            self.base = root.rstrip("/")
            files = ObjectFiles(self.base)
            self._files, self.direct = files, files.direct

    def open(self, key: str) -> Content:
        """A file to be read. Raises NotFound."""
        return self._files.open(key)

    def draft(self, key: str) -> Draft:
        """A file to be written in pieces."""
        return self._files.draft(key)

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store a file and return its size in bytes. A file of that key is replaced."""
        draft, size = self.draft(key), 0
        try:
            for chunk in chunks:
                draft.write([chunk])
                size += len(chunk)
            draft.keep()
        finally:
            draft.drop()
        return size

    def read(self, key: str) -> Iterator[bytes]:
        """A file's content in chunks. Raises NotFound before the first chunk."""
        return self.open(key).chunks()

    def size(self, key: str) -> int:
        return self._files.size(key)

    def files(self, prefix: str) -> list[FileInfo]:
        """Every file below a prefix, at any depth, by key."""
        return self._files.files(prefix)

    def level(self, prefix: str) -> tuple[list[str], list[FileInfo]]:
        """Folders and files right below a prefix."""
        return self._files.level(prefix)

    def delete(self, keys: list[str]) -> None:
        """Delete files; one that is not there is fine. Folders that become empty go too."""
        if keys:
            self._files.delete(keys)

    def sha256(self, key: str) -> tuple[int, str]:
        """Size and digest of a stored file, by reading it."""
        digest, size = hashlib.sha256(), 0
        for chunk in self.read(key):
            digest.update(chunk)
            size += len(chunk)
        return size, digest.hexdigest()

    def sweep(self) -> None:
        """Remove drafts that nobody writes any more: their server was killed."""
        self._files.sweep()


NO_TEXT = frozenset({chr(127), *map(chr, range(0xD800, 0xE000))})
"""A control character, and halves of characters: no file system and no answer can carry them."""


class UnsafePath(InvalidInput):
    """A path that might lead out of where artifacts are kept."""


def safe_key(path: str) -> str:
    """A client's relative path as a key, or InvalidInput: no `..`, no absolute path, no trick in its encoding.

    >>> safe_key("1/ab/artifacts/model/MLmodel")
    '1/ab/artifacts/model/MLmodel'
    """
    decoded = path
    for _ in range(3):  # what is decoded twice by somebody must not turn into something else
        decoded = unquote(decoded)
    parts = decoded.split("/")
    unsafe = (
        not decoded
        or "\\" in decoded
        or any(ord(character) < 32 or character in NO_TEXT for character in decoded)
        or any(part in ("", ".", "..") for part in parts)
        or (len(parts[0]) > 1 and parts[0][1] == ":")
        or "#" in decoded
        or "?" in decoded
    )
    if unsafe:
        raise UnsafePath(
            "Invalid path: an artifact path must be relative, without '..', '//', backslashes or control characters.",
            where="path",
        )
    return path


def is_url(root: str) -> bool:
    return "://" in root and not root.startswith("file://")


def folder_of(root: str) -> Path:
    """A root that is a folder, however it is written."""
    return Path(unquote(root.removeprefix("file://")) if root.startswith("file://") else root).resolve()
