"""Proxy tests of versions. A test is kept for ever; the newest of each attribute counts."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.policies import ProxyTest
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.proxy_tests.c


def add(tx: Transaction, test: ProxyTest) -> None:
    """Store a test."""
    tx.execute(
        sa.insert(tables.proxy_tests).values(
            test_id=test.test_id,
            model=test.model,
            version=test.version,
            attribute=test.attribute,
            body=msgspec.json.encode(test).decode(),
            made_at=test.made_at,
        )
    )


def newest(tx: Transaction, model: str, version: int) -> list[ProxyTest]:
    """The newest test of each attribute, by attribute."""
    query = (
        sa.select(_column.body)
        .where(_column.model == model, _column.version == version)
        .order_by(_column.made_at, _column.test_id)
    )
    found = [msgspec.json.decode(body, type=ProxyTest) for body in tx.execute(query).scalars()]
    return [test for _, test in sorted({test.attribute: test for test in found}.items())]
