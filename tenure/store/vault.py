"""Protected attributes as stored: sealed, so that neither the database nor a backup of it tells anything."""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenure.errors import CannotStart
from tenure.records.base import Instant
from tenure.records.policies import VaultEntry
from tenure.store import tables
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey

NONCE_BYTES = 12
_column = tables.vault.c


class Protected(NamedTuple):
    """An attribute's values by key, such as a customer's number. A value is a text or a number; None is not told."""

    keys: list[str]
    values: list[str | float | None]


def put(tx: Transaction, key: SigningKey, attribute: str, found: Protected, *, by: str, now: Instant) -> VaultEntry:
    """Keep an attribute in place of what was there. Values are compressed, then sealed with AES-256-GCM."""
    plain = msgspec.msgpack.encode(found)
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(_derived(key, b"tenure vault")).encrypt(nonce, zlib.compress(plain), attribute.encode())
    digest = "hmac-sha256:" + hmac.digest(_derived(key, b"tenure vault digests"), plain, hashlib.sha256).hex()
    entry = VaultEntry(attribute=attribute, rows=len(found.keys), digest=digest, put_by=by, put_at=now)
    tx.execute(sa.delete(tables.vault).where(_column.attribute == attribute))
    tx.execute(
        sa.insert(tables.vault).values(
            attribute=attribute, body=sealed, row_count=entry.rows, digest=digest, put_by=by, put_at=now
        )
    )
    return entry


def entries(tx: Transaction) -> list[VaultEntry]:
    """What is in the vault, by name, without a value."""
    named = (_column.attribute, _column.row_count, _column.digest, _column.put_by, _column.put_at)
    return [
        VaultEntry(attribute=row.attribute, rows=row.row_count, digest=row.digest, put_by=row.put_by, put_at=row.put_at)
        for row in tx.execute(sa.select(*named).order_by(_column.attribute))
    ]


def opened(tx: Transaction, key: SigningKey, attribute: str) -> Protected | None:
    """An attribute's values; None when it is not in the vault. Who calls this checks who asks, and audits."""
    body = tx.execute(sa.select(_column.body).where(_column.attribute == attribute)).scalar()
    if body is None:
        return None
    try:
        packed = AESGCM(_derived(key, b"tenure vault")).decrypt(
            body[:NONCE_BYTES], body[NONCE_BYTES:], attribute.encode()
        )
    except InvalidTag:
        raise CannotStart(
            f"The attribute {attribute!r} was sealed with another key, or changed since. Restore the data folder's key "
            "from a backup, or put the attribute into the vault again."
        ) from None
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Protected)


def _derived(key: SigningKey, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=None, info=purpose).derive(key.seal_key())
