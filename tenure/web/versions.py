"""One version: its card, what it was trained on, who signed for it, where it came from and where it went."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.access import MODEL
from tenure.build import model_versions, provenance
from tenure.deploy import environments
from tenure.errors import NotFound
from tenure.manage import cards, contents, evidence, features, policies
from tenure.records.people import Permission, Principal
from tenure.records.registry import ModelVersionInfo
from tenure.store import changes, forms, gates, profiles, retraining_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import baselines
from tenure.web.chart_data import Distributions
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.features import panel
from tenure.web.lineage import panel as lineage_panel
from tenure.web.page import part, show
from tenure.web.placements import ways_of
from tenure.web.provenance import panel as provenance_panel
from tenure.web.version_moves import moves_of

CHARTS = ("columns", "scores")
FIELDS = {
    "purpose": "Purpose",
    "how_to_call": "How to call it",
    "input_limits": "Input limits",
    "expected_output": "Expected output",
    "scope": "Scope",
    "accuracy": "Accuracy",
    "data_dependencies": "Data it depends on",
    "owner": "Owner",
}


@get(
    "/models/{name:str}/versions/{version:int}",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(
    ground: Ground, principal: Principal, name: str, version: int, sort: str = "", down: bool = True
) -> Response[str]:
    path = f"/models/{part(name)}/versions/{version}"

    def load(tx: Transaction) -> dict[str, Any]:
        info = model_versions.get(tx, name, version)
        stored = profiles.get(tx, name, version)
        asked = [one.change for one in changes.search(tx, model=name, version=version)]
        evaluations = gates.of_version(tx, name, version)
        return {
            "info": info,
            "card": cards.current(tx, name, version),
            "fields": FIELDS,
            "baseline": stored,
            "judged": stored.profile.judged if stored else None,
            "taken": baselines.taken(stored.profile) if stored else None,
            "changes": asked,
            "signed": evidence.blocks(tx, name, version),
            "moves": moves_of(tx, name, version, principal),
            "placing": ways_of(tx, info, principal),
            "evaluation": evaluations[0] if evaluations else None,
            "policy": policies.VERSION,
            "lineage": lineage_panel(tx, name, version),
            "provenance": provenance_panel(provenance.of_version(tx, info)),
            "retraining": _made_by(tx, info),
            "features": panel(features.of_version(ground, tx, name, version), path, sort, down),
            "contents": contents.of_version(tx, info),
            "form": forms.get(tx, name, version),
            "environment": environments.shown(tx, ground.settings, info),
            "size": sum(file.size_bytes for file in info.files),
        }

    return show(ground, principal, "version.html", load, current="models")


@get(
    "/models/{name:str}/versions/{version:int}/charts/{chart:str}",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def version_chart(
    ground: Ground, name: str, version: int, chart: str, form: Form = "svg", theme: Theme = "light", width: int = 760
) -> Response[str]:
    """A chart of a version's baseline."""
    stored = ground.database.read(lambda tx: profiles.get(tx, name, version))
    if stored is None or chart not in CHARTS:
        raise NotFound(f"Version {version} of {name!r} has no baseline, or there is no chart {chart!r} of one.")
    return drawn(ground, chart, Distributions(baseline=stored.profile), form=form, theme=theme, width=width)


def _made_by(tx: Transaction, info: ModelVersionInfo) -> str | None:
    """The retraining run that made this version, if one did."""
    made = (run for run in retraining_runs.search(tx, model=info.name) if run.challenger_version == info.version)
    return next((run.retraining_id for run in made), None)


handlers = [page, version_chart]
