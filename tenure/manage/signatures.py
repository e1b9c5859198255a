"""Signatures: a statement in a DSSE envelope, signed with the server's Ed25519 key.

The key proves that this server saw the person give their password and say this. Who has the public key can verify an
envelope without the server.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from tenure.errors import InvalidInput
from tenure.records.changes import SignedStatement
from tenure.store.keys import SigningKey

if TYPE_CHECKING:
    from securesystemslib.signer._key import SSlibKey

PAYLOAD_TYPE = "application/vnd.tenure.signature+json"


def seal(statement: SignedStatement, key: SigningKey) -> bytes:
    """A statement as the JSON bytes of its DSSE envelope."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer._crypto_signer import CryptoSigner

    envelope = Envelope(msgspec.json.encode(statement), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key.private, _public(key.public_pem)))
    return json.dumps(envelope.to_dict()).encode()


def verify(envelope: bytes, public_pem: str) -> SignedStatement:
    """The statement of an envelope that the key of `public_pem` signed. Raises InvalidInput when it did not."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        read = Envelope.from_dict(json.loads(envelope))
        if read.payload_type != PAYLOAD_TYPE:
            raise InvalidInput(f"The envelope must hold {PAYLOAD_TYPE}. Got {read.payload_type!r}.")
        read.verify([_public(public_pem)], threshold=1)
        return msgspec.json.decode(read.payload, type=SignedStatement)
    except VerificationError:
        raise InvalidInput("The envelope was not signed by this key, or it was changed after signing.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None


def _public(pem: str) -> SSlibKey:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer._key import SSlibKey

    return SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
