"""The signing key: one, made once; rotated without losing what the old one signed or sealed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tenure.errors import InvalidInput
from tenure.manage import keys as published
from tenure.store import audit, keys, sealing
from tenure.store.ground import Ground

from ..conftest import NOON


def test_a_rotation_keeps_the_old_public_key_and_no_private_one(tmp_path: Path):
    first = keys.open_key(tmp_path)
    second = keys.rotate(tmp_path)
    third = keys.rotate(tmp_path)
    assert len({first.key_id, second.key_id, third.key_id}) == 3
    assert set(third.public_pems) == {first.public_pem, second.public_pem, third.public_pem}
    assert third.public_pems[0] == third.public_pem == keys.open_key(tmp_path).public_pem
    files = list((tmp_path / "keys").iterdir())
    assert sum(b"PRIVATE" in file.read_bytes() for file in files) == 1
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_secrets_that_were_sealed_before_a_rotation_are_opened_after_it(tmp_path: Path):
    sealed = sealing.seal(keys.open_key(tmp_path), "s3cret", "w-1")
    for _ in range(2):
        assert sealing.unseal(keys.rotate(tmp_path), sealed, "w-1") == "s3cret"


def test_another_key_at_a_start_is_one_audit_event(ground: Ground):
    ground.database.write(lambda tx: published.note(tx, ground.key, now=NOON))
    assert ground.database.read(lambda tx: audit.search(tx, action="key.")) == []
    rotated = keys.rotate(ground.settings.folder)
    for _ in range(2):
        ground.database.write(lambda tx: published.note(tx, rotated, now=NOON))
    (event,) = ground.database.read(lambda tx: audit.search(tx, action="key."))
    assert event.detail == {"before": ground.key.key_id, "after": rotated.key_id, "kept": True}


def test_published_keys_say_which_one_signs(tmp_path: Path):
    keys.open_key(tmp_path)
    told = published.published(keys.rotate(tmp_path))
    assert [one.current for one in told] == [True, False]
    assert all(keys.key_id_of(keys.read_public(one.public_key)) == one.key_id for one in told)


@pytest.mark.parametrize("pem", ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_public_key_is_refused(pem: str):
    with pytest.raises(InvalidInput, match="Ed25519 key in PEM"):
        keys.read_public(pem)
