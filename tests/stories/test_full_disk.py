"""A small disk that is full: clear errors, nothing corrupt, and it goes on by itself when room is made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.stories.full_disk import STORIES

MOUNTED = 'mount -t tmpfs -o size="$2"m tmpfs "$1" && shift 2 && exec "$@"'
MIB = {"server": 48}
LONG = {"server"}
"""With several processes; the parts that write are tried apart, too."""


@cache
def can_mount() -> bool:
    """Whether this user may mount a small disk that only its own processes see."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in STORIES]
)
def test_a_full_disk(name: str, tmp_path: Path) -> None:
    if not can_mount():
        missing("a namespace in which a disk can be mounted")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [sys.executable, "-m", "tests.stories.full_disk", name, str(disk)]
    command = ["unshare", "-rm", "sh", "-c", MOUNTED, "sh", str(disk), str(MIB.get(name, 4)), *program]
    ran = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
