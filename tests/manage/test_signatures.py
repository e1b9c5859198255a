import base64
import json
from pathlib import Path

import msgspec
import pytest

from tenure.errors import InvalidInput
from tenure.manage import signatures
from tenure.records.changes import SignedStatement, Subject
from tenure.store.keys import open_key

STATEMENT = SignedStatement(
    change_id="c-1",
    kind="approve",
    model="late",
    version=1,
    subject=Subject(artifact="a", card="c", profile="p", model_file="m", policy="t@1", facts="f"),
    person="ada",
    printed_name="Ada Lovelace",
    role="validator",
    meaning="approval",
    reason="it holds",
    signed_at="2025-06-15T15:06:40Z",
    reauthenticated_by="password (argon2id)",
    reauthenticated_at="2025-06-15T15:06:40Z",
    policy_version="tenure-baseline@1",
)


def test_a_sealed_statement_comes_back_word_for_word(tmp_path: Path):
    key = open_key(tmp_path)
    envelope = signatures.seal(STATEMENT, key)
    assert signatures.verify(envelope, key.public_pem) == STATEMENT
    assert set(json.loads(envelope)) == {"payload", "payloadType", "signatures"}


def test_another_servers_key_does_not_verify(tmp_path: Path):
    envelope = signatures.seal(STATEMENT, open_key(tmp_path / "one"))
    with pytest.raises(InvalidInput, match="not signed by this key"):
        signatures.verify(envelope, open_key(tmp_path / "two").public_pem)


def test_a_changed_word_does_not_verify(tmp_path: Path):
    key = open_key(tmp_path)
    envelope = json.loads(signatures.seal(STATEMENT, key))
    other = msgspec.json.encode(msgspec.structs.replace(STATEMENT, meaning="rejection"))
    envelope["payload"] = base64.b64encode(other).decode()
    with pytest.raises(InvalidInput, match="changed after signing"):
        signatures.verify(json.dumps(envelope).encode(), key.public_pem)


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"payload": 1, "payloadType": "x", "signatures": []}',
        b'{"payload": "", "payloadType": "x", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "application/vnd.tenure.signature+json", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "application/vnd.tenure.signature+json", "signatures": [1]}',
        b'{"payload": "e30=", "payloadType": "application/vnd.tenure.signature+json", "signatures": [{"sig": "!"}]}',
    ],
)
def test_what_is_no_envelope_is_refused(tmp_path: Path, envelope: bytes):
    with pytest.raises(InvalidInput):
        signatures.verify(envelope, open_key(tmp_path).public_pem)
