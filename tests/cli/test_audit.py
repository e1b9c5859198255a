"""`tenure audit …` against a real server, and without one."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tenure.cli.main import tenure
from tests.conftest import Running

from .test_commands import run


def alone(*arguments: str) -> Result:
    return CliRunner().invoke(tenure, [*arguments, "--url", "http://127.0.0.1:9"])


def test_an_auditor_verifies_without_the_server(server: Running, tmp_path: Path) -> None:
    key, kept, exported = (tmp_path / name for name in ("key.pem", "c.json", "audit.jsonl"))
    password = ["--password", "correct horse battery"]
    added = run(server, "person", "add", "audrey", "--printed-name", "Audrey", "--role", "auditor", *password)
    assert added.exit_code == 0
    key.write_text(run(server, "audit", "public-key").output)
    made = json.loads(run(server, "audit", "checkpoint", "--out", str(kept), "--json").output)
    run(server, "audit", "export", "--out", str(exported))
    asked = ["audit", "verify", "--export", str(exported), "--checkpoint", str(kept), "--public-key", str(key)]
    told = alone(*asked, "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.output)["checkpoints"] == 1
    lines = exported.read_bytes().splitlines(keepends=True)
    exported.write_bytes(b"".join(lines[: made["size"] - 1]))  # a single one of those that the checkpoint is about
    told = alone(*asked)
    assert told.exit_code == 1
    assert "cut off" in told.output
    exported.write_bytes(b"".join([lines[0].replace(b'"at":1', b'"at":2'), *lines[1:]]))
    assert "broken at event 1: its content is not what was hashed" in alone(*asked).output


def test_a_server_is_held_against_what_was_kept(server: Running, tmp_path: Path) -> None:
    kept = tmp_path / "c.json"
    run(server, "audit", "checkpoint", "--out", str(kept))
    told = run(server, "audit", "verify", "--checkpoint", str(kept), "--segments", "--runs")
    assert told.exit_code == 0, told.output
    for word in ("whole", "agree", "segment files", "ended runs"):
        assert word in told.output
    assert "checkpoint" not in run(server, "audit", "log", "--action", "checkpoint.", "--until", "2001-01-01").output
    number = json.loads(run(server, "audit", "log", "--action", "checkpoint.", "--json").output)[0]["sequence"]
    assert "head before" in run(server, "audit", "show", str(number)).output.replace("_", " ")


def test_a_date_that_is_none_and_a_model_that_is_none_are_said_so(server: Running) -> None:
    told = CliRunner().invoke(tenure, ["audit", "as-of", "x", "--at", "yesterday", "--url", server.url])
    assert "must be a date" in str(told.exception)
    told = CliRunner().invoke(tenure, ["audit", "as-of", "x", "--at", "2026-05-03", "--url", server.url])
    assert "There was no model 'x'" in str(told.exception)
