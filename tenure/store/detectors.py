"""Detectors of harm as stored: what each must remember, and how far it has come."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.harm import Detector
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.detectors.c
_decoder = msgspec.json.Decoder(Detector)


def of_endpoint(tx: Transaction, endpoint: str, version: int | None = None) -> list[Detector]:
    """The detectors of an endpoint, or of one version there; the latest version first."""
    query = sa.select(_column.body).where(_column.endpoint == endpoint)
    if version is not None:
        query = query.where(_column.release_version == version)
    query = query.order_by(_column.release_version.desc(), _column.detector)
    return [_decoder.decode(body) for body in tx.execute(query).scalars()]


def put(tx: Transaction, detector: Detector, *, before: int | None, now: Instant) -> bool:
    """Keep a detector that stood at `before`, None for a new one; False when it has moved on: no row counts twice."""
    key = {"endpoint": detector.endpoint, "release_version": detector.version, "detector": detector.detector}
    values = {
        "consumed_until": detector.consumed_until,
        "body": msgspec.json.encode(detector).decode(),
        "changed_at": now,
    }
    same = sa.and_(*(_column[name] == value for name, value in key.items()))
    if before is not None:
        moved = sa.update(tables.detectors).where(same, _column.consumed_until == before).values(**values)
        return tx.execute(moved).rowcount > 0
    if tx.execute(sa.select(_column.consumed_until).where(same)).first() is not None:
        return False
    tx.execute(sa.insert(tables.detectors).values(**key, **values))
    return True
