"""An endpoint's pages: what answers there, how much, how fast, how well, and what it was worth."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import Parameter

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.errors import NotFound
from tenure.manage import evidence
from tenure.monitor import harms, progress
from tenure.records.measured import NAMES
from tenure.records.model_files import Monitors
from tenure.records.people import Permission, Principal
from tenure.records.weaknesses import LOSSES
from tenure.records.windows import Interval, Window
from tenure.store import alerts, batches, exports, kills, model_files, profiles, releases, retraining_runs, windows
from tenure.store import endpoints as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import drift, estimates, lives, service_levels, small_pictures
from tenure.web.chart_data import Distributions, EndpointStory
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.forms import csrf_of
from tenure.web.page import show

DRAWN_LIMIT = 400
LISTED_LIMIT = 12
BATCHES_LIMIT = 8
ADMITTED = {
    "flagged": "Requests with values outside of a range, marked",
    "clipped": "Requests with values outside of a range, clipped",
    "range": "Requests refused for a value outside of its range",
    "null": "Requests refused for a missing value",
    "kind": "Requests refused for a value of another kind",
    "caller": "Requests refused for who asked",
    "time": "Requests refused for the day they came",
    "missing": "Requests refused for not saying where or what for",
    "jurisdiction": "Requests refused for where they came from",
    "purpose": "Requests refused for what they were for",
    "allow": "Requests refused by the condition of the model's file",
    "quota": "Requests refused for the quota",
}
TASK_WORDS = {
    "binary": "yes or no, by a chance",
    "ranking": "yes or no, by a score without a scale",
    "multiclass": "a choice between classes",
    "regression": "numbers",
}
CHARTS = ("accuracy", "drift", "value", "traffic", "latency", "calibration", "harm")


@get(
    "/endpoints/{name:str}",
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
    every: Annotated[bool, Parameter(query="all")] = False,
) -> Response[str]:
    come = progress.of(ground, name)

    def load(tx: Transaction) -> dict[str, Any]:
        endpoint = endpoints.describe(tx, name, ground.settings)
        shown = _windows(tx, name)
        answered = [window for window in shown if window.role != "shadow"]
        listed = list(reversed(shown))[: None if every else LISTED_LIMIT]
        known = alerts.search(tx, endpoint=name)
        history = releases.history(tx, name)
        judged = next((one for one in reversed(answered) if not one.provisional), None)
        return {
            "endpoint": endpoint,
            "champion": next((one for one in endpoint.releases if one.role == "champion"), None),
            "docs_url": f"{ground.settings.shown_scoring_url}/endpoints/{name}/docs",
            "progress": come,
            "windows": listed,
            "estimated": estimates.shown(answered),
            "earlier": len(shown) - len(listed),
            "first": answered[0] if answered else None,
            "latest": answered[-1] if answered else None,
            "judged": judged,
            "drawings": small_pictures.pictures(judged.measured, judged.confusion) if judged else None,
            "measures": NAMES,
            "tasks": TASK_WORDS,
            "losses": LOSSES,
            "value": _sum([window.value.value for window in answered]),
            "alerts": known,
            "firing": lives.urgent(known),
            "health": lives.health_of(known, answered, endpoint.health),
            "states": {health.release_id: health for health in endpoint.health},
            "releases": history,
            "kills": kills.history(tx, name),
            "fallback": msgspec.to_builtins(kept.fallback(tx, name)),
            "export": exports.get(tx, name),
            "csrf": csrf_of(request),
            "signed": {
                version: evidence.blocks(tx, endpoint.model, version) for version in {one.version for one in history}
            },
            "batches": batches.of_endpoint(tx, name, BATCHES_LIMIT),
            "retrainings": retraining_runs.search(tx, endpoint=name),
            "monitors": _monitors(tx, endpoint.model),
            "detectors": harms.shown(tx, name),
            "called": harms.CALLED,
            "segments": _segments(tx, endpoint.model),
            "admitted": ADMITTED,
            "drift": drift.latest(tx, name),
            "served": service_levels.shown(tx, name, ground.clock()),
            "latency_of": service_levels.latency_of,
            "has_baseline": _distributions(tx, name) is not None,
        }

    return show(ground, principal, "endpoint.html", load, current="models")


@get(
    "/endpoints/{name:str}/months",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def months(ground: Ground, principal: Principal, name: str) -> Response[str]:
    """Calendar months, each judged over all of its rows: read from the predictions themselves, so it takes longer."""
    from tenure.monitor import report  # here, since it brings scipy

    rows = report.by_month(ground, name)

    def load(tx: Transaction) -> dict[str, Any]:
        return {"endpoint": endpoints.get(tx, name), "months": rows}

    return show(ground, principal, "months.html", load, current="models")


@get(
    "/endpoints/{name:str}/charts/{chart:str}",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def endpoint_chart(
    ground: Ground, name: str, chart: str, form: Form = "svg", theme: Theme = "light", width: int = 760
) -> Response[str]:
    """One chart of an endpoint's windows, or of its columns' distributions lately against the baseline."""
    if chart == "columns":
        seen = ground.database.read(lambda tx: _distributions(tx, name))
        if seen is None:
            raise NotFound(f"No version with a baseline answers at {name!r} yet, so there is nothing to compare.")
        return drawn(ground, "columns", seen, form=form, theme=theme, width=width)
    if chart not in CHARTS:
        raise NotFound(f"There is no chart {chart!r} of an endpoint. There are {', '.join(CHARTS)}, columns.")
    told = ground.database.read(lambda tx: story(tx, name))
    return drawn(ground, chart, told, form=form, theme=theme, width=width)


def story(tx: Transaction, name: str) -> EndpointStory:
    """An endpoint's windows in the order of event time, with baselines and alerts. Raises NotFound."""
    model = endpoints.get(tx, name).model
    shown = _windows(tx, name)
    return EndpointStory(
        endpoint=name,
        windows=shown,
        baselines=_baselines(tx, model, sorted({window.version for window in shown})),
        alerts=alerts.search(tx, endpoint=name),
        floor=_monitors(tx, model).psi_floor,
        detectors=harms.shown(tx, name),
    )


def _windows(tx: Transaction, name: str) -> list[Window]:
    """The latest windows, earliest first, without their profiles: a chart over time needs none."""
    found = windows.search(tx, name, limit=DRAWN_LIMIT)
    return [msgspec.structs.replace(window, profile=None) for window in reversed(found)]


def _baselines(tx: Transaction, model: str, versions: list[int]) -> dict[int, Interval]:
    found = {}
    for version in versions:
        stored = profiles.get(tx, model, version)
        judged = stored.profile.judged if stored else None
        if judged is not None:
            found[version] = Interval(value=judged.roc_auc, low=judged.roc_auc_low, high=judged.roc_auc_high)
    return found


def _distributions(tx: Transaction, name: str) -> Distributions | None:
    """The baseline of the version that answered last, and what its latest window saw."""
    latest = windows.search(tx, name, role="champion", limit=1)
    if not latest:
        return None
    stored = profiles.get(tx, latest[0].model, latest[0].version)
    return Distributions(baseline=stored.profile, observed=latest[0].profile) if stored else None


def _monitors(tx: Transaction, model: str) -> Monitors:
    applied = model_files.current(tx, model)
    return applied.file.monitors if applied else Monitors()


def _segments(tx: Transaction, model: str) -> list[str]:
    applied = model_files.current(tx, model)
    return applied.file.segments if applied else []


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


handlers = [page, months, endpoint_chart]
