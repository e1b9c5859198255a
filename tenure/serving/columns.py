"""What a version takes: its columns, and the check of a request's values against them.

Types are looked at as a set, one pass in C for each column, so that a thousand rows cost hardly more than one; columns
that came as bytes are looked at as arrays (`arrays.py`). Errors name the column and the first row that is wrong, and
never repeat a value. A category that was never seen before is not an error; monitoring counts it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from tenure.errors import InvalidInput
from tenure.records.frames import Packed
from tenure.records.routing import InputColumn
from tenure.serving import texts, typed
from tenure.serving.decoding import Asked, Columns, Matrix, Split, Texts, score_of
from tenure.serving.saying import PROBLEMS_SHOWN, Wrong, clipped, kind, listed, quoted

FLOAT64_MAX = sys.float_info.max
FLOAT32_MAX = 3.4028234663852886e38


class Inputs:
    """The columns that a version takes, ready to check requests with.

    A version without a known signature takes whatever columns come, as long as every row has the same plain ones.
    """

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self.columns = tuple(columns)
        self._names = {column.name for column in columns}
        self._names_in_order = [column.name for column in columns]
        self._are_doubles = {column.type for column in columns} == {"double"}
        self._required = [column.name for column in columns if column.required]
        self.typed = typed.reader_of(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inputs) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash(self.columns)

    def columns_of(self, asked: Asked) -> Columns:
        """The request's columns, in the version's order; a column that may be missing and is becomes nulls.

        Raises InvalidInput naming up to five columns that are wrong, each with its first wrong row.
        """
        table: Any = asked.table
        if asked.checked is not None and (asked.checked is self or asked.checked == self):
            return table  # type: ignore[no-any-return]
        if type(table) is Matrix and self._takes_as_one(table):  # else what is wrong is found column by column
            return dict(zip(self._names_in_order, table.columns, strict=True))
        given = self._taken_apart(asked)
        if not self.columns:
            return _plain(given, asked.form)
        self.check_names(given, asked.form)
        taken, problems = {}, []
        for column in self.columns:
            values = given.get(column.name)
            if values is None:
                taken[column.name] = [None] * asked.rows
                continue
            try:
                taken[column.name] = _checked(column, values)
            except Wrong as wrong:
                problems.append((column, wrong))
        if problems:
            raise _refusal(problems, asked.form)
        return taken

    def _takes_as_one(self, table: Matrix) -> bool:
        return self._are_doubles and len(table.columns) == len(self.columns) and _all_doubles(table.values)

    def _taken_apart(self, asked: Asked) -> Columns:
        table = asked.table
        if isinstance(table, dict):
            return table
        if isinstance(table, Split):
            return self._of_lists(table, asked.form)
        if isinstance(table, Matrix):
            return self._of_matrix(table, asked.form)
        if isinstance(table, Texts):
            return self._of_texts(table)
        return self._of_records(table, asked.form)

    def _of_matrix(self, table: Matrix, form: str) -> Columns:
        """The columns of the signature in their order; a single one may be called by its own name."""
        given = table.columns
        if len(given) == 1 and (table.name in self._names or len(self.columns) != 1):
            return {table.name: given[0]}
        names = [column.name for column in self.columns] or [str(k) for k in range(len(given))]
        if len(given) != len(names):
            raise InvalidInput(
                f"The shape must be [rows, {len(names)}], one value per column. Got {len(given)} columns.",
                where=f"{form}.{clipped(table.name)}.shape",
            )
        return dict(zip(names, given, strict=True))

    def _of_texts(self, table: Texts) -> Columns:
        known = {column.name: column for column in self.columns}
        if not known:
            return {name: texts.guessed(cells) for name, cells in table.columns.items()}
        return {
            name: texts.values(known[name], cells) if name in known else cells for name, cells in table.columns.items()
        }

    def _of_lists(self, table: Split, form: str) -> Columns:
        if table.columns is not None:
            names = [str(name) for name in table.columns]
        else:
            names = [column.name for column in self.columns] or [str(k) for k in range(len(table.data[0]))]
        width = len(names)
        for position, row in enumerate(table.data):
            if len(row) != width:
                raise InvalidInput(
                    f"Every row must have {width} values, one per column. Row {position} has {len(row)}.",
                    where=f"{form}.data[{position}]" if form == "dataframe_split" else f"{form}[{position}]",
                )
        return dict(zip(names, map(list, zip(*table.data, strict=True)), strict=True))

    def _of_records(self, rows: list[dict[str, Any]], form: str) -> Columns:
        names = self._names or rows[0].keys()
        found: Columns = {}
        present = 0
        for name in names:
            try:
                found[name] = [row[name] for row in rows]
                present += len(rows)
            except KeyError:
                holders = sum(name in row for row in rows)
                if (holders and name in self._required) or not self._names:
                    position = next(position for position, row in enumerate(rows) if name not in row)
                    raise InvalidInput(
                        f"Every row must have the column {quoted(name)}. Row {position} has not.",
                        where=f"{form}[{position}]",
                    ) from None
                if holders:
                    found[name] = [row.get(name) for row in rows]
                    present += holders
        if present != sum(map(len, rows)):
            unknown = next(name for row in rows for name in row if name not in names)
            found[unknown] = []  # named as unknown when the names are checked
            if not self._names:
                raise InvalidInput(f"Every row must have the same columns. {quoted(unknown)} is not in row 0.")
        return found

    def check_names(self, given: Collection[str], form: str) -> None:
        """Raise InvalidInput naming columns that are missing or not known, with the nearest name."""
        unknown = [name for name in given if name not in self._names]
        missing = [name for name in self._required if name not in given]
        if not unknown and not missing:
            return
        said = []
        if missing:
            said.append(f"Missing: {listed(missing)}.")
        if unknown:
            said.append(f"Not known: {listed(unknown)}.")
            near = get_close_matches(clipped(unknown[0]), self._names, 1)
            said.append(f"Did you mean {near[0]!r}?" if near else "")
        raise InvalidInput(
            f"The columns must be those that this version was trained with. {' '.join(filter(None, said))} "
            "The endpoint's docs page lists them all.",
            where=f"{form}.{clipped((missing or unknown)[0])}",
        )


def _refusal(problems: list[tuple[InputColumn, Wrong]], form: str) -> InvalidInput:
    said = [
        f"Column {quoted(column.name)} must {wrong.must}. Got {wrong.got} in row {wrong.row}."
        for column, wrong in problems[:PROBLEMS_SHOWN]
    ]
    if len(problems) > PROBLEMS_SHOWN:
        said.append(f"{len(problems) - PROBLEMS_SHOWN} more columns are wrong.")
    column, wrong = problems[0]
    return InvalidInput(" ".join(said), where=f"{form}[{wrong.row}].{clipped(column.name)}")


def _all_doubles(values: Any) -> bool:
    """Whether many values at once are numbers with a fraction, none missing; JSON has no infinite ones."""
    if type(values) is list:
        return set(map(type, values)) == {float}
    from tenure.serving import arrays

    return arrays.is_sound(values)


def _checked(column: InputColumn, values: Any) -> Any:
    """A column's values as the version takes them, or Wrong."""
    if type(values) is not list:
        from tenure.serving import arrays

        return arrays.checked(column, values)
    check = _CHECKS.get(column.type, _as_it_comes)
    kinds = set(map(type, values))
    if column.required:
        if type(None) in kinds:
            raise Wrong(f"have a value in every row ({column.type})", "null", values.index(None))
        return check(values, kinds)
    rows = [row for row, value in enumerate(values) if value is not None]
    if not rows:
        return values
    try:
        held = check([values[row] for row in rows], kinds - {type(None)})
    except Wrong as wrong:
        raise Wrong(f"{wrong.must} or null", wrong.got, rows[wrong.row]) from None
    filled = list(values)
    for row, value in zip(rows, held, strict=True):
        filled[row] = value
    return filled


def _only(values: list[Any], kinds: set[type], allowed: set[type], must: str) -> None:
    if not kinds <= allowed:
        row = next(position for position, value in enumerate(values) if type(value) not in allowed)
        raise Wrong(must, kind(values[row]), row)


def _double(values: list[Any], kinds: set[type]) -> list[Any]:
    _only(values, kinds, {float, int}, "hold numbers")
    if int not in kinds:
        return values
    try:
        return [float(value) for value in values]
    except OverflowError:
        row = next(position for position, value in enumerate(values) if abs(value) > FLOAT64_MAX)
        raise Wrong("hold numbers up to 1.8e308", "a larger one", row) from None


def _float(values: list[Any], kinds: set[type]) -> list[Any]:
    held = _double(values, kinds)
    if max(held) > FLOAT32_MAX or min(held) < -FLOAT32_MAX:
        row = next(position for position, value in enumerate(held) if abs(value) > FLOAT32_MAX)
        raise Wrong("hold numbers of 32 bits, up to 3.4e38", "a larger one", row)
    return held


def _whole(bits: int) -> Callable[[list[Any], set[type]], list[Any]]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def check(values: list[Any], kinds: set[type]) -> list[Any]:
        _only(values, kinds, {int, float}, "hold whole numbers")
        if float in kinds:
            broken = next((row for row, value in enumerate(values) if not _is_whole(value)), None)
            if broken is not None:
                raise Wrong("hold whole numbers", "one with a fraction", broken)
            values = [int(value) for value in values]
        if max(values) > high or min(values) < low:
            row = next(row for row, value in enumerate(values) if not low <= value <= high)
            raise Wrong(f"hold whole numbers of {bits} bits, {low} to {high}", "one beyond", row)
        return values

    return check


def _is_whole(value: float) -> bool:
    return type(value) is int or value.is_integer()


def _string(values: list[Any], kinds: set[type]) -> list[Any]:
    _only(values, kinds, {str}, "hold text")
    return values


def _boolean(values: list[Any], kinds: set[type]) -> list[Any]:
    _only(values, kinds, {bool}, "hold true or false")
    return values


def _datetime(values: list[Any], kinds: set[type]) -> list[Any]:
    must = "hold ISO 8601 dates between 1678 and 2262, such as 2013-02-01T05:00:00Z"
    _only(values, kinds, {str}, must)
    for row, value in enumerate(values):
        try:
            year = datetime.fromisoformat(value).year
        except ValueError:
            raise Wrong(must, "text that is none", row) from None
        if not 1678 <= year < 2262:
            raise Wrong(must, "one beyond", row)
    return values


def _as_it_comes(values: list[Any], kinds: set[type]) -> list[Any]:
    """A type that has no check of its own: plain values that the journal can hold."""
    _only(values, kinds, {float, int, str, bool}, "hold plain values")
    if int in kinds:
        for row, value in enumerate(values):
            if type(value) is int and not -(2**63) <= value < 2**63:
                raise Wrong("hold whole numbers of 64 bits", "one beyond", row)
    return values


_CHECKS: Mapping[str, Callable[[list[Any], set[type]], list[Any]]] = {
    "double": _double,
    "float": _float,
    "long": _whole(64),
    "integer": _whole(32),
    "string": _string,
    "boolean": _boolean,
    "datetime": _datetime,
}


def _plain(given: Columns, form: str) -> Columns:
    if not given:
        raise InvalidInput("Every row must have at least one column.", where=form)
    taken = {}
    for name, values in given.items():
        column = InputColumn(name=name, type="", required=False)
        try:
            taken[name] = _checked(column, values)
        except Wrong as wrong:
            raise _refusal([(column, wrong)], form) from None
    return taken


def packed(columns: Columns) -> dict[str, list[Any] | Packed]:
    """Columns as they are journaled and sent to a scorer: lists as they are, arrays as their bytes."""
    for held in columns.values():
        if type(held) is not list:
            return {name: packed_values(held) for name, held in columns.items()}
    return columns


def packed_values(held: Any) -> list[Any] | Packed:
    if type(held) is list:
        return held
    return Packed(dtype=held.dtype.str, values=held.tobytes(), width=held.shape[1] if held.ndim > 1 else 0)


def scores_of(outputs: Any) -> Any:
    """Each row's score; of an array, without looking at each: its one column, or the second of two."""
    if type(outputs) is list:
        return [score_of(output) for output in outputs]
    if outputs.dtype.kind not in "fiub" or (outputs.ndim > 1 and outputs.shape[1] != 2):
        return [None] * len(outputs)
    return packed_values(outputs if outputs.ndim == 1 else outputs[:, 1])


def joined(parts: Sequence[Columns]) -> Columns:
    """The columns of several requests as one table's. All have the same names."""
    if len(parts) == 1:
        return parts[0]
    if all(type(held) is list for part in parts for held in part.values()):
        return {name: [value for part in parts for value in part[name]] for name in parts[0]}
    from tenure.serving import arrays

    return {name: arrays.joined([part[name] for part in parts]) for name in parts[0]}
