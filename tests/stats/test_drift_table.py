"""One table a column: complete, symmetric where it should be, indifferent to names, and sane on bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tenure.records.profiles import CategoricalProfile, NumericProfile
from tenure.sdk.profiles import count_categorical, count_numeric
from tenure.stats import distances, drift_table
from tenure.stats.drift_table import Statistic
from tenure.stats.histograms import quantile_edges, vocabulary

COUNTS = st.lists(st.integers(0, 5_000), min_size=4, max_size=4)


def numeric(a: Any, b: Any) -> tuple[NumericProfile, NumericProfile]:
    edges, points = (one.tolist() for one in quantile_edges(a))
    return count_numeric(a, edges, points), count_numeric(b, edges, points)


def levels(a: list[str | None], b: list[str | None]) -> tuple[CategoricalProfile, CategoricalProfile]:
    known = vocabulary(a)
    return count_categorical(a, *known), count_categorical(b, *known)


def named(made: list[Statistic]) -> dict[str, Statistic]:
    return {one.name: one for one in made}


def test_a_table_has_every_statistic_with_its_threshold_and_sizes():
    rng = np.random.default_rng(1)
    made = drift_table.table(*numeric(rng.normal(size=5_000), rng.normal(0.5, 1, size=2_000)), level=0.01)
    assert tuple(one.name for one in made) == drift_table.NUMERIC
    assert {(one.n_reference, one.n_current) for one in made} == {(5_000, 2_000)}
    tests = [one for one in made if one.kind == "test"]
    assert all((one.threshold, one.direction) == (0.01, "below") and one.p_value is not None for one in tests)
    assert all(one.direction == "above" for one in made if one.kind == "distance")
    assert all(one.value > one.threshold for one in made if one.kind == "distance")
    told = drift_table.table(*levels(["a", "b"] * 100, ["a", "c"] * 100))
    assert tuple(one.name for one in told) == drift_table.CATEGORICAL
    assert [one.name for one in drift_table.table(*levels(["a"] * 200, ["a"] * 200), names=["g", "psi"])] == [
        "psi",
        "g",
    ]


def test_the_threshold_of_psi_allows_for_what_sampling_gives():
    rng = np.random.default_rng(2)
    psi = named(drift_table.table(*numeric(rng.normal(size=300), rng.normal(size=300)), psi_floor=0.1))["psi"]
    of_many_rows = (1 / 300 + 1 / 300) * 9
    assert psi.threshold == pytest.approx(0.1 + of_many_rows * (1 - 1 / 60))  # 30 rows in each of the ten bins


def test_g_and_the_distances_equal_scipys_and_their_definitions():
    rng = np.random.default_rng(3)
    p, q = rng.multinomial(2_000, np.full(12, 1 / 12)), rng.multinomial(900, rng.dirichlet(np.full(12, 30.0)))
    expected = scipy.stats.chi2_contingency(np.array([p, q]), correction=False, lambda_="log-likelihood")
    test = distances.g_test(p, q)
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert test.p_value > expected.pvalue  # corrected, where scipy's is not
    williams = 1 + (2900 * (1 / 2000 + 1 / 900) - 1) * (np.sum(2900 / (p + q)) - 1) / (6 * 2900 * 11)
    assert test.p_value == pytest.approx(scipy.stats.chi2.sf(expected.statistic / williams, 11), rel=1e-9)
    a, b = p / p.sum(), q / q.sum()
    assert distances.hellinger(p, q) == pytest.approx(math.sqrt(1 - np.sum(np.sqrt(a * b))), rel=1e-9)
    assert distances.total_variation(p, q) == pytest.approx(scipy.spatial.distance.cityblock(a, b) / 2, rel=1e-9)
    assert distances.l_infinity(p, q) == pytest.approx(scipy.spatial.distance.chebyshev(a, b), rel=1e-9)


@given(pair=st.tuples(COUNTS, COUNTS), order=st.permutations(range(4)))
def test_levels_have_no_order_and_most_distances_no_direction(pair, order):
    names = ["a", "b", "c", "d"]

    def profile(counts: list[int], places: Any = range(4)) -> CategoricalProfile:
        return CategoricalProfile(
            levels=[names[at] for at in places], counts=[counts[at] for at in places], n=sum(counts)
        )

    one, other = profile(pair[0]), profile(pair[1])
    told = named(drift_table.table(one, other))
    moved = named(drift_table.table(profile(pair[0], order), profile(pair[1], order)))
    back = named(drift_table.table(other, one))
    for name in drift_table.CATEGORICAL:
        assert moved[name].value == pytest.approx(told[name].value, abs=1e-9)
        assert moved[name].p_value == pytest.approx(told[name].p_value, abs=1e-9)
        if name not in ("new_level_share", "null_share"):
            assert back[name].value == pytest.approx(told[name].value, rel=1e-9, abs=1e-9)
    same = named(drift_table.table(one, one))
    assert all(
        same[name].value == pytest.approx(0, abs=1e-7) for name in drift_table.CATEGORICAL if name != "null_share"
    )
    assert all(line.p_value is None or line.p_value == pytest.approx(1) for line in same.values())


RNG = np.random.default_rng(4)
NORMAL = RNG.normal(size=2_000)
BAD = {
    "all null": ([None] * 2_000, True),
    "empty": ([], False),
    "one row": ([0.0], False),
    "constant": (np.full(2_000, 0.3), True),
    "infinite": (np.full(2_000, np.inf), True),
    "one infinite value": (np.append(NORMAL, np.inf), False),
    "one stray value": (np.append(NORMAL, 1e300), False),
    "unit × 1000": (NORMAL * 1000, True),
    "text": (["12"] * 2_000, True),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_numbers_have_a_defined_answer(what):
    values, alarms = BAD[what]
    made = drift_table.with_q_values([drift_table.table(*numeric(NORMAL, values), level=0.01)])[0]
    for one in made:
        assert math.isfinite(one.value)
        assert one.p_value is None or 0 <= one.p_value <= 1
    psi = named(made)["psi"]
    assert psi.q_value is not None
    assert (psi.q_value < 0.01 and psi.value > psi.threshold) is alarms


@pytest.mark.parametrize("reference", [[None] * 500, np.full(500, 7.0), [1.0], np.full(500, np.inf)])
def test_a_reference_without_a_distribution_has_a_defined_answer(reference):
    same = named(drift_table.table(*numeric(reference, reference)))
    assert all(one.value == pytest.approx(0, abs=1e-9) for name, one in same.items() if name != "null_share")
    for one in drift_table.table(*numeric(reference, NORMAL)):
        assert math.isfinite(one.value)
        assert one.p_value is None or 0 <= one.p_value <= 1


def test_one_level_in_a_million_and_a_hundred_thousand_levels_raise_no_alarm():
    rng = np.random.default_rng(5)
    rare = levels(["a"] * 999_999 + ["b"], ["a"] * 99_999 + ["z"])
    names = [f"id {one}" for one in rng.integers(0, 100_000, 60_000)]
    many = levels(names[:40_000], names[40_000:])
    for pair in (rare, many):
        told = named(drift_table.table(*pair, level=0.01))
        assert told["psi"].p_value is not None
        assert not (told["psi"].p_value < 0.01 and told["psi"].value > told["psi"].threshold)
        assert told["new_level_share"].p_value is not None
        assert told["new_level_share"].p_value > 0.01
    new = named(drift_table.table(*levels(["a", "b"] * 5_000, ["a", "b"] * 970 + ["z"] * 60)))
    assert new["new_level_share"].p_value is not None
    assert new["new_level_share"].p_value < 1e-6


def test_a_changed_kind_has_no_table_and_other_bins_are_refused():
    number, text = numeric(NORMAL, NORMAL)[0], levels(["a"] * 200, ["a"])[0]
    assert drift_table.table(number, text) == []
    other = numeric(NORMAL * 2, NORMAL)[1]
    with pytest.raises(ValueError, match="same bins"):
        drift_table.table(number, other)


def test_a_changed_unit_is_recognised():
    away = RNG.normal(20, 3, 2_000)
    assert drift_table.unit_factor(*numeric(away, away * 1000)) == 1000
    assert drift_table.unit_factor(*numeric(away, away * 0.01)) == 0.01
    assert drift_table.unit_factor(*numeric(away, away * 3)) is None
    assert drift_table.unit_factor(*numeric(away, away + 180)) is None
    assert drift_table.unit_factor(*numeric(away, [None] * 500)) is None


def test_q_values_are_those_of_each_statistic_over_the_columns():
    rng = np.random.default_rng(6)
    tables = [drift_table.table(*numeric(NORMAL, rng.normal(shift, 1, 500))) for shift in (0.0, 0.05, 0.3)]
    tables.append(drift_table.table(*levels(["a", "b"] * 500, ["a"] * 300 + ["b"] * 200)))
    corrected = drift_table.with_q_values(tables)
    for name in ("psi", "ks"):
        p = [one.p_value for column in tables for one in column if one.name == name]
        q = [one.q_value for column in corrected for one in column if one.name == name]
        np.testing.assert_allclose(q, scipy.stats.false_discovery_control(p), rtol=1e-9)
    assert all(one.q_value is None for column in corrected for one in column if one.p_value is None)
