"""Processes that a model started and that outlived its scorer.

A process group catches those that stay in it. Each scorer also carries a mark in its environment, which its children
inherit, so that those that left the group are found as well. A mark names the data folder and the gateway's pid.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

MARK = "SCORER_MARK"


def mark(folder: Path, number: int) -> str:
    """The mark of this gateway's scorer number so-and-so."""
    return f"{_of(folder)}.{os.getpid()}.{number}"


def end_group(pid: int) -> None:
    """End a scorer and all that stayed in its process group. Call it before the scorer is waited for."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_marked(wanted: str) -> None:
    """End every process with this mark."""
    for pid, found in _marked():
        if found == wanted:
            _end(pid)


def end_left_over(folder: Path) -> None:
    """End what scorers of gateways that live no more left behind, when a gateway of the same data folder starts."""
    for pid, found in _marked():
        of, _, rest = found.partition(".")
        gateway = rest.partition(".")[0]
        if of == _of(folder) and gateway.isdigit() and not Path("/proc", gateway).exists():
            _end(pid)


def _of(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def _marked() -> Iterator[tuple[int, str]]:
    """Every process of ours that has a mark, but for this one. Nothing where there is no /proc."""
    prefix = MARK.encode() + b"="
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                for entry in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                    if entry.startswith(prefix):
                        yield int(name), entry.removeprefix(prefix).decode("ascii", "replace")


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
