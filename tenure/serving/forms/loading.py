"""A form from its files: verified, loaded and tried, before it may answer."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tenure.records.routing import PinnedFile, ReleaseForm
from tenure.serving.forms.columns import Columns
from tenure.serving.forms.linear import Linear, ManyLinear
from tenure.serving.forms.program import ONNX_FILE, PROGRAM_FILE, Program

MOST_BYTES = 64 * 1024 * 1024
"""A larger form stays out of the gateway, whose memory is shared by every endpoint."""


class CannotUse(Exception):
    """A form that must not answer; the text says why, without anything from the data."""


class Answers(Protocol):
    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused."""


def load(folder: Path, form: ReleaseForm) -> Answers:
    """The form in a folder, whose bytes are what was pinned and which answers its probe. Raises CannotUse."""
    content = {file.path: _verified(folder, file) for file in form.files}
    try:
        answers = built(content[PROGRAM_FILE], content.get(ONNX_FILE))
    except Exception as problem:
        raise CannotUse(f"its files cannot be read as a form ({type(problem).__name__})") from None
    check(answers, form)
    return answers


def built(program: bytes, onnx: bytes | None) -> Answers:
    """A form of its parts. Raises whatever does not fit."""
    read = msgspec.msgpack.decode(program, type=Program)
    if read.kind == "linear":
        return Linear(read) if len(read.base) == 1 else ManyLinear(read)
    from tenure.serving.forms.onnx import Converted, Trees

    assert onnx is not None
    return Trees(read, onnx) if read.kind == "trees" else Converted(read, onnx)


def check(answers: Answers, form: ReleaseForm) -> None:
    """Raise CannotUse unless the stored rows get the stored answers, alone and together."""
    rows = len(form.answers)
    try:
        together = answers.outputs(form.probe, rows)
        alone = [
            answers.outputs({name: values[row : row + 1] for name, values in form.probe.items()}, 1)[0]
            for row in range(rows)
        ]
    except Exception as problem:
        raise CannotUse(f"it fails at the rows it was proven with ({type(problem).__name__})") from None
    for row, expected in enumerate(form.answers):
        if not (same(alone[row], expected, form.tolerance) and same(together[row], expected, form.tolerance)):
            raise CannotUse(f"it does not give the version's own answer to row {row} of those it was proven with")


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers are equal: of the same shape, labels the same, scores within the tolerance."""
    return difference(one, other) <= tolerance


def difference(one: Any, other: Any) -> float:
    """How far two answers are apart, relative where they are larger than 1; infinite when they differ in kind.

    >>> difference([0.5, 2.0], [0.5, 2.2]) < 0.1, difference("late", "late"), difference(1, 1.0), difference(True, 1)
    (True, 0.0, inf, inf)
    """
    if type(one) is not type(other):
        return math.inf
    if isinstance(one, list):
        return max(map(difference, one, other), default=0.0) if len(one) == len(other) else math.inf
    if not isinstance(one, float):
        return 0.0 if one == other else math.inf
    if one == other or (one != one and other != other):  # noqa: PLR0124  NaN
        return 0.0
    apart = abs(one - other) / max(1.0, abs(other))
    return apart if apart == apart else math.inf  # noqa: PLR0124


def _verified(folder: Path, file: PinnedFile) -> bytes:
    if file.size_bytes > MOST_BYTES:
        raise CannotUse(f"the file {file.path!r} is larger than {MOST_BYTES // 1024**2} MiB")
    try:
        content = (folder / file.path).read_bytes()
    except OSError:
        raise CannotUse(f"the file {file.path!r} cannot be read") from None
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise CannotUse(f"the file {file.path!r} is not the one that was proven")
    return content
