"""The server's signing key (Ed25519): made at the first start, kept in the data folder, readable by its owner only.

Below `keys/`: `signing.pem` signs; `<key id>.pub.pem` are public keys that signed once, so that what they signed is
verified for ever; `webhooks.key` seals the webhooks' secrets once the key that they were sealed with is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tenure.errors import CannotStart, InvalidInput

SEAL = "webhooks.key"


@dataclass(frozen=True)
class SigningKey:
    """`key_id` is the SHA-256 of the raw public key, in hex. `retired` are the public keys (PEM) that signed before."""

    private: Ed25519PrivateKey
    key_id: str
    retired: tuple[str, ...] = ()
    kept_seal: bytes | None = field(default=None, repr=False)

    @property
    def public_pem(self) -> str:
        return _pem(self.private.public_key())

    @property
    def public_pems(self) -> tuple[str, ...]:
        """Every public key that a signature of this server may stand under, today's first."""
        return (self.public_pem, *self.retired)

    def seal_key(self) -> bytes:
        """32 bytes that seal secrets in the database; the same for as long as the data folder lives."""
        if self.kept_seal is not None:
            return self.kept_seal
        derived = HKDF(hashes.SHA256(), length=32, salt=None, info=b"tenure webhook secrets")
        return derived.derive(self.private.private_bytes_raw())


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
    retired = tuple(file.read_text() for file in sorted(path.parent.glob("*.pub.pem")))
    seal = path.parent / SEAL
    return SigningKey(private, key_id_of(private.public_key()), retired, seal.read_bytes() if seal.exists() else None)


def rotate(folder: Path) -> SigningKey:
    """Put a new key in the place of the one in `folder` and keep the old public key. Servers take it up at a start.

    The old private key is gone afterwards: what it signed is still verified, and nothing is signed with it any more.
    """
    old = open_key(folder)
    place = folder / "keys"
    if old.kept_seal is None:
        _write(place / SEAL, old.seal_key())
    _write(place / f"{old.key_id}.pub.pem", old.public_pem.encode())
    draft = place / f"signing.{os.getpid()}.new"
    _write(draft, _new_private())
    os.replace(draft, place / "signing.pem")
    return open_key(folder)


def key_id_of(public: Ed25519PublicKey) -> str:
    """The SHA-256 of the raw public key, in hex."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def read_public(pem: str) -> Ed25519PublicKey:
    """A public key in PEM. Raises InvalidInput for anything else."""
    try:
        public = serialization.load_pem_public_key(pem.encode())
    except ValueError:
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise InvalidInput("A public key must be an Ed25519 key in PEM. GET /api/v1/keys tells a server's own.")
    return public


def passing_key() -> SigningKey:
    """A key that is written nowhere, for a process that must sign and open nothing of the server's."""
    private = Ed25519PrivateKey.generate()
    return SigningKey(private, key_id_of(private.public_key()))


def _make(path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    _write(draft, _new_private())
    with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
        os.link(draft, path)
    draft.unlink()


def _new_private() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _pem(public: Ed25519PublicKey) -> str:
    encoded = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()
