"""`tenure version …`: a version's whole life from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import CliRunner

from tenure.cli import asking
from tenure.cli.apply import command as apply_command
from tenure.cli.versions import command
from tenure.store.ground import Ground

from ..api.conftest import Asker, ask
from ..api.test_changes import PASSWORDS, approved
from ..api.test_revisions import STANDING
from ..manage.makers import MODEL

__all__ = ["approved", "ask"]


class Wire:
    """The client of the commands, wired to the API without a network."""

    def __init__(self, ask: Asker) -> None:
        self.ask = ask

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, path: str, params: Any = None) -> Any:
        return self.ask.ok("GET", path, params=params)

    def post(self, path: str, data: Any = None) -> Any:
        return self.ask.ok("POST", path, json=data)


@pytest.fixture
def tenure(ask: Asker, approved: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command against a server with an approved version; what it printed, in one line."""
    del approved
    monkeypatch.setattr(asking, "Client", lambda _url, token=None: Wire(ask))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return re.sub(r"\s+", " ", done.output)

    return run


def change_in(told: str) -> str:
    found = re.search(r"[0-9a-f-]{36}", told)
    assert found is not None, told
    return found[0]


def sign(tenure: Any, change: str, person: str, *more: str) -> str:
    given = ("--person", person, "--role", "validator", "--reason", "looked", "--password", PASSWORDS[person])
    told: str = tenure("sign", change, *given, *more)
    return told


def test_a_promotion_is_asked_for_discussed_and_signed(tenure: Any, ask: Asker) -> None:
    told = tenure("promote", "late", "1", "--reason", "better since May")
    assert "is open" in told
    assert "validator 2" in told
    change = change_in(told)
    assert "waits for others" in tenure("inbox")
    assert "Why now?" in tenure("comment", change, "--text", "Why now?")
    assert "is open" in sign(tenure, change, "vera")
    assert "is approved" in sign(tenure, change, "vic")
    discussion = tenure("discussion", change)
    for told in ("opened", "comment Why now?", "release as validator", "every step is signed"):
        assert told in discussion
    assert ask.ok("GET", "/api/v1/models/late")["summary"]["champion"] == 1
    assert "Inbox: nothing there" in tenure("inbox")


def test_what_needs_no_signature_is_done_at_once(tenure: Any, ask: Asker) -> None:
    told = tenure("deploy", "late", "1", "--endpoint", "late-eu", "--share", "0.2", "--reason", "to see")
    assert "Done. Change" in told
    (release,) = ask.ok("GET", "/api/v1/endpoints/late-eu")["releases"]
    assert (release["role"], release["share"]) == ("challenger", 0.2)


def test_a_rejection_and_an_author_are_said_on_the_command_line(tenure: Any) -> None:
    change = change_in(tenure("suspend", "late", "1", "--reason", "wrong weather feed"))
    assert "is rejected" in sign(tenure, change, "vera", "--reject")
    assert "came back" in tenure("inbox")
    assert "is open" in tenure("retire", "late", "1", "--reason", "never needed again")
    assert "is open" in tenure("suspend", "late", "1", "--reason", "wrong weather feed again")
    assert "came back" not in tenure("inbox")


def test_the_evidence_is_taken_away_in_one_file(tenure: Any, tmp_path: Path, ground: Ground) -> None:
    del ground
    out = tmp_path / "evidence.json"
    tenure("evidence", "late", "1", "--out", str(out))
    assert json.loads(out.read_text())["format"] == "tenure-evidence@1"
    assert '"format": "tenure-evidence@1"' in tenure("evidence", "late", "1")


def test_a_loosening_file_opens_a_change_that_the_lists_tell_of(
    tenure: Any, ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(_self: Wire, file: dict[str, Any], **more: Any) -> Any:
        params = {name: str(value).lower() for name, value in more.items() if value not in (None, False)}
        if more.get("reason"):
            params["reason"] = more["reason"]
        return ask.ok("PUT", f"/api/v1/models/{MODEL}/file", json=file, params=params)

    monkeypatch.setattr(Wire, "apply", send, raising=False)
    path = tmp_path / "model.yaml"
    path.write_text(json.dumps({**STANDING, "use": {"jurisdictions": ["US", "EU"]}, "owner": "you@example.com"}))

    def apply(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(apply_command, [str(path), *more])
        return done.exit_code, re.sub(r"\s+", " ", done.output)

    status, would = apply("--dry-run")
    assert (status, "also allows EU" in would) == (2, True)
    assert "needs signatures: 1 as validator, 1 as business-owner" in would
    status, told = apply("--reason", "Europe is served, too")
    assert status == 0
    assert f"Change {change_in(told)} is open" in told
    assert "revise" in tenure("changes", "--state", "open")
    assert "the file of late" in tenure("changes", "--state", "open")
    assert "revise the file of late" in tenure("inbox")
    assert json.loads(apply("--reason", "again", "--json")[1])["change"]["change_id"] == change_in(told)
