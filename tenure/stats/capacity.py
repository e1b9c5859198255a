"""How many requests a second fill a process, by the utilisation law: U = X · S.

U is the share of time that a process is busy, X its requests a second, S the CPU seconds that one takes. A process that
computes on one core is full at X = 1 / S.

Source: Denning & Buzen (1978), "The Operational Analysis of Queueing Network Models" (ACM Computing Surveys 10(3)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

LEAST_MINUTES = 5
"""With fewer spans an interval would say more of chance than of the process."""


class CpuOfRequest(NamedTuple):
    """CPU of one request in microseconds with its interval; `low` is at least 0."""

    value: float
    low: float
    high: float


class FullAt(NamedTuple):
    """Requests a second that fill one core; `high` is infinite where nothing bounds it."""

    value: float
    low: float
    high: float


def cpu_of_request(spans: Sequence[tuple[int, int]], confidence: float = 0.95) -> CpuOfRequest | None:
    """What one request takes, from spans of equal length: requests, at least 1, and CPU in microseconds, shape (n,).

    The ratio of the sums with its linearised variance and Student's quantile, the spans taken as independent. None for
    fewer than five spans. What a process does while idle is counted in, so at little load it is too high.

    Source: Cochran (1977), "Sampling Techniques", section 6.4.

    >>> cpu_of_request([(100, 5_000)] * 6)
    CpuOfRequest(value=50.0, low=50.0, high=50.0)
    """
    n = len(spans)
    if n < LEAST_MINUTES:
        return None
    if any(requests < 1 or cpu < 0 for requests, cpu in spans):
        raise ValueError("Each span must hold a request at least, and no less CPU than 0.")
    mean_requests = sum(requests for requests, _ in spans) / n
    ratio = sum(cpu for _, cpu in spans) / (n * mean_requests)
    residuals = sum((cpu - ratio * requests) ** 2 for requests, cpu in spans)
    deviation = math.sqrt(residuals / (n * (n - 1))) / mean_requests
    reach = student_quantile((1 + confidence) / 2, n - 1) * deviation
    return CpuOfRequest(ratio, max(ratio - reach, 0.0), ratio + reach)


def full_at(cpu: CpuOfRequest) -> FullAt | None:
    """How many requests a second fill one core; None where no CPU was measured, which is less than the clock tells.

    >>> full_at(CpuOfRequest(500.0, 400.0, 1000.0))
    FullAt(value=2000.0, low=1000.0, high=2500.0)
    """
    if cpu.value <= 0:
        return None
    return FullAt(1e6 / cpu.value, 1e6 / cpu.high, 1e6 / cpu.low if cpu.low > 0 else math.inf)


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t for at least 4 degrees of freedom, within 0.01 between 0.01 and 0.99.

    Here rather than from scipy, which the process that shows pages does not load.

    Source: Abramowitz & Stegun (1964), 26.7.5.

    >>> round(student_quantile(0.975, 9), 3)
    2.262
    """
    if freedom < LEAST_MINUTES - 1:
        raise ValueError(f"At least 4 degrees of freedom are needed. Got {freedom}.")
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / float(freedom**power) for power, term in enumerate(terms, 1))
