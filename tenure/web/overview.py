"""The first page: every model with its step of life, its health and its value."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.access import LISTED
from tenure.manage import people
from tenure.records.base import Record
from tenure.records.measured import Figure
from tenure.records.people import Permission, Principal
from tenure.records.windows import Window
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import lives, shown_metric, sparklines
from tenure.web.page import show
from tenure.web.shown_metric import ShownMetric
from tenure.web.sparklines import Column, Curve


class ModelGlance(Record):
    """One model as the overview shows it."""

    name: str
    purpose: str
    governed: bool
    life: lives.Life
    health: lives.Health
    versions: int
    champion: int | None
    endpoints: list[str]
    firing: int
    latest: Window | None
    metric: ShownMetric
    accuracy: Figure | None
    accuracy_words: str
    curve: Curve | None
    value: float | None
    value_columns: list[Column]


@get("/", permission=Permission.READ, subject=LISTED, sync_to_thread=True, include_in_schema=False)
def page(ground: Ground, principal: Principal) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        glances = sorted(
            map(_glance, lives.seen_by(tx, ground.settings, principal)), key=lambda one: (-one.firing, -one.life.step)
        )
        return {
            "models": glances,
            "in_service": sum(1 for one in glances if one.champion),
            "predictions": sum(one.latest.predictions for one in glances if one.latest),
            "firing": sum(one.firing for one in glances),
            "locked": _locked(tx, ground, principal),
            "control_url": ground.settings.shown_url,
        }

    return show(ground, principal, "overview.html", load, current="overview")


def _locked(tx: Transaction, ground: Ground, principal: Principal) -> list[str]:
    """Whom wrong passwords keep out, for who administers."""
    if not principal.may(Permission.ADMINISTER):
        return []
    return [person.printed_name for person in people.locked(tx, ground.clock())]


def _glance(known: lives.Known) -> ModelGlance:
    windows = known.answered
    metric = known.metric
    figures = [shown_metric.figure_of(window, metric.metric) for window in windows]
    matured = [
        one for window, one in zip(windows, figures, strict=True) if not window.provisional and one.value is not None
    ]
    valued = [window for window in windows if window.value.value is not None]
    shown = windows[-lives.SHOWN :]
    return ModelGlance(
        name=known.name,
        purpose=known.purpose,
        governed=known.governed,
        life=lives.life_of(known),
        health=lives.health_of(known.alerts, windows, known.releases),
        versions=len(known.versions),
        champion=known.champion,
        endpoints=[endpoint.name for endpoint in known.endpoints],
        firing=sum(1 for alert in known.alerts if alert.state == "firing"),
        latest=windows[-1] if windows else None,
        metric=metric,
        accuracy=matured[-1] if matured else None,
        accuracy_words=shown_metric.with_interval(matured[-1], metric.metric) if matured else "",
        curve=sparklines.curve(figures[-lives.SHOWN :], known.baseline),
        value=sum(window.value.value or 0.0 for window in valued) if valued else None,
        value_columns=sparklines.columns([window.value.value for window in shown]),
    )


handlers = [page]
