"""Versions of registered models. What a version is made of is pinned when it is registered and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tenure.build import announcements, logged_models, manifests, registered_models, searchable, sources
from tenure.build.limits import (
    REGISTRY_TAG_LENGTH,
    SHOWN_LENGTH,
    check_key,
    check_length,
    check_max_results,
    check_model_name,
    checked_tags,
    parse_version,
    required,
)
from tenure.build.pages import cut, read
from tenure.build.search import parse, parse_order
from tenure.errors import InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.changes import VersionState
from tenure.records.registry import ModelVersionInfo, NewVersion, Pinned
from tenure.records.tracking import KeyValue
from tenure.store import audit, model_versions
from tenure.store import registered_models as stored_models
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Transaction
from tenure.store.roots import Roots

DEFAULT_RESULTS = 10_000
MOST_RESULTS = 200_000
STAGES = {stage.lower(): stage for stage in ("None", "Staging", "Production", "Archived")}
WITH_ARCHIVE = ("Staging", "Production")


def resolve(
    tx: Transaction,
    name: str | None,
    source: str | None,
    *,
    run_id: str | None,
    run_link: str | None,
    model_id: str | None,
    description: str | None,
    tags: Sequence[KeyValue],
) -> NewVersion:
    """Where the files of a version to be registered lie, after checking that the source is the client's to name."""
    name = registered_models.check_exists(tx, name)
    checked_tags(tags, limit=REGISTRY_TAG_LENGTH, cut=False)
    found = sources.resolve(tx, source, run_id=run_id, model_id=model_id)
    return NewVersion(
        name=name,
        source=found.text,
        storage_location=found.location,
        run_id=found.run_id,
        run_link=run_link,
        model_id=found.model_id,
        description=description,
        tags=list(tags),
    )


def register(tx: Transaction, new: NewVersion, pinned: Pinned, *, by: str, now: Instant) -> ModelVersionInfo:
    """Add the next version of a model with the files that were pinned for it. Writes one audit event."""
    registered_models.check_exists(tx, new.name)
    now_ms = now // 1000
    number = model_versions.next_number(tx, new.name)
    model_versions.insert(tx, new, number, pinned, by, now_ms)
    labels = checked_tags(new.tags, limit=REGISTRY_TAG_LENGTH, cut=False)
    model_versions.set_tags(tx, new.name, number, labels.items())
    stored_models.touch(tx, new.name, now_ms)
    if new.model_id:
        logged_models.note_version(tx, new.model_id, new.name, number)
    detail = {"digest": pinned.digest or None, "files": len(pinned.files), "run_id": new.run_id}
    audit.append(tx, "version.registered", subject=f"{new.name}/{number}", by=by, at=now, detail=detail)
    announcements.version_created(tx, new, number, labels, now=now)
    return get(tx, new.name, number)


def get(tx: Transaction, name: str | None, version: int | str | None, *, with_labels: bool = True) -> ModelVersionInfo:
    """A version with its files, and with its tags and aliases unless told otherwise. Raises NotFound when there is
    none, or it was deleted."""
    name, number = check_model_name(name), parse_version(version)
    row = model_versions.get(tx, name, number)
    if row is None:
        raise NotFound(f"Model Version (name={name}, version={number}) not found")
    return _whole(tx, [row], with_files=True, with_labels=with_labels)[0]


def set_state(tx: Transaction, name: str, version: int, state: VersionState, now: Instant) -> None:
    """Move a version to another state of its life. Who calls this decides and audits."""
    model_versions.update(tx, name, version, now // 1000, state=state)


def describe(
    tx: Transaction, name: str | None, version: int | str | None, description: str | None, *, by: str, now: Instant
) -> ModelVersionInfo:
    """Give a version another description. Writes one audit event."""
    found = get(tx, name, version)
    model_versions.update(tx, found.name, found.version, now // 1000, description=description or "")
    detail = {"before": registered_models.told(found.description), "after": registered_models.told(description or "")}
    audit.append(tx, "version.described", subject=f"{found.name}/{found.version}", by=by, at=now, detail=detail)
    return get(tx, found.name, found.version)


def delete(tx: Transaction, name: str | None, version: int | str | None, *, by: str, now: Instant) -> None:
    """Delete a version and its aliases; its number is not used again. Writes one audit event."""
    found = get(tx, name, version)
    model_versions.redact(tx, found.name, found.version, now // 1000)
    stored_models.touch(tx, found.name, now // 1000)
    detail = {"digest": found.digest}
    audit.append(tx, "version.deleted", subject=f"{found.name}/{found.version}", by=by, at=now, detail=detail)


def set_stage(
    tx: Transaction,
    name: str | None,
    version: int | str | None,
    stage: str | None,
    *,
    archive_others: bool,
    by: str,
    now: Instant,
) -> ModelVersionInfo:
    """Put MLflow's old stage label on a version; it has no effect of its own. Writes one audit event."""
    found, chosen = get(tx, name, version), checked_stage(stage)
    if archive_others and chosen not in WITH_ARCHIVE:
        raise InvalidInput(
            f"Model version transition cannot archive existing model versions because '{chosen}' is not an Active "
            f"stage. Only {' and '.join(WITH_ARCHIVE)} are: leave 'archive_existing_versions' out.",
            where="stage",
        )
    now_ms = now // 1000
    others = model_versions.in_stage(tx, found.name, chosen) if archive_others else []
    for other in others:
        if other != found.version:
            model_versions.update(tx, found.name, other, now_ms, stage="Archived")
    model_versions.update(tx, found.name, found.version, now_ms, stage=chosen)
    stored_models.touch(tx, found.name, now_ms)
    detail = {"from": found.current_stage, "to": chosen, "archived": [one for one in others if one != found.version]}
    audit.append(tx, "version.staged", subject=f"{found.name}/{found.version}", by=by, at=now, detail=detail)
    return get(tx, found.name, found.version)


def checked_stage(stage: str | None) -> str:
    """MLflow's stage in its one spelling."""
    chosen = STAGES.get(required(stage, "stage").lower())
    if chosen is None:
        named = ", ".join(STAGES.values())
        raise InvalidInput(
            f"Invalid Model Version stage: {str(stage)[:SHOWN_LENGTH]}. Value must be one of {named}.", where="stage"
        )
    return chosen


def set_tag(
    tx: Transaction, name: str | None, version: int | str | None, key: str | None, value: str, *, by: str, now: Instant
) -> None:
    """Set a tag. Writes one audit event."""
    found, key = get(tx, name, version), required(key, "key")
    check_key(key, "key")
    check_length(value, REGISTRY_TAG_LENGTH, "value")
    model_versions.set_tags(tx, found.name, found.version, [(key, value)])
    model_versions.update(tx, found.name, found.version, now // 1000)
    before = registered_models.tag_of(found.tags, key)
    detail = {"key": key, "before": registered_models.told(before), "after": registered_models.told(value)}
    audit.append(tx, "version.tag_set", subject=f"{found.name}/{found.version}", by=by, at=now, detail=detail)
    announcements.version_tag_set(tx, found.name, found.version, key, value, now=now)


def delete_tag(
    tx: Transaction, name: str | None, version: int | str | None, key: str | None, *, by: str, now: Instant
) -> None:
    """Remove a tag; one that is not there is no error, as in MLflow's registry. Writes one audit event if it was."""
    found, key = get(tx, name, version), required(key, "key")
    model_versions.delete_tag(tx, found.name, found.version, key)
    model_versions.update(tx, found.name, found.version, now // 1000)
    before = registered_models.tag_of(found.tags, key)
    if before is not None:
        detail = {"key": key, "before": registered_models.told(before)}
        audit.append(tx, "version.tag_deleted", subject=f"{found.name}/{found.version}", by=by, at=now, detail=detail)
    announcements.version_tag_deleted(tx, found.name, found.version, key, now=now)


def latest(tx: Transaction, names: Sequence[str], stages: Sequence[str] | None = None) -> list[ModelVersionInfo]:
    """The newest version of each stage (or of the named stages) of these models, without files."""
    wanted = {checked_stage(stage) for stage in stages} if stages else None
    found = _whole(tx, model_versions.latest(tx, names), with_files=False)
    return [one for one in found if wanted is None or one.current_stage in wanted]


def search(
    tx: Transaction,
    *,
    text: str | None = None,
    order_by: Sequence[str] | None = None,
    max_results: int | None = None,
    page_token: str | None = None,
    with_files: bool = False,
) -> tuple[list[ModelVersionInfo], str | None]:
    """One page of versions and the token of the next."""
    limit = check_max_results(max_results, DEFAULT_RESULTS, MOST_RESULTS)
    offset = read(page_token)
    found = model_versions.search(
        tx,
        parse(text, searchable.MODEL_VERSIONS),
        parse_order(order_by, searchable.MODEL_VERSIONS),
        limit=limit + 1,
        offset=offset,
    )
    page, token = cut(found, limit, offset)
    return _whole(tx, page, with_files=with_files), token


def of_model(tx: Transaction, name: str) -> list[ModelVersionInfo]:
    """Every version of a model, the newest first, without files."""
    return _whole(tx, model_versions.of_model(tx, name), with_files=False)


def pins(tx: Transaction, roots: Roots, store: ArtifactStore, keys: Iterable[str]) -> tuple[str, int] | None:
    """A version to which one of these files is pinned, if any: its bytes must not change."""
    places: dict[str, list[str]] = {}
    for key in keys:
        parts = key.split("/")
        for depth in range(len(parts)):
            for location in roots.spellings(store, "/".join(parts[:depth])):
                places.setdefault(location, []).append("/".join(parts[depth:]))
    return model_versions.pins(tx, places)


def _whole(
    tx: Transaction, rows: Sequence[Any], *, with_files: bool, with_labels: bool = True
) -> list[ModelVersionInfo]:
    labelled = sorted({row.name for row in rows}) if with_labels else []
    tags, known = model_versions.tags_and_aliases(tx, labelled)
    return [
        ModelVersionInfo(
            name=row.name,
            version=row.version,
            state=row.state,
            digest=row.digest,
            storage_location=row.storage_location,
            run_id=row.run_id,
            model_id=row.model_id,
            files=model_versions.files(tx, row.name, row.version) if with_files else [],
            inputs=manifests.inputs(row.signature),
            signature=row.signature,
            source=row.source,
            description=row.description,
            user_id=row.user_id,
            current_stage=row.current_stage,
            run_link=row.run_link,
            status=row.status,
            status_message=row.status_message,
            created_at=row.creation_time * 1000,
            updated_at=row.last_updated_time * 1000,
            tags=tags.get((row.name, row.version), []),
            aliases=known.get((row.name, row.version), []),
        )
        for row in rows
    ]
