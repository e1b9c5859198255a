"""Artifacts in a local folder.

Every step of a path is opened from the step before it and no link is followed, so nobody who can write below the root
leads the server out of it. A draft lies in a folder of its own at the root, locked while it is written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from tenure.errors import CannotStart, InvalidInput, NotFound, TenureError, Unavailable
from tenure.store.artifacts import FileInfo

log = logging.getLogger("tenure.store.artifacts")
DRAFTS = ".tenure-drafts"
LONGEST_PATH = 4000
"""Steps would lead further, but no other tool opens a path of more than 4096 bytes."""
ATTEMPTS = 100
CHUNK_BYTES = 1024 * 1024
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not keep us waiting
NOT_STORABLE = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class LocalFiles:
    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CannotStart(f"The artifact folder {root} cannot be made: {problem.strerror}.") from None
        self._root = str(root)

    def open(self, key: str) -> LocalContent:
        *parts, name = _parts(key)
        try:
            with self._folder(parts) as folder:
                file = os.open(name, FILE_FLAGS, dir_fd=folder)
        except OSError as failure:
            raise _unread(failure, key) from None
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise _missing(key)
        return LocalContent(file, found.st_size)

    def draft(self, key: str) -> LocalDraft:
        if len(os.fsencode(f"{self._root}/{key}")) > LONGEST_PATH:
            raise InvalidInput(f"This path cannot be stored: it is {len(key)} characters long.", where="path")
        return LocalDraft(self, _parts(key))

    def size(self, key: str) -> int:
        *parts, name = _parts(key)
        try:
            with self._folder(parts) as folder:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as failure:
            raise _unread(failure, key) from None
        if not stat.S_ISREG(found.st_mode):
            raise _missing(key)
        return found.st_size

    def files(self, prefix: str) -> list[FileInfo]:
        found, waiting = [], [prefix]
        while waiting:
            folders, files = self.level(waiting.pop())
            waiting += folders
            found += files
        return sorted(found, key=lambda file: file.key)

    def level(self, prefix: str) -> tuple[list[str], list[FileInfo]]:
        start = f"{prefix}/" if prefix else ""
        folders, files = [], []
        try:
            with self._folder(_parts(prefix) if prefix else []) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    if not _is_told(entry, prefix):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(start + entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        files.append(FileInfo(start + entry.name, found.st_size, found.st_mtime_ns // 1000))
        except OSError as failure:
            if failure.errno in NOT_THERE:
                return [], []
            raise _unread(failure, prefix) from None
        return sorted(folders), sorted(files, key=lambda file: file.key)

    def delete(self, keys: list[str]) -> None:
        emptied = set()
        for key in keys:
            *parts, name = _parts(key)
            try:
                with self._folder(parts) as folder:
                    os.unlink(name, dir_fd=folder)
            except OSError as failure:
                if failure.errno not in NOT_THERE:
                    raise Unavailable(f"The artifact {key!r} cannot be deleted: {failure.strerror}.") from None
            emptied.add(tuple(parts))
        for folders in sorted(emptied, key=len, reverse=True):
            self._remove_empty(folders)

    def sweep(self) -> None:
        drafts = Path(self._root, DRAFTS)
        for path in drafts.iterdir() if drafts.is_dir() else ():
            with contextlib.suppress(OSError), path.open("rb") as draft:
                fcntl.flock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
                path.unlink()

    def new_draft(self) -> tuple[int, str]:
        """An empty file that is locked, and its name among the drafts."""
        name = secrets.token_hex(12)
        with self._folder([DRAFTS], make=True) as drafts:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=drafts)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file, name

    def name_draft(self, draft: str, parts: list[str]) -> None:
        """Move a draft to where it belongs, making the folders on the way."""
        for attempt in range(ATTEMPTS):
            try:
                with self._folder([DRAFTS]) as drafts, self._folder(parts[:-1], make=True) as folder:
                    os.replace(draft, parts[-1], src_dir_fd=drafts, dst_dir_fd=folder)
                return
            except FileNotFoundError:  # somebody just removed a folder that had become empty
                if attempt == ATTEMPTS - 1:
                    raise

    def drop_draft(self, draft: str) -> None:
        with contextlib.suppress(OSError), self._folder([DRAFTS]) as drafts:
            os.unlink(draft, dir_fd=drafts)

    @contextlib.contextmanager
    def _folder(self, parts: list[str], *, make: bool = False) -> Iterator[int]:
        folder = os.open(self._root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
        try:
            for part in parts:
                inner = _step(folder, part, make)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    def _remove_empty(self, parts: tuple[str, ...]) -> None:
        with contextlib.suppress(OSError):  # not empty, or gone already
            for depth in range(len(parts), 0, -1):
                with self._folder(list(parts[: depth - 1])) as folder:
                    os.rmdir(parts[depth - 1], dir_fd=folder)


class LocalDraft:
    def __init__(self, files: LocalFiles, parts: list[str]) -> None:
        self._files, self._parts = files, parts
        self._ended = False
        with _told():
            self._file, self._name = files.new_draft()

    def write(self, chunks: list[bytes]) -> None:
        with _told():
            while chunks:
                written = os.writev(self._file, chunks[:1024])
                chunks = _left(chunks, written)

    def keep(self) -> None:
        with _told():
            self._files.name_draft(self._name, self._parts)
        self._end()

    def drop(self) -> None:
        if not self._ended:
            self._files.drop_draft(self._name)
            self._end()

    def _end(self) -> None:
        self._ended = True
        os.close(self._file)


class LocalContent:
    def __init__(self, file: int, size_bytes: int) -> None:
        self._file: int | None = file
        self.size_bytes = size_bytes

    def chunks(self, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        at, end = first, self.size_bytes if count is None else min(first + count, self.size_bytes)
        try:
            while self._file is not None and at < end:
                chunk = os.pread(self._file, min(CHUNK_BYTES, end - at), at)
                if not chunk:  # cut off meanwhile, by who writes there directly
                    return
                at += len(chunk)
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _parts(key: str) -> list[str]:
    parts = key.split("/")
    if parts[0] == DRAFTS:
        raise InvalidInput(f"Invalid path: {DRAFTS} is where files are kept until they are whole.", where="path")
    return parts


def _step(folder: int, part: str, make: bool) -> int:
    try:
        return os.open(part, FOLDER_FLAGS, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, dir_fd=folder)
    return os.open(part, FOLDER_FLAGS, dir_fd=folder)


def _is_told(entry: os.DirEntry[str], prefix: str) -> bool:
    """Whether an entry is one that a client can ask for: drafts are not, nor names that are no text."""
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        return False
    return bool(prefix) or entry.name != DRAFTS


def _left(chunks: list[bytes], written: int) -> list[bytes]:
    """What a write that was cut short has left over."""
    for place, chunk in enumerate(chunks):
        if written < len(chunk):
            return [chunk[written:], *chunks[place + 1 :]]
        written -= len(chunk)
    return []


def _missing(key: str) -> NotFound:
    return NotFound(f"There is no artifact {key!r}.")


def _unread(failure: OSError, key: str) -> TenureError:
    if failure.errno in NOT_THERE:
        return _missing(key)
    return Unavailable(f"The artifact {key!r} cannot be read now: {failure.strerror}.")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Failures of writing as errors of ours."""
    try:
        yield
    except OSError as failure:
        if failure.errno in NOT_STORABLE:
            raise InvalidInput(
                "This path cannot be stored: a file cannot also be a folder, no part of it may be a link, and names "
                "are at most 255 bytes long.",
                where="path",
            ) from failure
        log.warning("the artifact folder refused: %s", failure)
        raise Unavailable(
            f"The artifact store cannot keep this file now: {failure.strerror}. Nothing was stored. "
            "See to its folder, then send the file again."
        ) from failure
