"""Error budgets: how much of one is spent, how fast it burns, and when it will be gone. Plain arithmetic of counts.

An objective allows a share of requests to fail; over its period that share of all requests is the budget. The burn rate
is how many times as fast as that requests fail: at 1 the budget lasts for exactly its period.

Source: Beyer, Murphy, Rensin, Kawahara & Thorne, "The Site Reliability Workbook" (2018), chapters 2 and 5.
"""

from __future__ import annotations

DAY_HOURS = 24


def burn_rate(bad: int, total: int, allowed: float) -> float:
    """How many times as fast as allowed requests fail; 0 without requests.

    >>> round(burn_rate(144, 10_000, 0.001), 9)
    14.4
    """
    return bad / total / _share(allowed) if total else 0.0


def factor(budget_share: float, long_hours: float, over_days: float) -> float:
    """The burn rate at which a share of the budget (0–1) is gone within a window of so many hours; at least 1, since
    what burns slower never spends the budget.

    >>> [round(factor(share, hours, 30), 9) for share, hours in ((0.02, 1), (0.05, 6), (0.1, 72))]
    [14.4, 6.0, 1.0]
    """
    return max(budget_share * over_days * DAY_HOURS / long_hours, 1.0)


def remaining(bad: int, total: int, allowed: float, seen_share: float) -> float:
    """What is left of the budget: 1 all of it, 0 nothing, below 0 more than all was spent.

    `seen_share`, above 0 and at most 1: of how much of the period `total` are the requests. The whole period is taken
    to have as much traffic as that part had, so the first failure of a young service does not count as if it were of a
    month.

    >>> round(remaining(30, 100_000, 0.001, 1.0), 9), round(remaining(30, 10_000, 0.001, 0.1), 9)
    (0.7, 0.7)
    """
    if not 0 < seen_share <= 1:
        raise ValueError(f"seen_share must be above 0 and at most 1. Got {seen_share}.")
    return 1 - burn_rate(bad, total, allowed) * seen_share


def hours_left(left: float, rate: float, over_days: float) -> float | None:
    """In how many hours the rest of a budget will be gone at a burn rate, with traffic as it is; 0 when nothing is
    left, None when nothing burns.

    >>> hours_left(0.5, 2.0, 30), hours_left(-0.1, 2.0, 30), hours_left(0.5, 0.0, 30)
    (180.0, 0.0, None)
    """
    if left <= 0:
        return 0.0
    return left * over_days * DAY_HOURS / rate if rate > 0 else None


def _share(allowed: float) -> float:
    if not 0 < allowed < 1:
        raise ValueError(f"The share that an objective allows must lie between 0 and 1. Got {allowed}.")
    return allowed
