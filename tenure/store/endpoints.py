"""Endpoints as stored."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.endpoints import Endpoint
from tenure.records.journaling import JournalMode, journal_from
from tenure.records.kills import Fallback, fallback_from
from tenure.store import driver, tables
from tenure.store.database import Transaction

_column = tables.endpoints.c


def add(tx: Transaction, name: str, model: str, *, by: str, now: Instant) -> None:
    """Store a new endpoint. The caller has made sure that the name is free."""
    tx.execute(sa.insert(tables.endpoints).values(name=name, model=model, created_by=by, created_at=now))


def get(tx: Transaction, name: str) -> Endpoint | None:
    """The endpoint of that name; None when there is none."""
    row = tx.execute(sa.select(tables.endpoints).where(_column.name == name)).first()
    return _endpoint(row) if row else None


def list_all(tx: Transaction, *, model: str | None = None) -> list[Endpoint]:
    """Every endpoint, or every endpoint of a model, by name."""
    query = sa.select(tables.endpoints).order_by(_column.name)
    if model is not None:
        query = query.where(_column.model == model)
    return [_endpoint(row) for row in tx.execute(query)]


def fallback(tx: Transaction, name: str) -> Fallback | None:
    """What is answered at an endpoint instead of a killed version; None for 503."""
    return fallback_from(tx.execute(sa.select(_column.fallback).where(_column.name == name)).scalar())


def set_fallback(tx: Transaction, name: str, fallback: Fallback | None) -> None:
    said = msgspec.json.encode(fallback).decode() if fallback is not None else None
    tx.execute(sa.update(tables.endpoints).where(_column.name == name).values(fallback=said))


def journal(tx: Transaction, name: str) -> JournalMode:
    """How an endpoint's answers are journaled."""
    return journal_from(tx.execute(sa.select(_column.journal).where(_column.name == name)).scalar())


def journal_modes(tx: Transaction, model: str) -> list[str]:
    """How the endpoints of a model journal, each mode once."""
    stored = driver.execute(tx, "SELECT journal FROM endpoints WHERE model = ?", (model,))
    return sorted({journal_from(text).mode for (text,) in stored.fetchall()})


def set_journal(tx: Transaction, name: str, mode: JournalMode) -> None:
    said = msgspec.json.encode(mode).decode()
    tx.execute(sa.update(tables.endpoints).where(_column.name == name).values(journal=said))


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(name=row.name, model=row.model, created_at=row.created_at, created_by=row.created_by)
