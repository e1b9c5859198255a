"""Signatures as stored: the envelope's bytes are what was signed; the columns repeat it for reading."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Record
from tenure.records.changes import Signature, Subject
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.signatures.c


def add(tx: Transaction, change_id: str, signature: Signature, envelope: bytes) -> None:
    """Store a signature with its DSSE envelope."""
    tx.execute(
        sa.insert(tables.signatures).values(
            signature_id=signature.signature_id,
            change_id=change_id,
            person_id=signature.person,
            printed_name=signature.printed_name,
            role=signature.role,
            meaning=signature.meaning,
            reason=signature.reason,
            signed_at=signature.signed_at,
            envelope=envelope,
            voided=signature.voided,
        )
    )


def of_change(tx: Transaction, change_id: str) -> list[Signature]:
    """A change's signatures, oldest first, voided ones too."""
    query = sa.select(tables.signatures).where(_column.change_id == change_id)
    return [_signature(row) for row in tx.execute(query.order_by(_column.signed_at, _column.signature_id))]


def envelopes(tx: Transaction, change_id: str) -> list[bytes]:
    """The envelopes of a change's signatures that count, oldest first."""
    query = sa.select(_column.envelope).where(_column.change_id == change_id, _column.voided.is_(False))
    return list(tx.execute(query.order_by(_column.signed_at, _column.signature_id)).scalars())


def void(tx: Transaction, change_id: str) -> int:
    """Void every signature of a change; how many there were."""
    pending = (_column.change_id == change_id) & _column.voided.is_(False)
    return tx.execute(sa.update(tables.signatures).where(pending).values(voided=True)).rowcount


def _signature(row: Any) -> Signature:
    read = _read(row.envelope)
    return Signature(
        signature_id=row.signature_id,
        person=row.person_id,
        printed_name=row.printed_name,
        role=row.role,
        meaning=row.meaning,
        reason=row.reason,
        signed_at=row.signed_at,
        voided=row.voided,
        reauthenticated_by=read.reauthenticated_by,
        reauthenticated_at=read.reauthenticated_at,
        policy_version=read.policy_version,
        subject=read.subject,
        key_id=read.key_id,
    )


class _Read(Record):
    """What an envelope says beside the columns. Shown, not trusted: whoever must be sure verifies the envelope."""

    reauthenticated_by: str = ""
    reauthenticated_at: str = ""
    policy_version: str = ""
    subject: Subject | None = None
    key_id: str = ""


def _read(envelope: bytes) -> _Read:
    try:
        outer = msgspec.json.decode(envelope)
        said = msgspec.json.decode(base64.b64decode(outer["payload"]), type=_Read)
        return msgspec.structs.replace(said, key_id=str(outer["signatures"][0]["keyid"]))
    except (msgspec.MsgspecError, binascii.Error, KeyError, IndexError, TypeError, ValueError):
        return _Read()
