"""Signatures: a statement in a DSSE envelope, signed with the server's Ed25519 key.

The key proves that this server saw the person give their password and say this. Who has the public key can verify an
envelope without the server.
"""

from __future__ import annotations

import msgspec

from tenure.errors import InvalidInput
from tenure.manage import dsse
from tenure.records.changes import SignedStatement
from tenure.store.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.tenure.signature+json"


def seal(statement: SignedStatement, key: SigningKey) -> bytes:
    """A statement as the JSON bytes of its DSSE envelope."""
    return dsse.seal(msgspec.json.encode(statement), PAYLOAD_TYPE, key)


def verify(envelope: bytes, public_pem: str) -> SignedStatement:
    """The statement of an envelope that the key of `public_pem` signed. Raises InvalidInput when it did not."""
    try:
        return msgspec.json.decode(dsse.opened(envelope, PAYLOAD_TYPE, public_pem), type=SignedStatement)
    except msgspec.MsgspecError:
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None
