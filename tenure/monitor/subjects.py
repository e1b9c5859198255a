"""What an alert is about: a column as it came, or a column and in which respect. Names are made and read here alone."""

from __future__ import annotations

from typing import Literal

Aspect = Literal["previous window", "same season", "schema", "missing"]
ASPECTS: tuple[Aspect, ...] = ("previous window", "same season", "schema", "missing")
TOGETHER = "all columns together"


def about(column: str, aspect: Aspect) -> str:
    """
    >>> about("temp", "missing")
    'temp (missing)'
    """
    return f"{column} ({aspect})"


def column_of(subject: str) -> str:
    """The column that a subject is about.

    >>> column_of("temp (missing)"), column_of("temp")
    ('temp', 'temp')
    """
    aspect = aspect_of(subject)
    return subject.removesuffix(f" ({aspect})") if aspect else subject


def aspect_of(subject: str) -> Aspect | None:
    """
    >>> aspect_of("temp (schema)"), aspect_of("temp")
    ('schema', None)
    """
    return next((one for one in ASPECTS if subject.endswith(f" ({one})")), None)
