"""How a stream goes on: a line for people, and counters for Prometheus (the text file of a node exporter)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import msgspec

from tenure.records.streams import Counts

TERMINAL_S = 1.0
SCRIPT_S = 10.0
LAG_S = 5.0
HELP = {
    "taken": "Messages that were taken and settled.",
    "scored": "Messages that were answered.",
    "known": "Messages whose key had an answer already.",
    "dead": "Messages that cannot be scored.",
    "batches": "Batches that were settled.",
    "requests": "Requests to the gateway.",
    "waits": "Times that the gateway, the source or the sink could not be reached or had too much to do.",
}


class Progress:
    """Tells of the counts at most once a second. `lag` may cost a look into the source and is asked less often."""

    def __init__(
        self,
        endpoint: str,
        counts: Counts,
        lag: Callable[[], int | None],
        *,
        metrics: str = "",
        output: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._counts = counts
        self._lag_of = lag
        self._metrics = Path(metrics) if metrics else None
        self._output = output
        self._clock = clock
        self._is_terminal = output.isatty()
        self._every_s = TERMINAL_S if self._is_terminal or metrics else SCRIPT_S
        self._begun_at = self._told_at = self._looked_at = clock()
        self._told = 0
        self._lag: int | None = None

    def tell(self) -> None:
        """Tell how it goes when it is time to."""
        now = self._clock()
        if now - self._told_at < self._every_s:
            return
        if now - self._looked_at >= LAG_S or self._lag is None:
            self._lag, self._looked_at = self._lag_of(), now
        rate = (self._counts.taken - self._told) / (now - self._told_at)
        self._write(line(self._counts, rate, self._lag))
        self._told_at, self._told = now, self._counts.taken

    def end(self) -> None:
        """Tell once more, of the whole run."""
        now = self._clock()
        self._lag = self._lag_of()
        self._write(line(self._counts, self._counts.taken / max(now - self._begun_at, 1e-9), self._lag), last=True)

    def _write(self, text: str, *, last: bool = False) -> None:
        start, end = ("\r\x1b[K", "\n" if last else "") if self._is_terminal else ("", "\n")
        self._output.write(f"{start}{text}{end}")
        self._output.flush()
        if self._metrics is not None:
            draft = self._metrics.with_name(f".{self._metrics.name}.{os.getpid()}")
            draft.write_text(exposition(self._endpoint, self._counts, self._lag))
            draft.replace(self._metrics)


def line(counts: Counts, rate: float, lag: int | None) -> str:
    """A line for people.

    >>> line(Counts(taken=1200, scored=1190, known=7, dead=3), 401.2, 5000)
    '1,200 taken: 1,190 scored, 7 known, 3 dead · 401/s · 5,000 waiting'
    """
    waiting = "" if lag is None else f" · {lag:,} waiting"
    told = f"{counts.taken:,} taken: {counts.scored:,} scored, {counts.known:,} known, {counts.dead:,} dead"
    return f"{told} · {rate:,.0f}/s{waiting}"


def exposition(endpoint: str, counts: Counts, lag: int | None) -> str:
    """The counters in Prometheus' text form."""
    label = endpoint.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    lines: list[str] = []
    for name, count in msgspec.structs.asdict(counts).items():
        full = f"tenure_stream_{name}_total"
        lines += [f"# HELP {full} {HELP[name]}", f"# TYPE {full} counter", f'{full}{{endpoint="{label}"}} {count}']
    if lag is not None:
        lines += ["# HELP tenure_stream_lag Messages that wait.", "# TYPE tenure_stream_lag gauge"]
        lines += [f'tenure_stream_lag{{endpoint="{label}"}} {lag}']
    return "\n".join(lines) + "\n"
