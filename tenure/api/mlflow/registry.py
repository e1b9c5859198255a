"""Routes about registered models, their aliases and versions.

For a model under governance `manage.guards` and `deploy.promotions` decide what these routes may change.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import msgspec

from tenure import access
from tenure.api.mlflow.registry_records import (
    ModelVersion,
    RegisteredModel,
    told_model,
    told_models,
    told_version,
)
from tenure.api.mlflow.routes import V2, Asked, Route, reads, writes
from tenure.build import manifests, model_versions, registered_models
from tenure.build.limits import check_alias, parse_version
from tenure.deploy import environments, promotions, releases, routing
from tenure.errors import InvalidInput, NotFound
from tenure.manage import guards
from tenure.records.people import Permission
from tenure.records.registry import ModelVersionInfo, NewVersion
from tenure.records.tracking import Int64, KeyValue, Part
from tenure.store import endpoints
from tenure.store.database import Transaction


class CreateModel(msgspec.Struct):
    name: str | None = None
    tags: list[KeyValue] = []
    description: str | None = None


class Named(msgspec.Struct):
    name: str | None = None


class Rename(Named):
    new_name: str | None = None


class Describe(Named):
    description: str | None = None


class Search(msgspec.Struct):
    filter: str | None = None
    max_results: Int64 | None = None
    order_by: list[str] = []
    page_token: str | None = None


class GetLatest(Named):
    stages: list[str] = []


class SetTag(Named, kw_only=True):
    key: str
    value: str


class DeleteTag(Named):
    key: str | None = None


class Alias(Named):
    alias: str | None = None


class SetAlias(Alias):
    version: str | int | None = None


class CreateVersion(Named):
    source: str | None = None
    run_id: str | None = None
    tags: list[KeyValue] = []
    run_link: str | None = None
    description: str | None = None
    model_id: str | None = None


class Version(Named):
    version: str | int | None = None


class DescribeVersion(Version):
    description: str | None = None


class SetStage(Version):
    stage: str | None = None
    archive_existing_versions: bool = False


class SetVersionTag(Version, kw_only=True):
    key: str
    value: str


class DeleteVersionTag(Version):
    key: str | None = None


class OneModel(Part):
    registered_model: RegisteredModel


class FoundModels(Part):
    registered_models: list[RegisteredModel] = []
    next_page_token: str | None = None


class OneVersion(Part):
    model_version: ModelVersion


class FoundVersions(Part):
    model_versions: list[ModelVersion] = []
    next_page_token: str | None = None


class DownloadUri(Part):
    artifact_uri: str


# --- registered models ---


def create_model(tx: Transaction, sent: CreateModel, asked: Asked) -> OneModel:
    for tag in sent.tags:
        guards.check_model_tag(tx, sent.name or "", tag.key)
    made = registered_models.create(
        tx, sent.name, description=sent.description, tags=sent.tags, by=asked.by, now=asked.now
    )
    return OneModel(registered_model=told_model(tx, made))


def get_model(tx: Transaction, sent: Named, _asked: Asked) -> OneModel:
    return OneModel(registered_model=told_model(tx, registered_models.get(tx, sent.name)))


def rename_model(tx: Transaction, sent: Rename, asked: Asked) -> OneModel:
    name = registered_models.check_exists(tx, sent.name)
    guards.check_registry_write(tx, "rename", name)
    releases.check_not_in_service(tx, name)
    if sent.new_name and sent.new_name != name:
        guards.check_new_name(tx, sent.new_name)
    renamed = registered_models.rename(tx, name, sent.new_name, by=asked.by, now=asked.now)
    return OneModel(registered_model=told_model(tx, renamed))


def describe_model(tx: Transaction, sent: Describe, asked: Asked) -> OneModel:
    described = registered_models.describe(tx, sent.name, sent.description, by=asked.by, now=asked.now)
    return OneModel(registered_model=told_model(tx, described))


def delete_model(tx: Transaction, sent: Named, asked: Asked) -> None:
    name = registered_models.check_exists(tx, sent.name)
    guards.check_registry_write(tx, "delete_model", name)
    releases.check_not_in_service(tx, name)
    registered_models.delete(tx, name, by=asked.by, now=asked.now)


def search_models(tx: Transaction, sent: Search, asked: Asked) -> FoundModels:
    """A page may hold fewer than were asked for, when who asks may not see all; the token leads on all the same."""
    found, token = registered_models.search(
        tx, text=sent.filter, order_by=sent.order_by, max_results=sent.max_results, page_token=sent.page_token
    )
    seen = [one for one in found if _may_read(asked, one.name)]
    return FoundModels(registered_models=told_models(tx, seen), next_page_token=token)


def get_latest(tx: Transaction, sent: GetLatest, _asked: Asked) -> FoundVersions:
    name = registered_models.check_exists(tx, sent.name)
    return FoundVersions(model_versions=[told_version(one) for one in model_versions.latest(tx, [name], sent.stages)])


def set_model_tag(tx: Transaction, sent: SetTag, asked: Asked) -> None:
    guards.check_model_tag(tx, sent.name or "", sent.key)
    registered_models.set_tag(tx, sent.name, sent.key, sent.value, by=asked.by, now=asked.now)


def delete_model_tag(tx: Transaction, sent: DeleteTag, asked: Asked) -> None:
    registered_models.delete_tag(tx, sent.name, sent.key, by=asked.by, now=asked.now)


# --- aliases: they may change what answers at an endpoint, so the gateways are told after the commit ---


async def set_alias(sent: SetAlias, asked: Asked) -> None:
    def write(tx: Transaction) -> None:
        alias = check_alias(sent.alias)
        version = model_versions.get(tx, sent.name, sent.version)
        promotions.set_alias(tx, version.name, alias, version.version, by=asked.by, now=asked.now)

    if sent.alias in promotions.ROUTED and sent.name and sent.version:
        await asyncio.to_thread(_settle, asked, sent.name, sent.version)
    await asyncio.wrap_future(asked.ground.database.submit(write))
    await asyncio.to_thread(routing.publish, asked.ground)


def _settle(asked: Asked, name: str, version: str | int) -> None:
    """Decide, before the transaction, what a version runs in that is to be released by its alias.

    What is wrong with name or version is said within the transaction.
    """
    with contextlib.suppress(NotFound, InvalidInput):
        number = parse_version(version)
        if asked.ground.database.read(lambda tx: endpoints.list_all(tx, model=name)):
            environments.settle(asked.ground, name, number, now=asked.now)


async def delete_alias(sent: Alias, asked: Asked) -> None:
    def write(tx: Transaction) -> None:
        name = registered_models.check_exists(tx, sent.name)
        promotions.delete_alias(tx, name, check_alias(sent.alias), by=asked.by, now=asked.now)

    await asyncio.wrap_future(asked.ground.database.submit(write))
    await asyncio.to_thread(routing.publish, asked.ground)


def get_by_alias(tx: Transaction, sent: Alias, _asked: Asked) -> OneVersion:
    version = registered_models.version_of(tx, sent.name, sent.alias)
    return _one(model_versions.get(tx, sent.name, version))


# --- versions ---


def _register(new: NewVersion, asked: Asked) -> ModelVersionInfo:
    """No upload changes a file between the reading of its digest and the commit."""
    ground = asked.ground
    opened = ground.opened(new.storage_location)
    with ground.registrations.pinning(opened.place if opened else None):
        pinned = manifests.pin(*opened) if opened else manifests.NOTHING

        def register(tx: Transaction) -> ModelVersionInfo:
            made = model_versions.register(tx, new, pinned, by=asked.by, now=asked.now)
            guards.check_registered(tx, made.name, made.version, now=asked.now)
            return made

        return ground.database.write(register)


async def create_version(sent: CreateVersion, asked: Asked) -> OneVersion:
    """The files are read and pinned between two transactions, so that no other write waits for them.

    A source is a run's or another model's, so who registers it must be allowed to read everywhere.
    """
    access.require(asked.principal, Permission.READ)
    database = asked.ground.database

    def resolve(tx: Transaction) -> NewVersion:
        new = model_versions.resolve(
            tx,
            sent.name,
            sent.source,
            run_id=sent.run_id,
            run_link=sent.run_link,
            model_id=sent.model_id,
            description=sent.description,
            tags=sent.tags,
        )
        guards.check_source(tx, new.name, new.storage_location)
        return new

    new = await asyncio.wrap_future(database.submit_read(resolve))
    new = msgspec.structs.replace(new, storage_location=asked.ground.roots.canonical(new.storage_location))
    return _one(await asyncio.to_thread(_register, new, asked))


def get_version(tx: Transaction, sent: Version, _asked: Asked) -> OneVersion:
    return _one(model_versions.get(tx, sent.name, sent.version))


def search_versions(tx: Transaction, sent: Search, asked: Asked) -> FoundVersions:
    found, token = model_versions.search(
        tx, text=sent.filter, order_by=sent.order_by, max_results=sent.max_results, page_token=sent.page_token
    )
    seen = [one for one in found if _may_read(asked, one.name)]
    return FoundVersions(model_versions=[told_version(one) for one in seen], next_page_token=token)


def get_download_uri(tx: Transaction, sent: Version, _asked: Asked) -> DownloadUri:
    return DownloadUri(artifact_uri=model_versions.get(tx, sent.name, sent.version).storage_location)


def describe_version(tx: Transaction, sent: DescribeVersion, asked: Asked) -> OneVersion:
    return _one(model_versions.describe(tx, sent.name, sent.version, sent.description, by=asked.by, now=asked.now))


def delete_version(tx: Transaction, sent: Version, asked: Asked) -> None:
    name, number = registered_models.check_exists(tx, sent.name), parse_version(sent.version)
    guards.check_registry_write(tx, "delete_version", name, number)
    releases.check_not_in_service(tx, name, number)
    model_versions.delete(tx, name, number, by=asked.by, now=asked.now)


def set_stage(tx: Transaction, sent: SetStage, asked: Asked) -> OneVersion:
    name, number = registered_models.check_exists(tx, sent.name), parse_version(sent.version)
    guards.check_registry_write(tx, "stage", name, number)
    staged = model_versions.set_stage(
        tx, name, number, sent.stage, archive_others=sent.archive_existing_versions, by=asked.by, now=asked.now
    )
    return _one(staged)


def set_version_tag(tx: Transaction, sent: SetVersionTag, asked: Asked) -> None:
    model_versions.set_tag(tx, sent.name, sent.version, sent.key, sent.value, by=asked.by, now=asked.now)


def delete_version_tag(tx: Transaction, sent: DeleteVersionTag, asked: Asked) -> None:
    model_versions.delete_tag(tx, sent.name, sent.version, sent.key, by=asked.by, now=asked.now)


def _one(info: ModelVersionInfo) -> OneVersion:
    return OneVersion(model_version=told_version(info))


def manages(method: str, path: str, handler: object, request: type[msgspec.Struct], subject: access.Subject) -> Route:
    """A route that may change what answers at an endpoint: it opens its own transactions."""
    assert callable(handler)
    return Route(method, path, handler, request, "apart", Permission.TRACK, subject)


def _may_read(asked: Asked, name: str) -> bool:
    """Whether who asks may see a model in a list of many."""
    return asked.principal.may(Permission.READ, name)


MODELS = f"{V2}registered-models/"
VERSIONS = f"{V2}model-versions/"
OF_NAME = access.of_model("name", place="body")
BOTH_NAMES = access.of_model("name", "new_name", place="body")
_ROUTES = (
    writes("POST", f"{MODELS}create", create_model, CreateModel, OF_NAME),
    reads("GET", f"{MODELS}get", get_model, Named, OF_NAME),
    reads("GET", f"{MODELS}search", search_models, Search, access.LISTED),
    writes("POST", f"{MODELS}rename", rename_model, Rename, BOTH_NAMES),
    writes("PATCH", f"{MODELS}update", describe_model, Describe, OF_NAME),
    writes("DELETE", f"{MODELS}delete", delete_model, Named, OF_NAME),
    reads("GET", f"{MODELS}get-latest-versions", get_latest, GetLatest, OF_NAME),
    reads("POST", f"{MODELS}get-latest-versions", get_latest, GetLatest, OF_NAME),
    writes("POST", f"{MODELS}set-tag", set_model_tag, SetTag, OF_NAME),
    writes("DELETE", f"{MODELS}delete-tag", delete_model_tag, DeleteTag, OF_NAME),
    manages("POST", f"{MODELS}alias", set_alias, SetAlias, OF_NAME),
    manages("DELETE", f"{MODELS}alias", delete_alias, Alias, OF_NAME),
    reads("GET", f"{MODELS}alias", get_by_alias, Alias, OF_NAME),
    manages("POST", f"{VERSIONS}create", create_version, CreateVersion, OF_NAME),
    reads("GET", f"{VERSIONS}get", get_version, Version, OF_NAME),
    reads("GET", f"{VERSIONS}search", search_versions, Search, access.LISTED),
    reads("GET", f"{VERSIONS}get-download-uri", get_download_uri, Version, OF_NAME),
    writes("PATCH", f"{VERSIONS}update", describe_version, DescribeVersion, OF_NAME),
    writes("DELETE", f"{VERSIONS}delete", delete_version, Version, OF_NAME),
    writes("POST", f"{VERSIONS}transition-stage", set_stage, SetStage, OF_NAME),
    writes("POST", f"{VERSIONS}set-tag", set_version_tag, SetVersionTag, OF_NAME),
    writes("DELETE", f"{VERSIONS}delete-tag", delete_version_tag, DeleteVersionTag, OF_NAME),
)
BY_JOBS = (create_model, create_version)
"""What a training job writes in the registry: it registers what it made, and moves, renames and deletes nothing."""
ROUTES = tuple(
    replace(route, for_jobs=route.permission is Permission.READ or route.handler in BY_JOBS) for route in _ROUTES
)
