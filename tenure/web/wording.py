"""Numbers, instants and states in the words that people read. Times are UTC; a missing value is a dash."""

from __future__ import annotations

import datetime as calendar
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from tenure.records.base import DAY_US, HOUR_US, SECOND_US, moment_of
from tenure.records.windows import Interval

DASH = "–"
MINUTE_US = 60 * SECOND_US


def count(number: float | None) -> str:
    """A whole number with thousands apart.

    >>> count(12345)
    '12,345'
    """
    return DASH if number is None else signed(f"{number:,.0f}")


def short(number: float | None) -> str:
    """A large number in few characters, for tiles.

    >>> [short(n) for n in (950, 27_004, 336_776, 4_200_000)]
    ['950', '27.0 k', '337 k', '4.20 M']
    """
    if number is None:
        return DASH
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            scaled = number / size
            digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
            return f"{scaled:.{digits}f} {letter}"
    return f"{number:,.0f}"


def figure(number: float | None) -> str:
    """A measured number with as many digits as carry meaning.

    >>> [figure(n) for n in (0.71234, 12.5, 12345.6, 0.00012)]
    ['0.7123', '12.5', '12,346', '0.00012']
    """
    if number is None:
        return DASH
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else ("∞" if number > 0 else "−∞")
    if number == int(number) and abs(number) < 1e15:
        return signed(f"{number:,.0f}")
    if abs(number) >= 1000:
        return signed(f"{number:,.0f}")
    return signed(f"{number:.4g}")


def decimals(number: float | None, digits: int = 3) -> str:
    return DASH if number is None else signed(f"{number:,.{digits}f}")


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 0–1 in percent.

    >>> percent(0.125, 1)
    '12.5 %'
    """
    return DASH if share is None else signed(f"{share * 100:.{digits}f} %")


def signed(text: str) -> str:
    """A leading hyphen as a minus sign, which is as wide as a digit."""
    return f"−{text[1:]}" if text.startswith("-") else text


def interval(measured: Interval | None, form: str = "{:.3f}") -> str:
    """A value with the bounds of its interval.

    >>> interval(Interval(value=0.712, low=0.7, high=0.724))
    '0.712 (0.700 to 0.724)'
    """
    if measured is None or measured.value is None:
        return DASH
    told = signed(form.format(measured.value))
    if measured.low is None or measured.high is None:
        return told
    return f"{told} ({signed(form.format(measured.low))} to {signed(form.format(measured.high))})"


def plus_minus(measured: Interval | None, digits: int = 3) -> str:
    """Half the width of an interval, as ± figure; empty when it is not known."""
    if measured is None or measured.low is None or measured.high is None:
        return ""
    return f"± {(measured.high - measured.low) / 2:.{digits}f}"


def p_value(probability: float | None) -> str:
    """
    >>> [p_value(p) for p in (0.2, 0.0412, 0.0000001)]
    ['0.20', '0.041', '< 0.0001']
    """
    if probability is None:
        return DASH
    if probability < 0.0001:
        return "< 0.0001"
    return f"{probability:.2g}" if probability < 0.1 else f"{probability:.2f}"


def instant(at: int | None) -> str:
    """An instant to the minute.

    >>> instant(1_367_557_200_000_000)
    '3 May 2013, 05:00 UTC'
    """
    if not at:
        return DASH
    moment = moment_of(at)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def date(at: int | None) -> str:
    """
    >>> date(1_367_557_200_000_000)
    '3 May 2013'
    """
    if not at:
        return DASH
    moment = moment_of(at)
    return f"{moment.day} {moment:%b %Y}"


def day(date: calendar.date) -> str:
    """A day of the calendar.

    >>> day(calendar.date(2026, 1, 1))
    '1 Jan 2026'
    """
    return f"{date.day} {date:%b %Y}"


def span(start_at: int, end_at: int) -> str:
    """From when until when; whole days when both ends are midnights.

    >>> span(1_367_539_200_000_000, 1_368_144_000_000_000)
    '3 May – 9 May 2013'
    >>> span(1_367_557_200_000_000, 1_367_560_800_000_000)
    '3 May 2013, 05:00 – 06:00 UTC'
    """
    if start_at % DAY_US or end_at % DAY_US:
        if start_at // DAY_US == (end_at - 1) // DAY_US:
            return f"{date(start_at)}, {moment_of(start_at):%H:%M} – {moment_of(end_at):%H:%M} UTC"
        return f"{instant(start_at)} – {instant(end_at)}"
    first, last = moment_of(start_at), moment_of(end_at - DAY_US)
    if first == last:
        return date(start_at)
    start = f"{first.day} {first:%b}" if first.year == last.year else date(start_at)
    return f"{start} – {last.day} {last:%b %Y}"


def duration(length_us: int | None) -> str:
    """
    >>> [duration(n) for n in (450_000, 75_000_000, 7_260_000_000, 260_000_000_000)]
    ['450 ms', '1 min 15 s', '2 h 1 min', '3 d 0 h']
    """
    if length_us is None:
        return DASH
    if length_us < SECOND_US:
        return f"{length_us // 1000} ms"
    if length_us < MINUTE_US:
        return f"{length_us / SECOND_US:.1f} s"
    if length_us < HOUR_US:
        return f"{length_us // MINUTE_US} min {length_us % MINUTE_US // SECOND_US} s"
    if length_us < DAY_US:
        return f"{length_us // HOUR_US} h {length_us % HOUR_US // MINUTE_US} min"
    return f"{length_us // DAY_US} d {length_us % DAY_US // HOUR_US} h"


def size(size_bytes: int | None) -> str:
    """
    >>> [size(n) for n in (512, 2048, 5_400_000)]
    ['512 B', '2.0 KiB', '5.1 MiB']
    """
    if size_bytes is None:
        return DASH
    scaled = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if scaled < 1024 or unit == "GiB":
            return f"{scaled:.0f} B" if unit == "B" else f"{scaled:.1f} {unit}"
        scaled /= 1024
    raise AssertionError


def digest(value: str | None, length: int = 12) -> str:
    """The first characters of a digest, which are enough to tell two apart by eye."""
    return DASH if not value else value.removeprefix("sha256:")[:length]


def state(name: str) -> str:
    """A state's name as words: `not_enough_data` → `not enough data`."""
    return name.replace("_", " ")


def plain(value: Any) -> str:
    """Anything from a record as readable text: a word, a number, a list in one line, else indented JSON."""
    match value:
        case None | "" | [] | {}:
            told = DASH
        case bool():
            told = "yes" if value else "no"
        case int() | float():
            told = figure(value)
        case str():
            told = value
        case list() if all(isinstance(item, str | int | float) for item in value):
            sentences = any(str(item).endswith(".") for item in value)
            told = (" " if sentences else ", ").join(plain(item) for item in value)
        case _:
            told = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return told


def is_interval(value: Any) -> bool:
    return isinstance(value, Mapping) and {"value", "low", "high"} <= set(value)


LAST_MS = 253_402_300_799_000  # the end of the year 9999


def of_ms(at_ms: int | None) -> int:
    """Milliseconds of a client as an instant in microseconds; 0, which is told as a dash, for what is no date.

    >>> of_ms(1_750_000_000_000), of_ms(2**62), of_ms(None)
    (1750000000000000, 0, 0)
    """
    return at_ms * 1000 if at_ms is not None and 0 < at_ms <= LAST_MS else 0
