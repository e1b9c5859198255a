"""Models as a whole: registry, governance and changes side by side. Reads only."""

from __future__ import annotations

from collections import Counter

from tenure.build import model_versions, registered_models
from tenure.manage import cards, changes, evidence
from tenure.records.model_files import AppliedFile
from tenure.records.models import ModelDetail, ModelSummary, VersionDetail
from tenure.records.registry import ModelVersionInfo
from tenure.store import endpoints, model_files, profiles
from tenure.store.database import Transaction


def summaries(tx: Transaction) -> list[ModelSummary]:
    """Every registered model in one line, by name."""
    files = {applied.model: applied for applied in model_files.all_current(tx)}
    served: dict[str, list[str]] = {}
    for endpoint in endpoints.list_all(tx):
        served.setdefault(endpoint.model, []).append(endpoint.name)
    return [
        _summary(
            model.name,
            files.get(model.name),
            {alias.alias: alias.version for alias in model.aliases},
            model_versions.of_model(tx, model.name),
            served.get(model.name, []),
        )
        for model in registered_models.list_all(tx)
    ]


def detail(tx: Transaction, name: str) -> ModelDetail:
    """One model with its versions and open changes. Raises NotFound."""
    registered_models.get(tx, name)
    applied = model_files.current(tx, name)
    versions = model_versions.of_model(tx, name)
    served = [endpoint.name for endpoint in endpoints.list_all(tx, model=name)]
    return ModelDetail(
        summary=_summary(name, applied, registered_models.aliases(tx, name), versions, served),
        file_revision=applied.revision if applied else None,
        versions=versions,
        open_changes=changes.search(tx, state="open", model=name),
    )


def version_detail(tx: Transaction, name: str, version: int) -> VersionDetail:
    """One version with its card and changes. Raises NotFound."""
    applied = model_files.current(tx, name)
    return VersionDetail(
        version=model_versions.get(tx, name, version),
        governed=bool(applied and applied.file.approval),
        card=cards.current(tx, name, version),
        baseline_digest=profiles.digest(tx, name, version),
        changes=changes.search(tx, model=name, version=version),
        signatures=evidence.blocks(tx, name, version),
    )


def _summary(
    name: str,
    applied: AppliedFile | None,
    aliases: dict[str, int],
    versions: list[ModelVersionInfo],
    served: list[str],
) -> ModelSummary:
    return ModelSummary(
        name=name,
        governed=bool(applied and applied.file.approval),
        purpose=applied.file.purpose if applied else "",
        owner=applied.file.owner if applied else "",
        champion=aliases.get("champion"),
        challenger=aliases.get("challenger"),
        versions=dict(Counter(version.state for version in versions)),
        endpoints=served,
    )
