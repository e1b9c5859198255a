"""`tenure audit verify-signature` and `tenure admin rotate-key`: no server is asked."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from tenure.cli.admin import command as admin
from tenure.cli.audit import command as audit
from tenure.manage import evidence
from tenure.store import keys
from tenure.store.ground import Ground

from ..manage.makers import MODEL, NOW, approve, make_ready


@pytest.fixture
def papers(ground: Ground, tmp_path: Path) -> Path:
    """What an auditor takes away: evidence, one envelope, the public key, and the version's files."""
    version = make_ready(ground)
    approve(ground, version)
    found = ground.database.read(lambda tx: evidence.of_version(tx, MODEL, version, ground.key, now=NOW))
    place = tmp_path / "papers"
    place.mkdir()
    (place / "evidence.json").write_bytes(msgspec.json.encode(found))
    (place / "envelope.json").write_text(json.dumps(next(iter(found.envelopes.values()))[0]))
    (place / "key.pem").write_text(ground.key.public_pem)
    location = found.version.storage_location.removeprefix("mlflow-artifacts:/")
    for file in found.manifest:
        target = place / "files" / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(ground.artifacts.read(f"{location}/{file.path}")))
    return place


def verify(papers: Path, name: str, *more: str) -> Result:
    arguments = ["verify-signature", str(papers / name), "--public-key", str(papers / "key.pem"), *more]
    return CliRunner().invoke(audit, arguments)


def test_an_auditor_verifies_evidence_files_and_quorum(papers: Path):
    found = verify(papers, "evidence.json", "--version-folder", str(papers / "files"), "--quorum")
    assert found.exit_code == 0, found.output
    for told in ("Everything holds", "Vera Person (vera), as validator", "looked at it", "every step is signed"):
        assert told in found.output
    told = json.loads(verify(papers, "evidence.json", "--quorum", "--json").output)
    assert told["holds"] is True
    assert len(told["statements"]) == 2


def test_one_signature_is_verified_by_itself_and_is_no_quorum(papers: Path):
    assert verify(papers, "envelope.json").exit_code == 0
    lacking = verify(papers, "envelope.json", "--quorum")
    assert lacking.exit_code == 1
    assert "0 of 1 signatures as business-owner" in lacking.output


def test_a_file_that_was_changed_is_named(papers: Path):
    (papers / "files" / "model.pkl").write_bytes(b"other weights")
    found = verify(papers, "evidence.json", "--version-folder", str(papers / "files"))
    assert found.exit_code == 1
    assert "model.pkl has other content" in found.output
    assert "Something does not hold" in found.output


def test_a_manifest_stands_for_the_files(papers: Path):
    files = json.loads((papers / "evidence.json").read_text())["manifest"]
    (papers / "manifest.json").write_text(json.dumps(files))
    assert verify(papers, "envelope.json", "--manifest", str(papers / "manifest.json")).exit_code == 0
    (papers / "manifest.json").write_text(json.dumps(files[:1]))
    assert verify(papers, "envelope.json", "--manifest", str(papers / "manifest.json")).exit_code == 1


def test_another_key_does_not_verify(papers: Path, tmp_path: Path):
    (papers / "key.pem").write_text(keys.open_key(tmp_path / "other").public_pem)
    found = verify(papers, "envelope.json")
    assert found.exit_code == 1
    assert "was not signed by this key" in found.output


def test_a_key_is_rotated_and_old_signatures_hold(papers: Path, ground: Ground):
    folder = ground.settings.folder
    told = CliRunner().invoke(admin, ["rotate-key", "--data", str(folder), "--yes"])
    assert told.exit_code == 0, told.output
    assert f"{ground.key.key_id} signed until now" in told.output
    assert keys.open_key(folder).key_id != ground.key.key_id
    assert ground.key.public_pem in keys.open_key(folder).public_pems
    assert verify(papers, "evidence.json", "--quorum").exit_code == 0


def test_a_folder_that_is_none_of_a_server_is_refused(tmp_path: Path):
    refused = CliRunner().invoke(admin, ["rotate-key", "--data", str(tmp_path), "--yes"])
    assert refused.exit_code == 1
    assert "no data folder of a server" in str(refused.exception)
