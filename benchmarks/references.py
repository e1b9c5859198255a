"""Every statistic held against another's: `python -m benchmarks.references`.

Both are given the same inputs, drawn from seeds: many rows and few, even and lopsided, tied and not. Of each statistic
the greatest difference over all inputs is told, as a share of the reference's value (of 0.01 where that is smaller).
Where a definition differs on purpose a second table says how, with an example and what is true of it.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.spatial.distance as apart
import scipy.stats
from sklearn import isotonic, metrics

from benchmarks.experiments import Grid, show
from tenure.sdk.profiles import count_numeric
from tenure.stats import (
    accuracy,
    bin_laws,
    calibration,
    decisions,
    distances,
    intervals,
    multiclass,
    ranks,
    regression,
    shapes,
)
from tenure.stats.multiplicity import benjamini_hochberg

SEEDS, DEALT, MOST = 200, 4_000, 1e-9
Numbers = npt.NDArray[np.float64]
Drawn = Iterator["Pair"]


class Pair(NamedTuple):
    """One statistic of one input, as Tenure tells it and as its reference does."""

    name: str
    reference: str
    ours: npt.ArrayLike
    theirs: npt.ArrayLike


class Worst(NamedTuple):
    """The greatest difference of a statistic from its reference, over so many inputs."""

    reference: str
    inputs: int
    difference: float


def main() -> None:
    found = compared()
    show(_equal(found))
    show(_different())
    missed = [name for name, worst in found.items() if worst.difference > MOST]
    if missed:
        sys.exit(f"not equal to {MOST:g}: {', '.join(missed)}")


def grids() -> Iterator[Grid]:
    yield _equal(compared())
    yield _different()


def compared(seeds: int = SEEDS) -> dict[str, Worst]:
    """The worst of each statistic."""
    found: dict[str, Worst] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for draw in (_counts, _values, _shares, _answers, _classes, _numbers, _ranked):
            for name, reference, ours, theirs in draw(rng):
                before = found.get(name, Worst(reference, 0, 0.0))
                found[name] = Worst(reference, before.inputs + 1, max(before.difference, difference(ours, theirs)))
    return found


def difference(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> float:
    """The greatest difference, as a share of the reference's value, of 0.01 where that is smaller."""
    a, b = np.atleast_1d(np.asarray(ours, float)), np.atleast_1d(np.asarray(theirs, float))
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 0.01)))


def _counts(rng: np.random.Generator) -> Drawn:
    """Two samples in some bins."""
    bins, n, m = int(rng.integers(2, 40)), *(int(10 ** rng.uniform(2.5, 6)) for _ in range(2))
    shares = rng.dirichlet(np.full(bins, 20.0))
    p, q = rng.multinomial(n, shares) + 1, rng.multinomial(m, rng.dirichlet(shares * 500)) + 1
    smooth_p, smooth_q = (side + 0.5 for side in (p, q))
    both = scipy.stats.entropy(smooth_p, smooth_q) + scipy.stats.entropy(smooth_q, smooth_p)
    yield Pair("PSI", "scipy entropy, both ways, ½ added to a count", distances.psi(p, q), both)
    found, told = distances.chi_squared(p, q), scipy.stats.chi2_contingency([p, q], correction=False)
    yield Pair("χ² of homogeneity", "scipy chi2_contingency", found.statistic, told.statistic)
    yield Pair("p-value of χ²", "scipy chi2_contingency", found.p_value, told.pvalue)
    yield Pair("Cramér's V", "scipy contingency.association", found.effect, scipy.stats.contingency.association([p, q]))
    likelihood = scipy.stats.chi2_contingency([p, q], correction=False, lambda_="log-likelihood")
    yield Pair("G", "scipy chi2_contingency, log-likelihood", distances.g_test(p, q).statistic, likelihood.statistic)
    a, b = p / p.sum(), q / q.sum()
    yield Pair(
        "Jensen–Shannon distance", "scipy jensenshannon", distances.jensen_shannon(p, q), apart.jensenshannon(a, b, 2)
    )
    rooted = apart.euclidean(np.sqrt(a), np.sqrt(b)) / math.sqrt(2)
    yield Pair("Hellinger distance", "scipy euclidean, of roots of shares", distances.hellinger(p, q), rooted)
    yield Pair("total variation", "scipy cityblock, halved", distances.total_variation(p, q), apart.cityblock(a, b) / 2)
    yield Pair("L∞", "scipy chebyshev", distances.l_infinity(p, q), apart.chebyshev(a, b))


def _values(rng: np.random.Generator) -> Drawn:
    """Two samples of values, each in a bin of its own, and two of whole numbers."""
    n, m = (int(10 ** rng.uniform(1.5, 3.5)) for _ in range(2))
    a, b = rng.normal(size=n), rng.normal(rng.uniform(0, 0.5), rng.uniform(0.8, 1.3), size=m)
    found = bin_laws.rank_statistics(*_each_in_its_bin(a, b))
    yield Pair("Kolmogorov–Smirnov", "scipy ks_2samp", found.ks, scipy.stats.ks_2samp(a, b, method="asymp").statistic)
    told = scipy.stats.cramervonmises_2samp(a, b, method="asymptotic").statistic
    yield Pair("Cramér–von Mises", "scipy cramervonmises_2samp", found.cramer_von_mises, told)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy cuts its p-value, which is not looked at here
        told = 1 + scipy.stats.anderson_ksamp([a, b], variant="right").statistic * scholz_stephens(n, m)
    yield Pair("Anderson–Darling", "scipy anderson_ksamp, not standardised", found.anderson_darling, told)
    a, b = rng.poisson(3, n) * 1.0, rng.poisson(rng.uniform(2.5, 3.5), m) * 1.0
    points = sorted({*a.tolist(), *b.tolist()})
    way = shapes.axis_distances(*(count_numeric(side, points, points) for side in (a, b)))
    work, energy = way.wasserstein * way.scale, way.energy * math.sqrt(way.scale)
    yield Pair("Wasserstein distance", "scipy wasserstein_distance", work, scipy.stats.wasserstein_distance(a, b))
    yield Pair("energy distance", "scipy energy_distance", energy, scipy.stats.energy_distance(a, b))


def _each_in_its_bin(a: Numbers, b: Numbers) -> list[Numbers]:
    values = np.unique(np.concatenate((a, b)))
    return [np.isin(values, side).astype(float) for side in (a, b)]


def scholz_stephens(n: int, m: int) -> float:
    """The standard deviation by which Scholz & Stephens (1987) divide two samples' statistic: their equation (4)."""
    total = n + m
    sizes, h = 1 / n + 1 / m, float(np.sum(1 / np.arange(1, total)))
    until = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, total))))
    i = np.arange(1, total - 1)
    g = float(np.sum((until[-1] - until[i]) / (total - i)))
    a = 4 * g - 6 + (10 - 6 * g) * sizes
    b = (2 * g - 4) * 4 + 16 * h + (2 * g - 14 * h - 4) * sizes - 8 * h + 4 * g - 6
    c = (6 * h + 2 * g - 2) * 4 + (4 * h - 4 * g + 6) * 2 + (2 * h - 6) * sizes + 4 * h
    d = (2 * h + 6) * 4 - 8 * h
    spread = (a * total**3 + b * total**2 + c * total + d) / ((total - 1) * (total - 2) * (total - 3))
    return math.sqrt(spread)


def _shares(rng: np.random.Generator) -> Drawn:
    """Shares with their intervals, means, and p-values that are corrected together."""
    n = int(10 ** rng.uniform(0, 6))
    found, confidence = int(rng.integers(0, n + 1)), float(rng.choice([0.8, 0.9, 0.95, 0.99]))
    test = scipy.stats.binomtest(found, n)
    yield _within("Wilson's interval", "scipy binomtest", intervals.wilson, test, "wilson", confidence)
    yield _within(
        "Clopper & Pearson's interval", "scipy binomtest", intervals.clopper_pearson, test, "exact", confidence
    )
    values = rng.lognormal(0, 1, int(rng.integers(2, 500)))
    mean, told = intervals.mean_interval(values), scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    yield Pair("Student's interval of a mean", "scipy ttest_1samp", (mean.low, mean.high), told)
    p = rng.random(int(rng.integers(1, 200))) ** 3
    yield Pair(
        "q-values", "scipy false_discovery_control", benjamini_hochberg(p), scipy.stats.false_discovery_control(p)
    )


def _within(
    name: str, reference: str, interval: Callable[..., intervals.Interval3], test: Any, method: str, confidence: float
) -> Pair:
    found, told = interval(test.k, test.n, confidence), test.proportion_ci(confidence, method=method)
    return Pair(name, reference, (found.low, found.high), (told.low, told.high))


def _answers(rng: np.random.Generator) -> Drawn:
    """Chances of a yes and what came, every other time rounded to cents, so that many are tied."""
    n, tied = int(10 ** rng.uniform(2.5, 4)), rng.random() < 0.5
    y = (rng.random(n) < rng.uniform(0.1, 0.5)).astype(float)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + y - 1)))
    score = np.clip(np.round(score, 2), 0.01, 0.99) if tied else score
    keys, said = np.arange(n), score >= 0.4
    counts, ranked = accuracy.confusion(y, said), decisions.ranked(y, score, keys, 10)
    area, precise = accuracy.roc_auc(y, score), decisions.average_precision(ranked).value
    yield _scored("ROC AUC", "roc_auc_score", area, metrics.roc_auc_score(y, score))
    yield _scored(
        "PR AUC (average precision)", "average_precision_score", precise, metrics.average_precision_score(y, score)
    )
    yield _scored("Brier score", "brier_score_loss", accuracy.brier(y, score), metrics.brier_score_loss(y, score))
    yield _scored("log loss", "log_loss", decisions.log_loss(y, score).value, metrics.log_loss(y, score))
    yield _scored("accuracy", "accuracy_score", decisions.accuracy(counts).value, metrics.accuracy_score(y, said))
    yield _scored("precision", "precision_score", decisions.precision(counts).value, metrics.precision_score(y, said))
    yield _scored("recall", "recall_score", decisions.recall(counts).value, metrics.recall_score(y, said))
    of_no = metrics.recall_score(y, said, pos_label=0)
    yield _scored("specificity", "recall_score of the other class", decisions.specificity(counts).value, of_no)
    yield _scored("F1", "f1_score", decisions.f1(y, said, keys).value, metrics.f1_score(y, said))
    fpr, tpr, _ = metrics.roc_curve(y, score)
    yield _scored("KS of a score", "roc_curve, greatest distance", decisions.ks(ranked).value, np.max(tpr - fpr))
    yield Pair("DeLong's variance", "the definition, pair by pair", _deviation(y, score), _deviation_by_pairs(y, score))
    at = np.linspace(0.05, 0.9, 50)
    told = isotonic.IsotonicRegression(out_of_bounds="clip").fit(np.round(score, 2), y).predict(at)
    cells = calibration.cells_of_rows(np.round(score, 2), y)
    yield _scored("isotonic calibration", "IsotonicRegression", calibration.chances(cells, at), told)


def _scored(name: str, reference: str, ours: Any, theirs: Any) -> Pair:
    return Pair(name, f"scikit-learn {reference}", ours, theirs)


def _deviation(y: Numbers, score: Numbers) -> float:
    """The standard deviation that stands behind the interval of an AUC."""
    return math.sqrt(accuracy.roc_auc_interval(y, score).variance or 0.0)


def _deviation_by_pairs(y: Numbers, score: Numbers) -> float:
    """DeLong, DeLong & Clarke-Pearson 1988: every positive beside every negative."""
    yes, no = score[y == 1], score[y == 0]
    wins = np.sign(yes[:, None] - no[None, :]) / 2 + 0.5
    of_yes, of_no = wins.mean(axis=1), wins.mean(axis=0)
    return math.sqrt(np.var(of_yes, ddof=1) / len(yes) + np.var(of_no, ddof=1) / len(no))


def _classes(rng: np.random.Generator) -> Drawn:
    """One of three to eight classes, with its chances."""
    n, classes = int(10 ** rng.uniform(2.7, 4)), int(rng.integers(3, 9))
    y = np.concatenate((np.arange(classes), rng.integers(0, classes, n)))
    raw = np.exp(rng.normal(size=(len(y), classes)) + np.eye(classes)[y])
    chances = raw / raw.sum(axis=1, keepdims=True)
    said = chances.argmax(axis=1)
    kept = multiclass.of_rows(y, said, classes, np.arange(len(y)))
    shares: tuple[multiclass.Share, ...] = ("precision", "recall", "f1")
    averages: tuple[multiclass.Average, ...] = ("macro", "weighted")
    for share in shares:
        for average in averages:
            told = getattr(metrics, f"{share}_score")(y, said, average=average, zero_division=0)
            found = multiclass.averaged(kept, share, average).value
            yield _scored(f"{average} {share} of classes", f"{share}_score", found, told)
    auc = multiclass.one_against_rest_auc(y, chances).value
    yield _scored(
        "AUC of each class against the rest",
        "roc_auc_score, ovr",
        auc,
        metrics.roc_auc_score(y, chances, multi_class="ovr"),
    )
    yield _scored(
        "log loss of classes", "log_loss", multiclass.log_loss(y, chances).value, metrics.log_loss(y, chances)
    )


def _numbers(rng: np.random.Generator) -> Drawn:
    """Predicted numbers, some of them far from zero."""
    n = int(10 ** rng.uniform(2, 4))
    y = rng.lognormal(3, 1, n) + rng.choice([0.0, 1e4])
    said = y * 0.9 + rng.normal(0, 5, n)
    kept = regression.of_rows(y, said, np.arange(n), 10)
    yield _scored("MAE", "mean_absolute_error", regression.mae(kept).value, metrics.mean_absolute_error(y, said))
    yield _scored(
        "RMSE", "root_mean_squared_error", regression.rmse(kept).value, metrics.root_mean_squared_error(y, said)
    )
    yield _scored(
        "MAPE",
        "mean_absolute_percentage_error",
        regression.mape(kept).value,
        metrics.mean_absolute_percentage_error(y, said),
    )
    yield _scored("R²", "r2_score", regression.r_squared(kept).value, metrics.r2_score(y, said))


def _ranked(rng: np.random.Generator) -> Drawn:
    """A param and a metric of some runs, with ties."""
    n = int(rng.integers(10, 300))
    x, y = rng.integers(0, 20, n), rng.normal(size=n)
    y = y + x * rng.uniform(0, 0.2)
    told = scipy.stats.spearmanr(x, y)
    found = ranks.spearman(x, y)
    yield Pair("Spearman's rho", "scipy spearmanr", found.value or 0.0, told.statistic)
    yield Pair("its p-value", "scipy spearmanr", found.p_value or 0.0, told.pvalue)
    group = np.arange(n) % 3
    told = scipy.stats.kruskal(*(x[group == one] for one in range(3)))
    yield Pair("Kruskal–Wallis, p-value", "scipy kruskal", ranks.kruskal_wallis(group, x).p_value or 0.0, told.pvalue)


def _equal(found: dict[str, Worst]) -> Grid:
    rows = [
        (name, worst.reference, f"{worst.inputs:,}", f"{worst.difference:.0e}" if worst.difference else "0")
        for name, worst in found.items()
    ]
    return Grid("Equal", ("statistic", "reference", "inputs", "greatest difference"), rows)


def _different() -> Grid:
    """What is not the reference's, on purpose."""
    rows = [
        *_tied(),
        _of_few_rows(),
        (
            "MAPE of 5 for 0 and of 11 for 10",
            f"{regression.mape(regression.of_rows([0.0, 10.0], [5.0, 11.0], ['a', 'b'])).value:.2f}",
            f"{metrics.mean_absolute_percentage_error([0.0, 10.0], [5.0, 11.0]):.1e}",
            "not defined at 0",
            "outcomes of 0 are left out, and counted",
        ),
        (
            "precision when nothing is called",
            str(decisions.precision(accuracy.confusion([0, 1], [0, 0])).value),
            f"{metrics.precision_score([0, 1], [0, 0], zero_division=0):.0f}",
            "not known",
            "no measure is 0 for want of data",
        ),
    ]
    return Grid("Different on purpose", ("of what", "Tenure", "scipy, scikit-learn", "true", "why"), rows)


def _tied() -> Iterator[tuple[str, ...]]:
    """Rank tests of whole numbers, and the share of rows dealt out anew that lie as far apart."""
    rng = np.random.default_rng(8)
    a, b = rng.poisson(1, 400), rng.poisson(1.18, 300)
    levels = int(max(a.max(), b.max())) + 1
    counts = [np.bincount(side, minlength=levels).astype(float) for side in (a, b)]
    found = bin_laws.rank_statistics(*counts)
    whole = (counts[0] + counts[1]).astype(np.int64)
    dealt = rng.multivariate_hypergeometric(whole, len(a), size=DEALT).astype(float)
    laws = [bin_laws.rank_statistics(one, whole - one) for one in dealt]
    of_ties = "the law where values are tied; scipy's is for values that all differ"
    sides = f"small whole numbers, {len(a)} and {len(b)} rows"
    told = scipy.stats.ks_2samp(a, b, method="asymp").pvalue
    true = np.mean([one.ks >= found.ks - 1e-12 for one in laws])
    yield f"p-value of KS: {sides}", f"{found.ks_p:.3f}", f"{told:.3f}", f"{true:.3f}", of_ties
    told = scipy.stats.cramervonmises_2samp(a, b, method="asymptotic").pvalue
    true = np.mean([one.cramer_von_mises >= found.cramer_von_mises - 1e-12 for one in laws])
    yield f"p-value of CvM: {sides}", f"{found.cramer_von_mises_p:.3f}", f"{told:.3f}", f"{true:.3f}", of_ties


def _of_few_rows() -> tuple[str, ...]:
    """How often G calls at 5 % where nothing differs: two hundred rows each in twenty bins."""
    rng = np.random.default_rng(2)
    pairs = [rng.multinomial(200, np.full(20, 0.05), 2) for _ in range(DEALT)]
    pairs = [pair[:, pair.sum(axis=0) > 0] for pair in pairs]
    ours = np.mean([distances.g_test(*pair).p_value <= 0.05 for pair in pairs])
    told = np.mean(
        [scipy.stats.chi2_contingency(pair, False, lambda_="log-likelihood").pvalue <= 0.05 for pair in pairs]
    )
    return (
        "alarms of G at 5 %: 200 rows each in 20 equal bins",
        f"{ours:.1%}",
        f"{told:.1%}",
        "5.0%",
        "Williams' correction",
    )


if __name__ == "__main__":
    main()
