"""Tables in Parquet, read by a process that may fail: `parquet_reader` in limits of time, memory, input and output.

Every file has a process of its own, so that a file which takes its process over sees and changes no other. To start
one takes 0.4 s, so the next is started when one is taken; it ends by itself when nothing comes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import msgspec

from tenure.store.confined import ENVIRONMENT
from tenure.web import wording
from tenure.web.parquet_reader import CPU_S, Asked, Found, Refused, Said, Wanted

Fetch = Callable[[int, int], bytes]
"""Gives the bytes of a file from a place on, so many."""
COMMAND = (sys.executable, "-m", "tenure.web.parquet_reader")
READ_BYTES = 64 * 1024 * 1024
SAID_BYTES = 8 * 1024 * 1024
"""The longest line a process may say: 40 columns of 100 rows of 160 characters, escaped, are shorter."""
WALL_S = 10.0
AT_ONCE = 2
TURN_S = 5.0


_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


class Reader:
    """Processes that read; at most `AT_ONCE` of them work, and one more waits for its file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._spare: subprocess.Popen[bytes] | None = None

    def head(self, fetch: Fetch, size: int, *, rows: int, columns: int) -> Found | Refused:
        """The beginning of a file, or why it cannot be shown. Raises what `fetch` raises, as when the file is gone."""
        if not self._turns.acquire(timeout=TURN_S):
            return _failed("other files are being read. Reload the page to try again")
        try:
            return self._head(fetch, Asked(size, rows, columns, READ_BYTES))
        finally:
            self._turns.release()

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            _kill(spare)
            _end(spare)

    def _head(self, fetch: Fetch, asked: Asked) -> Found | Refused:
        try:
            child = self._take()
        except OSError:
            return _failed("no process could be started to read it. Reload the page to try again")
        with _ended(child) as late:
            said = _conversation(child, fetch, asked)
            if said is not None:
                _kill(child)  # there is nothing left for it to do
        return said or _failed(_why(child.returncode, late.is_set()))

    def _take(self) -> subprocess.Popen[bytes]:
        """The process that waits, or a new one; another is started to wait."""
        with self._lock:
            child, self._spare = self._spare, None
            if child is not None and child.poll() is not None:
                _end(child)
                child = None
            child = child or _start()
            with contextlib.suppress(OSError):
                self._spare = _start()
            return child


def _start() -> subprocess.Popen[bytes]:
    given = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    given["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others map more than they use, against the limit
    return subprocess.Popen(  # noqa: S603 - our own module
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=given,
        start_new_session=True,  # so that whatever it starts can be ended with it
    )


def _conversation(child: subprocess.Popen[bytes], fetch: Fetch, asked: Asked) -> Found | Refused | None:
    """Ask, and hand out what it wants of the file until it has said what it found; None when it ends before."""
    left = READ_BYTES
    said = _told(child, msgspec.json.encode(asked) + b"\n")
    while isinstance(said, Wanted):
        if said.at < 0 or said.count < 1 or said.at + said.count > asked.size_bytes:
            return None
        left -= said.count
        if left < 0:
            return _failed(f"more than {wording.size(READ_BYTES)} of it would have to be read")
        part = fetch(said.at, said.count)
        if len(part) != said.count:
            return _failed("it changed while it was read. Reload the page to try again")
        said = _told(child, part)
    return said


def _told(child: subprocess.Popen[bytes], content: bytes) -> Said | None:
    """What it says to what it is told; None when it has ended, or says what no reader says."""
    if child.stdin is None or child.stdout is None:
        raise AssertionError
    try:
        child.stdin.write(content)
        child.stdin.flush()
        return _decoder.decode(child.stdout.readline(SAID_BYTES))
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """At the end of the block the process is gone. It is also ended when it is late, which the event then tells."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(child)

    clock = threading.Timer(WALL_S, stop)
    clock.start()
    try:
        yield late
    finally:
        clock.cancel()
        clock.join()
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        child.wait(timeout=1)
    except subprocess.TimeoutExpired:
        _kill(child)
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _why(code: int | None, late: bool) -> str:
    if late:
        return f"reading it took longer than {WALL_S:g} s"
    if code == -signal.SIGXCPU:
        return f"reading it took more than {CPU_S} s of a processor"
    name = signal.Signals(-code).name if code is not None and -code in set(signal.Signals) else ""
    return f"the process that read it was ended ({name})" if name else "the process that read it ended"


def _failed(why: str) -> Refused:
    return Refused(f"It could not be previewed: {why}.")


reader = Reader()
"""Of this process."""
