"""`tenure monitor service` tells what the API tells."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from tenure.cli.main import tenure
from tenure.records.service_levels import Budget, Burning, Service, ServicePoint, Spent
from tenure.sdk.client import Client

SPENT = Spent(total=20_000, bad=30)
RULES = [
    Burning(
        urgency="page" if long < 4320 else "ticket",
        long_minutes=long,
        short_minutes=short,
        factor=1.0,
        long=SPENT,
        short=SPENT,
        long_rate=long / 10,
        short_rate=short / 10,
    )
    for long, short in ((60, 5), (360, 30), (4320, 360))
]
SERVICE = Service(
    endpoint="flight-delay",
    budgets=[
        Budget(
            objective="latency",
            target=0.999,
            allowed=0.001,
            over_days=30,
            latency_ms=50.0,
            spent=SPENT,
            seen_days=30.0,
            remaining=-0.5,
            gone_in_hours=0.0,
            rules=RULES,
        )
    ],
    series=[
        ServicePoint(
            start_at=1_750_000_000_000_000 + place * 600_000_000,
            end_at=1_750_000_600_000_000 + place * 600_000_000,
            answered=600 * place,
            failed=7,
            refused=0,
            rows=1,
            p50_ms=1.5,
            p95_ms=None,
            p99_ms=None,
            budgets={"latency": 0.25},
        )
        for place in range(20)
    ],
    capacity=None,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The server's answer to whatever is asked, and what was."""
    found: list[tuple[str, Any]] = []

    def get(_self: Client, path: str, query: Any = None) -> Any:
        found.append((path, query))
        return msgspec.to_builtins(SERVICE)

    monkeypatch.setattr(Client, "get", get)
    return found


def told(*arguments: str) -> str:
    answer = CliRunner().invoke(tenure, ["monitor", "service", "flight-delay", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_budgets_spans_and_capacity_are_told(asked: list[tuple[str, Any]]) -> None:
    lines = told("--hours", "6").splitlines()
    assert asked == [("/api/v1/endpoints/flight-delay/service", {"hours": 6})]
    [budget] = [line for line in lines if line.startswith("latency")]
    for words in ("99.9 % within 50 ms over 30 d", "30 of 20,000", "-50.0%", "0.0 d", "0.5 3 6 36 432"):
        assert words in budget
    spans = [line for line in lines if "latency 25.0%" in line]
    assert len(spans) == 12
    assert spans[-1].split()[2:4] == ["19", "7"]
    assert lines[-1] == "No minute tells yet what it carries."


@pytest.mark.usefixtures("asked")
def test_json_is_the_answer_itself() -> None:
    assert len(json.loads(told("--json"))["series"]) == 20
