"""Artifacts in S3, GCS or Azure, through obstore."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import obstore
from obstore.store import from_url

from tenure.errors import CannotStart, InvalidInput, NotFound, TenureError, Unavailable
from tenure.records.base import instant_of
from tenure.store.artifacts import FileInfo
from tenure.store.direct import Direct

log = logging.getLogger("tenure.store.artifacts")
CHUNK_BYTES = 1024 * 1024
WHOLE_BYTES = 5 * 1024 * 1024
"""What is at most this large is stored by one request; more goes in parts."""
WAITING_WRITES = 2


class ObjectFiles:
    def __init__(self, url: str) -> None:
        try:
            self.store: Any = from_url(url)
        except Exception as problem:
            raise CannotStart(f"The artifact store cannot be opened: {problem}") from None
        self.direct = Direct(self.store, url) if Direct.can_sign(self.store) else None

    def open(self, key: str) -> ObjectContent:
        with _told(key):
            return ObjectContent(self.store, key, obstore.get(self.store, key))

    def draft(self, key: str) -> ObjectDraft:
        return ObjectDraft(self.store, key)

    def size(self, key: str) -> int:
        with _told(key):
            return int(obstore.head(self.store, key)["size"])

    def files(self, prefix: str) -> list[FileInfo]:
        with _told(prefix):
            found = [_info(item) for part in obstore.list(self.store, prefix or None) for item in part]
        return sorted(found, key=lambda file: file.key)

    def level(self, prefix: str) -> tuple[list[str], list[FileInfo]]:
        with _told(prefix):
            listed = obstore.list_with_delimiter(self.store, prefix or None)
        files = [_info(item) for item in listed["objects"]]
        return sorted(listed["common_prefixes"]), sorted(files, key=lambda file: file.key)

    def delete(self, keys: list[str]) -> None:
        with _told(""), contextlib.suppress(FileNotFoundError):
            obstore.delete(self.store, keys)

    def sweep(self) -> None:
        """Nothing to do: parts that were never completed go by the bucket's own lifecycle rule."""


def _info(item: Any) -> FileInfo:
    return FileInfo(item["path"], int(item["size"]), instant_of(item["last_modified"]))


class ObjectContent:
    def __init__(self, store: Any, key: str, found: Any) -> None:
        self._store, self._key, self._found = store, key, found
        self.size_bytes = int(found.meta["size"])

    def chunks(self, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        end = self.size_bytes if count is None else min(first + count, self.size_bytes)
        if end <= first:
            return
        with _told(self._key):
            if end - first < self.size_bytes:
                self._found = obstore.get(self._store, self._key, options={"range": (first, end)})
            for chunk in self._found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    def close(self) -> None:
        """Nothing is held open between two chunks."""


class ObjectDraft:
    """Gathers what arrives; once that is more than one request should carry, a thread of its own sends it in parts."""

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key = store, key
        self._gathered: list[bytes] = []
        self._size = 0
        self._waiting: queue.Queue[list[bytes] | None] = queue.Queue(WAITING_WRITES)
        self._sender: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = self._dropped = False

    def write(self, chunks: list[bytes]) -> None:
        if self._sender is not None:
            self._hand_over(chunks)
            return
        self._gathered += chunks
        self._size += sum(len(chunk) for chunk in chunks)
        if self._size > WHOLE_BYTES:
            self._sender = threading.Thread(target=self._send, name="tenure-upload", daemon=True)
            self._sender.start()
            self._hand_over(self._gathered)
            self._gathered = []

    def keep(self) -> None:
        with _told(self._key, writing=True):
            if self._sender is None:
                obstore.put(self._store, self._key, b"".join(self._gathered))
            else:
                self._hand_over(None)
                self._sender.join()
                self._check()
        self._ended = True

    def drop(self) -> None:
        if self._ended or self._sender is None:
            return
        self._ended = self._dropped = True
        with contextlib.suppress(Exception):  # it may have ended by a failure of its own
            self._hand_over(None)
        self._sender.join()

    def _hand_over(self, chunks: list[bytes] | None) -> None:
        while True:
            with _told(self._key, writing=True):
                self._check()
            try:
                self._waiting.put(chunks, timeout=0.5)
            except queue.Full:  # look again whether the sender still lives
                continue
            return

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _send(self) -> None:
        try:
            obstore.put(self._store, self._key, self._arriving())
        except BaseException as failure:  # told to who writes or keeps
            self._failure = failure

    def _arriving(self) -> Iterator[bytes]:
        while (chunks := self._waiting.get()) is not None:
            yield from chunks
        if self._dropped:
            raise _DroppedError


class _DroppedError(Exception):
    """Ends an upload in parts without completing it."""


@contextlib.contextmanager
def _told(key: str, *, writing: bool = False) -> Iterator[None]:
    """obstore's failures as errors of ours, without the URLs that they tell."""
    try:
        yield
    except TenureError:
        raise
    except Exception as failure:
        if isinstance(failure, FileNotFoundError) and not writing:
            raise NotFound(f"There is no artifact {key!r}.") from None
        if writing and "InvalidPath" in str(failure):
            raise InvalidInput("This path cannot be stored: the object store refuses it.", where="path") from failure
        log.warning("the object store refused: %s", failure)
        what = "keep this file now. Nothing was stored" if writing else "be read now"
        raise Unavailable(f"The artifact store cannot {what}; try again, and look into the server's log.") from failure
