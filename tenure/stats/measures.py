"""What is counted of columns that cannot be counted as they are: of free texts their shape, of moments their hour.

Nothing here knows a language: letters are letters in every script, words are what stands between spaces.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers, Values, levels_of

HOUR_US = 3_600_000_000
WEEK_HOURS = 168
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = tuple(f"{day} {hour:02d}" for day in DAYS for hour in range(24))
FREE_SHARE = 0.5
FREE_ROWS = 100
_MONDAY = 3 * 24
"""Hours from Monday to the Thursday on which time began."""


def is_free(values: Values) -> bool:
    """Whether texts are written freely rather than chosen: at least 100 of them, and most of them different.

    >>> is_free([f"parcel {number} is late" for number in range(200)]), is_free(["yes", "no"] * 100)
    (True, False)
    """
    levels = [level for level in levels_of(values) if level is not None]
    return len(levels) >= FREE_ROWS and len(set(levels)) > FREE_SHARE * len(levels)


def text_measures(values: Values) -> dict[str, Numbers]:
    """Of each text its length in characters, its words, and the shares of letters, digits and marks among them.

    Marks are what is neither letter, digit nor space. NaN where the text is missing; of an empty text everything is 0.

    Examples
    --------
    >>> measured = text_measures(["Größe 42!", "", None])
    >>> {name: column.round(3).tolist() for name, column in measured.items()}["length"]
    [9.0, 0.0, nan]
    >>> measured["words"].tolist(), measured["digits"].round(3).tolist()
    ([2.0, 0.0, nan], [0.222, 0.0, nan])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.array(levels_of(values), pa.large_string())

    def found(pattern: str) -> Numbers:
        return _floats(pc.count_substring_regex(texts, pattern=pattern))

    length = _floats(pc.utf8_length(texts))
    with np.errstate(invalid="ignore"):
        whole = np.maximum(length, 1)
        letters, digits = found(r"\p{L}") / whole, found(r"\p{Nd}") / whole
        marks = found(r"[^\p{L}\p{Nd}\s]") / whole
    return {"length": length, "words": found(r"\S+"), "letters": letters, "digits": digits, "marks": marks}


def _floats(counts: Any) -> Numbers:
    column: Numbers = counts.cast("float64").to_numpy(zero_copy_only=False)
    return column


def moments_of(values: Values) -> npt.NDArray[np.object_]:
    """Moments as microseconds since 1970 UTC, None where there is none; shape (n,), integers.

    Takes numpy and Python moments and dates (naive ones are UTC), ISO 8601 texts and integers (which are microseconds).

    >>> moments_of(["1970-01-01T00:00:01Z", None, date(1970, 1, 2), "no moment"]).tolist()
    [1000000, None, 86400000000, None]
    """
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and array.dtype.kind == "M":
        found = array.astype("datetime64[us]").astype(np.int64).astype(object)
        found[np.isnat(array)] = None
        return found
    listed = list(values) if array is None else array.tolist()
    made = np.empty(len(listed), dtype=object)
    made[:] = [_moment_of(value) for value in listed]
    return made


def _moment_of(value: Any) -> int | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None or type(value).__name__ in ("NAType", "NaTType") or isinstance(value, bool | float):
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, datetime):
        since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days * 24 * HOUR_US
    return int(value) if isinstance(value, int | np.integer) else None


def moment_measures(values: Values) -> dict[str, Values]:
    """Of each moment itself, in microseconds, and its hour of the week (UTC), such as `Thu 00`.

    >>> moment_measures(["1970-01-01T00:30:00Z", None])
    {'moment': [1800000000.0, nan], 'hour of week': ['Thu 00', None]}
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return _of_array(values)
    known = moments_of(values).tolist()
    hours = [None if at is None else HOURS[(at // HOUR_US + _MONDAY) % WEEK_HOURS] for at in known]
    return {"moment": [float("nan") if at is None else float(at) for at in known], "hour of week": hours}


def _of_array(moments: npt.NDArray[Any]) -> dict[str, Values]:
    missing, since = np.isnat(moments), moments.astype("datetime64[us]").astype(np.int64)
    hours = np.array(HOURS, dtype=object)[(since // HOUR_US + _MONDAY) % WEEK_HOURS]
    hours[missing] = None
    return {"moment": np.where(missing, np.nan, since.astype(np.float64)), "hour of week": hours}


MEASURES: dict[str, Callable[[Values], Any]] = {
    **dict.fromkeys(("length", "words", "letters", "digits", "marks"), text_measures),
    **dict.fromkeys(("moment", "hour of week"), moment_measures),
}
"""By the name of a measure, the function that tells it, among others."""
