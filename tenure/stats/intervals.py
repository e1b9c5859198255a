"""Confidence intervals for shares and means, and bootstrap intervals that merge."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers, numbers_of

REPLICATES = 200


class Interval3(NamedTuple):
    """An estimate, its confidence interval, and the variance of the estimate; None stands for "cannot be told"."""

    value: float | None
    low: float | None
    high: float | None
    variance: float | None


UNKNOWN = Interval3(None, None, None, None)


def z_of(confidence: float) -> float:
    """How many standard deviations a two-sided normal interval reaches to each side.

    >>> round(z_of(0.95), 3)
    1.96
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1. Got {confidence}. Write 0.95 for 95 %.")
    return float(special.ndtri((1 + confidence) / 2))


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval3:
    """A share with Wilson's score interval, which stays within 0–1 and holds its coverage near both ends.

    With n = 0 the value is None and the interval all of 0–1.

    Source: Wilson (1927); recommended by Brown, Cai & DasGupta (2001).

    >>> share = wilson(0, 20)
    >>> share.value, share.low, round(share.high, 4)
    (0.0, 0.0, 0.1611)
    """
    z = z_of(confidence)
    _check_share(successes, n)
    if n == 0:
        return Interval3(None, 0.0, 1.0, None)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(middle - reach, 0.0)
    high = 1.0 if successes == n else min(middle + reach, 1.0)
    return Interval3(share, low, high, share * (1 - share) / n)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval3:
    """A share with the exact interval: it never covers less often than `confidence`, at any n and share.

    With n = 0 the value is None and the interval all of 0–1.

    Source: Clopper & Pearson (1934).

    >>> share = clopper_pearson(0, 20)
    >>> share.low, round(share.high, 4)
    (0.0, 0.1684)
    """
    z_of(confidence)
    _check_share(successes, n)
    if n == 0:
        return Interval3(None, 0.0, 1.0, None)
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    share = successes / n
    return Interval3(share, low, high, share * (1 - share) / n)


def _check_share(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be between 0 and n. Got {successes} of {n}.")


def mean_interval(values: Sequence[Any] | npt.NDArray[Any], confidence: float = 0.95) -> Interval3:
    """A mean with Student's interval, for rows that are independent.

    Missing values are left out. None everywhere without a value or with an infinite one; one value has a mean
    but no interval.

    Source: Student (1908).

    >>> mean_interval([1.0, 2.0, 3.0]).value
    2.0
    """
    z_of(confidence)
    column = numbers_of(values).astype(np.float64)
    column = column[~np.isnan(column)]
    if not len(column) or not np.all(np.isfinite(column)):
        return UNKNOWN
    mean = float(np.mean(column))
    if len(column) == 1:
        return Interval3(mean, None, None, None)
    variance = float(np.var(column, ddof=1)) / len(column)
    reach = float(special.stdtrit(len(column) - 1, (1 + confidence) / 2)) * math.sqrt(variance)
    return Interval3(mean, mean - reach, mean + reach, variance)


class BootstrapSums(NamedTuple):
    """What a bootstrap of a mean needs to keep: `sums[r]` and `weights[r]` of replicate r, shape (replicates,).

    Parts of the rows are merged by addition.
    """

    n: int
    total: float
    sums: Numbers
    weights: npt.NDArray[np.int64]


def key_hashes(keys: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """64 bits for each key, the same on every machine, in every process and in every version.

    >>> key_hashes(["a", "b"]).tolist() == key_hashes(["a", "b"]).tolist()
    True
    """
    texts = (str(key).encode("utf-8", "surrogatepass") for key in keys)
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def poisson_weights(keys: Sequence[Any] | npt.NDArray[Any], replicates: int = REPLICATES) -> npt.NDArray[np.uint8]:
    """How often each row is drawn in each replicate: Poisson(1), decided by a hash of the row's key alone.

    So the weights need no shared generator, and a row has the same ones wherever and whenever it is counted.

    Returns
    -------
    Shape (len(keys), replicates).

    Source: Hanley & MacGibbon (2006), "Creating non-parametric bootstrap samples using Poisson frequencies";
    Steele, Lea & Flood (2014) for the mixing function (SplitMix64).

    >>> poisson_weights(["prediction-1"], replicates=8).tolist() == poisson_weights(["prediction-1"], 8).tolist()
    True
    """
    steps = np.arange(1, replicates + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        mixed = key_hashes(keys)[:, None] + steps[None, :]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    drawn = np.searchsorted(_POISSON_STEPS, mixed.ravel(), side="right")
    return np.asarray(drawn.astype(np.uint8).reshape(mixed.shape))


_POISSON_STEPS = np.array(
    [int(share * 2**64) for share in special.pdtr(np.arange(14), 1.0).tolist() if share < 1], dtype=np.uint64
)


def bootstrap_sums(
    values: Sequence[Any] | npt.NDArray[Any], keys: Sequence[Any] | npt.NDArray[Any], replicates: int = REPLICATES
) -> BootstrapSums:
    """The sums of a Poisson bootstrap over some rows. Missing and infinite values are left out.

    >>> bootstrap_sums([1.0, None], ["a", "b"]).n
    1
    """
    column = numbers_of(values).astype(np.float64)
    if len(column) != len(keys):
        raise ValueError(f"Every value needs a key. Got {len(column)} values and {len(keys)} keys.")
    there = np.flatnonzero(np.isfinite(column))
    sums, weights = np.zeros(replicates), np.zeros(replicates, np.int64)
    for start in range(0, len(there), 4096):
        rows = there[start : start + 4096]
        drawn = poisson_weights([keys[row] for row in rows.tolist()], replicates)
        sums += column[rows] @ drawn
        weights += drawn.sum(axis=0, dtype=np.int64)
    return BootstrapSums(len(there), math.fsum(column[there].tolist()), sums, weights)


def merge_bootstrap(parts: Sequence[BootstrapSums]) -> BootstrapSums:
    """The sums over all rows together, from parts (at least one) with the same number of replicates.

    >>> part = bootstrap_sums([2.0], ["a"])
    >>> merge_bootstrap([part, part]).total
    4.0
    """
    return BootstrapSums(
        n=sum(part.n for part in parts),
        total=math.fsum(part.total for part in parts),
        sums=np.sum([part.sums for part in parts], axis=0),
        weights=np.sum([part.weights for part in parts], axis=0),
    )


def interval_of_bootstrap(kept: BootstrapSums, confidence: float = 0.95) -> Interval3:
    """The mean with the bootstrap's standard interval: its own error, estimated from the replicates, is allowed for.

    None everywhere without rows; a mean without an interval when fewer than 2 rows were there.

    Source: Efron & Tibshirani (1993), chapter 13; Student's quantile for the error of the standard error.
    """
    z_of(confidence)
    if kept.n == 0:
        return UNKNOWN
    mean = kept.total / kept.n
    drawn = kept.weights > 0
    if kept.n == 1 or np.count_nonzero(drawn) < 2:
        return Interval3(mean, None, None, None)
    variance = float(np.var(kept.sums[drawn] / kept.weights[drawn], ddof=1))
    reach = float(special.stdtrit(np.count_nonzero(drawn) - 1, (1 + confidence) / 2)) * math.sqrt(variance)
    return Interval3(mean, mean - reach, mean + reach, variance)


def poisson_bootstrap_mean(
    values: Sequence[Any] | npt.NDArray[Any],
    keys: Sequence[Any] | npt.NDArray[Any],
    confidence: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval3:
    """A mean with a bootstrap interval whose randomness comes from the rows' keys: the same rows, the same interval.

    Parameters
    ----------
    values
        Shape (n,); missing and infinite ones are left out.
    keys
        Shape (n,), one for each row, such as its prediction id. Rows with the same key are drawn together, so a
        key of a customer makes an interval for dependent rows.

    Examples
    --------
    >>> mean = poisson_bootstrap_mean([0.0, 1.0] * 200, range(400))
    >>> mean.value, 0.4 < mean.low < 0.5 < mean.high < 0.6
    (0.5, True)
    """
    return interval_of_bootstrap(bootstrap_sums(values, keys, replicates), confidence)


def paired_bootstrap(
    measure: Callable[[Numbers, Numbers], float | None],
    y: Sequence[Any] | npt.NDArray[Any],
    score_a: Sequence[Any] | npt.NDArray[Any],
    score_b: Sequence[Any] | npt.NDArray[Any],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> Interval3:
    """The difference `measure(y, score_b) − measure(y, score_a)` on the same rows, with a percentile interval.

    Rows are drawn with replacement and both scores are judged on the same draw, so what they share cancels.

    Parameters
    ----------
    measure
        Of (y, score); None where it cannot be told. Draws for which it is None are left out.
    y, score_a, score_b
        Shape (n,). A row with any of the three missing is left out.
    replicates
        At least 10 / (1 − confidence), so that each tail holds 5 of them.

    Source: Efron & Tibshirani (1993), chapter 13.

    Examples
    --------
    >>> from tenure.stats.accuracy import brier
    >>> y = [0.0, 1.0] * 50
    >>> better = paired_bootstrap(brier, y, [0.5] * 100, y, rng=np.random.default_rng(1))
    >>> better.value, better.high < 0
    (-0.25, True)
    """
    if replicates * (1 - confidence) < 10 - 1e-9:
        raise ValueError(f"replicates must be at least 10 / (1 - confidence). Got {replicates} at {confidence}.")
    rows = np.column_stack([numbers_of(column).astype(np.float64) for column in (y, score_a, score_b)])
    rows = rows[~np.isnan(rows).any(axis=1)]
    value = _difference(measure, rows)
    if value is None:
        return UNKNOWN
    drawn = (_difference(measure, rows[rng.integers(0, len(rows), len(rows))]) for _ in range(replicates))
    told = np.array([difference for difference in drawn if difference is not None])
    if len(told) < 2:
        return Interval3(value, None, None, None)
    low, high = np.quantile(told, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval3(value, float(low), float(high), float(np.var(told, ddof=1)))


def _difference(measure: Callable[[Numbers, Numbers], float | None], rows: Numbers) -> float | None:
    one, other = measure(rows[:, 0], rows[:, 1]), measure(rows[:, 0], rows[:, 2])
    return None if one is None or other is None else other - one
