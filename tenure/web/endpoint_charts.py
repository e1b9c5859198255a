"""Charts of an endpoint: its windows over time, and its columns' distributions lately against the baseline."""

from __future__ import annotations

from litestar import Response, get

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.errors import NotFound
from tenure.monitor import harms
from tenure.records.model_files import ModelFile, Monitors
from tenure.records.people import Permission
from tenure.records.windows import Interval, Window
from tenure.store import alerts, model_files, profiles, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import shown_metric
from tenure.web.chart_data import Distributions, EndpointStory
from tenure.web.drawing import Form, Theme, drawn

DRAWN_LIMIT = 400
CHARTS = ("accuracy", "drift", "value", "traffic", "latency", "calibration", "harm")


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
        seen = ground.database.read(lambda tx: distributions(tx, name))
        if seen is None:
            raise NotFound(f"No version with a baseline answers at {name!r} yet, so there is nothing to compare.")
        return drawn(ground, "columns", seen, form=form, theme=theme, width=width)
    if chart not in CHARTS:
        raise NotFound(f"There is no chart {chart!r} of an endpoint. There are {', '.join(CHARTS)}, columns.")
    told = ground.database.read(lambda tx: story(tx, name, chart))
    return drawn(ground, chart, told, form=form, theme=theme, width=width)


def story(tx: Transaction, name: str, chart: str) -> EndpointStory:
    """An endpoint's windows in the order of event time, and what this chart holds them against. Raises NotFound."""
    model = endpoints.get(tx, name).model
    if chart == "harm":
        return EndpointStory(endpoint=name, windows=[], detectors=harms.shown(tx, name))
    seen, file = of_time(tx, name), file_of(tx, model)
    monitors = file.monitors if file else Monitors()
    if chart == "latency":
        allowed = monitors.latency.p99_ms if monitors.latency else None
        return EndpointStory(endpoint=name, windows=seen, held=allowed)
    if chart != "accuracy":
        return EndpointStory(endpoint=name, windows=seen, floor=monitors.psi_floor)
    metric = shown_metric.shown(file, seen)
    return EndpointStory(
        endpoint=name,
        windows=seen,
        metric=metric.metric,
        held=metric.held,
        baselines=_baselines(tx, model, metric, sorted({window.version for window in seen})),
        alerts=[one for one in alerts.search(tx, endpoint=name) if one.monitor == "accuracy"],
    )


def of_time(tx: Transaction, name: str, limit: int = DRAWN_LIMIT) -> list[Window]:
    """The latest windows, earliest first, without their profiles: figures over time need none."""
    return windows.search(tx, name, limit=limit, bare=True)[::-1]


def distributions(tx: Transaction, name: str) -> Distributions | None:
    """The baseline of the version that answered last, and what its latest window saw."""
    latest = windows.search(tx, name, role="champion", limit=1)
    if not latest:
        return None
    stored = profiles.get(tx, latest[0].model, latest[0].version)
    return Distributions(baseline=stored.profile, observed=latest[0].profile) if stored else None


def file_of(tx: Transaction, model: str) -> ModelFile | None:
    applied = model_files.current(tx, model)
    return applied.file if applied else None


def _baselines(
    tx: Transaction, model: str, metric: shown_metric.ShownMetric, versions: list[int]
) -> dict[int, Interval]:
    stored = {version: profiles.get(tx, model, version) for version in versions}
    known = {
        version: shown_metric.approved_with(one.profile.judged, metric.metric) for version, one in stored.items() if one
    }
    return {version: interval for version, interval in known.items() if interval is not None}


handlers = [endpoint_chart]
