"""Verifying without the server: what was signed holds, and whatever was changed since is named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tenure.errors import InvalidInput
from tenure.manage import changes, evidence, signatures, verification
from tenure.records.base import Instant
from tenure.records.evidence import Verified
from tenure.records.routing import PinnedFile
from tenure.store import keys
from tenure.store.ground import Ground

from .makers import MODEL, NOW, apply_file, approve, ask, make_ready, sign


@pytest.fixture
def bundle(ground: Ground) -> dict[str, Any]:
    """The evidence of an approved version, as the download gives it."""
    version = make_ready(ground)
    approve(ground, version)
    found = ground.database.read(lambda tx: evidence.of_version(tx, MODEL, version, ground.key, now=NOW))
    told: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return told


def verify(ground: Ground, bundle: Any, **more: Any) -> Verified:
    return verification.verify(json.dumps(bundle, indent=2).encode(), ground.key.public_pems, **more)


def broken(found: Verified) -> list[str]:
    return [f"{finding.what}: {finding.says}" for finding in found.findings if not finding.holds]


def manifest_of(bundle: dict[str, Any]) -> list[PinnedFile]:
    return msgspec.convert(bundle["manifest"], list[PinnedFile])


def test_a_versions_evidence_holds_with_files_and_quorum(ground: Ground, bundle: dict[str, Any]):
    found = verify(ground, bundle, manifest=manifest_of(bundle), quorum=True)
    assert broken(found) == []
    assert found.holds
    assert [dict(words)["signed by"] for words in found.statements] == [
        "Vera Person (vera), as validator",
        "Bo Person (bo), as business-owner",
    ]
    assert dict(found.statements[0])["meaning"] == "approval"
    assert "2025-06-15T15:06:41" in dict(found.statements[0])["identity"]
    assert [finding.what.split(" change ")[0] for finding in found.findings][:2] == [
        "signature of Vera Person",
        "signature of Bo Person",
    ]


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("card", "card", "scope"), "All flights of the world", "card: is not what was signed"),
        (("manifest", 0, "sha256"), "0" * 64, "manifest: is not what was signed"),
        (("model_file", "file", "purpose"), "Another", "model's file: is not what was signed"),
        (("gate_evaluations", 0, "facts", "seed"), 7, "facts of the gate: is not what was signed"),
        (("version", "version"), 2, "version: vera signed for late 1"),
    ],
)
def test_what_was_changed_in_the_evidence_is_named(
    ground: Ground, bundle: dict[str, Any], path: tuple[Any, ...], value: Any, problem: str
):
    place: Any = bundle
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert any(problem in told for told in broken(verify(ground, bundle)))


def test_files_that_differ_are_named(ground: Ground, bundle: dict[str, Any]):
    files = manifest_of(bundle)
    other = [
        msgspec.structs.replace(files[0], sha256="1" * 64),
        PinnedFile(path="new.bin", size_bytes=1, sha256="2" * 64),
    ]
    told = broken(verify(ground, bundle, manifest=other))
    assert len(told) == 1
    assert f"{files[1].path} is missing; new.bin was added; {files[0].path} has other content" in told[0]


def test_a_signature_that_is_missing_leaves_no_quorum(ground: Ground, bundle: dict[str, Any]):
    change = bundle["changes"][0]["change_id"]
    bundle["envelopes"][change].pop()
    found = verify(ground, bundle, quorum=True)
    assert any("0 of 1 signatures as business-owner" in told for told in broken(found))
    assert verify(ground, bundle["envelopes"][change]).holds, "each signature holds by itself"


def test_the_same_signature_twice_counts_once(ground: Ground, bundle: dict[str, Any]):
    change = bundle["changes"][0]["change_id"]
    first = bundle["envelopes"][change][0]
    assert any("vera signed more than once" in told for told in broken(verify(ground, [first, first], quorum=True)))


def test_a_rejection_is_no_quorum(ground: Ground):
    change = ask(ground, make_ready(ground))
    sign(ground, change, "vera", "validator", "rejection")
    envelopes = ground.database.read(lambda tx: changes.envelopes_of(tx, change.change_id))
    found = verify(ground, [json.loads(envelope) for envelope in envelopes], quorum=True)
    assert any("rejected by vera" in told for told in broken(found))


def test_every_byte_of_an_envelope_counts(ground: Ground, bundle: dict[str, Any]):
    """Any byte changed to any of a few others: refused, or white space between the parts."""
    envelope = json.dumps(bundle["envelopes"][bundle["changes"][0]["change_id"]][0]).encode()
    said = signatures.verify(envelope, *ground.key.public_pems)
    passed = []
    for place, byte in enumerate(envelope):
        for other in {byte ^ 1, byte ^ 0x20, ord("A"), ord(" ")} - {byte}:
            edited = envelope[:place] + bytes([other]) + envelope[place + 1 :]
            try:
                assert signatures.verify(edited, *ground.key.public_pems) == said
            except InvalidInput:
                continue
            passed.append(bytes([byte, other]))
    assert set(passed) <= {b"  "}, passed


def test_a_key_that_stands_twice_in_an_envelope_is_refused(ground: Ground, bundle: dict[str, Any]):
    envelope = json.dumps(bundle["envelopes"][bundle["changes"][0]["change_id"]][0])
    twice = envelope.replace('{"payload"', '{"payload": "e30=", "payload"', 1).encode()
    with pytest.raises(InvalidInput):
        signatures.verify(twice, *ground.key.public_pems)


def test_a_signature_under_an_old_key_still_verifies(ground: Ground, bundle: dict[str, Any]):
    rotated = keys.rotate(ground.settings.folder)
    assert rotated.key_id != ground.key.key_id
    raw = json.dumps(bundle).encode()
    assert verification.verify(raw, rotated.public_pems, quorum=True).holds
    only_new = verification.verify(raw, [rotated.public_pem])
    assert not only_new.holds
    assert f"it names {ground.key.key_id}" in only_new.findings[0].says


@pytest.mark.parametrize("raw", [b"", b"{", b"7", b'{"format": "tenure-evidence@1"}', b"[1]", b"[]"])
def test_what_is_no_signature_is_told(ground: Ground, raw: bytes):
    try:
        found = verification.verify(raw, ground.key.public_pems)
    except InvalidInput:
        return
    assert not found.holds


def test_manifests_are_read_in_both_forms(bundle: dict[str, Any]):
    files = manifest_of(bundle)
    lines = "".join(f"{file.sha256}  {file.size_bytes}  {file.path}\n" for file in files).encode()
    assert verification.read_manifest(lines) == verification.read_manifest(msgspec.json.encode(files)) == files
    with pytest.raises(InvalidInput, match="A manifest must be"):
        verification.read_manifest(b"nonsense")


def test_two_of_three_named_people(ground: Ground):
    version = make_ready(ground)
    step = {"role": "validator", "signatures": 2, "people": ["vera", "vic", "ann"]}
    apply_file(ground, approval={"steps": [step]})
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    done = sign(ground, change, "vic", "validator")
    assert done.state == "approved"
    envelopes = ground.database.read(lambda tx: changes.envelopes_of(tx, change.change_id))
    every = [json.loads(envelope) for envelope in envelopes]
    assert verify(ground, every, quorum=True).holds
    assert any("1 of 2 signatures" in told for told in broken(verify(ground, every[:1], quorum=True)))
    assert Instant(done.closed_at or 0) > NOW
