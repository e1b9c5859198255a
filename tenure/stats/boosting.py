"""Gradient boosting of small symmetric trees over columns that were cut into a few bins: enough to learn a weight.

It stands where a model of many rows and few questions is needed inside the monitor: which rows look like another
sample, and how large an error is. All leaves of a level ask the same question, so a tree of depth 3 is three questions
and eight numbers, and a tree is grown by counting, without sorting and without randomness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers, Values, levels_of, numbers_of

Codes = npt.NDArray[np.uint8]
BINS = 32
"""Codes of a column: 0 is missing, the others follow the values' order, or how frequent a level is."""


class Tree(NamedTuple):
    """`columns[i] > cuts[i]` gives bit i of a leaf's number; `leaves` has shape (2 ** depth,)."""

    columns: tuple[int, ...]
    cuts: tuple[int, ...]
    leaves: Numbers


class Boosted(NamedTuple):
    base: float
    trees: list[Tree]


def coded(samples: Sequence[Mapping[str, Values]], names: Sequence[str]) -> list[Codes]:
    """Columns of several samples as small codes, cut at the quantiles of all samples together.

    Texts become their most frequent levels, the rest sharing the last code. A column in which texts and numbers are
    mixed is read as texts; an infinite value stands in the first or the last bin.

    Returns
    -------
    One array for each sample, shape (rows, len(names)), values 0 to 31; 0 is missing.

    Examples
    --------
    >>> [codes.tolist() for codes in coded([{"a": [1.0, None]}, {"a": [2.0]}], ["a"])]
    [[[1], [0]], [[2]]]
    """
    sizes = [len(next(iter(sample.values()))) if sample else 0 for sample in samples]
    made = [np.zeros((size, len(names)), np.uint8) for size in sizes]
    for place, name in enumerate(names):
        parts = [np.asarray(sample[name]) for sample in samples]
        coder = _levels if any(part.dtype.kind in "OUS" for part in parts) else _cuts
        for codes, column in zip(made, coder(parts), strict=True):
            codes[:, place] = column
    return made


def _cuts(parts: Sequence[npt.NDArray[np.generic]]) -> list[Codes]:
    numbers = [numbers_of(part).astype(np.float64) for part in parts]
    there = np.concatenate(numbers)
    there = there[~np.isnan(there)]
    edges = np.unique(np.quantile(there, np.linspace(0, 1, BINS)[1:-1], method="lower")) if len(there) else there
    return [
        np.where(np.isnan(part), 0, 1 + np.searchsorted(edges, part, side="left")).astype(np.uint8) for part in numbers
    ]


def _levels(parts: Sequence[npt.NDArray[np.generic]]) -> list[Codes]:
    told = [np.array(["" if level is None else "=" + level for level in levels_of(part)], object) for part in parts]
    levels, counts = np.unique(np.concatenate(told).astype(str), return_counts=True)
    ranked = [str(levels[place]) for place in np.argsort(-counts, kind="stable") if levels[place] != ""]
    code = {level: min(rank, BINS - 1) for rank, level in enumerate(ranked, start=1)} | {"": 0}
    return [np.fromiter((code[level] for level in part.tolist()), np.uint8, len(part)) for part in told]


def boosted(
    codes: Codes,
    target: Numbers,
    weight: Numbers | None = None,
    *,
    logistic: bool = False,
    trees: int = 60,
    depth: int = 3,
    rate: float = 0.15,
    ridge: float = 10.0,
) -> Boosted:
    """A model of a number (least squares), or with `logistic` of the log odds of a target that is 0 or 1.

    The same rows give the same model.

    Parameters
    ----------
    codes
        From `coded`, shape (n, d), n and d at least 1.
    target, weight
        Shape (n,), without missing values; weights are 1 when they are not given.
    ridge
        As if each leaf held so much weight of rows that need no correction: few rows say little.

    Source: Friedman (2001), "Greedy function approximation"; Prokhorenkova et al. (2018) for symmetric trees.

    Examples
    --------
    >>> codes = np.array([[1], [2]] * 500, np.uint8)
    >>> model = boosted(codes, np.array([0.0, 1.0] * 500))
    >>> values(model, codes[:2]).round(2).tolist()
    [0.0, 1.0]
    """
    heavy = np.ones(len(target)) if weight is None else weight
    mean = float(np.average(target, weights=heavy))
    base = float(special.logit(min(max(mean, 1e-6), 1 - 1e-6))) if logistic else mean
    fitted, columns, grown = np.full(len(target), base), np.ascontiguousarray(codes.T.astype(np.int64)), []
    for _ in range(trees):
        chance = special.expit(fitted) if logistic else fitted
        slope = heavy * (target - chance)
        curve = heavy * chance * (1 - chance) if logistic else heavy
        tree, leaf = _grown(columns, slope, curve, depth, ridge * (0.25 if logistic else 1.0))
        tree = tree._replace(leaves=tree.leaves * rate)
        fitted += tree.leaves[leaf]
        grown.append(tree)
    return Boosted(base, grown)


def values(model: Boosted, codes: Codes) -> Numbers:
    """What the model says of each row, shape (n,): a number, or log odds for a logistic one."""
    told = np.full(len(codes), model.base)
    for tree in model.trees:
        told += tree.leaves[_leaf(tree, codes)]
    return told


def _leaf(tree: Tree, codes: Codes) -> npt.NDArray[np.int64]:
    leaf = np.zeros(len(codes), np.int64)
    for bit, (column, cut) in enumerate(zip(tree.columns, tree.cuts, strict=True)):
        leaf |= (codes[:, column] > cut).astype(np.int64) << bit
    return leaf


def _grown(
    columns: npt.NDArray[np.int64], slope: Numbers, curve: Numbers, depth: int, ridge: float
) -> tuple[Tree, npt.NDArray[np.int64]]:
    """One tree, question by question, each the one that gains most over all leaves; and the leaf of each row."""
    leaf = np.zeros(columns.shape[1], np.int64)
    asked: list[tuple[int, int]] = []
    for bit in range(depth):
        best, cut = divmod(int(np.argmax(_gains(columns, leaf, 2**bit, slope, curve, ridge))), BINS - 1)
        asked.append((best, cut))
        leaf |= (columns[best] > cut).astype(np.int64) << bit
    slopes, curves = np.bincount(leaf, slope, 2**depth), np.bincount(leaf, curve, 2**depth)
    columns_asked, cuts = tuple(column for column, _ in asked), tuple(cut for _, cut in asked)
    return Tree(columns_asked, cuts, slopes / (curves + ridge)), leaf


def _gains(
    columns: npt.NDArray[np.int64],
    leaf: npt.NDArray[np.int64],
    leaves: int,
    slope: Numbers,
    curve: Numbers,
    ridge: float,
) -> Numbers:
    """For each cut of each column, how much better the sum of squares becomes; shape (columns, BINS - 1).

    Columns are counted one by one, while their rows stay near the processor, and judged all at once.
    """
    sums, above = np.empty((2, len(columns), leaves * BINS)), leaf * BINS
    for place, column in enumerate(columns):
        cell = above + column
        sums[0, place] = np.bincount(cell, slope, leaves * BINS)
        sums[1, place] = np.bincount(cell, curve, leaves * BINS)
    slopes, curves = sums.reshape(2, len(columns), leaves, BINS).cumsum(axis=3)
    all_slopes, all_curves = slopes[..., -1:], curves[..., -1:]
    left = slopes[..., :-1] ** 2 / (curves[..., :-1] + ridge)
    right = (all_slopes - slopes[..., :-1]) ** 2 / (all_curves - curves[..., :-1] + ridge)
    gains: Numbers = (left + right).sum(axis=1)
    return gains
