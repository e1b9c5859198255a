"""Samples of gateways, taken from the files in which they lie into the database; old ones are thinned and forgotten."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from tenure.records.base import Instant
from tenure.records.service_levels import ServiceSample
from tenure.store import service_samples
from tenure.store.ground import Ground

log = logging.getLogger("tenure.monitor")
MOST_FILES = 500
_decoder = msgspec.json.Decoder(list[ServiceSample])


def take_in(ground: Ground) -> bool:
    """Store what gateways have put down; False when there was nothing.

    A file is removed once it is stored, and stored again, which changes nothing, if the worker was killed in between.
    One that cannot be read is put aside.
    """
    files = sorted((ground.settings.folder / "service").glob("[!.]*.json"))[:MOST_FILES]
    found = [(path, samples) for path in files if (samples := _read(path)) is not None]
    if not found:
        return False
    ground.database.write(lambda tx: service_samples.put(tx, [one for _, samples in found for one in samples]))
    for path, _ in found:
        path.unlink(missing_ok=True)
    return True


def thin(ground: Ground, now: Instant) -> bool:
    """Make hours of old minutes, and forget old hours."""
    return ground.database.write(lambda tx: service_samples.thin(tx, now))


def _read(path: Path) -> list[ServiceSample] | None:
    try:
        return _decoder.decode(path.read_bytes())
    except msgspec.MsgspecError:
        log.warning("%s holds no samples that can be read; it is put aside", path)
        path.rename(path.with_suffix(".unreadable"))
        return None
