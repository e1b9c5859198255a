"""The most frequent of many names, in little memory: which levels are new when there may be millions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

MOST = 64


class FrequentLevels:
    """Counts names, of which at most `most` are kept. Two of them are merged by adding.

    A kept count is too small by at most `lost`, which is at most n / (most + 1): a name that is more frequent than that
    is never lost. Exact (`lost` is 0) as long as there are no more than `most` names.

    Source: Misra & Gries (1982); Agarwal et al. (2012) for merging.

    Examples
    --------
    >>> seen = FrequentLevels(most=2)
    >>> seen.add(["b", "a", "b", "c", "b"])
    >>> seen.top(1), seen.n, seen.lost
    ([('b', 2)], 5, 1)
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.n, self.lost = most, 0, 0
        self._counts: Counter[str] = Counter()

    def add(self, names: Iterable[str]) -> None:
        self._merge(Counter(names))

    def merge(self, other: FrequentLevels) -> None:
        self.lost += other.lost
        self._merge(other._counts, other.n)

    def top(self, number: int = 10) -> list[tuple[str, int]]:
        """The most frequent, equal ones by name, each with its count or up to `lost` less."""
        return sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))[:number]

    def _merge(self, counts: Mapping[str, int], n: int | None = None) -> None:
        self.n += sum(counts.values()) if n is None else n
        self._counts.update(counts)
        if len(self._counts) > self.most:
            least = sorted(self._counts.values(), reverse=True)[self.most]
            self.lost += least
            self._counts = Counter({name: count - least for name, count in self._counts.items() if count > least})
