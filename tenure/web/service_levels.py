"""How an endpoint serves by the clock: what its page says of budgets and capacity, and the charts of the last day."""

from __future__ import annotations

from typing import Any, NamedTuple

from litestar import Response, get

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.errors import NotFound
from tenure.monitor import capacity, service_levels, service_series
from tenure.records.base import HOUR_US, Instant
from tenure.records.people import Permission
from tenure.records.service_levels import Budget
from tenure.records.windows import Window
from tenure.stats.latency_percentiles import percentile_of
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.chart_data import ServiceStory
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.wording import DASH, duration, percent

HOURS = 24
CHARTS = ("load", "served", "budget")
WINDOWS = {5: "5 min", 30: "30 min", 60: "1 h", 360: "6 h", 4320: "3 d"}
PROMISED = {"availability": "answered", "latency": "answered in time"}


class Took(NamedTuple):
    """Percentiles of a window's latency, in words."""

    p50: str
    p95: str
    p99: str


@get(
    "/endpoints/{name:str}/service/charts/{chart:str}",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def service_chart(
    ground: Ground, name: str, chart: str, form: Form = "svg", theme: Theme = "light", width: int = 536
) -> Response[str]:
    """One chart of how an endpoint served in the last day of the clock."""
    if chart not in CHARTS:
        raise NotFound(f"There is no chart {chart!r} of a service. There are {', '.join(CHARTS)}.")

    def story(tx: Transaction) -> ServiceStory:
        endpoints.get(tx, name)
        now = ground.clock()
        points = service_series.series(tx, name, HOURS, now)
        return ServiceStory(endpoint=name, points=points, budgets=service_levels.budgets(tx, name, now))

    return drawn(ground, chart, ground.database.read(story), form=form, theme=theme, width=width)


def shown(tx: Transaction, name: str, now: Instant) -> dict[str, Any]:
    """What the panel needs."""
    carried = capacity.of(tx, name, now)
    return {
        "hours": HOURS,
        "capacity": carried,
        "windows": list(WINDOWS.values()),
        "budgets": [_budget(one) for one in service_levels.budgets(tx, name, now)],
    }


def latency_of(window: Window) -> Took:
    """The percentiles of a window: from its counts, or as they were kept before there were counts."""
    if not window.latency_counts:
        return Took(_ms(window.latency_p50_ms), DASH, _ms(window.latency_p99_ms))
    found = [percentile_of(window.latency_counts, share) for share in (0.5, 0.95, 0.99)]
    return Took(*(_ms(None if us is None else us / 1000) for us in found))


def _budget(one: Budget) -> dict[str, Any]:
    rates = service_levels.rates(one)
    hot = {rule.long_minutes for rule in one.rules if rule.long_rate >= rule.factor}
    hot |= {rule.short_minutes for rule in one.rules if rule.short_rate >= rule.factor}
    within = f" within {one.latency_ms:g} ms" if one.latency_ms else ""
    return {
        "objective": one.objective,
        "promised": f"{_share(one.target)} {PROMISED[one.objective].split()[0]}{within}, over {one.over_days} days",
        "spent": one.spent,
        "left": percent(one.remaining, 1),
        "tone": "bad" if one.remaining <= 0 else "warn" if one.remaining < 0.25 else "",
        "gone": _gone(one),
        "rates": [(f"{rates[minutes]:.3g}", minutes in hot) for minutes in WINDOWS],
    }


def _share(share: float) -> str:
    """
    >>> _share(0.999), _share(0.99995)
    ('99.9 %', '99.995 %')
    """
    return f"{round(share * 100, 6):g} %"


def _gone(one: Budget) -> str:
    hours = one.gone_in_hours
    if hours is None or hours > one.over_days * 24:
        return "not at this rate"
    return "spent" if hours == 0 else f"in {duration(round(hours * HOUR_US))}"


def _ms(value: float | None) -> str:
    """
    >>> _ms(1.2345), _ms(123.4)
    ('1.23 ms', '123 ms')
    """
    return DASH if value is None else f"{value:.3g} ms"


handlers = [service_chart]
