"""The vault: protected attributes, kept for tests of fairness and out of the reach of training and scoring.

Values go in and never come out: what opens them is `manage/proxies.py` alone, in the server's own process, for a
principal with the permission `protect`. Each time is an audit event with its purpose.
"""

from __future__ import annotations

import re

from tenure.errors import InvalidInput, NotFound
from tenure.manage import tables
from tenure.records.base import Instant
from tenure.records.policies import VaultEntry
from tenure.store import audit, vault
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey
from tenure.store.vault import Protected

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def check_name(attribute: str) -> None:
    if not NAME.fullmatch(attribute):
        raise InvalidInput(
            "The name of an attribute must begin with a small letter and have small letters, digits, _ and - up to "
            f"64. Got {attribute[:80]!r}.",
            where="attribute",
        )


def read(body: bytes, content_type: str, key: str) -> Protected:
    """A table of two columns as an attribute's values by key. Raises InvalidInput."""
    columns = tables.read(body, content_type, as_text=(key,))
    if key not in columns or len(columns) != 2:
        told = ", ".join(map(repr, columns)) or "none"
        raise InvalidInput(
            f"The table must have the column {key!r} and one more, the attribute. Got {told}.", where="key"
        )
    keys = keys_of(columns[key], key)
    return Protected(keys, list(next(values for name, values in columns.items() if name != key)))


def keys_of(values: tables.Values, key: str) -> list[str]:
    """A column of keys: each row has one of its own. Raises InvalidInput naming the first row that does not."""
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value is None or str(value) in seen:
            what = "is empty" if value is None else f"{str(value)[:80]!r} comes twice"
            raise InvalidInput(
                f"Every row must have a key of its own. In {key!r} row {number + 1} {what}.", where="key"
            )
        seen.add(str(value))
    return [str(value) for value in values]


def put(tx: Transaction, key: SigningKey, attribute: str, found: Protected, *, by: str, now: Instant) -> VaultEntry:
    """Seal an attribute in place of what was there. Writes one audit event, without a value."""
    if not found.keys:
        raise InvalidInput("The table must have at least one row. It has none.")
    entry = vault.put(tx, key, attribute, found, by=by, now=now)
    audit.append(tx, "vault.put", subject=attribute, by=by, at=now, detail={"rows": entry.rows, "digest": entry.digest})
    return entry


def entries(tx: Transaction) -> list[VaultEntry]:
    """What is in the vault, without values."""
    return vault.entries(tx)


def opened(
    tx: Transaction, key: SigningKey, attribute: str, *, purpose: str, by: str, now: Instant
) -> dict[str, str | float | None]:
    """An attribute's values by key, for a test of fairness. Writes one audit event. Raises NotFound."""
    found = vault.opened(tx, key, attribute)
    if found is None:
        known = ", ".join(entry.attribute for entry in entries(tx)) or "none"
        raise NotFound(f"The vault holds no attribute {attribute!r}. It holds: {known}.")
    audit.append(tx, "vault.opened", subject=attribute, by=by, at=now, detail={"purpose": purpose})
    return dict(zip(found.keys, found.values, strict=True))
