"""The shared libraries that this process has loaded, as Linux tells them; on other systems nothing is told.

Extension modules are left out: their package's version says what they are. What they link to is not pinned by any
version: the system's C++ library, OpenMP, BLAS, CUDA.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
from functools import lru_cache
from pathlib import Path

from tenure.records.provenance import Library

MAPS = Path("/proc/self/maps")
LARGEST_HASHED = 64 * 1024 * 1024
DIGEST_LENGTH = 16
_LOADED = re.compile(rb" (/[^\n]*/lib[^/\n]*\.so(?:\.[^/\n ]+)?)( \(deleted\))?\n")
_MODULE = re.compile(r"\.(?:cpython-|abi3\.)")
_FILE = re.compile(r"(lib.+?)((?:-[0-9a-f]{8})*)(?:-(\d[\d.]*))?\.so(?:\.(.+))?")
_SITE = re.compile(r".*/(?:site|dist)-packages/(nvidia/[^/]+|[^/]+)/")
_GNU_BUILD_ID, _PT_NOTE = 3, 4


def loaded(maps: Path = MAPS) -> list[Library]:
    """Every library of this process, by name; empty where the system does not tell."""
    try:
        found = set(_LOADED.findall(maps.read_bytes()))
    except OSError:
        return []
    return list(_described(frozenset((os.fsdecode(path), bool(gone)) for path, gone in found)))


@lru_cache(maxsize=4)
def _described(found: frozenset[tuple[str, bool]]) -> tuple[Library, ...]:
    """The same files are the same libraries: one that was replaced meanwhile is told as deleted, so the set differs."""
    libraries = {_library(path, gone) for path, gone in found if not _MODULE.search(path.rpartition("/")[2])}
    return tuple(sorted(libraries, key=lambda one: (one.name, one.version, one.package, one.digest)))


def _library(path: str, gone: bool) -> Library:
    """`gone`: the file was replaced after it was loaded, so what lies at its path now tells nothing about it."""
    file = _FILE.fullmatch(path.rpartition("/")[2])
    site = _SITE.match(path)
    return Library(
        name=_word(file[1] if file else path.rpartition("/")[2]),
        version=_word((file[4] or file[3] or "") if file else ""),
        package=_word(site[1].removesuffix(".libs").replace("_", "-").lower()) if site else "",
        digest="" if gone else _digest(path),
    )


def _word(text: str) -> str:
    return re.sub(r"\s", "_", text)


@lru_cache(maxsize=1024)
def _digest(path: str) -> str:
    """The build id that the linker left in the file, else the beginning of its SHA-256; empty when neither is had."""
    with contextlib.suppress(OSError, struct.error), open(path, "rb") as file:
        build_id = build_id_of(file.read(4096))
        if build_id:
            return f"build:{build_id[:DIGEST_LENGTH]}"
        if os.fstat(file.fileno()).st_size <= LARGEST_HASHED:
            file.seek(0)
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:DIGEST_LENGTH]}"
    return ""


def build_id_of(head: bytes) -> str:
    """The GNU build id in the beginning of an ELF file, in hex; empty when there is none in it.

    Source: System V ABI, "Program header" and "Note section".
    """
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[5] not in (1, 2):
        return ""
    order, wide = "<" if head[5] == 1 else ">", head[4] == 2
    start = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    for place in range(start, start + size * count, size or 1):
        if place + size > len(head):
            return ""
        if struct.unpack_from(order + "I", head, place)[0] == _PT_NOTE and size >= 32:
            offset, length = struct.unpack_from(order + ("8xQ16xQ" if wide else "4xI8xI"), head, place)
            found = _of_notes(head[offset : offset + length], order)
            if found:
                return found
    return ""


def _of_notes(notes: bytes, order: str) -> str:
    place = 0
    while place + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, place)
        name_end = place + 12 + (name_size + 3) // 4 * 4
        if kind == _GNU_BUILD_ID and notes[place + 12 : place + 16] == b"GNU\0":
            return notes[name_end : name_end + size].hex()
        place = name_end + (size + 3) // 4 * 4
    return ""
