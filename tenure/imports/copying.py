"""Copying files of runs, logged models and versions, several owners at once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tenure.errors import TenureError, Unavailable
from tenure.imports.plan import Story
from tenure.imports.source import Owner, Source, Unreadable
from tenure.imports.target import Target

COPIERS = 4


class Copier:
    """Brings over what is not here yet; what cannot be read or is refused is noted, and the rest goes on."""

    def __init__(self, source: Source, target: Target, story: Story) -> None:
        self._source = source
        self._target = target
        self._story = story
        self._lock = threading.Lock()
        self._copiers = ThreadPoolExecutor(COPIERS, thread_name_prefix="import-copy")

    def close(self) -> None:
        self._copiers.shutdown(cancel_futures=True)

    def copy_all(self, wanted: Iterable[tuple[Owner, str, str]]) -> dict[str, dict[str, int]]:
        """Copy the files of each owner; the answer tells what the source had of those whose place could be read."""
        if not self._story.choice.artifacts:
            return {}
        wanted = list(wanted)
        found = self._copiers.map(lambda one: self.copy(*one), wanted)
        return {owner.id: files for (owner, _, _), files in zip(wanted, found, strict=True) if files is not None}

    def copy(self, owner: Owner, location: str, here: str) -> dict[str, int] | None:
        """Copy what is not here yet. None when the place cannot be read, which is noted."""
        name = f"{owner.kind.replace('_', ' ')} {owner.id}"
        if not location:
            return {}
        try:
            files = self._source.files.sizes(location, owner)
        except Unreadable as problem:
            self._story.told.unreadable.append((name, location, problem.message))
            return None
        there = self._target.files(here) if files else {}
        for path, size in sorted(files.items()):
            if there.get(path) == size:  # a file appears whole or not at all
                continue
            try:
                self._target.upload(here, path, self._source.files.read(location, path, owner))
                with self._lock:
                    self._story.told.copied_files += 1
                    self._story.told.copied_bytes += size
            except Unreadable as problem:
                self._story.told.unreadable.append((name, f"{location}/{path}", problem.message))
            except Unavailable:
                raise
            except TenureError as problem:
                self._story.told.refused.append((f"file {path!r} of {name}", problem.message))
            self._story.step("artifact bytes", None, size)
        return files
