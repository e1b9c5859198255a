"""Building: a locked environment on this machine, made once and found by its digest from then on."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tenure.deploy import locking
from tenure.errors import Unavailable
from tenure.records.environments import Lock
from tenure.serving.processes import environment_folder
from tenure.settings import Settings

_thread = ThreadPoolExecutor(1, thread_name_prefix="environments")
_asking = threading.Lock()
_making: dict[str, Future[None]] = {}


def keep(folder: Path, digest: str, lock: Lock) -> None:
    """Put a lock where the gateways of a data folder find it."""
    file = _lock_file(folder, digest)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(lock))
        draft.rename(file)


def is_built(folder: Path, digest: str) -> bool:
    return environment_folder(folder, digest).is_dir()


def build(settings: Settings, digest: str) -> None:
    """Make the environment of a lock unless it is there. Who asks meanwhile, in whatever process, waits for this one.

    Every wheel is held against its hash, and bytecode is compiled, since scorers write none. Raises Unavailable with
    what uv said, and leaves nothing half made.
    """
    folder = environment_folder(settings.folder, digest)
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".making")):
        if folder.is_dir():
            return
        own = f".draft-{digest[:16]}-"
        for left in folder.parent.glob(f"{own}*"):  # by a process that was killed: whoever lives has the lock
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=own, dir=folder.parent))
        try:
            _fill(settings, digest, draft)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def within(settings: Settings, digest: str, seconds: float) -> None:
    """Have an environment made on a thread and wait so long for it; whoever asks again waits for the same one.

    Raises Unavailable as `build` does.
    """
    with _asking:
        made = _making.get(digest)
        if made is None or made.done():
            made = _making[digest] = _thread.submit(build, settings, digest)
    with suppress(TimeoutError):
        made.result(seconds)


def _fill(settings: Settings, digest: str, draft: Path) -> None:
    try:
        locked = msgspec.json.decode(_lock_file(settings.folder, digest).read_bytes(), type=Lock)
    except (OSError, msgspec.DecodeError):
        raise Unavailable(f"The lock of environment {digest[:12]} is gone. Deploy the version again.") from None
    python = locking.interpreter(locked.python, settings)
    if python is None:
        raise Unavailable(f"An environment needs Python {locked.python}, which is not installed on this machine.")
    listed = draft / "packages"
    listed.write_text(locked.text, encoding="utf-8")
    _uv(["venv", "--no-project", "--relocatable", "--allow-existing", "--python", python, str(draft)], settings)
    options = ["--require-hashes", "--no-deps", "--compile-bytecode", "--quiet"]
    into = ["--python", str(draft / "bin" / "python"), "--requirements", str(listed)]
    _uv(["pip", "install", *locking.sources(settings), *options, *into], settings)


def _uv(arguments: list[str], settings: Settings) -> None:
    done = locking.run(arguments, settings)
    if done.returncode != 0:
        raise Unavailable(f"The environment cannot be made: {locking.said(done.stderr)}")


def _lock_file(folder: Path, digest: str) -> Path:
    return environment_folder(folder, digest).with_suffix(".json")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
