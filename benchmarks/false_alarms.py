"""How often drift is called where there is none: `python -m benchmarks.false_alarms`.

Two samples of one distribution are profiled and compared as a window is: reference cut at its own quantiles, current
rows counted in the same bins, p-values of the table. A good test says p ≤ 5 % in 5 % of the trials, at every size. The
table gives that share in percent with its Monte-Carlo error. For continuous columns counts are drawn directly by an
exact shortcut: how much of a distribution lies between order statistics of a sample follows a Dirichlet law, whatever
the distribution, so ten million rows cost no more than two hundred.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from benchmarks.experiments import Grid, show
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile
from tenure.sdk import profiles
from tenure.stats import bin_laws, distances, drift_bins, drift_table, gaps
from tenure.stats.domain_classifier import domain_classifier
from tenure.stats.histograms import NumericCounts, quantile_edges, vocabulary
from tenure.stats.multiplicity import benjamini_hochberg
from tenure.stats.reconstruction import reconstruction

Array = np.ndarray[Any, Any]
TRIALS = 4000
LEVEL = 0.05
SIZES = (200, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
ROW_SIZES = (200, 1_000, 10_000)
FINE = 256
BINS = (10, 20)
ON_SHARES = ("psi", "chi_squared", "g")
NAMES = (*(f"{name}_{bins}" for name in ON_SHARES for bins in BINS), *drift_table.ON_RANKS)


class Cell(NamedTuple):
    """One line: `shares` of trials with p ≤ 5 %, by statistic; None where a statistic does not apply."""

    shape: str
    n: int
    m: int
    trials: int
    shares: dict[str, float | None]


class Pair(NamedTuple):
    """Short bins (10, 20) for what compares shares, ordered fine bins for what compares ranks (None: no order)."""

    short: list[tuple[Array, Array]]
    ordered: tuple[Array, Array] | None


Draw = Callable[[np.random.Generator, int], Array]


def continuous(rng: np.random.Generator, n: int, m: int) -> Pair:
    """Counts of two samples of any continuous distribution, the first cut at its own quantiles; exact."""
    fine = min(FINE, n)
    at = np.minimum(np.ceil(np.arange(1, fine) * (n / fine)).astype(np.int64), n - 1)
    expected = np.diff(np.concatenate(([0], at, [n])))
    # Before the edge, the order statistic at + 1, there are at + 1 gaps; after the last value there is one more.
    gaps = np.diff(np.concatenate(([0], at + 1, [n + 1])))
    observed = rng.multinomial(m, rng.dirichlet(gaps))
    none = np.zeros(0, np.int64)
    counts = [
        NumericCounts(one, none, 0, 0, 0, size, 0.0, 1.0, 0.0, 1.0) for one, size in ((expected, n), (observed, m))
    ]
    return Pair([drift_bins.numeric_bins(counts[0], counts[1], bins) for bins in BINS], (expected, observed))


def of_rows(rng: np.random.Generator, n: int, m: int, draw: Draw) -> Pair:
    """The whole way from rows: profile the reference, count the current rows in its bins."""
    reference, current = profiled(draw(rng, n), draw(rng, m))
    ordered = None
    if isinstance(reference, NumericProfile):
        ordered = tuple(
            drift_table.in_order(drift_table._numeric_counts(one), one.edges, one.points)
            for one in (reference, current)
        )
    return Pair([drift_table.bins_of(reference, current, bins) for bins in BINS], ordered)  # type: ignore[arg-type]  # a pair of arrays


def profiled(reference: Array, current: Array) -> tuple[Any, Any]:
    if reference.dtype.kind == "U":
        levels = vocabulary(reference.tolist())
        made: list[ColumnProfile] = [profiles.count_categorical(one.tolist(), *levels) for one in (reference, current)]
    else:
        edges, points = quantile_edges(reference)
        made = [profiles.count_numeric(one, edges.tolist(), points.tolist()) for one in (reference, current)]
    assert isinstance(made[0], NumericProfile | CategoricalProfile)
    return made[0], made[1]


def zipf(rng: np.random.Generator, n: int) -> Array:
    weights = 1 / np.arange(1, 51)
    return rng.choice(np.array([f"level {at}" for at in range(50)]), n, p=weights / weights.sum())


ROWS: dict[str, Draw] = {
    "skewed, lognormal(0, 2)": lambda rng, n: rng.lognormal(0, 2, n),
    "skewed, rounded to cents": lambda rng, n: np.round(rng.lognormal(0, 1.5, n), 2),
    "tied, Poisson(8)": lambda rng, n: rng.poisson(8, n).astype(np.float64),
    "tied, 5 values": lambda rng, n: rng.integers(0, 5, n).astype(np.float64),
    "half zeros": lambda rng, n: rng.exponential(size=n) * (rng.random(n) < 0.5),
    "nine in ten zeros": lambda rng, n: rng.exponential(size=n) * (rng.random(n) < 0.1),
    "zero or one, 1 in 10": lambda rng, n: (rng.random(n) < 0.1).astype(np.float64),
    "5 % missing": lambda rng, n: np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n)),
    "categorical, 50 levels (Zipf)": zipf,
    "categorical, 2 levels": lambda rng, n: np.where(rng.random(n) < 0.3, "yes", "no"),
}


def alarms(pair: Pair) -> dict[str, bool]:
    """Which statistics of the table have p ≤ 5 %."""
    found: dict[str, bool] = {}
    for bins, short in zip(BINS, pair.short, strict=True):
        found[f"psi_{bins}"] = distances.psi_test(*short).p_value <= LEVEL
        found[f"chi_squared_{bins}"] = distances.chi_squared(*short).p_value <= LEVEL
        found[f"g_{bins}"] = distances.g_test(*short).p_value <= LEVEL
    return found if pair.ordered is None else found | rank_alarms(*pair.ordered)


def rank_alarms(expected: Array, observed: Array) -> dict[str, bool]:
    """The same as p ≤ 5 % of `rank_statistics`, without computing p-values that cannot be.

    A sum of squares below 2.3 times its mean has p > 5 % whatever the ties (its least 5 % point is 2.49 times it, that
    of Anderson–Darling without ties); so has a greatest gap that the widest edge alone would exceed that often.
    """
    seen = gaps.gaps_of(expected, observed)
    if seen is None:
        return dict.fromkeys(drift_table.ON_RANKS, False)
    gap = float(np.max(np.abs(seen.gaps))) * math.sqrt(seen.size)
    widest = math.sqrt(float(np.max(seen.at * (1 - seen.at))))
    found = {"ks": special.erfc(gap / widest / math.sqrt(2)) <= LEVEL and gaps.greatest_gap_sf(gap, seen.at) <= LEVEL}
    weights = (seen.weights, seen.tilted)
    for name, value, weight in zip(drift_table.ON_RANKS[1:], seen.squares(), weights, strict=True):
        mean = float(np.sum(weight * seen.at * (1 - seen.at)))
        found[name] = value > 2.3 * mean and (
            bin_laws.quadratic_form_sf(value, bin_laws.bridge_eigenvalues(seen.steps, weight)) <= LEVEL
        )
    return found


def cell(shape: str, n: int, m: int, draw: Draw | None, trials: int) -> Cell:
    rng = np.random.default_rng([n, m, len(shape)])
    counted = dict.fromkeys(NAMES, 0)
    applies: set[str] = set()
    for _ in range(trials):
        pair = continuous(rng, n, m) if draw is None else of_rows(rng, n, m, draw)
        for name, alarm in alarms(pair).items():
            applies.add(name)
            counted[name] += alarm
    return Cell(shape, n, m, trials, {one: counted[one] / trials if one in applies else None for one in NAMES})


def cells(trials: int = TRIALS) -> Iterator[Cell]:
    for n in SIZES:
        yield cell("continuous", n, n, None, trials)
    yield cell("continuous", 100_000, 1_000, None, trials)
    yield cell("continuous", 1_000, 100_000, None, trials)
    for shape, draw in ROWS.items():
        for n in ROW_SIZES:
            yield cell(shape, n, n, draw, trials)


class Discoveries(NamedTuple):
    """The mean share of false discoveries, its Monte-Carlo error, and how many of the changed ones were found."""

    correlation: float
    changed: int
    level: float
    false_share: float
    error: float
    found: float


def discoveries(correlation: float, changed: int, level: float, trials: int) -> Discoveries:
    """100 features of 2,000 rows on each side, of which some have moved by a fifth of their spread; tested by PSI."""
    rng = np.random.default_rng([int(correlation * 10), changed])
    shares, found = [], []
    for _ in range(trials):
        sides = [_table(rng, 2_000, correlation), _table(rng, 2_000, correlation)]
        sides[1][:, :changed] += 0.25
        tests = [drift_table.bins_of(*profiled(sides[0][:, at], sides[1][:, at])) for at in range(100)]
        called = benjamini_hochberg([distances.psi_test(*one).p_value for one in tests]) <= level
        shares.append(called[changed:].sum() / max(called.sum(), 1))
        found.append(called[:changed].sum())
    error = float(np.std(shares)) / math.sqrt(trials)
    return Discoveries(correlation, changed, level, float(np.mean(shares)), error, float(np.mean(found)))


def _table(rng: np.random.Generator, rows: int, correlation: float) -> Array:
    common, own = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 100))
    return math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own


def grids(trials: int = TRIALS, fdr_trials: int = 400, together_trials: int = 1_000) -> Iterator[Grid]:
    error = math.sqrt(LEVEL * (1 - LEVEL) / trials) * 100
    yield Grid(
        "Alarms where there is no drift",
        ("column", "n", "m", "PSI, 10 bins", "PSI, 20", "χ², 10", "χ², 20", "G, 10", "G, 20", "KS", "CvM", "AD"),
        [
            (one.shape, f"{one.n:,}", f"{one.m:,}", *map(_percent, one.shares.values()))  # in the order of NAMES
            for one in cells(trials)
        ],
        f"Share of trials without drift in which p ≤ 5 %, in percent; {trials:,} trials each, so the Monte-Carlo error "
        f"(one standard error) is {error:.2f} points. n: rows of the reference, m: of the window. CvM: Cramér–von "
        "Mises, AD: Anderson–Darling; both and KS have no meaning for levels without an order.",
    )
    yield Grid(
        "False discoveries among 100 features",
        ("correlation", "changed", "q level", "false discoveries", "Monte-Carlo error", "changed ones found"),
        [
            (
                f"{got.correlation:g}",
                str(got.changed),
                f"{got.level:.0%}",
                f"{got.false_share:.1%}",
                f"{got.error:.1%}",
                f"{got.found:.1f}",
            )
            for got in (discoveries(rho, changed, LEVEL, fdr_trials) for rho in (0.0, 0.5) for changed in (0, 20))
        ],
        f"Mean share of false ones among the features called at q ≤ 5 % (Benjamini–Hochberg on the p-values of PSI), "
        f"{fdr_trials:,} trials each, 2,000 rows on each side; the changed ones moved by a quarter of their spread.",
    )
    yield Grid(
        "Alarms of all columns at once where there is no drift",
        ("columns", "n", "m", "test", "p ≤ 5 %", "p ≤ 1 %"),
        [
            (one.columns, f"{one.n:,}", f"{one.m:,}", one.name, f"{one.at_5:.1%}", f"{one.at_1:.1%}")
            for one in (
                together(columns, n, m, name, together_trials)
                for name in TESTS
                for columns in TABLES
                for n, m in ((500, 400), (1_500, 300))
                if name == "classifier" or columns != "one number"
            )
        ],
        f"Share of {together_trials:,} trials without drift; Monte-Carlo error 0.7 and 0.3 points. Components need two "
        "columns. Of a single column of few values the classifier calls less often than its level.",
    )


class Together(NamedTuple):
    """Shares of trials in which a test of all columns at once said p ≤ 5 % and p ≤ 1 % without drift."""

    columns: str
    n: int
    m: int
    name: str
    at_5: float
    at_1: float


TABLES: dict[str, Callable[[np.random.Generator, int], dict[str, Array]]] = {
    "one number": lambda rng, n: {"x": rng.normal(size=n)},
    "five, of all kinds": lambda rng, n: {
        "x": (x := rng.normal(size=n)),
        "y": 0.8 * x + 0.6 * rng.normal(size=n),
        "z": rng.gamma(2, size=n),
        "level": rng.choice(np.array(["a", "b", "c"], dtype=object), n),
        "flag": rng.random(n) < 0.2,
    },
    "thirty numbers": lambda rng, n: {f"x{at}": rng.normal(size=n) for at in range(30)},
}
TESTS = {"classifier": domain_classifier, "principal components": reconstruction}


def together(columns: str, n: int, m: int, name: str, trials: int) -> Together:
    rng = np.random.default_rng([n, m, len(columns)])
    draw = TABLES[columns]
    found = [TESTS[name](draw(rng, n), draw(rng, m), rng) for _ in range(trials)]
    p_values = np.array([one.p_value for one in found if one])
    return Together(columns, n, m, name, float(np.mean(p_values <= 0.05)), float(np.mean(p_values <= 0.01)))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}"


def main() -> None:
    for grid in grids():
        show(grid)


if __name__ == "__main__":
    main()
