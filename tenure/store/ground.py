"""What every verb stands on, put together once per process by `tenure.app`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tenure.records.base import Instant
from tenure.settings import Settings
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.keys import SigningKey


def system_clock() -> Instant:
    return Instant(time.time_ns() // 1000)


@dataclass(frozen=True)
class Ground:
    """Settings, database, files, the server's signing key, and the clock that only faces read."""

    settings: Settings
    database: Database
    artifacts: ArtifactStore
    key: SigningKey
    clock: Callable[[], Instant] = field(default=system_clock)
