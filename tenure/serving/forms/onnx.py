"""Forms that ONNX Runtime computes: our own encoding and one ensemble of trees, or a whole converted pipeline.

ONNX Runtime sends telemetry from its import on unless it is told not to, so the variable is set here too, although
every process that we start has it.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.serving.forms.columns import Columns, Lookup, Matrix, NumberColumn, numbers
from tenure.serving.forms.finishing import finisher
from tenure.serving.forms.program import Program

TYPES: dict[str, Any] = {"double": np.float64, "float": np.float32, "long": np.int64, "string": object}


class Trees:
    """Encoded columns through one `TreeEnsemble` in doubles: thresholds stand in the columns' own values."""

    def __init__(self, program: Program, onnx: bytes) -> None:
        self._matrix = Matrix(program)
        session = opened(onnx)
        self._run = session._sess.run
        self._of_one = OneRow(session, self._matrix.width)
        self._finish = finisher(program.finish)

    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused."""
        if rows == 1:
            return [self._finish(self._of_one(self._matrix.packed_row(columns)))]
        (scores,) = self._run(["y"], {"x": self._matrix.rows(columns, rows)}, None)
        return list(map(self._finish, scores.tolist()))


class OneRow:
    """Runs a model for a row of doubles, out of and into memory that is bound to it once: to hand it over at every call
    takes as long as half of the trees."""

    def __init__(self, session: Any, width: int) -> None:
        (y,) = session.get_outputs()
        self._y = np.empty((1, y.shape[1]))
        x = np.empty((1, width))
        self._x = x.data.cast("B")
        self._binding = session.io_binding()
        self._binding.bind_input("x", "cpu", 0, np.float64, x.shape, x.ctypes.data)
        self._binding.bind_output("y", "cpu", 0, np.float64, self._y.shape, self._y.ctypes.data)
        self._run = session.run_with_iobinding
        self._alone = threading.Lock()

    def __call__(self, packed: bytes) -> list[float]:
        """The scores of a row. Safe from any thread."""
        with self._alone:
            self._x[:] = packed
            self._run(self._binding)
            scores: list[float] = self._y[0].tolist()
            return scores


class Converted:
    """A pipeline as skl2onnx converted it, fed column by column or as one matrix."""

    def __init__(self, program: Program, onnx: bytes) -> None:
        self._checks = {number.name: NumberColumn(number) for number in program.numbers}
        self._known = {table.name: Lookup(table, tuple) for table in program.tables}
        self._feeds = {name: TYPES[kind] for name, kind in program.feeds.items()}
        self._labels = program.finish.says == "label"
        self._finish = finisher(program.finish)
        self._run = runner(onnx)

    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused."""
        arrays = {name: self._array(name, values, rows) for name, values in columns.items()}
        if "" in self._feeds:
            feed = {"x": np.hstack(list(arrays.values())).astype(self._feeds[""], copy=False)}
        else:
            feed = {name: array.astype(self._feeds[name], copy=False) for name, array in arrays.items()}
        (given,) = self._run(["y"], feed, None)
        if self._labels:
            labels: list[Any] = given.ravel().tolist()
            return labels
        return list(map(self._finish, given.reshape(rows, -1).tolist()))

    def _array(self, name: str, values: list[Any], rows: int) -> NDArray[Any]:
        if name in self._checks:
            return numbers(self._checks[name], values).reshape(rows, 1)
        for value in values:
            self._known[name](value)
        return np.array(values, dtype=object).reshape(rows, 1)


def runner(onnx: bytes) -> Any:
    """A function that runs a model.

    Not the public method around it, which looks the names up again at every call: 1.5 of 8 µs.
    """
    return opened(onnx)._sess.run


def opened(onnx: bytes) -> Any:
    """A model's session. Of one thread, since a gateway has others; without an arena, which keeps memory."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
