"""Charts as files: drawn once by the drawing process, then kept by the digest of what they were drawn from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec

from tenure.errors import Unavailable
from tenure.store.ground import Ground
from tenure.web.chart_data import ChartData, Look
from tenure.web.chart_maker import Asked, Made

Form = Literal["svg", "spec"]
KEPT_LIMIT = 600
SOURCES = (
    "charts.py",
    "chart_parts.py",
    "chart_columns.py",
    "chart_runs.py",
    "chart_looks.py",
    "chart_data.py",
    "bars.py",
    "wording.py",
)


class Pictures:
    """Makes charts and keeps at most `KEPT_LIMIT` of them in a folder. One drawing process; callers take turns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def chart(self, name: str, data: ChartData, look: Look, form: Form) -> tuple[str, str]:
        """A chart's text and its digest. Raises Unavailable when it cannot be drawn."""
        encoded = msgspec.json.encode(data)
        told = f"{name} {form} {look.theme} {look.width} {definitions_digest()} ".encode()
        digest = hashlib.sha256(told + encoded).hexdigest()[:32]
        path = self.folder / f"{digest}.{'svg' if form == 'svg' else 'json'}"
        asked = Asked(name=name, form=form, look=look, data=msgspec.Raw(encoded))
        return self._kept(path, asked), digest

    def bundle(self) -> str:
        """The JavaScript that draws charts in a browser: Vega, Vega-Lite and Vega-Embed in one file."""
        return self._kept(self.folder / f"vega-{bundle_version()}.js", Asked(name="bundle", form="bundle"))

    def close(self) -> None:
        """End the drawing process, if there is one."""
        with self._lock:
            self._end_child()

    def _kept(self, path: Path, asked: Asked) -> str:
        with contextlib.suppress(FileNotFoundError):
            return path.read_text(encoding="utf-8")
        with self._lock:
            with contextlib.suppress(FileNotFoundError):  # somebody asked for the same while we waited
                return path.read_text(encoding="utf-8")
            made = self._ask(asked)
            self._keep(path, made)
            return made

    def _ask(self, asked: Asked) -> str:
        line = msgspec.json.encode(asked) + b"\n"
        answer = self._exchange(line) or self._exchange(line)  # a child that had just gone idle: a new one answers
        if not answer:
            raise Unavailable("The chart could not be drawn: the drawing process ended. Reload the page to try again.")
        made = msgspec.json.decode(answer, type=Made)
        if made.failure:
            raise Unavailable(f"The chart {asked.name!r} could not be drawn. Reload the page to try again.")
        return made.text

    def _exchange(self, line: bytes) -> bytes:
        """The child's answer to one line; empty when it has ended."""
        child = self._running_child()
        if child.stdin is None or child.stdout is None:
            raise AssertionError
        try:
            child.stdin.write(line)
            child.stdin.flush()
            answer = child.stdout.readline()
        except OSError:
            answer = b""
        if not answer:
            self._end_child()
        return answer

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end_child()
            command = [sys.executable, "-m", "tenure.web.chart_maker"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _keep(self, path: Path, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        charts = (file for file in self.folder.iterdir() if file.suffix in (".svg", ".json"))
        kept = sorted(charts, key=lambda file: file.stat().st_mtime)
        for old in kept[: max(len(kept) - KEPT_LIMIT, 0)]:
            old.unlink(missing_ok=True)


@cache
def definitions_digest() -> str:
    """Changes when a chart's definition or a library that draws it changes, so that nothing outdated is shown."""
    here = Path(__file__).parent
    texts = b"".join((here / name).read_bytes() for name in SOURCES)
    return hashlib.sha256(texts + bundle_version().encode()).hexdigest()[:16]


@cache
def bundle_version() -> str:
    return f"{version('vl-convert-python')}-{version('altair')}"


_opened: dict[Path, Pictures] = {}
_opening = threading.Lock()


def pictures_of(ground: Ground) -> Pictures:
    """The pictures of this process's data folder."""
    folder = ground.settings.folder / "charts"
    with _opening:
        return _opened.setdefault(folder, Pictures(folder))


def close_all() -> None:
    """End the drawing processes of this process; they start again when a chart is asked for."""
    for pictures in _opened.values():
        pictures.close()
