"""The server's signing key (Ed25519): made at the first start, kept in the data folder, readable by its owner only."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenure.errors import CannotStart


@dataclass(frozen=True)
class SigningKey:
    """`key_id` is the SHA-256 of the raw public key, in hex."""

    private: Ed25519PrivateKey
    key_id: str

    @property
    def public_pem(self) -> str:
        encoded = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return encoded.decode()


def open_key(folder: Path) -> SigningKey:
    """The key in `folder`, made when there is none. Several processes may ask at once; one key results."""
    path = folder / "keys" / "signing.pem"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        raise CannotStart(f"The signing key {path} must be an Ed25519 key in PEM. Restore it from a backup.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise CannotStart(f"The signing key {path} must be an Ed25519 key. Got {type(private).__name__}.")
    return SigningKey(private, _key_id(private))


def passing_key() -> SigningKey:
    """A key that is written nowhere, for a process that must sign and open nothing of the server's."""
    private = Ed25519PrivateKey.generate()
    return SigningKey(private, _key_id(private))


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
        os.link(draft, path)
    draft.unlink()


def _key_id(private: Ed25519PrivateKey) -> str:
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()
