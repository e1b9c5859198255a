"""Every flavor that is served from the start, through a real scorer: it answers what the library itself says."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.build import manifests
from tenure.records.routing import InputColumn
from tenure.serving import wire
from tenure.serving.processes import MODEL_THREADS, QUIET
from tenure.store.artifacts import ArtifactStore

from .conftest import HERE, pinned, wait_until

LIBRARIES = {"pytorch": "torch"}
FLAVORS = [
    "sklearn", "lightgbm", "xgboost", "statsmodels", "onnx", "pytorch", "python_model", "models_from_code", "function",
    "typed_function",
]  # fmt: skip
MEMORY_MIB = 768
"""Enough for each of them to be loaded; torch takes most, with half of it."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each flavor whose library is here."""
    folder = tmp_path_factory.mktemp("flavors")
    here = [flavor for flavor in FLAVORS if importlib.util.find_spec(LIBRARIES.get(flavor, "mlflow"))]
    command = [sys.executable, str(HERE / "save_flavors.py"), str(folder), *here]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, **MODEL_THREADS, **QUIET}, capture_output=True)
    return folder


class Line:
    """Our end of the socket to a scorer."""

    def __init__(self, address: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(address))

    def load(self, folder: Path, inputs: Sequence[InputColumn]) -> wire.Ready | wire.Refused:
        log = folder.parent / f"{folder.name}.log"
        self._send(wire.Load(folder=str(folder), files=pinned(folder), inputs=list(inputs), log=str(log)))
        told: wire.Ready | wire.Refused = self._told(wire.Ready | wire.Refused)
        return told

    def ask(self, rows: Sequence[dict[str, Any]]) -> wire.Told:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        self._send(wire.Ask(rows=len(rows), columns=columns))
        told: wire.Told = self._told(wire.Told)
        return told

    def close(self) -> None:
        self._socket.close()

    def _send(self, message: wire.Load | wire.Ask) -> None:
        self._socket.sendall(wire.packed(message))

    def _told(self, kind: Any) -> Any:
        with self._socket.makefile("rb", buffering=0) as file:
            size = int.from_bytes(self._exactly(file, wire.LENGTH_BYTES), "little")
            return msgspec.msgpack.decode(self._exactly(file, size), type=kind)

    def _exactly(self, file: Any, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = file.read(size - len(found))
            assert more, "the scorer hung up"
            found += more
        return found


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The address at which each connection gets a scorer."""
    address = tmp_path_factory.mktemp("s") / "line"
    command = [sys.executable, "-m", "tests.serving.forking_scorers", str(address), str(MEMORY_MIB)]
    environment = {**os.environ, **MODEL_THREADS, **QUIET}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=HERE.parents[1], env=environment)
    wait_until(lambda: address.exists() or process.poll() is not None, "the scorers are there")
    yield address
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)


@pytest.fixture
def line(scorers: Path) -> Iterator[Line]:
    made = Line(scorers)
    yield made
    made.close()


def inputs_of(folder: Path) -> list[InputColumn]:
    return manifests.inputs(manifests.pin(ArtifactStore(str(folder.parent)), folder.name).signature)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_flavor_answers_as_its_own_library_does(saved: Path, line: Line, flavor: str) -> None:
    if not (saved / flavor).exists():
        pytest.skip(f"{LIBRARIES[flavor]} is not here; it is too large to be locked")
    told = json.loads((saved / f"{flavor}.json").read_text())
    ready = line.load(saved / flavor, inputs_of(saved / flavor))
    assert isinstance(ready, wire.Ready), ready
    outputs = line.ask(told["rows"])
    assert outputs.failure == ""
    assert flat(outputs.outputs) == pytest.approx(flat(told["answer"]), rel=1e-6)
    (single,) = line.ask(told["rows"][2:3]).outputs
    assert flat([single]) == pytest.approx(flat(told["answer"][2:3]), rel=1e-6)


def flat(outputs: Sequence[Any]) -> list[float]:
    """Numbers in their order, whatever they lie in."""
    found: list[float] = []
    for one in outputs:
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        found += [one] if inner is None else flat(list(inner))
    return found


def test_an_onnx_file_that_reads_what_was_not_pinned_is_not_loaded(saved: Path, line: Line, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "onnx"
    folder.mkdir()
    model = onnx.load(str(saved / "onnx" / "model.onnx"), load_external_data=False)
    (entry,) = [e for t in model.graph.initializer for e in t.external_data if e.key == "location"]
    entry.value = "../secrets"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    told = line.load(folder, [])
    assert isinstance(told, wire.Refused)
    assert "not pinned" in told.reason


def test_an_onnx_file_with_operators_of_its_own_is_not_loaded(saved: Path, line: Line, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "onnx"
    folder.mkdir()
    model = onnx.load(str(saved / "onnx" / "model.onnx"))
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    told = line.load(folder, [])
    assert isinstance(told, wire.Refused)
    assert "operators of com.example" in told.reason


def test_what_only_calls_itself_onnx_is_not_loaded(line: Line, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph at all")
    told = line.load(tmp_path, [])
    assert isinstance(told, wire.Refused)
    assert "cannot be read as ONNX" in told.reason
