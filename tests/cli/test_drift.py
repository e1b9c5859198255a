"""`tenure endpoint drift` tells what the API tells."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from tenure.cli.main import tenure
from tenure.sdk.client import Client
from tests.web import samples


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The server's answer to whatever is asked, and what was."""
    found: list[tuple[str, Any]] = []

    def get(_self: Client, path: str, query: Any = None) -> Any:
        found.append((path, query))
        return msgspec.to_builtins(samples.make_drift_report())

    monkeypatch.setattr(Client, "get", get)
    return found


def told(*arguments: str) -> str:
    answer = CliRunner().invoke(tenure, ["endpoint", "drift", "flight-delay", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_every_column_is_told_against_every_reference(asked: list[tuple[str, Any]]) -> None:
    lines = told().splitlines()
    assert asked == [("/api/v1/endpoints/flight-delay/drift", {"role": "champion"})]
    [moved] = [line for line in lines if line.startswith("training") and "temp" in line]
    assert "breach" in moved
    assert "0.420" in moved
    assert "the mean went from 55 to 71" in moved
    assert any("There is no past window" in line for line in lines)
    assert any("in none of 6,300 rows" in line for line in lines)
    assert any(line.startswith("domain_classifier") for line in lines)


def test_one_column_is_told_with_every_statistic(asked: list[tuple[str, Any]]) -> None:
    output = told("--column", "temp", "--against", "training", "--version", "3")
    assert asked[0][1] == {"role": "champion", "version": 3}
    assert [line.split()[1] for line in output.splitlines()[2:]] == ["psi", "ks", "wasserstein"]
    assert "q < 0.02" in output
    assert "27,004" in output


@pytest.mark.usefixtures("asked")
def test_json_is_the_answer_itself() -> None:
    assert json.loads(told("--json"))["comparisons"][0]["against"] == "training"
