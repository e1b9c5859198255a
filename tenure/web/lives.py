"""What is known about each model, and the step of its life that follows from it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenure.build import model_versions, registered_models
from tenure.deploy import endpoints
from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.endpoints import EndpointInfo
from tenure.records.model_files import ModelFile
from tenure.records.people import Permission, Principal
from tenure.records.registry import ModelVersionInfo, RegisteredModelInfo
from tenure.records.retraining import RetrainingRun
from tenure.records.routing import ReleaseHealth
from tenure.records.windows import Window
from tenure.settings import Settings
from tenure.store import alerts, model_files, profiles, retraining_runs, windows
from tenure.store.database import Transaction
from tenure.web import shown_metric
from tenure.web.shown_metric import ShownMetric

BUILD, MANAGE, DEPLOY, MONITOR, RETRAIN = range(5)
SHOWN = 60
"""How many of the latest windows a small curve shows."""

UNDER_WAY = ("queued", "training", "shadow", "review")


class Life(Record):
    """`step`: 0 build, 1 manage, 2 deploy, 3 monitor, 4 retrain; `words` says what is going on."""

    step: int
    words: str


class Health(Record):
    """How a model or an endpoint does: in one word, with its tone."""

    word: str
    tone: str


class Known(Record):
    """Everything that pages tell about one model. Versions newest first, windows in the order of event time."""

    name: str
    model: RegisteredModelInfo | None
    file: ModelFile | None
    versions: list[ModelVersionInfo]
    endpoints: list[EndpointInfo]
    alerts: list[Alert]
    answered: list[Window]
    retrainings: list[RetrainingRun]
    baseline: float | None

    @property
    def purpose(self) -> str:
        described = self.model.description if self.model else None
        return self.file.purpose if self.file else described or ""

    @property
    def governed(self) -> bool:
        return self.file is not None and self.file.approval is not None

    @property
    def releases(self) -> list[ReleaseHealth]:
        """How the releases of its endpoints are, as the gateways say."""
        return [release for endpoint in self.endpoints for release in endpoint.health]

    @property
    def metric(self) -> ShownMetric:
        """The measure that is shown of it over time."""
        return shown_metric.shown(self.file, self.answered)

    @property
    def champion(self) -> int | None:
        """The version that answers: at an endpoint, else by its alias."""
        for endpoint in self.endpoints:
            for release in endpoint.releases:
                if release.role == "champion":
                    return release.version
        named = {alias.alias: alias.version for alias in self.model.aliases} if self.model else {}
        return named.get("champion")


def all_of(tx: Transaction, settings: Settings) -> list[Known]:
    """Every model of the registry, and those that so far only have a file, by name."""
    registered = {model.name: model for model in registered_models.list_all(tx)}
    files = {applied.model: applied.file for applied in model_files.all_current(tx)}
    deployed = endpoints.describe_all(tx, settings)
    return [
        _known(tx, name, registered.get(name), files.get(name), [one for one in deployed if one.model == name])
        for name in sorted({*registered, *files})
    ]


def seen_by(tx: Transaction, settings: Settings, principal: Principal) -> list[Known]:
    """Every model that somebody may read, by name."""
    return [known for known in all_of(tx, settings) if principal.may(Permission.READ, known.name)]


def of(tx: Transaction, name: str, settings: Settings) -> Known | None:
    """One model; None when there is neither a registered model nor a file of that name."""
    registered = {model.name: model for model in registered_models.list_all(tx)}
    applied = model_files.current(tx, name)
    if name not in registered and applied is None:
        return None
    deployed = [one for one in endpoints.describe_all(tx, settings) if one.model == name]
    return _known(tx, name, registered.get(name), applied.file if applied else None, deployed)


def _known(
    tx: Transaction,
    name: str,
    model: RegisteredModelInfo | None,
    file: ModelFile | None,
    deployed: list[EndpointInfo],
) -> Known:
    seen = windows.search(tx, deployed[0].name, limit=SHOWN * 2, bare=True) if deployed else []
    known = Known(
        name=name,
        model=model,
        file=file,
        versions=model_versions.of_model(tx, name) if model else [],
        endpoints=deployed,
        alerts=[alert for endpoint in deployed for alert in alerts.search(tx, endpoint=endpoint.name)],
        answered=[window for window in reversed(seen) if window.role != "shadow"],
        retrainings=retraining_runs.search(tx, model=name),
        baseline=None,
    )
    return msgspec.structs.replace(known, baseline=_approved_with(tx, known))


def _approved_with(tx: Transaction, known: Known) -> float | None:
    stored = profiles.get(tx, known.name, known.champion) if known.champion else None
    approved = shown_metric.approved_with(stored.profile.judged, known.metric.metric) if stored else None
    return approved.value if approved else None


def urgent(alerts: Sequence[Alert]) -> list[Alert]:
    """Alerts that fire: critical ones first, then the latest."""
    firing = [alert for alert in alerts if alert.state == "firing"]
    return sorted(firing, key=lambda alert: (alert.severity != "critical", -alert.event_at))


def life_of(known: Known) -> Life:
    """Where a model stands, judged from what is there: the furthest step that something of it has reached."""
    under_way = next((run for run in known.retrainings if run.state in UNDER_WAY), None)
    states = [version.state for version in known.versions]
    if under_way is not None:
        return Life(step=RETRAIN, words=f"retraining: {under_way.state}")
    if known.answered:
        return Life(step=MONITOR, words="in service and monitored")
    if known.champion is not None and known.endpoints:
        return Life(step=DEPLOY, words="in service, nothing measured yet")
    if "in_review" in states:
        return Life(step=MANAGE, words="in review")
    if "approved" in states:
        return Life(step=MANAGE, words="approved, not deployed")
    return Life(step=BUILD, words="registered" if states else "no version yet")


def health_of(alerts: Sequence[Alert], answered: Sequence[Window], releases: Sequence[ReleaseHealth]) -> Health:
    """The worst that is known: a release that failed, an alert that fires, or too little data to tell."""
    firing = [alert for alert in alerts if alert.state in ("firing", "acknowledged")]
    if any(release.state == "failed" for release in releases):
        return Health(word="not serving", tone="bad")
    if any(alert.severity == "critical" for alert in firing):
        return Health(word="failing", tone="bad")
    if firing:
        return Health(word="watch", tone="warn")
    if not answered:
        return Health(word="no data yet", tone="quiet")
    return Health(word="healthy", tone="ok")
