"""Figures as Prometheus reads them: text format 0.0.4, written when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram"]
Labels = Mapping[str, object]


class Page:
    """Metrics, one family after the other. What a label says is a name of ours and never a payload's."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, name: str, kind: Kind, meaning: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """A family of counters or gauges; one without samples is left out."""
        lines = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if lines:
            self._head(name, kind, meaning)
            self._lines += lines

    def add_histogram(
        self, name: str, meaning: str, bounds: Sequence[float], samples: Iterable[tuple[Labels, Sequence[int], float]]
    ) -> None:
        """A family of histograms: how many fell below each bound and not below the one before, and their sum."""
        found = list(samples)
        if found:
            self._head(name, "histogram", meaning)
        for labels, counts, total in found:
            below = 0
            for bound, count in zip(bounds, counts, strict=True):
                below += count
                self._lines.append(f"{name}_bucket{_labels({**labels, 'le': _number(bound)})} {below}")
            self._lines.append(f"{name}_bucket{_labels({**labels, 'le': '+Inf'})} {below}")
            self._lines.append(f"{name}_sum{_labels(labels)} {_number(total)}")
            self._lines.append(f"{name}_count{_labels(labels)} {below}")

    def text(self) -> bytes:
        return ("\n".join(self._lines) + "\n").encode()

    def _head(self, name: str, kind: Kind, meaning: str) -> None:
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _labels(labels: Labels) -> str:
    """
    >>> _labels({"endpoint": 'a"b', "version": 3})
    '{endpoint="a\\\\"b",version="3"}'
    """
    said = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)
