"""A process for one file from anybody, which may fail without harm: in limits of time, memory, input and output.

What decodes such a file is C++, and what the file says of itself may be a lie, so it is decoded by a process that has
none of the server's memory, settings and keys. It gets the file on standard input and answers on standard output, once.
To start one takes 0.4 s, so the next is started when one is taken; it ends by itself when nothing comes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn, Self

ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""What of the server's environment the process is given: where its libraries are, and no secret."""
IDLE_S = 60.0
AT_ONCE = 1024 * 1024
LENGTH_BYTES = 4


class Failed(Exception):
    """The process gave no answer; the message says why, as the end of a sentence."""


class Busy(Exception):
    """As many processes work as may at once."""


class Processes:
    """Processes of one command; at most `at_once` of them work, and one more waits for its file."""

    def __init__(self, command: Sequence[str], *, at_once: int, turn_s: float, wall_s: float) -> None:
        self.command = list(command)
        self.wall_s = wall_s
        self.turn_s = turn_s
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(at_once)
        self._spare: subprocess.Popen[bytes] | None = None

    def answer(self, asked: bytes, content: bytes, *, most_bytes: int) -> bytes:
        """What a process says to one line and what follows it, `most_bytes` at most. Raises Busy, Failed."""
        if not self._turns.acquire(timeout=self.turn_s):
            raise Busy
        try:
            return self._answer(asked, content, most_bytes)
        finally:
            self._turns.release()

    def parts(self, asked: bytes, source: BinaryIO, *, most_bytes: int) -> Iterator[bytes]:
        """What a process says bit by bit while it is fed from a file: each bit is `most_bytes` long at most.

        A bit is told by its length in four bytes. The caller works between two bits, so the limit is on the processor's
        time (see `confine`) and on how long one bit may take. Raises Busy, Failed.
        """
        if not self._turns.acquire(timeout=self.turn_s):
            raise Busy
        try:
            yield from self._parts(asked, source, most_bytes)
        finally:
            self._turns.release()

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None:
            _end(spare)

    def _answer(self, asked: bytes, content: bytes, most_bytes: int) -> bytes:
        try:
            child = self._take()
        except OSError:
            raise Failed("no process could be started to read it") from None
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(child)

        clock = threading.Timer(self.wall_s, stop)
        clock.start()
        try:
            said = _told(child, asked, content, most_bytes)
        finally:
            clock.cancel()
            clock.join()
            whole = child.poll() == 0 or _ends_well(child)
            _end(child)
        if late.is_set():
            raise Failed(f"reading it took longer than {self.wall_s:g} s")
        if said is None:
            raise Failed(f"it unpacks to more than {most_bytes // 1024**2} MiB")
        if not whole:
            raise Failed(_why(child.returncode))
        return said

    def _parts(self, asked: bytes, source: BinaryIO, most_bytes: int) -> Iterator[bytes]:
        try:
            child = self._take()
        except OSError:
            raise Failed("no process could be started to read it") from None
        feeder = threading.Thread(target=_feed, args=(child, asked, source), daemon=True)
        feeder.start()
        try:
            while True:
                with _Watch(child, self.wall_s) as watch:
                    part = _part(child, most_bytes)
                if watch.late:
                    raise Failed(f"reading a part of it took longer than {self.wall_s:g} s")
                if part is None:
                    break
                yield part
            if not (child.poll() == 0 or _ends_well(child)):
                raise Failed(_why(child.returncode))
        finally:
            _kill(child)  # so that the feeder ends
            feeder.join()
            _end(child)

    def _take(self) -> subprocess.Popen[bytes]:
        """The process that waits, or a new one; another is started to wait."""
        with self._lock:
            child, self._spare = self._spare, None
            if child is not None and child.poll() is not None:
                _end(child)
                child = None
            child = child or self._start()
            with contextlib.suppress(OSError):
                self._spare = self._start()
            return child

    def _start(self) -> subprocess.Popen[bytes]:
        given = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        given["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others map more than they use, against the limit
        return subprocess.Popen(  # noqa: S603 - our own modules
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=given,
            start_new_session=True,  # so that whatever it starts can be ended with it
        )


class _Watch:
    """Ends a process that takes too long over something."""

    def __init__(self, child: subprocess.Popen[bytes], limit_s: float) -> None:
        self.late = False
        self._child = child
        self._clock = threading.Timer(limit_s, self._stop)
        self._clock.daemon = True

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.cancel()

    def _stop(self) -> None:
        self.late = True
        _kill(self._child)


def _feed(child: subprocess.Popen[bytes], asked: bytes, source: BinaryIO) -> None:
    assert child.stdin is not None
    with contextlib.suppress(OSError):  # it has ended, which is seen where it is listened to
        child.stdin.write(asked + b"\n")
        while part := source.read(AT_ONCE):
            child.stdin.write(part)
        child.stdin.close()


def _part(child: subprocess.Popen[bytes], most_bytes: int) -> bytes | None:
    """The next bit that it says; None when it says nothing more. Raises Failed for one that is too long."""
    assert child.stdout is not None
    told = child.stdout.read(LENGTH_BYTES)
    if len(told) < LENGTH_BYTES:
        return None
    length = int.from_bytes(told, "little")
    if length > most_bytes:
        raise Failed(f"it unpacks to more than {most_bytes // 1024**2} MiB at once")
    return child.stdout.read(length)


def say(part: bytes | memoryview) -> None:
    """In the process: tell one bit of an answer that comes bit by bit."""
    sys.stdout.buffer.write(len(part).to_bytes(LENGTH_BYTES, "little"))
    sys.stdout.buffer.write(part)


def question() -> bytes:
    """In the process: the line that is asked; empty when nobody asks within a minute, or ever will."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; this process ends when its input does
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.buffer, selectors.EVENT_READ)
    return sys.stdin.buffer.readline() if waiting.select(timeout=IDLE_S) else b""


def leave() -> NoReturn:
    """In the process: end well once all is said, without the interpreter's own end.

    A thread of Arrow that read ahead may still wait for the interpreter's lock; at that end it would be unwound through
    C++ that does not allow it, which aborts a process whose work was done.
    """
    sys.stdout.flush()
    os._exit(0)


def confine(memory_bytes: int, cpu_s: int) -> None:
    """In the process, from here on: no more than so much memory and time, and nothing is written to a disk."""
    with contextlib.suppress(FileNotFoundError):  # only Linux tells, and only Linux minds
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, mapped + memory_bytes))
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + cpu_s, int(used) + cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _told(child: subprocess.Popen[bytes], asked: bytes, content: bytes, most_bytes: int) -> bytes | None:
    """All that it says before it ends its output; None when that is too much. It reads all before it says anything."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(OSError):  # it has ended, which is seen below
        child.stdin.write(asked + b"\n")
        child.stdin.write(content)
        child.stdin.close()
    parts, left = [], most_bytes
    while part := child.stdout.read(min(AT_ONCE, left + 1)):
        left -= len(part)
        if left < 0:
            return None
        parts.append(part)
    return b"".join(parts)


def _ends_well(child: subprocess.Popen[bytes]) -> bool:
    """Whether it ends by itself, without a complaint, once it has said all."""
    try:
        return child.wait(timeout=1) == 0
    except subprocess.TimeoutExpired:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    _kill(child)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "reading it took more of a processor than it may have"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else ""
    return f"the process that read it was ended ({name})" if name else "the process that read it ended"
