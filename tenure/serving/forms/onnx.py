"""Forms that ONNX Runtime computes: our own encoding and one ensemble of trees, or a whole converted pipeline.

ONNX Runtime sends telemetry from its import on unless it is told not to, so the variable is set here too, although
every process that we start has it.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.serving.forms.columns import Columns, Matrix, NumberColumn, numbers, table_of
from tenure.serving.forms.finishing import finisher
from tenure.serving.forms.program import Program

TYPES: dict[str, Any] = {"double": np.float64, "float": np.float32, "long": np.int64, "string": object}


class Trees:
    """Encoded columns through one `TreeEnsemble` in doubles: thresholds stand in the columns' own values."""

    def __init__(self, program: Program, onnx: bytes) -> None:
        self._matrix = Matrix(program)
        self._run = runner(onnx)
        self._finish = finisher(program.finish)

    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused."""
        matrix = self._matrix.row(columns) if rows == 1 else self._matrix.rows(columns, rows)
        (scores,) = self._run(["y"], {"x": matrix}, None)
        return list(map(self._finish, scores.tolist()))


class Converted:
    """A pipeline as skl2onnx converted it, fed column by column or as one matrix."""

    def __init__(self, program: Program, onnx: bytes) -> None:
        self._checks = {number.name: NumberColumn(number) for number in program.numbers}
        self._known = {table.name: table_of(table, tuple) for table in program.tables}
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
    """A function that runs a model. Of one thread, since a gateway has others; without an arena, which keeps memory.

    Not the public method around it, which looks the names up again at every call: 1.5 of 8 µs.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return session._sess.run
