"""The tabs of an endpoint's page: where each is, what it holds, and which of them has trouble. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.endpoints import EndpointInfo
from tenure.records.exports import Export
from tenure.records.kills import Kill
from tenure.records.model_files import Monitors
from tenure.records.windows import State, Window
from tenure.web import shown_metric, wording
from tenure.web.alert_places import TabName, tab_of
from tenure.web.page import part
from tenure.web.shown_metric import ShownMetric

Tone = Literal["quiet", "ok", "info", "warn", "bad"]
TITLES: dict[TabName, str] = {
    "overview": "Overview",
    "accuracy": "Accuracy",
    "outcomes": "Outcomes and harm",
    "drift": "Drift",
    "service": "Service",
    "releases": "Releases",
}
HOLDS: dict[TabName, str] = {
    "overview": "alerts",
    "accuracy": "measures weakest segments",
    "outcomes": "harm estimates arrival windows progress",
    "drift": "columns",
    "service": "versions admissions",
    "releases": "stop journal batches export retraining",
}
"""The names of sections on each tab, beside its own: an address with one of them after `#` leads to its tab."""
WORST: tuple[Tone, ...] = ("quiet", "ok", "info", "warn", "bad")
SHOWN_COLUMNS = 3


class Tab(Record):
    """`words`: in a line, how what it shows does. `alerts`: those open about it, the gravest first."""

    name: TabName
    title: str
    path: str
    holds: str
    tone: Tone
    word: str
    words: str
    alerts: list[Alert]

    @property
    def troubled(self) -> bool:
        return self.tone in ("warn", "bad")


class Known(Record):
    """What marks rest on. `answered`: the latest windows of what answered, earliest first; `open`: alerts that are not
    over, the gravest first; `kills`: those that stand."""

    endpoint: EndpointInfo
    monitors: Monitors
    metric: ShownMetric
    answered: list[Window]
    open: list[Alert]
    kills: list[Kill]
    export: Export | None = None
    retraining: str = ""

    @property
    def latest(self) -> Window | None:
        return self.answered[-1] if self.answered else None

    @property
    def judged(self) -> Window | None:
        """The latest window whose outcomes have come."""
        return next((one for one in reversed(self.answered) if not one.provisional), None)


class Mark(Record):
    """How one thing does: in a colour, a word and a line."""

    tone: Tone
    word: str
    words: str


def path_of(endpoint: str, tab: TabName = "overview") -> str:
    """
    >>> path_of("late flights", "drift"), path_of("x")
    ('/endpoints/late%20flights/drift', '/endpoints/x')
    """
    return f"/endpoints/{part(endpoint)}" + ("" if tab == "overview" else f"/{tab}")


def tabs(known: Known) -> list[Tab]:
    """Every tab with its mark. The overview has none of its own: it shows those of the others."""
    marks = {
        "accuracy": _accuracy(known),
        "outcomes": _outcomes(known),
        "drift": _drift(known),
        "service": _service(known),
        "releases": _releases(known),
    }
    found = []
    for name, title in TITLES.items():
        mine = [one for one in known.open if tab_of(one.monitor) == name]
        mark = _with_alerts(marks.get(name, Mark(tone="quiet", word="", words="")), mine)
        found.append(
            Tab(
                name=name,
                title=title,
                path=path_of(known.endpoint.name, name),
                holds=f"{name} {HOLDS[name]}",
                tone=mark.tone,
                word=mark.word,
                words=mark.words,
                alerts=mine,
            )
        )
    return found


def _with_alerts(mark: Mark, alerts: Sequence[Alert]) -> Mark:
    """A mark is no better than the gravest alert about it."""
    if not alerts:
        return mark
    tone: Tone = "bad" if any(one.severity == "critical" for one in alerts) else "warn"
    worse = max(tone, mark.tone, key=WORST.index)
    word = f"{len(alerts)} alert{'' if len(alerts) == 1 else 's'}"
    return Mark(tone=worse, word=mark.word if mark.tone == "bad" else word, words=mark.words)


def _accuracy(known: Known) -> Mark:
    judged, shown = known.judged, known.metric
    if judged is None:
        return Mark(tone="quiet", word="no outcomes yet", words="No window has its outcomes yet.")
    figure = shown_metric.figure_of(judged, shown.metric)
    promise = f", {shown.promise}" if shown.promise else ""
    words = (
        f"{shown.name} {shown_metric.with_interval(figure, shown.metric)} on {wording.count(figure.n)} outcomes, "
        f"{wording.span(judged.start_at, judged.end_at)}{promise}."
    )
    if judged.accuracy_state == "not_enough_data" and shown.held is None:
        return Mark(tone="quiet", word="nothing promised", words=words)
    return _mark(judged.accuracy_state, "worse than promised", words)


def _outcomes(known: Known) -> Mark:
    latest = known.latest
    if latest is None:
        return Mark(tone="quiet", word="none yet", words="No window has been judged yet.")
    words = (
        f"{wording.count(latest.outcomes)} outcomes of the {wording.count(latest.predictions)} predictions of the "
        f"latest window are known, {wording.span(latest.start_at, latest.end_at)}."
    )
    come = bool(latest.outcomes or known.judged)
    return Mark(tone="ok" if come else "quiet", word="ok" if come else "none yet", words=words)


def _drift(known: Known) -> Mark:
    latest = next((one for one in reversed(known.answered) if one.role == "champion"), None)
    told = [one for one in latest.drift if one.state != "not_enough_data"] if latest else []
    if latest is None or not told:
        words = "Nothing to compare yet: drift is told once a window of a version with a baseline is over."
        return Mark(tone="quiet", word="not known", words=words)
    moved = sorted((one for one in told if one.state == "breach"), key=lambda one: -one.psi_excess)
    names = ", ".join(one.column for one in moved[:SHOWN_COLUMNS])
    more = f" and {len(moved) - SHOWN_COLUMNS} more" if len(moved) > SHOWN_COLUMNS else ""
    span = wording.span(latest.start_at, latest.end_at)
    rows = f"{wording.count(latest.predictions)} rows"
    if not moved:
        return Mark(tone="ok", word="ok", words=f"0 of {len(told)} columns have drifted, {span}, {rows}.")
    have = "has" if len(moved) == 1 else "have"
    words = f"{len(moved)} of {len(told)} columns {have} drifted, {span}, {rows}: {names}{more}."
    return Mark(tone="warn", word="drifted", words=words)


def _service(known: Known) -> Mark:
    failed = [one for one in known.endpoint.health if one.state == "failed"]
    if failed:
        return Mark(tone="bad", word="not serving", words=f"Version {failed[0].version} failed: {failed[0].detail}")
    latest = next((one for one in reversed(known.answered) if one.latency_p99_ms is not None), None)
    serving = sum(one.state == "serving" for one in known.endpoint.health)
    up = f" {serving} version{' is' if serving == 1 else 's are'} ready at the gateways." if serving else ""
    if latest is None:
        return Mark(tone="quiet", word="not known", words=f"No latency has been measured yet.{up}")
    allowed = known.monitors.latency
    words = (
        f"99 of 100 requests took {wording.decimals(latest.latency_p99_ms, 1)} ms or less, half of them "
        f"{wording.decimals(latest.latency_p50_ms, 1)} ms, {wording.span(latest.start_at, latest.end_at)}"
        + (f"; {wording.figure(allowed.p99_ms)} ms allowed.{up}" if allowed else f".{up}")
    )
    if allowed is None:
        return Mark(tone="ok" if serving else "quiet", word="ok" if serving else "nothing promised", words=words)
    return _mark(latest.latency_state, "too slow", words)


def _releases(known: Known) -> Mark:
    places = [f"version {one.version} {_does(one.role)}" for one in known.endpoint.releases]
    words = (", ".join(places) or "nothing answers") + "."
    words = words[0].upper() + words[1:]
    if known.kills:
        what = [f"version {one.version}" if one.version else "the endpoint" for one in known.kills]
        return Mark(tone="bad", word="stopped", words=f"Stopped: {', '.join(what)}. {words}")
    if known.export is not None and known.export.problem:
        return Mark(tone="warn", word="export fails", words=f"{words} The export failed: {known.export.problem}")
    if known.retraining:
        return Mark(tone="info", word=f"retraining: {known.retraining}", words=words)
    return Mark(tone="ok" if places else "quiet", word="ok" if places else "empty", words=words)


def _does(role: str) -> str:
    return {"champion": "answers", "challenger": "answers its share", "shadow": "scores copies"}.get(role, f"is {role}")


def _mark(state: State, wrong: str, words: str) -> Mark:
    said: dict[State, tuple[Tone, str]] = {
        "ok": ("ok", "ok"),
        "breach": ("bad", wrong),
        "not_enough_data": ("quiet", "too little to judge"),
    }
    tone, word = said[state]
    return Mark(tone=tone, word=word, words=words)
