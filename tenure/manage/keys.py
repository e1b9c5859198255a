"""The public keys of a server, and that its signing key changed."""

from __future__ import annotations

from tenure.records.base import Instant
from tenure.records.evidence import PublicKey
from tenure.store import audit, settings_kept
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey, key_id_of, read_public

KEPT = "signing_key"
BY = "owner"


def published(key: SigningKey) -> list[PublicKey]:
    """Every public key that a signature of this server may stand under, today's first."""
    ids = [(key_id_of(read_public(pem)), pem) for pem in key.public_pems]
    return [PublicKey(key_id=key_id, public_key=pem, current=key_id == key.key_id) for key_id, pem in ids]


def note(tx: Transaction, key: SigningKey, *, now: Instant) -> None:
    """Remember which key signs; when it is another than at the start before, write one audit event."""
    before = settings_kept.get(tx, KEPT)
    if before == key.key_id:
        return
    settings_kept.put(tx, KEPT, key.key_id)
    if before is not None:
        detail = {"before": before, "after": key.key_id, "kept": before in [one.key_id for one in published(key)]}
        audit.append(tx, "key.changed", subject=key.key_id, by=BY, at=now, detail=detail)
