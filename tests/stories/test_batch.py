"""A file is scored through a real server, killed and gone on with: the same answers as by REST, whoever computes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.conftest import Running, serving, wait_until
from tests.stories import steps

pytestmark = [
    pytest.mark.slow,  # its parts have quick tests of their own; this one takes half a minute of mlflow
    pytest.mark.filterwarnings("ignore"),  # mlflow warns of itself, and of pandas
]
ROWS = 200_000
OWN = """
import mlflow.models, mlflow.pyfunc
class Own(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] * 2 + model_input["b"]).tolist()
mlflow.models.set_model(Own())
"""


def tenure(server: Running, folder: Path, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "TENURE_URL": server.url, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "tenure", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def scored(path: Path) -> list[Any]:
    found: list[Any] = pq.read_table(path, columns=["prediction"]).column(0).to_pylist()
    return found


def test_a_file_is_answered_as_requests_are_whoever_computes_it(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, steps.serve_champion(server, "held") as client:
        form = "/api/v1/models/held/versions/1/form"
        wait_until(lambda: client.get(form)["state"] == "done", 60, "the version is compiled")
        frame, _ = steps.rows(ROWS, seed=3)
        frame["id"] = np.arange(ROWS)
        source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
        frame.to_parquet(source)
        command = ("score", "held", "--input", source, "--output", output, "--columns", "id")
        cut = tenure(server, tmp_path, *command)
        done = tmp_path / ".out.parquet.partial" / "chunks.jsonl"
        wait_until(lambda: done.exists() and done.stat().st_size > 0, 60, "a chunk is done")
        cut.send_signal(signal.SIGKILL)
        cut.communicate()
        again = tenure(server, tmp_path, *command)
        said = again.communicate()[0]
        assert again.returncode == 0, said
        assert "compiled form" in said
        by_rest = client.score("held", frame[["a", "b"]].head(1000))
        assert scored(output)[:1000] == by_rest.predictions
        assert pq.read_table(output).column("id").to_pylist() == list(range(ROWS))
        wait_until(lambda: steps.progress(client, "held")["predictions"] == ROWS + 1000, 30, "all is in the lake")
        without_a_form(server, client, tmp_path)


def without_a_form(server: Running, client: Any, folder: Path) -> None:
    """A model that only its own code can answer for is asked through a scorer process."""
    import mlflow

    frame, _ = steps.rows(10_000, seed=4)
    (folder / "own.py").write_text(OWN)
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(folder / "own.py"),
            signature=mlflow.models.infer_signature(frame, [0.5]),
            pip_requirements=steps.REQUIREMENTS,
        )
        number = mlflow.register_model(logged.model_uri, "own").version
    mlflow.MlflowClient(server.url).set_registered_model_alias("own", "champion", number)
    client.endpoint("own", model="own")
    wait_until(lambda: steps.is_serving(client, "own"), 60, "the scorer is ready")
    frame.to_parquet(folder / "own.parquet")
    command = ("score", "own", "--input", folder / "own.parquet", "--output", folder / "own-out.parquet")
    run = tenure(server, folder, *command)
    said = run.communicate()[0]
    assert run.returncode == 0, said
    assert "scorer process" in said
    assert scored(folder / "own-out.parquet")[:1000] == client.score("own", frame.head(1000)).predictions
