"""Secrets that have to be read again: sealed with a key derived from the server's own, so that the database alone tells
nothing."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenure.store.keys import SigningKey

NONCE_BYTES = 12


def seal(key: SigningKey, secret: str, owner: str) -> bytes:
    """A secret in a form (AES-256-GCM, nonce first) that only this server opens, and only for this owner."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, secret.encode(), owner.encode())


def unseal(key: SigningKey, sealed: bytes, owner: str) -> str | None:
    """The secret; None when it was sealed with another key, for another owner, or was changed since."""
    try:
        return _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode()).decode()
    except (InvalidTag, ValueError):
        return None


def _cipher(key: SigningKey) -> AESGCM:
    return AESGCM(key.seal_key())
