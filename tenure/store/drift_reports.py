"""Reports about drift, one beside each judged window; kept apart from it, since windows are read by hundreds."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.drift import DriftReport
from tenure.records.windows import Window
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.drift_reports.c
_decoder = msgspec.msgpack.Decoder(DriftReport)


def put(tx: Transaction, report: DriftReport) -> None:
    """Keep a window's report, in place of the one before."""
    key = {
        "endpoint": report.endpoint,
        "start_at": report.start_at,
        "end_at": report.end_at,
        "release_version": report.version,
        "role": report.role,
    }
    tx.execute(sa.delete(tables.drift_reports).where(*(_column[name] == value for name, value in key.items())))
    tx.execute(sa.insert(tables.drift_reports).values(**key, body=msgspec.msgpack.encode(report)))


def get(
    tx: Transaction, endpoint: str, *, version: int | None = None, role: str | None = None, start_at: int | None = None
) -> DriftReport | None:
    """The latest report of an endpoint, of a version, of a role, of the window that begins at an instant."""
    query = sa.select(_column.body).where(_column.endpoint == endpoint)
    wanted = {"release_version": version, "role": role, "start_at": start_at}
    query = query.where(*(_column[name] == value for name, value in wanted.items() if value is not None))
    latest = query.order_by(_column.start_at.desc(), _column.role, _column.release_version.desc()).limit(1)
    body = tx.execute(latest).scalar()
    return None if body is None else _decoder.decode(body)


def of_windows(
    tx: Transaction, endpoint: str, *, version: int, role: str, from_at: int, until_at: int
) -> dict[int, DriftReport]:
    """The reports of one version's windows that begin in [from_at, until_at), by where they begin."""
    query = sa.select(_column.body).where(
        _column.endpoint == endpoint,
        _column.release_version == version,
        _column.role == role,
        _column.start_at >= from_at,
        _column.start_at < until_at,
    )
    found = [_decoder.decode(body) for body in tx.execute(query).scalars()]
    return {one.start_at: one for one in found}


def forget(tx: Transaction, window: Window) -> None:
    """Let go of a window's report."""
    tx.execute(
        sa.delete(tables.drift_reports).where(
            _column.endpoint == window.endpoint,
            _column.start_at == window.start_at,
            _column.end_at == window.end_at,
            _column.release_version == window.version,
            _column.role == window.role,
        )
    )
