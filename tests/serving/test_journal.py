"""The journal: whole frames survive everything, and nothing else is ever read."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import CannotStart, Unavailable
from tenure.records.frames import Frame, OutcomeFrame
from tenure.serving import journal
from tenure.serving.journal import Journal, framed, read_frames, recover, segments


def outcome(number: int, size: int = 0) -> OutcomeFrame:
    return OutcomeFrame(at=number, endpoint="e", key=["k" * size], value=[1.0], event_at=[number])


def make(root: Path, *, seal_s: float = 3600, max_mib: int = 64, fsync: bool = False) -> Journal:
    return Journal(root, "gateway", seal_s, max_mib, fsync)


def everything(root: Path) -> list[Frame]:
    found: list[Frame] = []
    for segment in segments(root):
        offset = 0
        while True:
            frames, offset = read_frames(segment.path, offset)
            if not frames:
                break
            found += frames
    return found


@pytest.mark.parametrize(("fsync", "count"), [(False, 10), (True, 1)])
def test_a_frame_is_written_at_once_and_with_fsync_all_of_a_turn_share_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool, count: int
) -> None:
    journal = make(tmp_path, fsync=fsync)
    writes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: writes.append(len(data)) or write(file, data))

    async def turn() -> None:
        await asyncio.gather(*(journal.append(outcome(number)) for number in range(10)))

    asyncio.run(turn())
    assert len(writes) == count
    assert everything(tmp_path) == [outcome(number) for number in range(10)]
    journal.close()


def test_a_torn_tail_at_every_byte_leaves_every_whole_frame_and_nothing_else(tmp_path: Path) -> None:
    frames = [outcome(number, size) for number, size in enumerate([0, 1, 40, 3])]
    parts = [framed(frame) for frame in frames]
    content = b"".join(parts)
    ends = [sum(map(len, parts[: count + 1])) for count in range(len(parts))]
    path = tmp_path / "gateway" / "000000000001.open"
    path.parent.mkdir()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = sum(end <= size for end in ends)
        found, offset = read_frames(path)
        assert found == frames[:whole]
        assert offset == (ends[whole - 1] if whole else 0)
        assert recover(path.parent) == 1
        sealed = path.with_suffix(".sealed")
        assert sealed.read_bytes() == content[:offset]
        sealed.unlink()


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_flipped_byte_is_never_read_as_a_frame(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    frames: list[Frame] = [outcome(number, 20) for number in range(3)]
    content = bytearray(b"".join(map(framed, frames)))
    content[position % len(content)] ^= flip
    path = tmp_path_factory.mktemp("flip") / "000000000001.open"
    path.write_bytes(content)
    found, _ = read_frames(path)
    assert found == frames[: len(found)]
    assert len(found) < 3


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_exception(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "000000000001.open"
    path.write_bytes(content)
    assert read_frames(path) == ([], 0)


def test_reading_goes_on_where_it_stopped_also_when_the_segment_was_sealed_meanwhile(tmp_path: Path) -> None:
    journal = make(tmp_path)
    journal.append_now(outcome(1))
    (segment,) = segments(tmp_path)
    first, offset = read_frames(segment.path)
    journal.append_now(outcome(2))
    journal.seal()
    second, end = read_frames(segment.path, offset)
    assert (first, second) == ([outcome(1)], [outcome(2)])
    assert read_frames(segment.path, end) == ([], end)
    (sealed,) = segments(tmp_path)
    assert sealed.sealed
    assert sealed.key == segment.key == "gateway/000000000001"
    journal.close()


def test_a_frame_larger_than_one_reading_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "000000000001.open"
    path.write_bytes(framed(outcome(1, 5000)) + framed(outcome(2, 5000)))
    first, offset = read_frames(path, 0, limit_bytes=100)
    second, _ = read_frames(path, offset, limit_bytes=100)
    assert (first, second) == ([outcome(1, 5000)], [outcome(2, 5000)])


def test_a_dead_process_leaves_are_sealed_and_the_sequence_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "000000000007.open").write_bytes(framed(outcome(1)) + b"\x10\x00\x00\x00torn")
    journal = make(tmp_path)
    journal.append_now(outcome(2))
    assert [(segment.sequence, segment.sealed) for segment in segments(tmp_path)] == [(7, True), (8, False)]
    assert everything(tmp_path) == [outcome(1), outcome(2)]
    journal.close()


def test_a_second_live_writer_of_the_same_name_is_refused(tmp_path: Path) -> None:
    journal = make(tmp_path)
    with pytest.raises(CannotStart, match="Another process writes"):
        make(tmp_path)
    journal.close()
    make(tmp_path).close()


def test_segments_are_sealed_by_size_and_by_age_and_are_private(tmp_path: Path) -> None:
    journal = make(tmp_path, max_mib=1)
    for number in range(3):
        journal.append_now(outcome(number, 600_000))
    assert [segment.sealed for segment in segments(tmp_path)] == [True, True, False]
    assert {stat.S_IMODE(segment.path.stat().st_mode) for segment in segments(tmp_path)} == {0o600}
    journal.close()
    aged = make(tmp_path, seal_s=0)
    aged.append_now(outcome(9))
    aged.seal_due()
    assert all(segment.sealed for segment in segments(tmp_path))
    aged.close()


def test_threads_append_whole_frames(tmp_path: Path) -> None:
    journal = make(tmp_path)
    threads = [
        threading.Thread(target=lambda k=k: [journal.append_now(outcome(100 * k + i, 50)) for i in range(50)])
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(frame.at for frame in everything(tmp_path)) == sorted(
        100 * k + i for k in range(4) for i in range(50)
    )
    journal.close()


class FullDisk:
    """`os.write` on a disk with so many bytes left: it writes what fits, then fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, file: int, data: memoryview) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fits = data[: self.left]
        self.left -= len(fits)
        return self._write(file, fits)


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("short", range(0, 130, 7))
def test_a_full_disk_loses_no_whole_frame_and_leaves_no_torn_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int, fsync: bool
) -> None:
    journal = make(tmp_path, fsync=fsync)
    journal.append_now(outcome(0))
    size = len(framed(outcome(1)))
    disk = FullDisk(monkeypatch, short)

    async def append(number: int) -> None:
        await journal.append(outcome(number))

    async def three() -> list[BaseException | None]:
        return await asyncio.gather(*map(append, (1, 2, 3)), return_exceptions=True)

    told = asyncio.run(three())
    written = short // size
    assert [isinstance(answer, Unavailable) for answer in told] == [k >= written for k in range(3)]
    assert [frame.at for frame in everything(tmp_path)] == [0, *range(1, written + 1)]
    disk.left = 0
    with pytest.raises(Unavailable, match="No space left"):
        journal.append_now(outcome(4))
    disk.left = 10_000
    journal.append_now(outcome(5))
    assert [frame.at for frame in everything(tmp_path)] == [0, *range(1, written + 1), 5]
    journal.close()


def test_a_failing_fsync_promises_nothing_and_goes_on_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = make(tmp_path, fsync=True)
    fsync = os.fsync

    def fails(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(Unavailable):
        journal.append_now(outcome(1))
    monkeypatch.setattr(os, "fsync", fsync)
    journal.append_now(outcome(2))
    assert [segment.sealed for segment in segments(tmp_path)] == [True, False]
    journal.close()


def test_what_would_be_too_much_to_wait_is_refused_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_WAITING_BYTES", 1000)
    made = Journal(tmp_path, "one", 60, 64, True)

    async def fill() -> None:
        first = made.append(outcome(1, 600))
        with pytest.raises(Unavailable, match="Too much waits"):
            made.append(outcome(2, 600))
        assert made.figures.waiting_bytes > 600
        await first
        await made.append(outcome(3, 600))

    asyncio.run(fill())
    figures = made.figures
    assert (figures.frames, figures.writes, figures.refused, figures.waiting_bytes) == (2, 2, 1, 0)
    assert figures.bytes == sum(one.path.stat().st_size for one in journal.segments(tmp_path))
    assert figures.write_ns > 0
    made.close()


def test_frames_that_were_framed_before_are_copied(tmp_path: Path) -> None:
    made = Journal(tmp_path, "one", 60, 64, False)
    told = [outcome(number, 500_000) for number in range(5)]
    made.copy_now(io.BytesIO(b"".join(map(journal.framed, told))))
    [segment] = journal.segments(tmp_path)
    assert read_frames(segment.path)[0] == told
    assert made.figures.writes == 2, "three, which are more than a MiB, and two"
    made.close()
