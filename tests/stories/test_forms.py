"""A version is compiled after its release, and its form takes over from its scorer without a failed request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import serving, wait_until

from . import steps

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # mlflow's, about itself


def test_a_released_version_is_compiled_and_answers_in_the_gateway(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, steps.serve_champion(server, "shaped") as client:
        row = {"a": 0.1, "b": 0.2}
        by_scorer = client.score("shaped", row).predictions[0]

        def answers_in_the_gateway() -> bool:
            client.score("shaped", row)
            return client.endpoint("shaped").health[0].detail == "in the gateway, as linear"

        wait_until(answers_in_the_gateway, 120, "the form answers")
        assert client.score("shaped", row).predictions[0] == pytest.approx(by_scorer, abs=1e-9)
        told = client.get("/api/v1/models/shaped/versions/1/form")
        assert told["report"]["kind"] == "linear"
        assert "form.compiled" in {event["action"] for event in client.get("/api/v1/audit")}
