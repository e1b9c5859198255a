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
import pickletools
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import msgspec

from tenure.records.contents import Import, Scan

MEMORY_BYTES = 2 * 1024**3
CPU_S = 60
UNPACKED_BYTES = 256 * 1024 * 1024
MOST_OPCODES = 5_000_000
"""The scanner keeps each of them, in some 150 bytes."""
SCANNER = f"picklescan {version('picklescan')}, reader 2"
"""What was scanned by another one is scanned again."""


class Given(msgspec.Struct):
    """A file that follows: its suffix, such as `.pkl`, and its length."""

    suffix: str
    size_bytes: int


def scan(content: bytes, suffix: str) -> Scan:
    """What a file would bring in if it were unpickled: as it is, unpacked as joblib does, or inside an archive."""
    from picklescan import scanner

    scanner.pickletools = SimpleNamespace(genops=_bounded)
    try:
        unpacked = _unpacked(content)
        whole = _is_whole(unpacked)
        found = scanner.scan_bytes(io.BytesIO(unpacked), "file", suffix)
        if zipfile.is_zipfile(io.BytesIO(unpacked)) and not unpacked.startswith(
            b"PK"
        ):  # which may stand behind a pickle
            found.merge(scanner.scan_pickle_bytes(io.BytesIO(unpacked), "file"))
    except MemoryError:
        raise
    except (Exception, _TooMuch):  # whatever such a file makes of the scanner: it could not be read
        return Scan(scanner=SCANNER, state="part", imports=[])
    imports = {(one.module, one.name, one.safety.value) for one in found.globals}
    return Scan(
        scanner=SCANNER,
        state="part" if found.scan_err or not whole else "scanned",
        imports=[Import(module=module, name=name, level=level) for module, name, level in sorted(imports)],
    )


class _TooMuch(BaseException):
    """No Exception, since the scanner takes any for the end of a pickle, and what did not fit for no pickle at all."""


def _bounded(pickled: Any) -> Iterator[Any]:
    """The opcodes of a pickle, for the scanner, which keeps all of them. Raises _TooMuch."""
    try:
        for number, opcode in enumerate(pickletools.genops(pickled)):
            if number >= MOST_OPCODES:
                raise _TooMuch
            yield opcode
    except MemoryError:
        raise _TooMuch from None


def _is_whole(content: bytes) -> bool:
    """Whether the scanner can look into all of an archive; it passes over what it cannot open, and archives in it."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return True
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > UNPACKED_BYTES:
            raise ValueError("too large when unpacked")
        return not any(_is_closed(archive, member) for member in members)


def _is_closed(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as opened:
            return opened.read(8).startswith(CLOSED)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error, lzma.LZMAError):
        return True


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
CLOSED = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", *(start for starts, _ in PACKED[1:] for start in starts))
"""How a file in an archive begins that is packed once more."""


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
