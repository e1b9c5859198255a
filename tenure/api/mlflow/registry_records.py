"""Registered models and versions as MLflow's clients read them: times in milliseconds, versions as digits."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.build import model_versions
from tenure.records.registry import ModelVersionInfo, RegisteredModelInfo
from tenure.records.tracking import KeyValue, Part
from tenure.store.database import Transaction


class Alias(Part):
    alias: str
    version: str


class ModelVersion(Part):
    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    current_stage: str
    status: str
    description: str | None = None
    source: str | None = None
    run_id: str | None = None
    status_message: str | None = None
    tags: list[KeyValue] = []
    run_link: str | None = None
    aliases: list[str] = []
    model_id: str | None = None


class RegisteredModel(Part):
    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None
    latest_versions: list[ModelVersion] = []
    tags: list[KeyValue] = []
    aliases: list[Alias] = []


def told_version(info: ModelVersionInfo) -> ModelVersion:
    return ModelVersion(
        name=info.name,
        version=str(info.version),
        creation_timestamp=info.created_at // 1000,
        last_updated_timestamp=info.updated_at // 1000,
        user_id=info.user_id,
        current_stage=info.current_stage,
        status=info.status,
        description=info.description or "",  # as over MLflow's wire, where it is never missing
        source=info.source,
        run_id=info.run_id,
        status_message=info.status_message,
        tags=info.tags,
        run_link=info.run_link,
        aliases=info.aliases,
        model_id=info.model_id,
    )


def told_model(tx: Transaction, info: RegisteredModelInfo) -> RegisteredModel:
    return told_models(tx, [info])[0]


def told_models(tx: Transaction, infos: Sequence[RegisteredModelInfo]) -> list[RegisteredModel]:
    """Models with the newest version of each of their stages."""
    newest: dict[str, list[ModelVersion]] = {info.name: [] for info in infos}
    for version in model_versions.latest(tx, list(newest)):
        newest[version.name].append(told_version(version))
    return [
        RegisteredModel(
            name=info.name,
            creation_timestamp=info.created_at // 1000,
            last_updated_timestamp=info.updated_at // 1000,
            description=info.description,
            latest_versions=newest[info.name],
            tags=info.tags,
            aliases=[Alias(alias=one.alias, version=str(one.version)) for one in info.aliases],
        )
        for info in infos
    ]
