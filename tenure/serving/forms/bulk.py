"""A form over many rows at once: columns come as arrays, and answers leave as arrays.

It answers what the form answers row by row, to the bit: sums are taken in the same order, and exponentials are Python's
own, since NumPy's differ in the last digit on some processors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tenure.records.routing import ReleaseForm
from tenure.serving.forms import finishing, loading
from tenure.serving.forms.columns import Floats, Lookup
from tenure.serving.forms.program import ONNX_FILE, PROGRAM_FILE, Finish, Number, Program, Table
from tenure.serving.forms.refusals import CannotUse, Refused

if TYPE_CHECKING:
    import pyarrow as pa

Mask = NDArray[np.bool_]


class Coded(NamedTuple):
    """A column of categories: for each row the place of its value among `keys`, the last of which is None."""

    codes: NDArray[np.int64]
    keys: list[Any]


Values = Floats | Coded
Arrays = Mapping[str, Values]
"""A version's columns in its order: numbers as doubles, NaN where there is none; categories as codes."""


class Bulk:
    """A form for many rows. `categories` names the columns that must come as `Coded`."""

    def __init__(self, program: Program, onnx: bytes | None) -> None:
        self.categories = frozenset(table.name for table in program.tables)
        self._program = program
        self._scores: Callable[[Arrays, int], Floats]
        if program.kind == "linear":
            self._scores = self._linear
        else:
            from tenure.serving.forms.onnx import runner

            assert onnx is not None
            self._run = runner(onnx)
            self._scores = self._trees if program.kind == "trees" else self._converted
        self.answers = finisher(program.finish)
        self.score_says_all = program.finish.says in ("value", "two")

    def refused(self, columns: Arrays, rows: int) -> dict[str, Mask]:
        """The rows that the version itself refuses, by the column whose value it does not take."""
        found = {}
        for number in self._program.numbers:
            values = _rounded(number, columns[number.name])
            wrong = ~((values >= number.low) & (values <= number.high))
            if wrong.any() and number.null is not None:
                wrong &= ~np.isnan(values)
            if wrong.any():
                found[number.name] = wrong
        for table in self._program.tables:
            wrong = _looked_up(table, columns[table.name])[1]
            if wrong.any():
                found[table.name] = wrong
        del rows
        return found

    def outputs(self, columns: Arrays, rows: int) -> pa.Array:
        """One answer a row. No row may be among those refused."""
        return self.answers(self._scores(columns, rows))

    def _linear(self, columns: Arrays, rows: int) -> Floats:
        base = np.array(self._program.base)
        scores = np.tile(base, (rows, 1))
        for number in self._program.numbers:
            values = _rounded(number, columns[number.name])[:, None]
            added = (values - number.centre) * np.array(number.weights)
            scores += np.where(np.isnan(values), np.array(number.null), added) if number.null else added
        for table in self._program.tables:
            scores += _looked_up(table, columns[table.name])[0]
        return scores

    def _trees(self, columns: Arrays, rows: int) -> Floats:
        program = self._program
        looked_up = [_looked_up(table, columns[table.name])[0] for table in program.tables]
        matrix = np.empty((rows, len(program.numbers) + sum(part.shape[1] for part in looked_up)))
        for place, number in enumerate(program.numbers):
            matrix[:, place] = _rounded(number, columns[number.name])
        place = len(program.numbers)
        for part in looked_up:
            matrix[:, place : place + part.shape[1]] = part
            place += part.shape[1]
        scores: Floats = self._run(["y"], {"x": matrix}, None)[0]
        return scores

    def _converted(self, columns: Arrays, rows: int) -> Any:
        from tenure.serving.forms.onnx import TYPES

        numbers = {number.name: number for number in self._program.numbers}
        feeds = self._program.feeds
        arrays = {}
        for name, values in columns.items():
            if isinstance(values, Coded):
                arrays[name] = np.array(values.keys, dtype=object)[values.codes].reshape(rows, 1)
            else:
                arrays[name] = _rounded(numbers[name], values).reshape(rows, 1)
        if "" in feeds:
            feed = {"x": np.hstack(list(arrays.values())).astype(TYPES[feeds[""]], copy=False)}
        else:
            feed = {name: array.astype(TYPES[feeds[name]], copy=False) for name, array in arrays.items()}
        (given,) = self._run(["y"], feed, None)
        return given.ravel() if self._program.finish.says == "label" else given.reshape(rows, -1)


def load(folder: Path, form: ReleaseForm) -> Bulk:
    """The form in a folder for many rows, verified and tried as in a gateway. Raises CannotUse."""
    answers = loading.load(folder, form)
    content = {file.path: (folder / file.path).read_bytes() for file in form.files}
    bulk = Bulk(msgspec.msgpack.decode(content[PROGRAM_FILE], type=Program), content.get(ONNX_FILE))
    rows = len(form.answers)
    try:
        columns = {name: _of_list(values, coded=name in bulk.categories) for name, values in form.probe.items()}
        same = not bulk.refused(columns, rows) and all(
            loading.same(one, other, 0.0)
            for one, other in zip(
                bulk.outputs(columns, rows).to_pylist(), answers.outputs(form.probe, rows), strict=True
            )
        )
    except Exception as problem:
        raise CannotUse(f"it fails at the rows it was proven with ({type(problem).__name__})") from None
    if not same:
        raise CannotUse("it gives other answers to many rows than to one")
    return bulk


def finisher(finish: Finish) -> Callable[[Any], pa.Array]:
    """What turns scores, shape (rows, scores), into answers: numbers, lists of numbers, or labels."""
    import pyarrow as pa

    if finish.says == "label":
        return lambda scores: _labels(finish, scores)
    if finish.says == "value":
        return lambda scores: pa.array(_kept(finish, _linked(finish, scores)[:, 0]))

    def shares(scores: Floats) -> pa.Array:
        linked = _linked(finish, scores)
        if finish.says == "two":
            linked = np.column_stack([1.0 - linked[:, 0], linked[:, 0]])
        flat = _kept(finish, np.ascontiguousarray(linked).ravel())
        width = linked.shape[1]
        offsets = np.arange(0, len(flat) + 1, width, dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))

    return shares


def _linked(finish: Finish, scores: Floats) -> Floats:
    scores = scores.astype(np.float64, copy=False)
    if finish.base:
        scores = scores / finish.divisor + np.array(finish.base)
    elif finish.divisor != 1.0:
        scores = scores / finish.divisor
    if finish.link == "logistic":
        return _logistic(scores)
    if finish.link == "softmax":
        return np.array([finishing.softmax(row) for row in scores.tolist()]).reshape(scores.shape)
    if finish.link == "exp":
        return np.fromiter(map(finishing.exp, scores.ravel().tolist()), float, scores.size).reshape(scores.shape)
    return scores


def _logistic(scores: Floats) -> Floats:
    """As `finishing.logistic`: what an exponential is added to, and divided by, is rounded the same everywhere."""
    falling = -np.abs(scores)
    grown = np.fromiter(map(math.exp, falling.ravel().tolist()), float, scores.size).reshape(scores.shape)
    shares: Floats = np.where(scores >= 0.0, 1.0 / (1.0 + grown), grown / (1.0 + grown))
    shares[scores < -finishing.LARGEST_EXPONENT] = 0.0
    return shares


def _kept(finish: Finish, values: Floats) -> Floats:
    if not finish.single:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def _labels(finish: Finish, scores: Any) -> pa.Array:
    """Labels as the form says them: of many by the same function as for one row."""
    import pyarrow as pa

    if scores.ndim == 1:
        return pa.array(scores.tolist())
    if len(finish.labels) == 2:
        linked = _linked(finish, scores)
        if linked.shape[1] == 2:
            yes = linked[:, 1] > linked[:, 0]
        else:
            yes = linked[:, 0] >= finish.cut if finish.inclusive else linked[:, 0] > finish.cut
        return pa.array(finish.labels).take(pa.array(yes.astype(np.int64)))
    say = finishing.finisher(finish)
    return pa.array([say(row) for row in scores.tolist()])


def _rounded(number: Number, values: Values) -> Floats:
    assert not isinstance(values, Coded)
    if not number.single:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def _looked_up(table: Table, values: Values) -> tuple[Floats, Mask]:
    """What stands for each row's category, shape (rows, width), and which rows have one that is refused."""
    assert isinstance(values, Coded)
    look_up = Lookup(table, list)
    width = max(map(len, (*table.rows, table.unknown or (), table.null or ())))
    found, refused = np.zeros((len(values.keys), width)), np.zeros(len(values.keys), dtype=bool)
    for place, key in enumerate(values.keys):
        try:
            found[place] = look_up(key)
        except Refused:
            refused[place] = True
    return found[values.codes], refused[values.codes]


def _of_list(values: list[Any], *, coded: bool) -> Values:
    if not coded:
        return np.array(values, dtype=np.float64)
    keys = [*dict.fromkeys(value for value in values if value is not None), None]
    places = {key: place for place, key in enumerate(keys)}
    return Coded(np.array([places[value] for value in values]), keys)
