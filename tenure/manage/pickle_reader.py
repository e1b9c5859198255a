"""The process that looks into pickles: `python -m tenure.manage.pickle_reader`. It loads nothing, it reads opcodes.

Files are from anybody, so they are read here, without the server's memory and keys and within limits. For each file a
line of JSON comes in on standard input, then its bytes; a line of JSON goes out. It ends with its input.
"""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import resource
import sys
import zlib
from importlib.metadata import version
from typing import Any

import msgspec

from tenure.records.contents import Import, Scan

MEMORY_BYTES = 2 * 1024**3
CPU_S = 60
UNPACKED_BYTES = 256 * 1024 * 1024
SCANNER = f"picklescan {version('picklescan')}"


class Given(msgspec.Struct):
    """A file that follows: its suffix, such as `.pkl`, and its length."""

    suffix: str
    size_bytes: int


def scan(content: bytes, suffix: str) -> Scan:
    """What a file would bring in if it were unpickled: as it is, unpacked as joblib does, or inside an archive."""
    from picklescan import scanner

    try:
        found = scanner.scan_bytes(io.BytesIO(_unpacked(content)), "file", suffix)
    except MemoryError:
        raise
    except Exception:  # whatever such a file makes of the scanner: it could not be read
        return Scan(scanner=SCANNER, state="part", imports=[])
    imports = {(one.module, one.name, one.safety.value) for one in found.globals}
    return Scan(
        scanner=SCANNER,
        state="part" if found.scan_err else "scanned",
        imports=[Import(module=module, name=name, level=level) for module, name, level in sorted(imports)],
    )


def _unpacked(content: bytes) -> bytes:
    """What joblib would unpack before it unpickles. Raises ValueError for what is too large or packed otherwise."""
    for beginnings, unpacker in PACKED:
        if content.startswith(beginnings):
            if unpacker is None:
                raise ValueError("not unpacked here")
            unpacked = unpacker(io.BytesIO(content)).read(UNPACKED_BYTES + 1)
            if len(unpacked) > UNPACKED_BYTES:
                raise ValueError("too large when unpacked")
            return bytes(unpacked)
    return content


class _Zlib(io.BytesIO):
    """A zlib stream as a file, unpacked no further than it must be."""

    def __init__(self, packed: io.BytesIO) -> None:
        super().__init__(zlib.decompressobj().decompress(packed.getvalue(), UNPACKED_BYTES + 1))


PACKED: tuple[tuple[tuple[bytes, ...], Any], ...] = (
    ((b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), _Zlib),
    ((b"\x1f\x8b",), gzip.open),
    ((b"BZh",), bz2.open),
    ((b"\xfd7zXZ\x00", b"\x5d\x00\x00"), lzma.open),
    ((b"\x04\x22\x4d\x18",), None),  # LZ4: only with a package of its own
)
"""How packed files begin, with what unpacks them."""


def main() -> None:
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    while line := sys.stdin.buffer.readline():
        given = msgspec.json.decode(line, type=Given)
        content = sys.stdin.buffer.read(given.size_bytes)
        sys.stdout.buffer.write(msgspec.json.encode(scan(content, given.suffix)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
