"""The registry in MLflow's database: models, versions, tags, aliases."""

from __future__ import annotations

from typing import Any

from tenure.imports.source import DELETED_STAGE, PROMPT_TAG, ModelRead, model_of
from tenure.imports.tables import Tables
from tenure.records.imports import RegisteredModelSent, VersionSent


def registered_models(tables: Tables) -> list[ModelRead]:
    """Registered models with versions, prompts left out."""
    tags = tables.pairs("registered_model_tags", tables.of_workspace("registered_model_tags"), "name")
    aliases: dict[str, dict[str, int]] = {}
    of_workspace = tables.of_workspace("registered_model_aliases")
    for row in tables.rows("registered_model_aliases", {"name": None, "alias": None, "version": 0}, of_workspace):
        aliases.setdefault(row.name, {})[row.alias] = row.version
    versions = _versions(tables)
    columns = {"name": None, "description": None, "creation_time": 0, "last_updated_time": None}
    return [
        ModelRead(
            RegisteredModelSent(
                name=row.name,
                description=row.description,
                creation_time=row.creation_time or 0,
                last_updated_time=row.last_updated_time or row.creation_time or 0,
                tags=tags.get(row.name, {}),
            ),
            aliases.get(row.name, {}),
            versions.get(row.name, []),
        )
        for row in tables.rows("registered_models", columns, tables.of_workspace("registered_models"), order="name")
        if tags.get(row.name, {}).get(PROMPT_TAG, "").lower() != "true"
    ]


def _versions(tables: Tables) -> dict[str, list[VersionSent]]:
    tags: dict[tuple[str, int], dict[str, str]] = {}
    columns: dict[str, Any] = {"name": None, "version": None, "key": None, "value": ""}
    for row in tables.rows("model_version_tags", columns, tables.of_workspace("model_version_tags")):
        tags.setdefault((row.name, row.version), {})[row.key] = row.value or ""
    columns = {
        "name": None,
        "version": None,
        "creation_time": 0,
        "last_updated_time": None,
        "description": None,
        "user_id": "",
        "current_stage": "None",
        "source": None,
        "storage_location": None,
        "run_id": None,
        "run_link": None,
        "status": "READY",
        "status_message": None,
    }
    found: dict[str, list[VersionSent]] = {}
    for row in tables.rows("model_versions", columns, tables.of_workspace("model_versions"), order="version"):
        deleted = row.current_stage == DELETED_STAGE
        location = row.storage_location or row.source
        sent = VersionSent(
            name=row.name,
            version=row.version,
            user_id=row.user_id or "",
            current_stage=row.current_stage or "None",
            creation_time=row.creation_time or 0,
            last_updated_time=row.last_updated_time or row.creation_time or 0,
            description=row.description,
            source=row.source,
            storage_location=None if deleted else location,
            run_id=row.run_id,
            run_link=row.run_link,
            model_id=model_of(row.source, location),
            status=row.status or "READY",
            status_message=row.status_message,
            deleted=deleted,
            tags=tags.get((row.name, row.version), {}),
        )
        found.setdefault(row.name, []).append(sent)
    return found
