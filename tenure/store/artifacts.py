"""Files, through obstore: a local folder by default, S3, GCS or Azure by URL.

A key is a `/`-separated path that was checked by `safe_key`; a client never names a place outside the root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import obstore
from obstore.store import LocalStore, from_url

from tenure.errors import CannotStart, InvalidInput, NotFound

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FileInfo:
    key: str
    size_bytes: int


class ArtifactStore:
    """Reads and writes files by key, streaming."""

    def __init__(self, root: str) -> None:
        self.base = root.rstrip("/") if _is_url(root) else str(_folder(root))
        self._store: Any = _open(root)

    def write(self, key: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Store a file and return its size in bytes and its SHA-256 in hex. A file of that key is replaced."""
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        obstore.put(self._store, key, counted())
        return size, digest.hexdigest()

    def read(self, key: str) -> Iterator[bytes]:
        """A file's content in chunks. Raises NotFound before the first chunk."""
        try:
            found = obstore.get(self._store, key)
        except FileNotFoundError:
            raise NotFound(f"There is no artifact {key!r}.") from None
        return (bytes(chunk) for chunk in found.stream(min_chunk_size=CHUNK_BYTES))

    def size(self, key: str) -> int:
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            raise NotFound(f"There is no artifact {key!r}.") from None

    def files(self, prefix: str) -> list[FileInfo]:
        """Every file below a prefix, at any depth, by key."""
        found = [
            FileInfo(item["path"], int(item["size"])) for part in obstore.list(self._store, prefix) for item in part
        ]
        return sorted(found, key=lambda file: file.key)

    def level(self, prefix: str) -> tuple[list[str], list[FileInfo]]:
        """Folders and files right below a prefix."""
        listed = obstore.list_with_delimiter(self._store, prefix or None)
        files = [FileInfo(item["path"], int(item["size"])) for item in listed["objects"]]
        return sorted(listed["common_prefixes"]), sorted(files, key=lambda file: file.key)

    def delete(self, keys: list[str]) -> None:
        if keys:
            obstore.delete(self._store, keys)

    def sha256(self, key: str) -> tuple[int, str]:
        """Size and digest of a stored file, by reading it."""
        digest, size = hashlib.sha256(), 0
        for chunk in self.read(key):
            digest.update(chunk)
            size += len(chunk)
        return size, digest.hexdigest()


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
        or any(ord(character) < 32 or ord(character) == 127 for character in decoded)
        or any(part in ("", ".", "..") for part in parts)
        or (len(parts[0]) > 1 and parts[0][1] == ":")
        or "#" in decoded
        or "?" in decoded
    )
    if unsafe:
        raise InvalidInput(
            "Invalid path: an artifact path must be relative, without '..', '//', backslashes or control characters.",
            where="path",
        )
    return path


def _open(root: str) -> Any:
    if _is_url(root):
        try:
            return from_url(root)
        except Exception as problem:
            raise CannotStart(f"The artifact store cannot be opened: {problem}") from None
    folder = _folder(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotStart(f"The artifact folder {folder} cannot be made: {problem.strerror}.") from None
    return LocalStore(folder)


def _is_url(root: str) -> bool:
    return "://" in root and not root.startswith("file://")


def _folder(root: str) -> Path:
    return Path(unquote(root.removeprefix("file://")) if root.startswith("file://") else root).resolve()
