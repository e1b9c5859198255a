"""Scorer processes: started without our secrets, and one kept ready.

Most of a scorer's start is importing the libraries that models need. So one spare process does that ahead of time: the
next version to be released, or one whose scorer has died, takes it over and has only its own model to load.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tenure.records.routing import Release
from tenure.serving import bootstrap, limits, orphans

PROGRAM = ("-m", "tenure.serving.scorer")
LOG_BYTES = 8 * 1024 * 1024
MODEL_THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
WITHHELD = ("TENURE_", "MLFLOW_", "UV_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
QUIET = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the other one sets a GiB aside, which would count as filled
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "true",
    "PYTHONDONTWRITEBYTECODE": "1",  # the model's folder must stay what was pinned
    "PYTHONUNBUFFERED": "1",
}

_numbers = itertools.count(1)


class Started(NamedTuple):
    """A scorer's process, our end of the socket to it, and the mark that its children carry."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    mark: str

    def kill(self) -> None:
        """End it and what stayed in its group. It is still to be waited for."""
        orphans.end_group(self.process.pid)

    def end(self) -> None:
        """End it and everything that it started, and wait until it is gone."""
        self.line.close()
        self.kill()
        self.process.wait()
        orphans.end_marked(self.mark)


class Processes:
    """Gives out scorer processes, each with `memory_mib` to fill (0: half of the machine's).

    `folder` is the data folder; with `spare` one is kept ready from the first use on. What scorers of an earlier
    gateway left behind is ended first.
    """

    def __init__(self, folder: Path, *, spare: bool, memory_mib: int = 0) -> None:
        self._folder = folder
        self._memory_mib = limits.memory_mib(memory_mib)
        self._keeps_spare = spare
        self._spare: Started | None = None
        orphans.end_left_over(folder)

    def take(self, environment: str = "") -> Started:
        """The spare process when there is a living one, else a new one; for an environment of its own, always new."""
        if environment:
            return _start(self._folder, self._memory_mib, environment)
        spare, self._spare = self._spare, None
        if spare is not None and spare.process.poll() is None:
            return spare
        if spare is not None:
            spare.end()
        return _start(self._folder, self._memory_mib)

    def restock(self) -> None:
        """Start a spare process if there is none."""
        if self._keeps_spare and self._spare is None:
            self._spare = _start(self._folder, self._memory_mib)

    def close(self) -> None:
        """End the spare process."""
        self._keeps_spare = False
        if self._spare is not None:
            self._spare.end()
            self._spare = None


def environment_folder(folder: Path, digest: str) -> Path:
    """Where an environment that was made for scorers lies."""
    return folder / "environments" / digest


def log_path(folder: Path, release: Release) -> Path:
    """A version's log, which its scorer appends to."""
    return folder / "logs" / f"scorer-{re.sub(r'[^A-Za-z0-9._-]', '_', release.model)[:80]}-{release.version}.log"


def redirect_output(path: Path) -> None:
    """Have this process say what it says to a log; one that has grown large is put aside first.

    Raises OSError, as on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(output, stream.fileno())
    os.close(output)


def _start(folder: Path, memory_mib: int, environment: str = "") -> Started:
    passed = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
    mark = orphans.mark(folder, next(_numbers))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    command = [*_program(folder, environment), "--socket", str(theirs.fileno()), "--memory-mib", str(memory_mib)]
    log = folder / "logs" / "scorer.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with theirs, log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [*command, "--parent", str(os.getpid())],
            env={**passed, **MODEL_THREADS, **QUIET, orphans.MARK: mark},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # what the model forks dies with it, and Ctrl-C is not its affair
        )
    return Started(process, ours, mark)


def _program(folder: Path, environment: str) -> list[str]:
    """How a scorer is started: by our own Python, or by that of an environment of its own, which we lend our code."""
    if not environment:
        return [sys.executable, *PROGRAM]
    python = environment_folder(folder, environment) / "bin" / "python"
    return [str(python), "-P", bootstrap.__file__, PROGRAM[-1]]
