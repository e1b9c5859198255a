"""A training job in its own process, against a real server: from a proven loss to a new champion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import serving

pytestmark = pytest.mark.slow  # the demo takes the same way in every run
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a user saw of one retraining, and what the server wrote about its job."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        data = tmp_path_factory.mktemp("loop")
        with serving(data, "--recipe", "tiny=tests.retrain.recipes:fit") as server:
            command = [sys.executable, "-m", "tests.retrain.live", server.url]
            user = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            logs = "\n".join(path.read_text() for path in (data / "jobs").glob("*.log"))
    assert user.returncode == 0, f"{user.stderr[-3000:]}\n{logs[-3000:]}"
    return json.loads(user.stdout.splitlines()[-1])  # mlflow greets before it


def test_the_server_retrains_compares_and_promotes_by_itself(told: Any) -> None:
    assert told["run"]["state"] == "promoted"
    steps = [step["name"] for step in told["run"]["steps"]]
    assert [step for step in steps if step != "training"] == ["triggered", "trained", "compared", "promoted"]
    assert [(release["version"], release["role"]) for release in told["endpoint"]["releases"]] == [(2, "champion")]


def test_the_job_tells_what_it_trained_on_and_how_both_versions_do(told: Any) -> None:
    accuracy = told["run"]["dossier"]["accuracy_assessment"]
    assert accuracy["holdout"]["champion_roc_auc"]["value"] < 0.4
    assert accuracy["holdout"]["challenger_roc_auc"]["value"] > 0.7
    assert accuracy["holdout"]["rows"] == 300
    updates = told["run"]["dossier"]["updates_and_explainability"]
    assert updates["training_data"]["rows"] in (400, 1100)  # it may fire after the first week or after both
    assert next(iter(updates["importances"])) == "distance"
    assert {shift["column"] for shift in updates["shift_of_columns"]} == {"carrier", "distance"}


def test_the_new_version_promises_its_own_accuracy_and_value(told: Any) -> None:
    holdout = told["run"]["dossier"]["accuracy_assessment"]["holdout"]
    assert told["judged"]["roc_auc"] == pytest.approx(holdout["challenger_roc_auc"]["value"])
    assert told["judged"]["value_per_row"] > 0.3


def test_the_challenger_takes_what_the_champion_takes(told: Any) -> None:
    last = told["run"]["dossier"]["versioning_approval_and_audit"]
    assert last["challenger"]["version"] == 2
    assert last["packages"]["scikit-learn"]
    assert told["run"]["dossier"]["diagnostics"]["speed"]["fit_seconds"] > 0
