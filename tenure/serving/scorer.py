"""A scorer: one process that holds one version's model and answers the gateway over a Unix socket.

    python -m tenure.serving.scorer --socket FD --memory-mib N --parent PID

It imports what models need, and waits to be told which one to hold. It verifies that the folder holds exactly the
pinned bytes before anything is loaded from it, tries the model once, then answers one batch at a time until the gateway
is gone. What the model prints goes to the version's log. When its memory is used up it ends, and is started again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tenure.records.routing import InputColumn, PinnedFile
from tenure.serving import lifeline, limits, processes, wire

log = logging.getLogger("tenure.scorer")
Message = TypeVar("Message")
Predict = Callable[[dict[str, list[Any]], int, dict[str, Any] | None], list[Any]]

CHUNK_BYTES = 1024 * 1024
OUT_OF_MEMORY = 70
PROBE = {
    "double": 1.0,
    "float": 1.0,
    "long": 1,
    "integer": 1,
    "string": "a",
    "boolean": True,
    "datetime": "2026-01-01T00:00:00Z",
}

SOUGHT = "scipy.special"
"""When skops is imported it looks for the home of these functions, module by module, in the order of import. Behind
mlflow's thousand modules that takes a second of a processor, a quarter of a scorer's start."""


class CannotServe(Exception):
    """The model cannot be served; the text says why, without anything from the data."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="tenure.serving.scorer")
    parser.add_argument("--socket", type=int, required=True, help="inherited end of a Unix socket pair")
    parser.add_argument("--memory-mib", type=int, required=True, help="most that it may fill")
    parser.add_argument("--parent", type=int, required=True, help="pid of the gateway")
    given = parser.parse_args()
    lifeline.die_with_parent(given.parent, signal.SIGKILL)
    limits.apply(given.memory_mib)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s scorer %(levelname)s %(message)s")
    with socket.socket(fileno=given.socket) as line:
        warm_up(lambda: bool(select.select([line], [], [], 0)[0]))
        serve(line)


def serve(line: socket.socket) -> None:
    """Load what the gateway names, then answer until it hangs up."""
    load = _receive(line, wire.Load)
    if load is None:
        return
    with contextlib.suppress(OSError):  # a full disk must not keep a model from answering
        processes.redirect_output(Path(load.log))
    try:
        predict, ready = prepare(load)
    except CannotServe as problem:
        log.warning("not served: %s", problem)
        line.sendall(wire.packed(wire.Refused(reason=str(problem))))
        return
    line.sendall(wire.packed(ready))
    while (ask := _receive(line, wire.Ask)) is not None:
        line.sendall(answered(predict, ask))


def warm_up(is_awaited: Callable[[], bool] = lambda: False) -> None:
    """Import ahead of time what models need. What is missing is the model's own affair.

    Once a model waits to be loaded, only what it needs itself: the rest is half of it, and many do without.
    """
    for name in (SOUGHT, "tenure.serving.runtimes.pyfunc", "sklearn.pipeline"):
        if is_awaited():
            return
        try:
            importlib.import_module(name)
        except Exception:
            log.exception("%s cannot be imported ahead of time", name)


def import_what_is_sought(files: Sequence[PinnedFile]) -> None:
    """Before anything else of a version with a file of skops: see `SOUGHT`."""
    if any(file.path.endswith(".skops") for file in files):
        with contextlib.suppress(ImportError):
            importlib.import_module(SOUGHT)


def prepare(load: wire.Load) -> tuple[Predict, wire.Ready]:
    """Verify, load and try a model. Raises CannotServe."""
    folder = Path(load.folder)
    verify(folder, load.files)
    refuse_foreign(folder, load.files)
    import_what_is_sought(load.files)
    try:
        from tenure.serving.runtimes.pyfunc import PyfuncRuntime

        runtime = PyfuncRuntime(folder, load.inputs)
    except Exception as problem:
        log.exception("the model cannot be loaded")
        raise CannotServe(f"the model cannot be loaded: {_kind(problem)}") from None
    return runtime.predict, _tried(runtime.predict, runtime.example(), load.inputs)


def verify(folder: Path, files: Sequence[PinnedFile]) -> None:
    """Raise CannotServe unless the folder holds the pinned files, byte for byte, and nothing else."""
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    pinned = {file.path for file in files}
    for path in sorted(pinned ^ there):
        problem = "is missing" if path in pinned else "was not there when the version was registered"
        raise CannotServe(f"the file {path!r} {problem}; the folder must hold exactly what was pinned")
    for file in files:
        digest, size = _digest(folder / file.path)
        if (size, digest) != (file.size_bytes, file.sha256):
            raise CannotServe(
                f"the file {file.path!r} has {size} bytes with SHA-256 {digest[:12]}…; pinned were {file.size_bytes} "
                f"bytes with {file.sha256[:12]}…"
            )


def refuse_foreign(folder: Path, files: Sequence[PinnedFile]) -> None:
    """Raise CannotServe for an ONNX file that reads files that were not pinned, or brings operators of its own."""
    for file in files:
        if file.path.endswith(".onnx"):
            try:
                from tenure.serving.runtimes import onnx

                problem = onnx.problem(folder, file.path, (one.path for one in files))
            except Exception as failure:
                log.exception("%s cannot be read", file.path)
                raise CannotServe(f"the file {file.path!r} cannot be read as ONNX: {_kind(failure)}") from None
            if problem:
                raise CannotServe(problem)


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _tried(
    predict: Predict, example: tuple[dict[str, list[Any]], int] | None, inputs: Sequence[InputColumn]
) -> wire.Ready:
    """Warm the model up with the example it was logged with, else with a made-up row.

    A model that fails at its own example is not served: what answers now is better. A made-up row proves nothing.
    """
    if example is not None:
        columns, rows = example
        try:
            outputs = predict(columns, rows, None)
        except Exception as problem:
            log.exception("the model fails at its own input example")
            raise CannotServe(f"the model fails at the input example it was logged with: {_kind(problem)}") from None
        return _ready({name: values[0] for name, values in columns.items()}, outputs[0])
    made_up = {column.name: PROBE.get(column.type) for column in inputs}
    if not made_up:
        return wire.Ready(example=None)
    try:
        outputs = predict({name: [value] for name, value in made_up.items()}, 1, None)
    except Exception as problem:
        log.warning("the model does not take a made-up row (%s); it is served all the same", _kind(problem))
        return wire.Ready(example=None)
    return _ready(made_up, outputs[0])


def _ready(example: dict[str, Any], answer: Any) -> wire.Ready:
    ready = wire.Ready(example=example, answer=answer)
    try:
        wire.packed(ready)
    except (TypeError, OverflowError, UnicodeEncodeError):
        raise CannotServe("the model's output is not made of numbers, text, lists and objects") from None
    return ready


def answered(predict: Predict, ask: wire.Ask) -> bytes:
    """The answer to a batch. The log has the model's traceback; the gateway is told the kind of exception only."""
    from tenure.serving.arrays import unpacked  # with NumPy, which a model that takes lists alone need not have

    try:
        return wire.packed(wire.Told(outputs=predict(unpacked(ask.columns), ask.rows, ask.params)))
    except Exception as problem:
        log.exception("the model failed at a batch of %d rows", ask.rows)
        if limits.is_exhausted():
            log.error("the scorer has filled its memory and ends; it is started again")  # noqa: TRY400  told above
            os._exit(OUT_OF_MEMORY)
        return wire.packed(wire.Told(outputs=[], failure=_kind(problem)))


def _kind(problem: BaseException) -> str:
    return type(problem).__name__


def _receive(line: socket.socket, kind: type[Message]) -> Message | None:
    head = _exactly(line, wire.LENGTH_BYTES)
    body = _exactly(line, int.from_bytes(head, "little")) if head else None
    return None if body is None else msgspec.msgpack.decode(body, type=kind)


def _exactly(line: socket.socket, size: int) -> bytearray | None:
    """So many bytes, or None when the gateway has hung up."""
    buffer = bytearray(size)
    view, got = memoryview(buffer), 0
    while got < size:
        count = line.recv_into(view[got:])
        if count == 0:
            return None
        got += count
    return buffer


if __name__ == "__main__":
    main()
