"""What a version's files are, as evidence: never a permission, since a scanner can be evaded.

A file is scanned once, by its digest, in a process of its own (`pickle_reader`), and never loaded here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

import msgspec

from tenure.build import model_versions
from tenure.errors import NotFound
from tenure.manage.pickle_reader import SCANNER, Given
from tenure.records.contents import Contents, FileContent, Kind, Scan
from tenure.records.registry import ModelVersionInfo
from tenure.records.routing import PinnedFile
from tenure.store import scans
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.roots import Opened

COMMAND = (sys.executable, "-m", "tenure.manage.pickle_reader")
ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
LARGEST_BYTES = 64 * 1024 * 1024
"""A larger file is not scanned: its opcodes would not fit into the reader's memory."""
WALL_S = 60.0
UNJUDGED = frozenset({".h5", ".hdf5", ".keras", ".pb", ".7z", ".tar", ".jar"})
"""What may hold code in ways that no scanner of pickles sees, such as a Keras lambda."""
CODE = frozenset({".py", ".pyc", ".so", ".pyd", ".dll", ".dylib", ".sh"})
_one_at_a_time = threading.Lock()
FAILED = Scan(scanner=SCANNER, state="failed", imports=[])
TOO_LARGE = Scan(scanner=SCANNER, state="too_large", imports=[])


def look_into(ground: Ground, model: str, version: int) -> Contents:
    """What a version's files are; those that nobody looked into yet are scanned. Raises NotFound."""
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    scan_missing(ground, info)
    return ground.database.read(lambda tx: of_version(tx, info)) or Contents(files=[], runs_code=None)


def scan_missing(ground: Ground, info: ModelVersionInfo) -> None:
    """Scan those pinned files of a version that were not scanned before, and keep what was found.

    One version at a time: a reader may take gigabytes, and whoever asks for the same version meanwhile finds it done.
    """
    if not _missing(ground, info):
        return
    with _one_at_a_time:
        missing = _missing(ground, info)
        opened = ground.opened(info.storage_location)
        found = dict(_scanned(opened, missing)) if opened else {}
        kept = {key: scan for key, scan in found.items() if scan.state != "failed"}  # which may go better another time
        if kept:
            ground.database.write(lambda tx: scans.add(tx, kept, ground.clock()))


def _missing(ground: Ground, info: ModelVersionInfo) -> list[PinnedFile]:
    known = ground.database.read(lambda tx: scans.of_files(tx, info.files, SCANNER))
    return [file for file in info.files if _key(file) not in known]


def of_version(tx: Transaction, info: ModelVersionInfo) -> Contents | None:
    """What is known of a version's files; None when nobody has looked into one of them."""
    known = scans.of_files(tx, info.files, SCANNER)
    if not info.files or any(_key(file) not in known for file in info.files):
        return None
    files = [_content(file, known[_key(file)]) for file in info.files]
    kinds = {file.kind for file in files}
    runs_code = True if kinds & {"pickle", "code"} else None if "unknown" in kinds else False
    return Contents(files=files, runs_code=runs_code)


def flagged(contents: Contents) -> list[str]:
    """Imports that the scanner calls dangerous, each with its file, such as `os.system in model.pkl`."""
    return [
        f"{one.module}.{one.name} in {file.path}"
        for file in contents.files
        for one in file.scan.imports
        if one.level == "dangerous"
    ]


def _content(file: PinnedFile, scan: Scan) -> FileContent:
    return FileContent(
        path=file.path, size_bytes=file.size_bytes, sha256=file.sha256, kind=kind_of(_suffix(file), scan), scan=scan
    )


def kind_of(suffix: str, scan: Scan) -> Kind:
    """What a file with this suffix is, after what was found in it."""
    if suffix in CODE:
        return "code"
    if scan.imports:
        return "pickle"
    return "unknown" if suffix in UNJUDGED or scan.state != "scanned" else "data"


def _scanned(opened: Opened, files: list[PinnedFile]) -> Iterator[tuple[scans.Key, Scan]]:
    """Each file with its scan. When the reader ends over a file, that file failed and another reader goes on."""
    waiting = list(files)
    while waiting:
        with _reader() as reader:
            while waiting and reader.poll() is None:
                file = waiting.pop(0)
                yield _key(file), _scan(reader, opened, file)


def _scan(reader: subprocess.Popen[bytes], opened: Opened, file: PinnedFile) -> Scan:
    if file.size_bytes > LARGEST_BYTES:
        return TOO_LARGE
    content = _pinned_bytes(opened, file)
    return FAILED if content is None else _asked(reader, Given(_suffix(file), len(content)), content)


def _pinned_bytes(opened: Opened, file: PinnedFile) -> bytes | None:
    """What was pinned; None when it is gone, or is not that any more."""
    try:
        content = b"".join(opened.store.read(opened.below(file.path)))
    except NotFound:
        return None
    return content if hashlib.sha256(content).hexdigest() == file.sha256 else None


def _asked(reader: subprocess.Popen[bytes], given: Given, content: bytes) -> Scan:
    """What the reader says of a file. It is ended when it says nothing in time, or nothing that can be read."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    late = threading.Timer(WALL_S, reader.kill)
    late.start()
    try:
        reader.stdin.write(msgspec.json.encode(given) + b"\n" + content)
        reader.stdin.flush()
        return msgspec.json.decode(reader.stdout.readline(), type=Scan)
    except (OSError, msgspec.MsgspecError):
        reader.kill()
        reader.wait()
        return FAILED
    finally:
        late.cancel()


@contextmanager
def _reader() -> Iterator[subprocess.Popen[bytes]]:
    given = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    reader = subprocess.Popen(  # noqa: S603 - our own module
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=given
    )
    try:
        yield reader
    finally:
        reader.kill()
        with suppress(OSError):  # what was not sent yet cannot be sent any more
            reader.communicate()


def _suffix(file: PinnedFile) -> str:
    return PurePosixPath(file.path).suffix.lower()


def _key(file: PinnedFile) -> scans.Key:
    return file.sha256, _suffix(file)
