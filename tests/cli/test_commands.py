"""Commands against a real server: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from tenure.cli.main import COMMANDS, tenure
from tenure.errors import NotAllowed, NotFound, NotSignedIn
from tenure.manage import lockouts
from tenure.records.base import Instant
from tenure.store import detectors, password_failures, tables
from tenure.store.database import Database
from tests.conftest import Running, free_port
from tests.web import samples

FILE = """
model: commanded
purpose: See what the commands do
owner: team@example.com
features:
  a: {kind: numeric}
approval: {steps: [{role: validator}]}
"""


def run(server: Running, *arguments: str) -> Result:
    return CliRunner().invoke(tenure, [*arguments, "--url", server.url], catch_exceptions=False)


def test_every_command_has_help_that_says_what_it_does() -> None:
    for name in COMMANDS:
        told = CliRunner().invoke(tenure, [name, "--help"])
        assert told.exit_code == 0
        assert len(told.output.splitlines()) > 3
        assert "..." not in told.output.partition("Commands:")[2]


def test_an_unknown_command_says_where_to_look() -> None:
    told = CliRunner().invoke(tenure, ["frobnicate"])
    assert told.exit_code == 2
    assert "tenure --help" in told.output


def test_help_does_not_import_what_it_does_not_need() -> None:
    code = "import sys; sys.argv=['tenure','--help']\nfrom tenure.cli.main import tenure\n"
    code += "tenure(standalone_mode=False)\nprint(sorted({'numpy','litestar','rich','httpx'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_a_model_file_is_shown_then_applied_then_left_alone(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(FILE)
    assert "is at revision 0; applied, this would change" in run(server, "apply", str(path), "--dry-run").output
    assert "commanded: revision 1" in run(server, "apply", str(path)).output
    again = run(server, "apply", str(path))
    assert "commanded: revision 1" in again.output
    assert "nothing changed" in again.output


def test_a_file_comes_back_as_yaml_with_its_history(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(FILE.replace("commanded", "printed"))
    assert run(server, "apply", str(path), "--dry-run").exit_code == 2
    run(server, "apply", str(path))
    assert run(server, "apply", str(path), "--dry-run").exit_code == 0
    printed = run(server, "model", "file", "printed").output
    path.write_text(printed.replace("team@", "crew@"))
    assert "owner: 'team@example.com' → 'crew@example.com'" in run(server, "apply", str(path), "--yes").output
    assert run(server, "model", "file", "printed", "--revision", "1").output == printed
    history = json.loads(run(server, "model", "history", "printed", "--json").output)
    assert [one["applied"]["revision"] for one in history] == [2, 1]


def test_the_schema_is_printed_without_a_server() -> None:
    told = CliRunner().invoke(tenure, ["model", "schema"])
    assert json.loads(told.output)["title"] == "A model's file"


@pytest.mark.parametrize(("text", "says"), [("a: [", "must be YAML"), ("- a\n- b", "must hold keys such as model")])
def test_a_file_that_is_none_is_refused(server: Running, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    command = [sys.executable, "-m", "tenure", "apply", str(path), "--url", server.url]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 1
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_a_typing_mistake_in_a_file_is_named_with_what_was_meant(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text(FILE.replace("purpose:", "purpos:"))
    command = [sys.executable, "-m", "tenure", "apply", str(path), "--url", server.url]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 1
    assert "purpose" in told.stderr


def test_people_and_the_audit_log(server: Running) -> None:
    added = run(server, "person", "add", "cora", "--printed-name", "Cora C.", "--role", "validator",
                "--password", "a long enough one")  # fmt: skip
    assert added.exit_code == 0
    assert "Cora C." in run(server, "person", "list").output
    events = json.loads(run(server, "audit", "log", "--action", "person.", "--json").output)
    assert events[0]["action"] == "person.created"
    assert "a long enough one" not in json.dumps(events)
    verified = run(server, "audit", "verify")
    assert verified.exit_code == 0
    assert "whole" in verified.output


def test_roles_and_tokens(server: Running) -> None:
    assert run(server, "person", "add-service", "ci", "--purpose", "trains").exit_code == 0
    for words in (["ci", "scorer"], ["ci", "engineer", "--model", "commanded"]):
        assert run(server, "person", "grant", *words).exit_code == 0
    assert "engineer for commanded" in run(server, "person", "list").output
    made = run(server, "token", "create", "nightly", "--for", "ci", "--may", "read", "--days", "1")
    secret = made.stdout.strip()
    assert secret.startswith("tnr_")
    assert secret not in made.stderr
    assert "late" not in run(server, "endpoint", "list", "--token", secret).output
    with pytest.raises(NotAllowed, match="'administer'"):
        run(server, "person", "grant", "ci", "admin", "--token", secret)
    token = json.loads(run(server, "token", "list", "--of", "ci", "--json").output)[0]
    assert run(server, "token", "revoke", token["token_id"]).exit_code == 0
    with pytest.raises(NotSignedIn):
        run(server, "endpoint", "list", "--token", secret)
    assert run(server, "person", "revoke", "ci", "engineer", "--model", "commanded").exit_code == 0
    with pytest.raises(NotFound, match="does not hold the role"):
        run(server, "person", "revoke", "ci", "engineer")


@pytest.mark.parametrize(
    "command",
    [
        ["model", "list"],
        ["endpoint", "list"],
        ["alert", "list"],
        ["retrain", "list"],
        ["version", "changes"],
        ["version", "inbox"],
    ],
)
def test_lists_answer_on_a_young_server(server: Running, command: list[str]) -> None:
    assert run(server, *command).exit_code == 0
    assert json.loads(run(server, *command, "--json").output) is not None


def test_detectors_of_harm_are_listed_with_what_they_found(server: Running) -> None:
    hand = Database(f"sqlite:///{server.data / 'tenure.db'}")
    made = {"name": "harmed", "model": "harmed", "created_at": 0, "created_by": "ann"}
    hand.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**made)))
    for detector in samples.make_detectors():
        one = msgspec.structs.replace(detector, endpoint="harmed", held=[0.5])
        hand.write(lambda tx, one=one: detectors.put(tx, one, before=None, now=Instant(1)))
    hand.close()
    told = json.loads(run(server, "endpoint", "harm", "harmed", "--json").output)
    assert [(one["version"], one["detector"], one["state"]) for one in told] == [
        (3, "error", "learning"),
        (2, "value", "watching"),
        (1, "brier", "firing"),
    ]
    assert all(one["held"] == [] for one in told)
    assert run(server, "endpoint", "harm", "harmed").exit_code == 0
    with pytest.raises(NotFound):
        run(server, "endpoint", "harm", "nowhere")


def test_doctor_tells_a_server_from_none(server: Running, tmp_path: Path) -> None:
    assert run(server, "doctor", "--data", str(tmp_path)).exit_code == 0
    hand = Database(f"sqlite:///{server.data / 'tenure.db'}")
    for now in [Instant(time.time_ns() // 1000)] * lockouts.FAILURES:
        hand.write(lambda tx, now=now: password_failures.add(tx, "mallory", now, since=Instant(0)))
    alarmed = run(server, "doctor", "--data", str(tmp_path))
    assert (alarmed.exit_code, "kept out after too many failures: mallory" in alarmed.output) == (1, True)
    assert "mallory" in run(server, "version", "inbox").output
    hand.write(lambda tx: password_failures.forget(tx, "mallory"))
    hand.close()
    none = CliRunner().invoke(tenure, ["doctor", "--url", f"http://127.0.0.1:{free_port()}"])
    assert none.exit_code == 1
    assert "tenure serve" in none.output
