"""Proxy tests of versions. A test is kept for ever; the newest of each attribute counts."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.policies import ProxyTest
from tenure.store import driver, tables
from tenure.store.database import Transaction


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
    rows = driver.execute(
        tx,
        "SELECT body FROM proxy_tests WHERE model = ? AND version = ? ORDER BY made_at, test_id",
        (model, version),
    )
    found = [msgspec.json.decode(body, type=ProxyTest) for (body,) in rows.fetchall()]
    return [test for _, test in sorted({test.attribute: test for test in found}.items())]
