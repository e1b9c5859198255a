"""DSSE envelopes: bytes of a stated type, signed with the server's Ed25519 key (github.com/secure-systems-lab/dsse)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tenure.errors import InvalidInput
from tenure.store.keys import SigningKey, key_id_of, read_public

if TYPE_CHECKING:
    from securesystemslib.signer._key import Key, SSlibKey


def seal(payload: bytes, payload_type: str, key: SigningKey) -> bytes:
    """A payload as the JSON bytes of its envelope, which carries the key's id."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer._crypto_signer import CryptoSigner

    envelope = Envelope(payload, payload_type, {})
    envelope.sign(CryptoSigner(key.private, _keys(key.public_pem)[0]))
    return json.dumps(envelope.to_dict()).encode()


def opened(envelope: bytes, payload_type: str, *public_pems: str) -> bytes:
    """The payload of an envelope that one of these keys signed. Raises InvalidInput when none did.

    Strict: what JSON and Base64 would let pass as another spelling of the same is refused too.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    known: list[Key] = [key for pem in public_pems for key in _keys(pem)]
    try:
        plain = json.loads(envelope, object_pairs_hook=_once)
        read = Envelope.from_dict(json.loads(envelope))
        if read.payload_type != payload_type:
            raise InvalidInput(f"The envelope must hold {payload_type}. Got {read.payload_type!r}.")
        if read.to_dict() != plain:
            raise InvalidInput("The envelope was changed after signing: it is spelled otherwise than it was written.")
        read.verify(known, threshold=1)
        payload: bytes = read.payload
        return payload
    except VerificationError:
        raise InvalidInput(_unknown(read.signatures, known)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None


def key_id(envelope: bytes) -> str:
    """Which key an envelope says that it was signed with; empty when it cannot be read."""
    try:
        return str(json.loads(envelope)["signatures"][0]["keyid"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


def _unknown(signatures: Mapping[str, object], known: Sequence[Key]) -> str:
    if not set(signatures) & {key.keyid for key in known}:
        named = ", ".join(signatures) or "no key"
        return f"The envelope was not signed by this key: it names {named[:200]}. Give the public key of that id."
    return "The envelope was not signed by this key, or it was changed after signing."


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _keys(pem: str) -> list[SSlibKey]:
    """A public key under its id, and under the id that envelopes of the first release carry."""
    from securesystemslib.signer._key import SSlibKey

    public = read_public(pem)
    return [SSlibKey.from_crypto(public, keyid=key_id_of(public)), SSlibKey.from_crypto(public)]
