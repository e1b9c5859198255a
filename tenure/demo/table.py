"""The table at the end: month by month, the version that served against the January model had it stayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table as RichTable

from tenure.demo.flights import Flights
from tenure.demo.recipe import FEATURES
from tenure.demo.stage import Stage
from tenure.records.base import moment_of


@dataclass(frozen=True)
class Row:
    month: str
    flights: int
    outcomes: int
    event_rate: float | None
    served_roc_auc: float | None
    january_roc_auc: float
    value: float | None
    versions: list[int]
    alerts: int


@dataclass(frozen=True)
class Table:
    """`gained`: mean over the months in which a retrained version answered all the time, served minus January's AUC."""

    rows: list[Row]

    @property
    def predictions(self) -> int:
        return sum(row.flights for row in self.rows)

    @property
    def outcomes(self) -> int:
        return sum(row.outcomes for row in self.rows)

    @property
    def gained(self) -> float | None:
        first = self.rows[0].versions
        after = [row for row in self.rows if row.served_roc_auc is not None and not set(first) & set(row.versions)]
        gains = [row.served_roc_auc - row.january_roc_auc for row in after if row.served_roc_auc is not None]
        return sum(gains) / len(gains) if gains else None


def make(stage: Stage, flights: Flights, january: Any) -> Table:
    """What the server reports of each month, beside what the January model says of the same flights."""
    report = stage.client.get(f"/api/v1/endpoints/{stage.model}/report", {"by": "month"})
    return Table([_row(month, flights, january) for month in report])


def _row(month: dict[str, Any], flights: Flights, january: Any) -> Row:
    from sklearn.metrics import roc_auc_score

    moment = moment_of(month["start_at"])
    arrived = flights.of_month(moment.month).dropna(subset=["late"])
    stayed = roc_auc_score(arrived["late"], january.predict_proba(arrived[FEATURES])[:, 1])
    return Row(
        month=f"{moment:%b}",
        flights=month["predictions"],
        outcomes=month["outcomes"],
        event_rate=month["event_rate"],
        served_roc_auc=month["roc_auc"]["value"],
        january_roc_auc=float(stayed),
        value=month["value"],
        versions=month["versions"],
        alerts=month["alerts"],
    )


def show(stage: Stage, table: Table) -> None:
    printed = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in ("month", "flights", "late", "AUC served", "AUC January's", "value $", "version", "alerts"):
        printed.add_column(name, justify="left" if name == "month" else "right")
    for row in table.rows:
        printed.add_row(
            row.month,
            f"{row.flights:,}",
            _share(row.event_rate),
            _figure(row.served_roc_auc, row.january_roc_auc),
            f"{row.january_roc_auc:.3f}",
            "" if row.value is None else f"{row.value:,.0f}",
            ", ".join(map(str, row.versions)),
            str(row.alerts or ""),
        )
    stage.console.print(printed)
    if table.gained is not None:
        stage.say(f"since the first retrained version answers alone, AUC is {table.gained:+.3f} above January's model")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _figure(served: float | None, stayed: float) -> str:
    if served is None:
        return ""
    return f"[green]{served:.3f}[/green]" if served > stayed + 0.005 else f"{served:.3f}"
