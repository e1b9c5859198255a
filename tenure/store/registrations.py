"""Folders that are being registered. Between reading their digests and storing them, no file there may change."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from tenure.errors import Unavailable

PATIENCE_S = 60.0


class Registrations:
    """Keeps changes of files and the pinning of folders apart, within this process. Both are named by `Opened.place`.

    A second server on the same store is not seen here. What it changes then is found by its digest, before a version is
    approved and before it is loaded.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._pinned: list[str] = []
        self._changed: list[str] = []

    @contextlib.contextmanager
    def changing(self, *files: str) -> Iterator[None]:
        """While the block runs, these files appear, change or go. Raises Unavailable during a registration."""
        with self._condition:
            if any(_is_below(file, folder) for file in files for folder in self._pinned):
                raise Unavailable("The folder of this file is being registered as a version. Try again in a moment.")
            self._changed += files
        try:
            yield
        finally:
            with self._condition:
                for file in files:
                    self._changed.remove(file)
                self._condition.notify_all()

    @contextlib.contextmanager
    def pinning(self, folder: str | None) -> Iterator[None]:
        """While the block runs, no file below the folder changes. Waits first for changes that have begun."""
        if folder is None:
            yield
            return
        with self._condition:
            self._pinned.append(folder)
        try:
            with self._condition:
                if not self._condition.wait_for(lambda: not self._is_changing(folder), PATIENCE_S):
                    raise Unavailable("Files are still arriving in this folder. Register it when they are there.")
            yield
        finally:
            with self._condition:
                self._pinned.remove(folder)

    def _is_changing(self, folder: str) -> bool:
        return any(_is_below(file, folder) for file in self._changed)


def _is_below(file: str, folder: str) -> bool:
    return file == folder or file.startswith(f"{folder}/")
