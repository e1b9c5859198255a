"""What every verb stands on, put together once per process by `tenure.app`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from tenure.records.base import Instant
from tenure.settings import Settings
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.keys import SigningKey
from tenure.store.registrations import Registrations
from tenure.store.roots import Opened, Roots


def system_clock() -> Instant:
    return Instant(time.time_ns() // 1000)


@dataclass(frozen=True)
class Ground:
    """Settings, database, files, the server's signing key, and the clock that only faces read.

    `artifacts` is what clients reach as `mlflow-artifacts:/`; `opened` knows the other root too, if there is one.
    """

    settings: Settings
    database: Database
    artifacts: ArtifactStore
    key: SigningKey
    clock: Callable[[], Instant] = field(default=system_clock)

    @cached_property
    def roots(self) -> Roots:
        return Roots(self.artifacts, self.settings.default_artifact_root)

    @cached_property
    def registrations(self) -> Registrations:
        return Registrations()

    def opened(self, location: str | None) -> Opened | None:
        """The store and the key of a location; None for one that this server does not open."""
        return self.roots.opened(location)
