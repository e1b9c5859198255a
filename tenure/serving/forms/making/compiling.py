"""One version to its fastest proven form: candidates in the order of speed, the first that passes the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import msgspec
import numpy as np

from tenure.records.forms import Candidate, FormKind, FormReport
from tenure.serving.forms.columns import Columns
from tenure.serving.forms.loading import MOST_BYTES, Answers, built
from tenure.serving.forms.making import converting, ensembles, gate, linears, tree_graph
from tenure.serving.forms.making.encoding import Encoding
from tenure.serving.forms.making.rows import Maker, Rows
from tenure.serving.forms.making.subject import CannotCompile, Subject
from tenure.serving.forms.program import ONNX_FILE, PROGRAM_FILE, Program

LINEAR_TOLERANCE = 1e-9
SINGLE_TOLERANCE = 1e-6
PROBE_ROWS = 12
LIBRARIES = (
    "scikit-learn",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "numpy",
    "mlflow-skinny",
)


class Made(NamedTuple):
    """A candidate: its parts, how far it may differ, and the thresholds at which it must be tried."""

    program: Program
    onnx: bytes | None
    tolerance: float
    computed_in: str
    at: Mapping[str, list[float]]


class Compiled(NamedTuple):
    """What came of it: the report, and for a proven form its files and its probe with the version's own answers."""

    report: FormReport
    files: dict[str, bytes]
    probe: Columns
    answers: list[Any]


def compile_version(subject: Subject, sample: Columns) -> Compiled:
    """Try every form that fits. Never raises for a version that cannot be compiled: the report says why."""
    tried: list[Candidate] = []
    try:
        subject.check()
        encoding = Encoding(subject)
    except CannotCompile as problem:
        return _original(tried, str(problem))
    except Exception as problem:
        return _original(tried, f"it cannot be looked into ({type(problem).__name__})")
    for kind, make in _candidates(subject, encoding):
        try:
            return _proven(kind, make(), encoding, sample, tried)
        except CannotCompile as problem:
            tried.append(Candidate(kind=kind, problem=str(problem)))
        except Exception as problem:
            tried.append(Candidate(kind=kind, problem=f"making it failed ({type(problem).__name__})"))
    reason = "; ".join(f"{one.kind}: {one.problem}" for one in tried) or f"{subject.name} is none of the kinds compiled"
    return _original(tried, reason)


def _candidates(subject: Subject, encoding: Encoding) -> list[tuple[FormKind, Callable[[], Made]]]:
    found: list[tuple[FormKind, Callable[[], Made]]] = []
    if linears.is_linear(subject):
        found.append(("linear", lambda: _linear(encoding)))
    elif ensembles.is_trees(subject):
        found.append(("trees", lambda: _trees(encoding)))
        return found  # a converted ensemble compares in 32 bits, and rows at thresholds differ
    found.append(("onnx", lambda: _converted(encoding, double=True)))
    found.append(("onnx", lambda: _converted(encoding, double=False)))
    return found


def _linear(encoding: Encoding) -> Made:
    encoding.check()
    program = linears.program(encoding)
    single = "float" in encoding.subject.types.values()
    return Made(program, None, SINGLE_TOLERANCE if single else LINEAR_TOLERANCE, "float32" if single else "float64", {})


def _trees(encoding: Encoding) -> Made:
    encoding.check()
    ensemble = ensembles.read(encoding.subject)
    thresholds = tree_graph.Thresholds(encoding, ensemble)
    program = tree_graph.program(thresholds, ensemble)
    onnx = tree_graph.graph(thresholds, ensemble)
    computed_in = "float32" if ensemble.single else "float64"
    return Made(program, onnx, ensemble.tolerance, computed_in, thresholds.at)


def _converted(encoding: Encoding, *, double: bool) -> Made:
    program, onnx = converting.converted(encoding, double=double)
    return Made(program, onnx, converting.TOLERANCE, "float64" if double else "float32", {})


def _proven(kind: FormKind, made: Made, encoding: Encoding, sample: Columns, tried: list[Candidate]) -> Compiled:
    """The form through the gate. Raises CannotCompile."""
    subject = encoding.subject
    files = {PROGRAM_FILE: msgspec.msgpack.encode(made.program)}
    if made.onnx is not None:
        files[ONNX_FILE] = made.onnx
    size = sum(map(len, files.values()))
    if size > MOST_BYTES:
        raise CannotCompile(f"it takes {size:,} bytes; at most {MOST_BYTES:,} may stand in a gateway")
    form = built(files[PROGRAM_FILE], made.onnx)
    classes = Maker(encoding, made.at).classes(sample)
    expected = gate.Expected(subject, classes)
    exact = made.program.finish.says == "label"
    ours = made.program.kind != "onnx"
    compared = gate.compare(form, expected, tolerance=made.tolerance, exact=exact, bit_equal=ours)
    fast = gate.timed(form.outputs, classes[0], calls=3000, most_s=3.0)
    slow = gate.timed(subject.answers, classes[0], calls=200, most_s=2.0)
    if fast.p99_us > gate.MOST_P99_US:
        raise CannotCompile(
            f"one row takes {fast.p99_us:,.0f} µs of a processor at the 99th percentile; a gateway allows 1,000"
        )
    probe, answers = _probe(expected)
    report = FormReport(
        kind=kind,
        reason="",
        candidates=[*tried, Candidate(kind=kind)],
        classes=compared,
        largest_difference=max(one.largest_difference for one in compared),
        tolerance=0.0 if exact else made.tolerance,
        computed_in=made.computed_in,
        original=slow,
        form=fast,
        size_bytes=size,
        libraries=_libraries(),
        warnings=_warnings(form, subject, expected),
    )
    return Compiled(report, files, probe, answers)


def _probe(expected: gate.Expected) -> tuple[Columns, list[Any]]:
    """A few rows of every class whose values and answers are plain enough for JSON."""
    probe: Columns = {}
    answers: list[Any] = []
    for rows, said in zip(expected.classes, expected.answers, strict=True):
        taken = 0
        for row, answer in enumerate(said):
            columns = gate.one(rows.columns, row)
            if taken == 2 or answer is None:
                continue
            if _is_plain([values[0] for values in columns.values()]) and _is_plain(answer):
                taken += 1
                answers.append(answer)
                for name, values in columns.items():
                    probe.setdefault(name, []).append(values[0])
    return {name: values[:PROBE_ROWS] for name, values in probe.items()}, answers[:PROBE_ROWS]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not isinstance(value, float) or bool(np.isfinite(value))


def _warnings(form: Answers, subject: Subject, expected: gate.Expected) -> list[str]:
    """What callers must know: how many rows get another answer when their numbers are sent in 32 bits."""
    if "double" not in subject.types.values():
        return []
    by_name: dict[str, Rows] = {rows.name: rows for rows in expected.classes}
    drawn, single = by_name["drawn"], by_name["rounded to 32 bits"]
    before, after = (form.outputs(rows.columns, rows.rows) for rows in (drawn, single))
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    at = by_name.get("at thresholds")
    if at is not None:
        rounded = {
            name: [float(np.float32(value)) if type(value) is float else value for value in values]
            for name, values in at.columns.items()
        }
        with np.errstate(over="ignore"):
            again = form.outputs(rounded, at.rows)
        flipped = sum(one != other for one, other in zip(form.outputs(at.columns, at.rows), again, strict=True))
        if flipped:
            return [
                "It was trained on 64 bits. Callers that send 32 bits (FP32 tensors) get another answer where a number "
                f"lies at a threshold: {flipped:,} of {at.rows:,} such rows, and {moved:,} of {drawn.rows:,} drawn."
            ]
    return []


def _original(tried: list[Candidate], reason: str) -> Compiled:
    report = FormReport(kind="original", reason=reason, candidates=tried, libraries=_libraries())
    return Compiled(report, {}, {}, [])


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
