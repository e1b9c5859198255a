"""The list of models, and one model with its versions, endpoints and what was declared about it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get

from tenure.access import LISTED, MODEL
from tenure.errors import NotFound
from tenure.manage import cards, evidence
from tenure.records.base import Record
from tenure.records.changes import SignatureBlock
from tenure.records.model_files import ModelFile
from tenure.records.people import Permission, Principal
from tenure.records.profiles import Judged
from tenure.records.registry import ModelVersionInfo
from tenure.store import changes, model_files, profiles
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import lives, shown_metric
from tenure.web.page import show

SHOWN_APART = ("model", "purpose", "owner", "features")


class VersionLine(Record):
    """One version in the model's table."""

    info: ModelVersionInfo
    judged: Judged | None
    has_baseline: bool
    missing: list[str]
    signed: list[SignatureBlock]


@get("/models", permission=Permission.READ, subject=LISTED, sync_to_thread=True, include_in_schema=False)
def models_page(ground: Ground, principal: Principal) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        known = lives.seen_by(tx, ground.settings, principal)
        lines = [
            {
                "known": one,
                "life": lives.life_of(one),
                "health": lives.health_of(one.alerts, one.answered, one.releases),
            }
            for one in known
        ]
        return {"lines": lines, "control_url": ground.settings.shown_url}

    return show(ground, principal, "models.html", load, current="models")


@get("/models/{name:str}", permission=Permission.READ, subject=MODEL, sync_to_thread=True, include_in_schema=False)
def model_page(ground: Ground, principal: Principal, name: str) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        known = lives.of(tx, name, ground.settings)
        if known is None:
            raise NotFound(f"There is no model named {name!r}. Register one with mlflow.register_model.")
        applied = model_files.current(tx, name)
        return {
            "known": known,
            "life": lives.life_of(known),
            "health": lives.health_of(known.alerts, known.answered, known.releases),
            "lines": [_line(tx, version) for version in known.versions],
            "applied": applied,
            "declared": _declared(applied.file) if applied else "",
            "shown_estimates": any(shown_metric.estimate_of(one, known.metric.metric) for one in known.answered),
            "changes": [stored.change for stored in changes.search(tx, model=name, limit=50)],
            "firing": lives.urgent(known.alerts),
            "control_url": ground.settings.shown_url,
        }

    return show(ground, principal, "model.html", load, current="models")


def _line(tx: Transaction, version: ModelVersionInfo) -> VersionLine:
    stored = profiles.get(tx, version.name, version.version)
    return VersionLine(
        info=version,
        judged=stored.profile.judged if stored else None,
        has_baseline=stored is not None,
        missing=cards.current(tx, version.name, version.version).missing,
        signed=evidence.blocks(tx, version.name, version.version),
    )


def _declared(file: ModelFile) -> str:
    """What a person wrote in the model's file, as YAML: without what is shown above it or was left at its default."""
    import yaml

    unset = {field.name: field.default for field in msgspec.structs.fields(file)}
    told = {name: getattr(file, name) for name in file.__struct_fields__ if name not in SHOWN_APART}
    plain = {name: msgspec.to_builtins(value) for name, value in told.items() if value not in (unset[name], [], None)}
    written = _said(plain)
    return str(yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=100)) if written else ""


def _said(value: Any) -> Any:
    """What a file says, without what it leaves empty."""
    if isinstance(value, dict):
        return {key: _said(inner) for key, inner in value.items() if inner not in (None, [])}
    return [_said(inner) for inner in value] if isinstance(value, list) else value


handlers = [models_page, model_page]
