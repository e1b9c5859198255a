"""Judged windows as stored."""

from __future__ import annotations

from collections.abc import Collection
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
    starts: Collection[int] | None = None,
    limit: int = 100,
    bare: bool = False,
) -> list[Window]:
    """Windows of an endpoint, latest first: of one version, of one role, that begin in [from_at, until_at).

    `starts`: of those, the ones that begin at one of a few hundred instants at most. `bare` ones come without their
    profile, in a fraction of the time: for who shows figures over time.
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
    if starts is not None:
        query = query.where(_column.start_at.in_(list(starts)))
    query = query.order_by(_column.start_at.desc(), _column.role, _column.release_version.desc()).limit(limit)
    read = _bare if bare else _decoder.decode
    return [read(body) for body in tx.execute(query).scalars()]


def following(tx: Transaction, endpoint: str, version: int, role: str, from_at: int, limit: int) -> list[Window]:
    """Windows of a version in a role that begin at or after an instant, earliest first, without their profiles."""
    query = sa.select(_column.body).where(
        _column.endpoint == endpoint,
        _column.release_version == version,
        _column.role == role,
        _column.start_at >= from_at,
    )
    return [_bare(body) for body in tx.execute(query.order_by(_column.start_at).limit(limit)).scalars()]


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


def last_span(tx: Transaction, endpoint: str) -> tuple[int, int] | None:
    """Start and end of the latest judged window of an endpoint; None before the first."""
    query = sa.select(_column.start_at, _column.end_at).where(_column.endpoint == endpoint)
    row: Any = tx.execute(query.order_by(_column.start_at.desc()).limit(1)).first()
    return (row.start_at, row.end_at) if row else None


def judged_beside(tx: Transaction, endpoint: str, instant: int) -> tuple[int | None, int | None]:
    """Where the last judged window before an instant ends, and where the first one after it begins."""
    mine = _column.endpoint == endpoint
    before = tx.execute(
        sa.select(_column.end_at)
        .where(mine, _column.start_at <= instant)
        .order_by(_column.start_at.desc(), _column.end_at.desc())
        .limit(1)
    ).scalar()
    after = tx.execute(
        sa.select(_column.start_at).where(mine, _column.start_at > instant).order_by(_column.start_at).limit(1)
    ).scalar()
    return before, after


def thin(tx: Transaction, endpoint: str, from_at: int, until_at: int, below_us: int, limit: int) -> list[Window]:
    """Let go of the profiles of windows shorter than `below_us` that begin in [from_at, until_at), earliest first.

    At most `limit` of them; those windows, as they are kept.
    """
    inside = (_column.endpoint == endpoint) & (_column.start_at >= from_at) & (_column.start_at < until_at)
    short = _column.end_at - _column.start_at < below_us
    columns = (_column.start_at, _column.end_at, _column.release_version, _column.role, _column.body)
    found = tx.execute(sa.select(*columns).where(inside, short).order_by(_column.start_at).limit(limit)).all()
    kept = []
    for row in found:
        kept.append(_bare(row.body))
        same = sa.and_(*(column == value for column, value in zip(columns[:-1], row[:-1], strict=True)))
        mine = sa.update(tables.windows).where(_column.endpoint == endpoint, same)
        tx.execute(mine.values(body=msgspec.msgpack.encode(kept[-1])))
    return kept


def last_judged_at(tx: Transaction, endpoint: str) -> Instant | None:
    """When a window of an endpoint was last judged, for the first time or again; None before the first."""
    latest: int | None = tx.execute(
        sa.select(sa.func.max(_column.judged_at)).where(_column.endpoint == endpoint)
    ).scalar()
    return None if latest is None else Instant(latest)


def _bare(body: bytes) -> Window:
    read = _bare_decoder.decode(body)
    return Window(**{**{name: getattr(read, name) for name in Window.__struct_fields__}, "profile": None})
