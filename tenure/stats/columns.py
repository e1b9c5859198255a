"""What counts as a number, as a level and as missing, the same at training and at scoring."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Values = Sequence[Any] | npt.NDArray[Any]


def numbers_of(values: Values) -> npt.NDArray[np.floating[Any]]:
    """A column as floats; whatever is not a number (None, text, a date) becomes NaN, which means missing.

    Parameters
    ----------
    values
        Shape (n,). Floats of 32 or 64 bits are returned as they are, not copied. True counts as 1.
        A text such as "12" is not a number.

    Examples
    --------
    >>> numbers_of([1, True, None, "12", 2.5]).tolist()
    [1.0, 1.0, nan, nan, 2.5]
    """
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    array = values if isinstance(values, np.ndarray) else _array_of(values)
    if array.ndim != 1:
        raise ValueError(f"A column must have one dimension. Got shape {array.shape}.")
    if array.dtype in (np.float64, np.float32):
        return array
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "O":
        return np.fromiter((_number(value) for value in array.tolist()), np.float64, len(array))
    return np.full(len(array), np.nan)


def strangers_in(values: Values) -> int:
    """How many values are there, but are no numbers: what a column holds whose type has changed.

    >>> strangers_in([1, "12", None, "x", float("nan")])
    2
    """
    array = values if isinstance(values, np.ndarray) else _array_of(values)
    if array.dtype.kind in "biuf":
        return 0
    if array.dtype.kind in "Mm":
        return len(array) - int(np.count_nonzero(np.isnat(array)))
    return sum(
        level_name(value) is not None and not isinstance(value, int | float | np.number | np.bool_ | Decimal)
        for value in array.tolist()
    )


def _array_of(values: Sequence[Any]) -> npt.NDArray[Any]:
    """A list as an array without numpy's habit of turning numbers among texts into texts."""
    kinds = set(map(type, values))
    if kinds <= {float} or kinds <= {int} or kinds <= {bool}:
        try:
            return np.array(values, dtype=None if kinds else np.float64)
        except OverflowError:
            pass
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _number(value: Any) -> float:
    if not isinstance(value, int | float | np.number | np.bool_ | Decimal) or isinstance(value, np.complexfloating):
        return np.nan
    if isinstance(value, np.timedelta64):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
    except ValueError:  # a signalling NaN of the decimal module
        return np.nan


def levels_of(values: Values) -> list[str | None]:
    """A column as names of levels; None is missing.

    True is "true", 3 and 3.0 are both "3", so that a level keeps its name through JSON, Parquet and a column
    of integers that became floats because one was missing. The empty text is a level like any other.

    Examples
    --------
    >>> levels_of(["a", "", True, 3.0, None, float("nan")])
    ['a', '', 'true', '3', None, None]
    """
    if isinstance(values, np.ma.MaskedArray):
        return [level_name(value) for value in values.tolist()]
    plain: list[Any] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if set(map(type, plain)) <= {str, type(None)}:
        return plain
    return [level_name(value) for value in plain]


def level_name(value: Any) -> str | None:
    """The name of one level, or None when it is missing.

    >>> level_name(False)
    'false'
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating | Decimal):
        if value != value:  # noqa: PLR0124 - only NaN differs from itself
            return None
        whole = float(value)
        return str(int(whole)) if whole.is_integer() and abs(whole) < 2.0**53 else str(whole)
    if isinstance(value, np.datetime64 | np.timedelta64) and np.isnat(value):
        return None
    return str(value)
