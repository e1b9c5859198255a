"""The utilisation law: Student's quantile against scipy, the interval against a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tenure.stats import capacity


@pytest.mark.parametrize("freedom", [4, 5, 9, 29, 200])
@pytest.mark.parametrize("probability", [0.01, 0.2, 0.5, 0.9, 0.975, 0.99])
def test_students_quantile_is_scipys(freedom: int, probability: float) -> None:
    assert capacity.student_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), abs=0.01)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, truth, covered = np.random.default_rng(5), 400.0, 0
    for _ in range(1000):
        requests = rng.integers(500, 1000, 12)
        cpu = requests * truth + rng.normal(0, 15_000, 12)
        found = capacity.cpu_of_request([(int(n), max(round(us), 0)) for n, us in zip(requests, cpu, strict=True)])
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_process_is_full_when_its_cpu_is() -> None:
    found = capacity.full_at(capacity.CpuOfRequest(500.0, 0.0, 1000.0))
    assert found == (2000.0, 1000.0, math.inf)
    assert capacity.full_at(capacity.CpuOfRequest(0.0, 0.0, 0.0)) is None


def test_few_spans_tell_nothing() -> None:
    assert capacity.cpu_of_request([(10, 100)] * 4) is None
    assert capacity.cpu_of_request([]) is None
    with pytest.raises(ValueError, match="a request at least"):
        capacity.cpu_of_request([(0, 100)] * 5)
    with pytest.raises(ValueError, match="degrees of freedom"):
        capacity.student_quantile(0.9, 3)
