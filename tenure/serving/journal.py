"""The journal: what was answered, on disk before the answer leaves.

A segment is a file of frames: 4 bytes length, 4 bytes CRC-32 of the payload (both little-endian), then the payload
(msgpack of a record in `records/frames.py`). A process appends to `<root>/<process>/<sequence>.open` alone, and
renames it to `.sealed` when it is old or large enough; only the end of an open segment can be torn, and readers and
`recover` stop at the last whole frame.

Killing a process loses nothing that was answered, since the bytes are the kernel's by then. Power loss may, unless
`fsync` is on: then every write is forced to disk first, at the disk's price (0.1 to 10 ms) for each turn of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from struct import Struct as Layout
from typing import BinaryIO

import msgspec

from tenure.errors import CannotStart, TenureError, Unavailable
from tenure.records.frames import Frame

HEADER = Layout("<II")
NAME = re.compile(r"^(\d{12})\.(open|sealed)$")
MIB = 1024 * 1024
READ_LIMIT_BYTES = 16 * MIB
MOST_WAITING_BYTES = 64 * MIB
"""Of frames that wait for one write; more is refused, so that memory does not grow with what the disk cannot take."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


@dataclass(frozen=True, order=True)
class Segment:
    """A file of the journal. `key` stays the same when the segment is sealed; `path` does not."""

    process: str
    sequence: int
    sealed: bool
    path: Path

    @property
    def key(self) -> str:
        return f"{self.process}/{self.sequence:012d}"


@dataclass
class Figures:
    """What a journal has done since it was opened: counters, and the bytes that wait for the next write."""

    frames: int = 0
    bytes: int = 0
    writes: int = 0
    write_ns: int = 0
    refused: int = 0
    waiting_bytes: int = 0


class Journal:
    """Appends frames for one process. A second live process of the same name is refused with CannotStart.

    `root` is the journal's folder of the whole server, `name` the process's own below it. Segments are sealed when
    they are `seal_s` seconds old or hold `max_mib` MiB.
    """

    def __init__(self, root: Path, name: str, seal_s: float, max_mib: int, fsync: bool) -> None:
        self._folder = root / name
        self._seal_s = seal_s
        self._max_bytes = max_mib * MIB
        self._fsync = fsync
        self._file = -1
        self._path = Path()
        self._size = 0
        self._opened_at = 0.0
        self._turn_began = False
        self._written: asyncio.Future[None] | None = None
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.figures = Figures()
        self._lock = threading.Lock()
        self._alone = _claim(self._folder)
        recover(self._folder)
        self._next = 1 + max((segment.sequence for segment in _of_process(self._folder)), default=0)

    def append(self, frame: Frame) -> asyncio.Future[None]:
        """Have a frame written; done when it is on disk.

        It is when this returns, but for `fsync`: then all frames of a turn of the event loop share what that takes,
        and the future raises Unavailable when the disk refuses one. Otherwise this raises it, also when too many bytes
        wait: the frame is not in the journal then.
        """
        if self._fsync:
            return self._wait_for_turn(framed(frame))
        self._write_now([framed(frame)])
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
            self._written.set_result(None)
        return self._written

    def append_now(self, frame: Frame) -> None:
        """Write a frame at once. Safe from any thread. Raises Unavailable when the disk refuses it."""
        self._write_now([framed(frame)])

    def copy_now(self, source: BinaryIO) -> None:
        """Write frames that were framed before, some at a time. Safe from any thread; others may write between.

        Raises Unavailable when the disk refuses one: those before it are in the journal then.
        """
        waiting: list[bytes] = []
        size = 0
        while header := source.read(HEADER.size):
            waiting.append(header + source.read(HEADER.unpack(header)[0]))
            size += len(waiting[-1])
            if size >= MIB:
                self._write_now(waiting)
                waiting, size = [], 0
        if waiting:
            self._write_now(waiting)

    def seal_due(self) -> None:
        """Seal the open segment when its time has come."""
        with self._lock:
            if self._file >= 0 and time.monotonic() - self._opened_at >= self._seal_s:
                self._seal()

    def seal(self) -> None:
        """Close the open segment, if there is one; the next frame begins another."""
        with self._lock:
            self._seal()

    def close(self) -> None:
        """Write what waits, seal, and let the name go."""
        self._write_waiting()
        self.seal()
        os.close(self._alone)

    def _write_now(self, frames: list[bytes]) -> None:
        with self._lock:
            failure = self._write(frames)[1]
        if failure is not None:
            raise failure

    def _wait_for_turn(self, written: bytes) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if self._waiting and self.figures.waiting_bytes + len(written) > MOST_WAITING_BYTES:
            self.figures.refused += 1
            raise Unavailable("Too much waits for the journal already. Nothing was answered; try again in a second.")
        done = loop.create_future()
        self._waiting.append((written, done))
        self.figures.waiting_bytes += len(written)
        if not self._turn_began:
            self._turn_began = True
            loop.call_soon(self._end_turn)
        return done

    def _end_turn(self) -> None:
        self._turn_began = False
        self._write_waiting()

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.figures.waiting_bytes = 0
        if not waiting:
            return
        with self._lock:
            written, failure = self._write([frame for frame, _ in waiting])
        for position, (_, done) in enumerate(waiting):
            if done.done():
                continue
            if failure is None or position < written:
                done.set_result(None)
            else:
                done.set_exception(failure)

    def _write(self, frames: list[bytes]) -> tuple[int, TenureError | None]:
        """Write frames in one call; how many landed whole, and why not all.

        What landed whole stays, since a reader may have seen it; the torn rest is cut off again.
        """
        begun = time.perf_counter_ns()
        written, failure = self._put(frames)
        figures = self.figures
        figures.write_ns += time.perf_counter_ns() - begun
        figures.writes += 1
        figures.frames += written
        figures.bytes += sum(map(len, frames[:written]))
        figures.refused += len(frames) - written
        return written, failure

    def _put(self, frames: list[bytes]) -> tuple[int, TenureError | None]:
        payload = frames[0] if len(frames) == 1 else b"".join(frames)
        landed = 0
        try:
            self._ready_for(len(payload))
            landed = os.write(self._file, payload)
            while landed < len(payload):
                landed += os.write(self._file, memoryview(payload)[landed:])
        except OSError as problem:
            return self._cut_back(frames, landed), _refused(problem)
        self._size += landed
        if self._fsync:
            try:
                os.fsync(self._file)
            except OSError as problem:  # the kernel may have dropped the bytes: promise none, go on in a new file
                self._seal()
                return 0, _refused(problem)
        return len(frames), None

    def _cut_back(self, frames: list[bytes], landed: int) -> int:
        """Cut a partly written batch after its last whole frame; how many frames are whole."""
        whole = size = 0
        for frame in frames:
            if size + len(frame) > landed:
                break
            whole, size = whole + 1, size + len(frame)
        if self._file >= 0:
            try:
                os.ftruncate(self._file, self._size + size)
                self._size += size
            except OSError:  # leave this segment to its readers, who stop at the last whole frame
                self._seal()
        return whole

    def _ready_for(self, size: int) -> None:
        if self._file >= 0 and (
            self._size + size > self._max_bytes or time.monotonic() - self._opened_at >= self._seal_s
        ):
            self._seal()
        if self._file < 0:
            path = self._folder / f"{self._next:012d}.open"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._path, self._size, self._opened_at = path, 0, time.monotonic()
            self._next += 1

    def _seal(self) -> None:
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        with contextlib.suppress(OSError):  # it stays readable as .open; `recover` seals it at the next start
            _rename_sealed(self._path)


def _refused(problem: OSError) -> Unavailable:
    return Unavailable(
        f"The journal cannot be written: {problem.strerror}. What is not journaled is not answered. "
        "Make room on the disk of the data folder; the server goes on by itself then."
    )


def framed(frame: Frame) -> bytes:
    """A frame as it stands on disk."""
    payload = _encoder.encode(frame)
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def segments(root: Path) -> list[Segment]:
    """Every segment of every process below the journal's folder, in the order of writing within a process."""
    if not root.is_dir():
        return []
    return sorted(segment for folder in root.iterdir() if folder.is_dir() for segment in _of_process(folder))


def read_frames(path: Path, offset: int = 0, limit_bytes: int = READ_LIMIT_BYTES) -> tuple[list[Frame], int]:
    """The whole frames from `offset` on, about `limit_bytes` of them, and the offset after the last one.

    Tolerates a torn tail and a segment that is being written or sealed meanwhile. No frames and the same offset mean:
    nothing new for now, or, when the segment was sealed before this call, nothing any more.
    """
    data, whole = _read_whole(path, offset, limit_bytes)
    return [_decoder.decode(data[start:end]) for start, end in whole], offset + (whole[-1][1] if whole else 0)


def recover(folder: Path) -> int:
    """Cut torn tails and seal what a dead process of this folder left open; how many segments those were."""
    left = [segment for segment in _of_process(folder) if not segment.sealed]
    for segment in left:
        end = 0
        while True:
            _, whole = _read_whole(segment.path, end, READ_LIMIT_BYTES)
            if not whole:
                break
            end += whole[-1][1]
        os.truncate(segment.path, end)
        _rename_sealed(segment.path)
    return len(left)


def _read_whole(path: Path, offset: int, limit_bytes: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Bytes from `offset` on, and where in them the payloads of whole frames start and end."""
    with _open_either(path) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(offset)
        data = file.read(limit_bytes)
        if len(data) >= HEADER.size:
            first = HEADER.size + HEADER.unpack_from(data)[0]
            if len(data) < first <= size - offset:  # a single frame beyond the limit
                data += file.read(first - len(data))
    whole, position = [], 0
    while position + HEADER.size <= len(data):
        length, checksum = HEADER.unpack_from(data, position)
        start, end = position + HEADER.size, position + HEADER.size + length
        if length == 0 or end > len(data) or zlib.crc32(data[start:end]) != checksum:
            break
        whole.append((start, end))
        position = end
    return data, whole


def _open_either(path: Path):  # type: ignore[no-untyped-def]  # BufferedReader | FileIO by buffering
    """A segment under either of its names: it may be sealed between being listed and being read."""
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return path.with_suffix(".sealed").open("rb", buffering=0)


def _of_process(folder: Path) -> list[Segment]:
    found = []
    for path in folder.iterdir():
        named = NAME.match(path.name)
        if named:
            found.append(Segment(folder.name, int(named[1]), named[2] == "sealed", path))
    return found


def _rename_sealed(path: Path) -> None:
    path.rename(path.with_suffix(".sealed"))


def _claim(folder: Path) -> int:
    """Hold the process's name: a lock that the kernel lets go when the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise CannotStart(f"The journal folder {folder} must be writable: {problem.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise CannotStart(
            f"Another process writes the journal in {folder}. Stop it, or give this server another data folder."
        ) from None
    return handle
