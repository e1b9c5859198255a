"""A model that asks for a package which the server does not have: refused without it, answering with it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import httpx
import pandas as pd
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

import tenure
from tenure.cli.main import tenure as program
from tenure.deploy import locking
from tests.conftest import serving, wait_until
from tests.deploy.wheels import make_wheel, repack
from tests.stories import steps

MODEL = """
import mlflow
import pricing


class Priced(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input["a"] * pricing.FACTOR


mlflow.models.set_model(Priced())
"""


def needed(names: list[str]) -> set[str]:
    """These installed distributions and everything that they need."""
    found: set[str] = set()
    while names:
        one = metadata.distribution(names.pop())
        if one.name not in found:
            found.add(one.name)
            asked = map(Requirement, one.requires or [])
            names += [ask.name for ask in asked if ask.marker is None or ask.marker.evaluate({"extra": ""})]
    return found


def log_model(url: str, folder: Path) -> int:
    """Saved as code, so that nothing here has to import what it needs."""
    import mlflow

    code = folder / "priced.py"
    code.write_text(MODEL)
    mlflow.set_tracking_uri(url)
    example = pd.DataFrame({"a": [1.0]})
    signature = mlflow.models.infer_signature(example, pd.Series([2.0]))
    with mlflow.start_run(), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "there"))
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=str(code), signature=signature, pip_requirements=["pricing==1.5", "pandas"]
        )
    return int(mlflow.register_model(logged.model_uri, "priced").version)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of mlflow's, about itself
def test_a_model_is_scored_in_the_packages_that_it_asks_for(tmp_path: Path) -> None:
    wheels, there = tmp_path / "wheels", tmp_path / "there"
    wheels.mkdir()
    there.mkdir()
    (there / "pricing.py").write_text("FACTOR = 2.0\n__version__ = '1.5'\n")
    for name in needed([Requirement(line).name for line in locking.BASE]):
        repack(wheels, name)
    with serving(tmp_path / "data", "--wheel-folder", str(wheels)) as server:
        number = log_model(server.url, tmp_path)
        with tenure.Client(server.url, server.scoring_url) as client:
            client.endpoint("prices", model="priced")
            promote = f"/api/v1/models/priced/versions/{number}/promote"
            refused = httpx.post(server.url + promote, json={"to": "champion", "reason": "first"}, timeout=60)
            assert refused.status_code == 409
            assert "these wheels are missing: pricing==1.5" in refused.text
            make_wheel(wheels, "pricing", "1.5", code="FACTOR = 1.5\n")
            client.post(promote, {"to": "champion", "reason": "its wheel is there"})
            wait_until(lambda: steps.is_serving(client, "prices"), 180, "the version serves in its own environment")
            assert client.score("prices", pd.DataFrame({"a": [2.0, 4.0]})).predictions == [3.0, 6.0]
            told = client.get(f"/api/v1/models/priced/versions/{number}/environment")
            assert told["is_built"]
            assert "pricing==1.5" in told["packages"]
        score_a_file(server.url, tmp_path, wheels)


def score_a_file(url: str, folder: Path, wheels: Path) -> None:
    """The same version by a command that has a cache of its own: it makes the same packages, or says what it needs."""
    pd.DataFrame({"a": [2.0, 4.0]}).to_parquet(folder / "in.parquet")
    command = ["score", "prices", "--url", url, "--cache", str(folder / "cache"), "--input", str(folder / "in.parquet")]
    runner = CliRunner()
    refused = runner.invoke(program, [*command, "--dry-run"])
    assert refused.exit_code == 1
    assert "--wheel-index or --wheel-folder" in str(refused.exception)
    output = folder / "out.parquet"
    done = runner.invoke(program, [*command, "--output", str(output), "--wheel-folder", str(wheels)])
    assert done.exit_code == 0, done.stderr
    assert "in the version's own packages" in done.stderr
    assert pd.read_parquet(output)["prediction"].tolist() == [3.0, 6.0]
