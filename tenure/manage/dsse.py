"""DSSE envelopes: bytes of a stated type, signed with the server's Ed25519 key (github.com/secure-systems-lab/dsse)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tenure.errors import InvalidInput
from tenure.store.keys import SigningKey

if TYPE_CHECKING:
    from securesystemslib.signer._key import SSlibKey


def seal(payload: bytes, payload_type: str, key: SigningKey) -> bytes:
    """A payload as the JSON bytes of its envelope."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer._crypto_signer import CryptoSigner

    envelope = Envelope(payload, payload_type, {})
    envelope.sign(CryptoSigner(key.private, _public(key.public_pem)))
    return json.dumps(envelope.to_dict()).encode()


def opened(envelope: bytes, payload_type: str, public_pem: str) -> bytes:
    """The payload of an envelope that the key of `public_pem` signed. Raises InvalidInput when it did not."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        read = Envelope.from_dict(json.loads(envelope))
        if read.payload_type != payload_type:
            raise InvalidInput(f"The envelope must hold {payload_type}. Got {read.payload_type!r}.")
        read.verify([_public(public_pem)], threshold=1)
        payload: bytes = read.payload
        return payload
    except VerificationError:
        raise InvalidInput("The envelope was not signed by this key, or it was changed after signing.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None


def _public(pem: str) -> SSlibKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer._key import SSlibKey

    try:
        return SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInput(
            "A public key must be in PEM, as GET /api/v1/server tells it as `public_key`. This one cannot be read."
        ) from None
