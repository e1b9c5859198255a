"""An endpoint's pages: what answers there, how well, how fast, what drifts, and what was put in service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter
from litestar.response import Redirect

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.manage import evidence
from tenure.monitor import harms, progress
from tenure.records.harm import DetectorState
from tenure.records.measured import NAMES
from tenure.records.model_files import ModelFile, Monitors
from tenure.records.people import Permission, Principal
from tenure.records.weaknesses import LOSSES
from tenure.records.windows import Window
from tenure.store import alerts, batches, exports, kills, releases, retraining_runs
from tenure.store import endpoints as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import endpoint_tabs, estimates, in_service, lives, service_levels, shown_metric, small_pictures
from tenure.web.alert_places import TabName
from tenure.web.endpoint_charts import DRAWN_LIMIT, file_of, of_time
from tenure.web.forms import csrf_of
from tenure.web.page import show

LISTED_LIMIT = 8
OPEN_LIMIT = 3
OVER_LIMIT = 2
BATCHES_LIMIT = 8
RELEASES_LIMIT = 8
LATELY = 60
"""How many of the latest windows are looked through for the one whose outcomes have come."""
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
HARM_WORDS: dict[DetectorState, tuple[str, str]] = {
    "learning": ("learning what is usual", "quiet"),
    "watching": ("watching, no harm", "ok"),
    "firing": ("harm", "bad"),
    "cooldown": ("resting after an alarm", "info"),
}
TASK_WORDS = {
    "binary": "yes or no, by a chance",
    "ranking": "yes or no, by a score without a scale",
    "multiclass": "a choice between classes",
    "regression": "numbers",
}

Asked = Request[Any, Any, Any]
Every = Annotated[bool, QueryParameter(name="all")]
Loaded = dict[str, Any]
Load = Callable[[Transaction, Loaded], Loaded]


@get(
    "/endpoints/{name:str}",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(request: Asked, ground: Ground, principal: Principal, name: str, every: Every = False) -> Response[Any]:
    """What answers, how each part of it does in a line, and what fires."""
    if every:  # where all windows were listed before there were tabs
        return Redirect(f"{endpoint_tabs.path_of(name, 'outcomes')}?all=true", status_code=303)
    come = progress.of(ground, name)

    def load(tx: Transaction, head: Loaded) -> Loaded:
        answered = head["known"].answered
        return {
            "progress": come,
            "first": answered[0] if answered else None,
            "value": _sum([window.value.value for window in answered]),
            "over": alerts.search(tx, endpoint=name, state="resolved", limit=OVER_LIMIT),
            "open_limit": OPEN_LIMIT,
        }

    return tab(request, ground, principal, name, "overview", load, windows=DRAWN_LIMIT)


@get(
    "/endpoints/{name:str}/accuracy",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def accuracy(request: Asked, ground: Ground, principal: Principal, name: str) -> Response[Any]:
    """How good the answers were: over time, lately in every measure, and where they are weakest."""

    def load(_tx: Transaction, head: Loaded) -> Loaded:
        judged: Window | None = head["judged"]
        answered: list[Window] = head["known"].answered
        file: ModelFile | None = head["file"]
        return {
            "drawings": small_pictures.pictures(judged.measured, judged.confusion) if judged else None,
            "measures": NAMES,
            "meanings": shown_metric.MEANINGS,
            "tasks": TASK_WORDS,
            "losses": LOSSES,
            "segments": file.segments if file else [],
            "has_chances": any(one.mean_score is not None and one.event_rate.value is not None for one in answered),
        }

    return tab(request, ground, principal, name, "accuracy", load)


@get(
    "/endpoints/{name:str}/outcomes",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def outcomes(request: Asked, ground: Ground, principal: Principal, name: str, every: Every = False) -> Response[Any]:
    """What outcomes told as they came, and what was said before they did."""
    come = progress.of(ground, name)

    def load(tx: Transaction, head: Loaded) -> Loaded:
        shown: list[Window] = head["shown"]
        listed = shown[::-1][: None if every else LISTED_LIMIT]
        metric = head["metric"].metric
        return {
            "progress": come,
            "windows": [(window, shown_metric.figure_of(window, metric)) for window in listed],
            "latency_of": service_levels.latency_of,
            "earlier": len(shown) - len(listed),
            "estimated": estimates.shown(head["known"].answered),
            "detectors": harms.shown(tx, name),
            "called": harms.CALLED,
            "harm_words": HARM_WORDS,
        }

    return tab(request, ground, principal, name, "outcomes", load, windows=DRAWN_LIMIT)


@get(
    "/endpoints/{name:str}/service",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def service(request: Asked, ground: Ground, principal: Principal, name: str) -> Response[Any]:
    """How much it answers, how fast, and what it does not admit."""

    def load(tx: Transaction, _head: Loaded) -> Loaded:
        return {"admitted": ADMITTED, "served": service_levels.shown(tx, name, ground.clock())}

    return tab(request, ground, principal, name, "service", load)


@get(
    "/endpoints/{name:str}/releases",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def releases_page(
    request: Asked, ground: Ground, principal: Principal, name: str, every: Every = False
) -> Response[Any]:
    """What was in service, the switches, and where answers are kept and go."""

    def load(tx: Transaction, head: Loaded) -> Loaded:
        endpoint = head["endpoint"]
        history = releases.history(tx, name)
        listed = history[: None if every else RELEASES_LIMIT]
        return {
            **in_service.shown(tx, endpoint),
            "states": {health.release_id: health for health in endpoint.health},
            "releases": listed,
            "earlier": len(history) - len(listed),
            "signed": {one: evidence.blocks(tx, endpoint.model, one) for one in {one.version for one in listed}},
            "kills": kills.history(tx, name),
            "export": exports.get(tx, name),
            "batches": batches.of_endpoint(tx, name, BATCHES_LIMIT),
            "retrainings": retraining_runs.search(tx, endpoint=name)[:BATCHES_LIMIT],
        }

    return tab(request, ground, principal, name, "releases", load)


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


def tab(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    here: TabName,
    load: Load,
    *,
    windows: int = LATELY,
) -> Response[Any]:
    """A tab with the head that all have, read as of one moment. `windows`: how many of the latest it needs."""

    def all_of(tx: Transaction) -> Loaded:
        told = {**head(tx, ground, name, here, windows), "csrf": csrf_of(request)}
        told["may_manage"] = principal.may(Permission.MANAGE, told["endpoint"].model)
        return {**told, **load(tx, told)}

    return show(ground, principal, f"endpoint_{here}.html", all_of, current="models")


def head(tx: Transaction, ground: Ground, name: str, here: TabName, windows: int) -> Loaded:
    """What stands above every tab: what answers, what is stopped, how each tab does. Raises NotFound."""
    endpoint = endpoints.describe(tx, name, ground.settings)
    file = file_of(tx, endpoint.model)
    shown = of_time(tx, name, windows)
    answered = [window for window in shown if window.role != "shadow"]
    stopped = kills.standing(tx, endpoint=name)
    opened = [one for state in ("firing", "acknowledged") for one in alerts.search(tx, endpoint=name, state=state)]
    under_way = retraining_runs.under_way(tx, name)
    known = endpoint_tabs.Known(
        endpoint=endpoint,
        monitors=file.monitors if file else Monitors(),
        metric=shown_metric.shown(file, answered),
        answered=answered,
        open=sorted(opened, key=lambda one: (one.severity != "critical", one.state != "firing", -one.event_at)),
        kills=stopped,
        export=exports.get(tx, name),
        retraining=under_way.state if under_way else "",
    )
    tabs = endpoint_tabs.tabs(known)
    return {
        "endpoint": endpoint,
        "file": file,
        "base": endpoint_tabs.path_of(name),
        "champion": next((one for one in endpoint.releases if one.role == "champion"), None),
        "docs_url": f"{ground.settings.shown_scoring_url}/endpoints/{name}/docs",
        "known": known,
        "shown": shown,
        "shown_estimates": any(shown_metric.estimate_of(one, known.metric.metric) for one in shown),
        "tabs": tabs,
        "tab": next(one for one in tabs if one.name == here),
        "metric": known.metric,
        "monitors": known.monitors,
        "latest": known.latest,
        "judged": known.judged,
        "figure": shown_metric.figure_of(known.judged, known.metric.metric) if known.judged else None,
        "told": shown_metric.told,
        "with_interval": shown_metric.with_interval,
        "health": lives.health_of(known.open, answered, endpoint.health),
        "stopped": stopped,
        "fallback": msgspec.to_builtins(kept.fallback(tx, name)),
    }


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


handlers = [page, accuracy, outcomes, service, releases_page, months]
