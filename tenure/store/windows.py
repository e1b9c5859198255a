"""Judged windows as stored."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.windows import Window
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.windows.c
_decoder = msgspec.msgpack.Decoder(Window)


class _Unread(Window):
    """A window whose profile stays as it is stored: it is most of the bytes, and of the time that reading takes."""

    profile: msgspec.Raw = msgspec.Raw(b"")  # type: ignore[assignment]  # of another kind on purpose, and gone at once


_bare_decoder = msgspec.msgpack.Decoder(_Unread)


def put(tx: Transaction, window: Window, now: Instant) -> None:
    """Store a window, in place of what was judged of it before."""
    values = {"body": msgspec.msgpack.encode(window), "judged_at": now}
    key = {
        "endpoint": window.endpoint,
        "start_at": window.start_at,
        "end_at": window.end_at,
        "release_version": window.version,
        "role": window.role,
    }
    same = sa.and_(*(_column[name] == value for name, value in key.items()))
    if tx.execute(sa.update(tables.windows).where(same).values(**values)).rowcount == 0:
        tx.execute(sa.insert(tables.windows).values(**key, **values))


def get(tx: Transaction, endpoint: str, start_at: int, end_at: int, version: int, role: str) -> Window | None:
    """One window as it was judged last; None when it was not."""
    query = sa.select(_column.body).where(
        _column.endpoint == endpoint,
        _column.start_at == start_at,
        _column.end_at == end_at,
        _column.release_version == version,
        _column.role == role,
    )
    body: bytes | None = tx.execute(query).scalar()
    return None if body is None else _decoder.decode(body)


def search(
    tx: Transaction,
    endpoint: str,
    *,
    version: int | None = None,
    role: str | None = None,
    from_at: int | None = None,
    until_at: int | None = None,
    limit: int = 100,
    bare: bool = False,
) -> list[Window]:
    """Windows of an endpoint, latest first: of one version, of one role, that begin in [from_at, until_at).

    `bare` ones come without their profile, in a fraction of the time: for who shows figures over time.
    """
    query = sa.select(_column.body).where(_column.endpoint == endpoint)
    if version is not None:
        query = query.where(_column.release_version == version)
    if role is not None:
        query = query.where(_column.role == role)
    if from_at is not None:
        query = query.where(_column.start_at >= from_at)
    if until_at is not None:
        query = query.where(_column.start_at < until_at)
    query = query.order_by(_column.start_at.desc(), _column.role, _column.release_version.desc()).limit(limit)
    read = _bare if bare else _decoder.decode
    return [read(body) for body in tx.execute(query).scalars()]


def following(tx: Transaction, endpoint: str, version: int, role: str, from_at: int, limit: int) -> list[Window]:
    """Windows of a version in a role that begin at or after an instant, earliest first."""
    query = sa.select(_column.body).where(
        _column.endpoint == endpoint,
        _column.release_version == version,
        _column.role == role,
        _column.start_at >= from_at,
    )
    return [_decoder.decode(body) for body in tx.execute(query.order_by(_column.start_at).limit(limit)).scalars()]


def first_span(tx: Transaction, endpoint: str, version: int, role: str) -> tuple[int, int] | None:
    """Start and end of the earliest judged window of a version in a role; None when there is none."""
    query = sa.select(_column.start_at, _column.end_at).where(
        _column.endpoint == endpoint, _column.release_version == version, _column.role == role
    )
    row: Any = tx.execute(query.order_by(_column.start_at).limit(1)).first()
    return (row.start_at, row.end_at) if row else None


def span_with(tx: Transaction, endpoint: str, instant: int) -> tuple[int, int] | None:
    """Start and end of the judged window that holds an instant; None when there is none."""
    query = sa.select(_column.start_at, _column.end_at).where(
        _column.endpoint == endpoint, _column.start_at <= instant, _column.end_at > instant
    )
    row: Any = tx.execute(query.limit(1)).first()
    return (row.start_at, row.end_at) if row else None


def last_judged_at(tx: Transaction, endpoint: str) -> Instant | None:
    """When a window of an endpoint was last judged, for the first time or again; None before the first."""
    latest: int | None = tx.execute(
        sa.select(sa.func.max(_column.judged_at)).where(_column.endpoint == endpoint)
    ).scalar()
    return None if latest is None else Instant(latest)


def _bare(body: bytes) -> Window:
    read = _bare_decoder.decode(body)
    return Window(**{**{name: getattr(read, name) for name in Window.__struct_fields__}, "profile": None})
