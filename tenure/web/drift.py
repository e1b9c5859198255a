"""Drift of an endpoint's latest window, or of one that is asked for: a table a column, with every statistic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from tenure.access import ENDPOINT
from tenure.monitor import windows
from tenure.records.base import Record
from tenure.records.drift import ColumnDrift, Comparison, DriftReport
from tenure.records.model_files import Against
from tenure.records.people import Permission, Principal
from tenure.records.routing import ReleaseRole
from tenure.store import drift_reports, profiles
from tenure.store import windows as drift_windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.endpoints import tab
from tenure.web.page import link, part

WIDTH, HEIGHT = 120.0, 24.0
SHOWN = 6
NAMES = {
    "psi": "Population stability index",
    "ks": "Kolmogorov–Smirnov",
    "cramer_von_mises": "Cramér–von Mises",
    "anderson_darling": "Anderson–Darling",
    "chi_squared": "Chi-squared",
    "g": "G (likelihood ratio)",
    "jensen_shannon": "Jensen–Shannon distance",
    "hellinger": "Hellinger distance",
    "total_variation": "Total variation",
    "l_infinity": "Greatest difference of a bin",
    "wasserstein": "Wasserstein, in robust spreads",
    "energy": "Energy distance, in roots of them",
    "new_level_share": "Share of new levels",
    "null_share": "Share of missing values",
}
AGAINST: dict[Against, str] = {
    "training": "training",
    "previous": "the window before",
    "season": "the same season",
}


class Bar(Record):
    """One bin: the reference's share as a bar, the current one as a line across it. Heights from the top."""

    x: float
    width: float
    y: float
    height: float
    line: float


class DriftLine(Record):
    column: ColumnDrift
    picture: list[Bar]
    psi: float
    threshold: float
    ks: float | None
    q_value: float | None
    n_reference: int
    n_current: int


class DriftPanel(Record):
    """`others` are links to the other references; `headings` are the links that sort. `more`: columns left out."""

    report: DriftReport
    comparison: Comparison
    lines: list[DriftLine]
    others: list[tuple[str, str, bool]]
    headings: dict[str, str]
    sort: str
    down: bool
    more: int
    path: str


SORTS: dict[str, Callable[[DriftLine], Any]] = {
    "column": lambda line: line.column.column,
    "importance": lambda line: line.column.importance,
    "psi": lambda line: line.psi,
    "ks": lambda line: line.ks,
    "q": lambda line: line.q_value,
}


@get(
    "/endpoints/{name:str}/drift",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    name: str,
    against: str = "",
    sort: str = "",
    down: bool = True,
    version: int | None = None,
    role: ReleaseRole = "champion",
    start_at: int | None = None,
    every: Annotated[bool, QueryParameter(name="all")] = False,
) -> Response[Any]:
    """Columns over time, and of one window every column with every statistic, the worst first.

    Raises NotFound for a window that is asked for and was not compared; without one, the latest may be missing.
    """

    def load(tx: Transaction, _head: dict[str, Any]) -> dict[str, Any]:
        query = {"version": version, "role": role if role != "champion" else None, "start_at": start_at}
        if any(query.values()):
            report: DriftReport | None = windows.drift(tx, name, version=version, role=role, start_at=start_at)
        else:
            report = drift_reports.get(tx, name, role="champion")
        return {
            "drift": panel(report, against, sort, down, every=every, **query) if report else None,
            "has_baseline": has_baseline(tx, name),
            "names": NAMES,
            "every": every,
            "against": AGAINST,
        }

    return tab(request, ground, principal, name, "drift", load)


def has_baseline(tx: Transaction, name: str) -> bool:
    """Whether there is something to compare the latest window's columns with."""
    latest = drift_windows.search(tx, name, role="champion", limit=1, bare=True)
    return bool(latest) and profiles.get(tx, latest[0].model, latest[0].version) is not None


def panel(
    report: DriftReport, against: str = "", sort: str = "", down: bool = True, *, every: bool = False, **query: object
) -> DriftPanel:
    """A comparison as it is shown. Without a known reference it is the first; without an order, the worst first."""
    chosen = next((one for one in report.comparisons if one.against == against), report.comparisons[0])
    path = f"/endpoints/{part(report.endpoint)}/drift"
    lines = _sorted([_line(one) for one in chosen.columns], sort, down)
    shown = lines if every else lines[:SHOWN]
    query = {**query, "all": "true" if every else None}
    links = {
        name: link(
            path, **query, against=chosen.against, sort=name, down=str(not down if name == sort else True).lower()
        )
        for name in SORTS
    }
    return DriftPanel(
        report=report,
        comparison=chosen,
        lines=shown,
        others=[
            (AGAINST[one.against], link(path, **query, against=one.against), one is chosen)
            for one in report.comparisons
        ],
        headings=links,
        sort=sort if sort in SORTS else "",
        down=down,
        more=len(lines) - len(shown),
        path=link(path, **{**query, "against": chosen.against if against else None, "sort": sort, "all": "true"}),
    )


def _sorted(lines: Sequence[DriftLine], sort: str, down: bool) -> list[DriftLine]:
    """What is not known comes last, whichever way it is sorted."""
    if sort not in SORTS:
        return list(lines)
    of = SORTS[sort]
    known = [line for line in lines if of(line) is not None]
    return sorted(known, key=of, reverse=down) + [line for line in lines if of(line) is None]


def _line(column: ColumnDrift) -> DriftLine:
    psi, ks = column.value_of("psi"), column.value_of("ks")
    return DriftLine(
        column=column,
        picture=picture(column.reference_bins, column.current_bins),
        psi=psi.value if psi else 0.0,
        threshold=psi.threshold if psi else 0.0,
        ks=ks.value if ks else None,
        q_value=psi.q_value if psi else None,
        n_reference=psi.n_reference if psi else 0,
        n_current=psi.n_current if psi else 0,
    )


def picture(reference: Sequence[int], current: Sequence[int]) -> list[Bar]:
    """Two short histograms over the same bins, on one scale of `WIDTH` × `HEIGHT`; empty when both are."""
    sides = [[count / max(sum(side), 1) for count in side] for side in (reference, current)]
    greatest = max((*sides[0], *sides[1]), default=0.0)
    if not greatest:
        return []
    wide = WIDTH / len(sides[0])
    return [
        Bar(
            x=round(at * wide + wide * 0.1, 1),
            width=round(wide * 0.8, 1),
            y=round(HEIGHT * (1 - before / greatest), 1),
            height=round(HEIGHT * before / greatest, 1),
            line=round(HEIGHT * (1 - after / greatest), 1),
        )
        for at, (before, after) in enumerate(zip(*sides, strict=True))
    ]


handlers = [page]
