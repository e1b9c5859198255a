"""Signatures: a statement in a DSSE envelope, signed with the server's Ed25519 key.

The key proves that this server saw the person give their password and say this. Who has the public key can verify an
envelope without the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tenure.errors import InvalidInput
from tenure.records.changes import SignedStatement
from tenure.store.keys import SigningKey, key_id_of, read_public

if TYPE_CHECKING:
    from securesystemslib.signer._key import Key, SSlibKey

PAYLOAD_TYPE = "application/vnd.tenure.signature+json"


def seal(statement: SignedStatement, key: SigningKey) -> bytes:
    """A statement as the JSON bytes of its DSSE envelope, which carries the key's id."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer._crypto_signer import CryptoSigner

    envelope = Envelope(msgspec.json.encode(statement), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key.private, _keys(key.public_pem)[0]))
    return json.dumps(envelope.to_dict()).encode()


def verify(envelope: bytes, *public_pems: str) -> SignedStatement:
    """The statement of an envelope that one of these keys signed. Raises InvalidInput when none did.

    Strict: what JSON and Base64 would let pass as another spelling of the same is refused too.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        plain = json.loads(envelope, object_pairs_hook=_once)
        read = Envelope.from_dict(json.loads(envelope))
        if read.payload_type != PAYLOAD_TYPE:
            raise InvalidInput(f"The envelope must hold {PAYLOAD_TYPE}. Got {read.payload_type!r}.")
        if read.to_dict() != plain:
            raise InvalidInput("The envelope was changed after signing: it is spelled otherwise than it was written.")
        known: list[Key] = [key for pem in public_pems for key in _keys(pem)]
        read.verify(known, threshold=1)
        return msgspec.json.decode(read.payload, type=SignedStatement)
    except VerificationError:
        raise InvalidInput(_unknown(read.signatures, known)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None


def key_id(envelope: bytes) -> str:
    """Which key an envelope says that it was signed with; empty when it cannot be read."""
    try:
        return str(json.loads(envelope)["signatures"][0]["keyid"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


def in_words(statement: SignedStatement) -> list[tuple[str, str]]:
    """What a statement says, for a reader: each part by name."""
    target = statement.target
    place = f", to {target.to}" + (f" at {target.endpoint}" if target.endpoint else "") if target else ""
    return [
        ("signed by", f"{statement.printed_name} ({statement.person}), as {statement.role}"),
        ("meaning", statement.meaning),
        ("of", f"the change {statement.change_id}: {statement.kind} {statement.model} {statement.version}{place}"),
        ("reason", statement.reason),
        ("at", f"{statement.signed_at} (UTC)"),
        ("identity", f"{statement.reauthenticated_by}, at {statement.reauthenticated_at} (UTC)"),
        ("policy", statement.subject.policy),
        ("artifact", statement.subject.artifact or "none"),
        ("card", statement.subject.card or "none"),
        ("baseline", statement.subject.profile or "none"),
        ("model's file", statement.subject.model_file or "none"),
        ("facts", statement.subject.facts or "none"),
    ]


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
