"""Texts of a CSV file as what they stand for. Which that is, all values of a column decide together."""

from __future__ import annotations

from typing import Any

Arrow = Any

NUMBER = r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?[iI]nf(inity)?|[nN]a[nN])\s*$"
BOOLEAN = r"^([tT]rue|[fF]alse|TRUE|FALSE)$"
MOMENT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$"


def kind_of_texts(column: Arrow) -> tuple[Arrow, str]:
    """A column of texts and what it holds: numbers, true and false, ISO moments, or texts (when in doubt).

    >>> import pyarrow as pa
    >>> kind_of_texts(pa.array(["1", "2.5", None]))[1], kind_of_texts(pa.array(["1", "x"]))[1]
    ('number', 'text')
    """
    import pyarrow.compute as pc

    known = column.drop_null()
    if not len(known):
        return column, "text"
    for kind, pattern in (("number", NUMBER), ("boolean", BOOLEAN), ("moment", MOMENT)):
        if pc.all(pc.match_substring_regex(known, pattern)).as_py():
            if kind == "number":
                return numbers_of_texts(column)[0], kind
            return (plain_levels(column) if kind == "boolean" else column), kind
    return column, "text"


def numbers_of_texts(column: Arrow) -> tuple[Arrow, int]:
    """Texts as floats, and how many of them were no numbers; those are NaN, as missing ones are.

    >>> import pyarrow as pa
    >>> values, wrong = numbers_of_texts(pa.array(["1", " 2e3", "x", None]))
    >>> values.tolist(), wrong
    ([1.0, 2000.0, nan, nan], 1)
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    fits = pc.match_substring_regex(column, NUMBER)
    texts = pc.utf8_trim_whitespace(pc.if_else(fits, column, pa.scalar(None, column.type)))
    values = texts.cast("float64").to_numpy(zero_copy_only=False)
    return values, len(column) - column.null_count - (pc.sum(fits.cast("int64")).as_py() or 0)


def plain_levels(column: Arrow) -> Arrow:
    """Texts for true and false as Tenure writes them."""
    import pyarrow.compute as pc

    return pc.utf8_lower(column)
