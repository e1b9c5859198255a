"""Baseline profiles: one for each version."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.profiles import Profile, Reference
from tenure.store import driver, tables
from tenure.store.database import Transaction

_column = tables.profiles.c


class StoredProfile(NamedTuple):
    profile: Profile
    digest: str
    recorded_by: str
    recorded_at: int

    @property
    def is_signed(self) -> bool:
        """Whether approvals rest on it. One that was taken from production shows what came, not what was meant."""
        return self.profile.reference.kind != "production"


def put(tx: Transaction, model: str, version: int, profile: Profile, digest: str, *, by: str, now: Instant) -> None:
    """Keep a version's profile, in place of the one before."""
    tx.execute(sa.delete(tables.profiles).where(_column.model == model, _column.version == version))
    tx.execute(
        sa.insert(tables.profiles).values(
            model=model,
            version=version,
            body=msgspec.msgpack.encode(profile),
            digest=digest,
            recorded_by=by,
            recorded_at=now,
        )
    )


def get(tx: Transaction, model: str, version: int) -> StoredProfile | None:
    """A version's profile; None when none was recorded."""
    row = driver.execute(
        tx,
        "SELECT body, digest, recorded_by, recorded_at FROM profiles WHERE model = ? AND version = ?",
        (model, version),
    ).fetchone()
    if row is None:
        return None
    body, digest, recorded_by, recorded_at = row
    return StoredProfile(msgspec.msgpack.decode(body, type=Profile), digest, recorded_by, recorded_at)


def signed(tx: Transaction, model: str, version: int) -> StoredProfile | None:
    """A version's profile when approvals rest on it; None when none was recorded, or one from production only."""
    stored = get(tx, model, version)
    return stored if stored is not None and stored.is_signed else None


def digest(tx: Transaction, model: str, version: int) -> str | None:
    """The digest of a version's profile, without reading the profile."""
    found: str | None = tx.execute(
        sa.select(_column.digest).where(_column.model == model, _column.version == version)
    ).scalar()
    return found


class _Named(msgspec.Struct):
    name: str


class _Classes(msgspec.Struct):
    """What a profile says of its classes; the rest of it is passed over."""

    class_names: list[str] = []
    classes: list[_Named] = []
    reference: Reference = Reference(kind="training")


_classes = msgspec.msgpack.Decoder(_Classes)


def class_names(tx: Transaction, model: str) -> dict[int, list[str]]:
    """The classes of each version of a model whose baseline names them, in the order of the model's chances.

    A baseline that was taken from production knows which were said, and not which there are.
    """
    query = sa.select(_column.version, _column.body).where(_column.model == model)
    found = {version: _classes.decode(body) for version, body in tx.execute(query)}
    told = {
        version: one.class_names or [each.name for each in one.classes]
        for version, one in found.items()
        if one.reference.kind != "production"
    }
    return {version: names for version, names in told.items() if names}
