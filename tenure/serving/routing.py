"""Where control and gateways meet: the routing table and its epoch, and what each gateway says about itself.

The table is written beside and renamed, so a reader sees the old one or the new one; then the epoch is set in a file
of eight bytes that gateways keep mapped in memory and look at for every request.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tenure.errors import Unavailable
from tenure.records.routing import GatewayStatus, Release, Route, RoutingTable

EMPTY = RoutingTable(epoch=0, routes={})
EPOCH_BYTES = 8


def write_table(folder: Path, table: RoutingTable) -> None:
    """Publish a table below the data folder. Gateways take it up within a second, usually at the next request."""
    place = _place(folder)
    write_whole(place / "table.json", msgspec.json.encode(table))
    handle = _open_epoch(place)
    try:
        with mmap.mmap(handle, EPOCH_BYTES) as memory:
            memory[:EPOCH_BYTES] = table.epoch.to_bytes(EPOCH_BYTES, "little")
    finally:
        os.close(handle)


def read_table(folder: Path) -> RoutingTable:
    """The table as last published; an empty one of epoch 0 when there is none yet."""
    try:
        return msgspec.json.decode((_place(folder) / "table.json").read_bytes(), type=RoutingTable)
    except FileNotFoundError:
        return EMPTY


class EpochReader:
    """The published epoch, read from shared memory in well under a microsecond."""

    def __init__(self, folder: Path) -> None:
        handle = _open_epoch(_place(folder))
        try:
            self._memory = mmap.mmap(handle, EPOCH_BYTES, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)
        self._view = memoryview(self._memory).cast("Q")

    def epoch(self) -> int:
        return self._view[0]

    def close(self) -> None:
        self._view.release()
        self._memory.close()


def write_status(folder: Path, status: GatewayStatus) -> None:
    write_whole(_place(folder) / "gateways" / f"{status.gateway}.json", msgspec.json.encode(status))


def read_statuses(folder: Path) -> list[GatewayStatus]:
    """What the gateways that live on this machine said last; a dead one's word counts no more."""
    found = []
    for path in sorted((_place(folder) / "gateways").glob("*.json")):
        with contextlib.suppress(FileNotFoundError):
            found.append(msgspec.json.decode(path.read_bytes(), type=GatewayStatus))
    return [status for status in found if _lives(status.pid)]


def choose_arm(endpoint: str, answering: Sequence[Release], key: str) -> Release:
    """Which release answers: challengers by their share of a hash of the key, the first release (champion) else.

    The same key at the same endpoint gets the same release for as long as the shares stay. `answering` holds the
    champion first, then challengers in a fixed order.
    """
    if len(answering) == 1:
        return answering[0]
    point = place_of(endpoint, key)
    for release in answering[1:]:
        if point < release.share:
            return release
        point -= release.share
    return answering[0]


def place_of(salt: str, key: str) -> float:
    """A key's place in [0, 1), the same on every machine; another salt shuffles anew.

    >>> place_of("fraud", "customer-1") == place_of("fraud", "customer-1")
    True
    """
    digest = hashlib.blake2b(f"{salt}\x00{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def champion_of(route: Route) -> Release | None:
    return next((release for release in route.releases if release.role == "champion"), None)


def _place(folder: Path) -> Path:
    return folder / "routing"


def _open_epoch(place: Path) -> int:
    """The epoch's file; it is never renamed, since gateways keep it mapped."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place / "epoch", os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(handle).st_size < EPOCH_BYTES:
            os.ftruncate(handle, EPOCH_BYTES)
    except OSError as problem:
        raise Unavailable(f"The routing folder {place} must be writable: {problem.strerror}.") from None
    return handle


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, then rename. Raises Unavailable when the disk refuses it; the old content stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.rename(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise unwritten(path.name, problem) from None


def unwritten(name: str, problem: OSError) -> Unavailable:
    """What the disk refuses, in words."""
    return Unavailable(f"{name} cannot be written: {problem.strerror}. Make room in the data folder.")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
