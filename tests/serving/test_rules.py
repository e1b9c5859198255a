"""The rules about columns by themselves: what is missing, what is no number, whole numbers, and quotas by the clock."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import OverQuota, TooLarge, ValuesRefused
from tenure.records.admission import ColumnRule
from tenure.records.base import DAY_US
from tenure.records.routing import InputColumn
from tenure.serving.quotas import MINUTE_US, Quotas
from tenure.serving.rules import ColumnChecks

DOUBLE = [InputColumn(name="x", type="double", required=False)]
NUMBERS = st.none() | st.floats() | st.integers(-200, 200)


def checks(inputs: list[InputColumn] | None = None, **told: Any) -> ColumnChecks:
    return ColumnChecks([ColumnRule(name="x", **told)], DOUBLE if inputs is None else inputs)


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.sampled_from(["clip", "flag", "reject"]))
def test_a_row_is_held_to_a_range_alone_as_among_others(values: list[Any], outside: Any) -> None:
    one = checks(low=-1, high=80.5, outside=outside)
    beyond = [k for k, value in enumerate(values) if value is not None and (value < -1 or value > 80.5)]
    if outside == "reject" and beyond:
        with pytest.raises(ValuesRefused) as refusal:
            one.check({"x": values}, len(values))
        assert refusal.value.where == f"x[{beyond[0]}]"
        return
    found = one.check({"x": values}, len(values))
    if outside == "flag":
        assert found.flagged == ({"x": beyond} if beyond else {})
        assert found.columns["x"] is values
    if outside == "clip":
        assert found.clipped == ({"x": {k: values[k] for k in beyond}} if beyond else {})
        seen = found.columns["x"]
        assert all(-1 <= value <= 80.5 for value in seen if value is not None and not math.isnan(value))
        assert [repr(value) for k, value in enumerate(seen) if k not in beyond] == [
            repr(value) for k, value in enumerate(values) if k not in beyond
        ]


@pytest.mark.parametrize("rows", [1, 3])
def test_nan_is_missing_and_not_outside(rows: int) -> None:
    values = [math.nan] * rows
    assert checks(low=0, high=1, outside="reject").check({"x": values}, rows).flagged == {}
    with pytest.raises(ValuesRefused) as refusal:
        checks(null="reject").check({"x": values}, rows)
    assert refusal.value.reason == "null"


def test_whole_numbers_stay_whole_when_they_are_clipped() -> None:
    whole = [InputColumn(name="x", type="long")]
    found = checks(whole, low=0.5, high=79.5, outside="clip").check({"x": [-3, 200, 5]}, 3)
    assert found.columns["x"] == [1, 79, 5]
    assert all(type(value) is int for value in found.columns["x"])


def test_a_rule_about_what_a_version_does_not_take_is_left_out() -> None:
    one = ColumnChecks([ColumnRule(name="y", low=0, high=1, outside="reject", null="reject")], DOUBLE)
    assert one.check({"x": [5.0]}, 1).columns == {"x": [5.0]}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("numeric", 1.5, "one"),
        ("numeric", 1, True),
        ("boolean", True, 1),
        ("text", "a", 1),
        ("categorical", "a", 1.5),
        ("categorical", 3, 2.5),
        ("datetime", "2027-01-01T00:00:00Z", "soon"),
    ],
)
def test_without_a_signature_the_declared_kind_counts(kind: str, good: Any, bad: Any) -> None:
    one = checks([], kind=kind)
    assert one.check({"x": [good, None]}, 2).columns == {"x": [good, None]}
    with pytest.raises(ValuesRefused) as refusal:
        one.check({"x": [good, bad]}, 2)
    assert (refusal.value.reason, refusal.value.where) == ("kind", "x[1]")
    if isinstance(bad, str):
        assert bad not in refusal.value.message


def test_a_range_of_what_is_no_number_refuses_rather_than_to_clip() -> None:
    with pytest.raises(ValuesRefused):
        checks([], low=0, high=1, outside="clip").check({"x": ["many"]}, 1)


def test_a_column_that_is_not_sent_is_missing() -> None:
    with pytest.raises(ValuesRefused):
        checks([], null="reject").check({"z": [1.0]}, 1)


def test_every_wrong_column_is_told_and_five_are_said() -> None:
    names = [f"c{k}" for k in range(7)]
    rules = [ColumnRule(name=name, low=0, high=1, outside="reject") for name in names]
    inputs = [InputColumn(name=name, type="double") for name in names]
    with pytest.raises(ValuesRefused) as refusal:
        ColumnChecks(rules, inputs).check({name: [4711.0] for name in names}, 1)
    assert [one["where"] for one in refusal.value.problems] == [f"{name}[0]" for name in names]
    assert "2 more columns are wrong" in refusal.value.message
    assert "4711" not in f"{refusal.value.message} {refusal.value.problems}"


def test_a_quota_begins_anew_with_the_minute_and_the_day(tmp_path: Path) -> None:
    quotas, now = Quotas(tmp_path, "g"), 20_000 * DAY_US + 59 * 1_000_000

    def take(rows: int, at: int, caller: str = "a") -> None:
        quotas.take("m", caller, rows, at, per_minute=10, per_day=25)

    take(10, now)
    take(10, now, "b")
    with pytest.raises(OverQuota) as refusal:
        take(1, now)
    assert refusal.value.retry_after_s == 1
    take(10, now + MINUTE_US)
    take(5, now + 2 * MINUTE_US)
    with pytest.raises(OverQuota, match="in a day") as refusal:
        take(1, now + 2 * MINUTE_US)
    assert refusal.value.retry_after_s == 86_400 - 179
    with pytest.raises(TooLarge, match="at most 10 rows"):
        take(11, now + DAY_US)
    take(10, now + DAY_US)


def test_what_is_over_is_not_kept_and_what_cannot_be_read_counts_as_nothing(tmp_path: Path) -> None:
    def quotas() -> Quotas:
        made = Quotas(tmp_path, "g")
        made.load()
        return made

    first, now = quotas(), 20_000 * DAY_US
    first.take("m", "yesterday", 5, now - DAY_US, per_minute=None, per_day=5)
    first.take("m", "today", 5, now, per_minute=None, per_day=5)
    first.keep(now)
    again = quotas()
    with pytest.raises(OverQuota):
        again.take("m", "today", 1, now, per_minute=None, per_day=5)
    again.take("m", "yesterday", 5, now, per_minute=None, per_day=5)
    (tmp_path / "routing" / "quotas" / "g.json").write_text("{")
    quotas().take("m", "today", 5, now, per_minute=None, per_day=5)
