"""Registered models: a name under which versions are counted, with tags and aliases."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tenure.build import announcements, searchable
from tenure.build.limits import (
    REGISTRY_TAG_LENGTH,
    check_alias,
    check_key,
    check_length,
    check_max_results,
    check_model_name,
    checked_tags,
    required,
)
from tenure.build.pages import cut, read
from tenure.build.search import parse, parse_order
from tenure.errors import AlreadyExists, InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.registry import RegisteredModelInfo
from tenure.records.tracking import KeyValue
from tenure.store import audit, registered_models
from tenure.store.database import Transaction

TOLD_LENGTH = 1000
DEFAULT_RESULTS = 100
MOST_RESULTS = 1000


def create(
    tx: Transaction,
    name: str | None,
    *,
    description: str | None,
    tags: Sequence[KeyValue],
    by: str,
    now: Instant,
) -> RegisteredModelInfo:
    """Add a registered model without versions. Writes one audit event."""
    name = check_model_name(name)
    labels = checked_tags(tags, limit=REGISTRY_TAG_LENGTH, cut=False)
    _must_be_free(tx, name)
    registered_models.insert(tx, name, description, now // 1000)
    registered_models.set_tags(tx, name, labels.items())
    audit.append(tx, "model.created", subject=name, by=by, at=now)
    announcements.model_created(tx, name, description, labels, now=now)
    return get(tx, name)


def get(tx: Transaction, name: str | None) -> RegisteredModelInfo:
    found = registered_models.get(tx, check_model_name(name))
    if found is None:
        raise _unknown(name)
    return found


def check_exists(tx: Transaction, name: str | None) -> str:
    """The name, if a model has it."""
    name = check_model_name(name)
    if not registered_models.exists(tx, name):
        raise _unknown(name)
    return name


def list_all(tx: Transaction) -> list[RegisteredModelInfo]:
    """Every registered model, by name."""
    return registered_models.list_all(tx)


def rename(tx: Transaction, name: str | None, new_name: str | None, *, by: str, now: Instant) -> RegisteredModelInfo:
    """Give a model another name; versions, tags and aliases follow. Writes one audit event."""
    name = check_exists(tx, name)
    new_name = check_model_name(new_name, "new_name")
    if new_name != name:
        _must_be_free(tx, new_name)
        registered_models.rename(tx, name, new_name, now // 1000)
        audit.append(tx, "model.renamed", subject=new_name, by=by, at=now, detail={"from": name})
    return get(tx, new_name)


def describe(
    tx: Transaction, name: str | None, description: str | None, *, by: str, now: Instant
) -> RegisteredModelInfo:
    """Give a model another description. Writes one audit event."""
    before = get(tx, name)
    registered_models.describe(tx, before.name, description or "", now // 1000)
    detail = {"before": told(before.description), "after": told(description or "")}
    audit.append(tx, "model.described", subject=before.name, by=by, at=now, detail=detail)
    return get(tx, before.name)


def delete(tx: Transaction, name: str | None, *, by: str, now: Instant) -> None:
    """Remove a model with its versions and aliases. Writes one audit event."""
    name = check_exists(tx, name)
    registered_models.delete(tx, name)
    audit.append(tx, "model.deleted", subject=name, by=by, at=now)


def set_tag(tx: Transaction, name: str | None, key: str | None, value: str, *, by: str, now: Instant) -> None:
    """Set a tag. Writes one audit event."""
    before, key = get(tx, name), required(key, "key")
    name = before.name
    check_key(key, "key")
    check_length(value, REGISTRY_TAG_LENGTH, "value")
    registered_models.set_tags(tx, name, [(key, value)])
    registered_models.touch(tx, name, now // 1000)
    detail = {"key": key, "before": told(tag_of(before.tags, key)), "after": told(value)}
    audit.append(tx, "model.tag_set", subject=name, by=by, at=now, detail=detail)
    announcements.model_tag_set(tx, name, key, value, now=now)


def delete_tag(tx: Transaction, name: str | None, key: str | None, *, by: str, now: Instant) -> None:
    """Remove a tag; one that is not there is no error, as in MLflow's registry. Writes one audit event if it was."""
    before, key = get(tx, name), required(key, "key")
    name, value = before.name, tag_of(before.tags, key)
    registered_models.delete_tag(tx, name, key)
    registered_models.touch(tx, name, now // 1000)
    if value is not None:
        detail = {"key": key, "before": told(value)}
        audit.append(tx, "model.tag_deleted", subject=name, by=by, at=now, detail=detail)
    announcements.model_tag_deleted(tx, name, key, now=now)


def told(text: str | None) -> str | dict[str, object] | None:
    """A text that a client chose, as an audit event tells it: a long one by its length and digest."""
    if text is None or len(text) <= TOLD_LENGTH:
        return text
    return {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def tag_of(tags: Sequence[KeyValue], key: str) -> str | None:
    """The value of a tag; None when there is none of that key."""
    return next((tag.value for tag in tags if tag.key == key), None)


def aliases(tx: Transaction, name: str) -> dict[str, int]:
    """The version that each alias of a model points at."""
    return {one.alias: one.version for one in registered_models.aliases(tx, name)}


def version_of(tx: Transaction, name: str | None, alias: str | None) -> int:
    """The version that an alias points at."""
    known = aliases(tx, check_exists(tx, name))
    if required(alias, "alias") not in known:
        raise InvalidInput(f"Registered model alias {alias} not found.", where="alias")
    return known[str(alias)]


def set_alias(tx: Transaction, name: str, alias: str, version: int, *, now: Instant) -> None:
    """Point an alias at a version. Who calls this audits it."""
    registered_models.set_alias(tx, name, check_alias(alias), version)
    announcements.alias_set(tx, name, alias, version, now=now)


def delete_alias(tx: Transaction, name: str, alias: str, *, now: Instant) -> bool:
    """Remove an alias and say whether it was there. Who calls this audits it."""
    there = registered_models.delete_alias(tx, name, required(alias, "alias"))
    if there:
        announcements.alias_deleted(tx, name, alias, now=now)
    return there


def search(
    tx: Transaction,
    *,
    text: str | None,
    order_by: Sequence[str] | None,
    max_results: int | None,
    page_token: str | None,
) -> tuple[list[RegisteredModelInfo], str | None]:
    """One page of models and the token of the next."""
    limit = check_max_results(max_results, DEFAULT_RESULTS, MOST_RESULTS)
    offset = read(page_token)
    found = registered_models.search(
        tx,
        parse(text, searchable.REGISTERED_MODELS),
        parse_order(order_by, searchable.REGISTERED_MODELS),
        limit=limit + 1,
        offset=offset,
    )
    return cut(found, limit, offset)


def _must_be_free(tx: Transaction, name: str) -> None:
    if registered_models.exists(tx, name):
        raise AlreadyExists(f"Registered Model (name={name}) already exists.")


def _unknown(name: str | None) -> NotFound:
    return NotFound(f"Registered Model with name={name} not found")
