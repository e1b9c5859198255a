"""The example of the mortgages plays to its end; each of its steps checks that it really happened."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from examples.mortgage import data

LEAN = {"TENURE_SPARE_SCORER": "no", "TENURE_COMPILE_TIMEOUT_S": "0.01"}
"""Its server without what the story does not need: a spare scorer, and forms of versions that scorers answer for."""


@pytest.mark.parametrize("given", [LEAN, pytest.param({}, marks=pytest.mark.slow)], ids=["lean", "as it is"])
def test_a_model_that_must_not_know_race_is_approved_replaced_and_audited(given: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.mortgage"],
        env={
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "COLUMNS": "160",
            **given,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for words in ("Feature 'race' is forbidden in US", "the strongest is area_grade", "Every step happened."):
        assert words in done.stdout


def test_the_applications_are_those_of_the_study() -> None:
    everybody = data.load().everybody
    assert len(everybody) == 2381
    assert (everybody["race"] == "black").sum() == 339
    assert everybody["denied"].sum() == 285
    assert not everybody.isna().any().any()
