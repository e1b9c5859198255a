"""What a form is: how columns become numbers, what is computed of them, and what the answer looks like. Data alone."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

PROGRAM_FILE = "form.msgpack"
ONNX_FILE = "model.onnx"
Value = str | float | int | bool
Link = Literal["identity", "logistic", "softmax", "exp"]
Says = Literal["value", "values", "two", "label"]


class Number(Record):
    """A column of numbers. One outside of `low`–`high` is refused, as the version itself refuses it.

    Linear: adds `(x - centre) * weights`, one weight for each score. `null`: what a missing value adds, empty for what
    it is (trees know missing values); None when it is refused. `single`: the version rounds to 32 bits first.
    """

    name: str
    low: float
    high: float
    null: list[float] | None
    centre: float = 0.0
    weights: list[float] = []
    single: bool = False


class Table(Record):
    """A column of categories: for each what it adds to the scores (linear), or the numbers that stand for it (trees).

    `unknown`: for a category that is not among `keys`; `null`: for a missing one; None where the version refuses it.
    """

    name: str
    keys: list[Value]
    rows: list[list[float]]
    unknown: list[float] | None
    null: list[float] | None


class Finish(Record):
    """From scores to an answer: `link((scores / divisor) + base)`, then what is said of it.

    `value`: one number; `values`: all of them; `two`: the shares of no and yes; `label`: of the largest score, or of
    one score above `cut` (from `cut` on, when `inclusive`). `single`: in 32 bits.
    """

    says: Says
    link: Link = "identity"
    divisor: float = 1.0
    base: list[float] = []
    labels: list[Value] = []
    cut: float = 0.0
    inclusive: bool = False
    single: bool = False


class Program(Record):
    """`base`: what linear scores begin with. `feeds`: of `onnx`, the type of each input tensor by name, such as
    `x:double`; one tensor for all columns when its name is empty.
    """

    kind: Literal["linear", "trees", "onnx"]
    numbers: list[Number]
    tables: list[Table]
    finish: Finish
    base: list[float] = []
    feeds: dict[str, str] = {}
