"""Logged models: a model's files with its params, tags and metrics, known by `m-` and 32 hex digits."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

import msgspec

from tenure.build import experiments, locations, names, searchable
from tenure.build.limits import (
    EXPERIMENT_TAG_LENGTH,
    KEY_LENGTH,
    check_any_key,
    check_length,
    check_logged_model_name,
    check_max_results,
    checked_params,
    checked_tags,
    refuse,
    required,
)
from tenure.build.pages import cut, read
from tenure.build.search import parse, parse_order
from tenure.errors import InvalidInput, NotFound
from tenure.records.base import Instant, Record
from tenure.records.search import Ordering
from tenure.records.tracking import KeyValue, LoggedModel
from tenure.store import audit, logged_models
from tenure.store.database import Transaction

DEFAULT_RESULTS = 100
VERSIONS_TAG = "mlflow.modelVersions"
FINAL = {"LOGGED_MODEL_READY": "READY", "LOGGED_MODEL_UPLOAD_FAILED": "FAILED"}


class OrderItem(Record):
    """One key to order by, in the form that clients send for logged models."""

    field_name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class DatasetItem(Record):
    dataset_name: str
    dataset_digest: str | None = None


def create(
    tx: Transaction,
    experiment_id: str | None,
    *,
    name: str | None,
    model_type: str | None,
    source_run_id: str | None,
    params: Sequence[KeyValue],
    tags: Sequence[KeyValue],
    now: Instant,
    cut: bool = True,
) -> LoggedModel:
    """Add a model whose files are still to come: its status is PENDING until it is finalised.

    Its run need not be known here: a model may come from another server.
    """
    number = experiments.parse_id(experiment_id or "0")
    location = experiments.location_for(tx, number)
    given = checked_params(params, cut=cut, check=check_any_key)
    labels = checked_tags(tags, limit=EXPERIMENT_TAG_LENGTH, cut=cut)
    check_length(source_run_id or "", KEY_LENGTH, "source_run_id")
    model_id = f"m-{random.getrandbits(128):032x}"
    chosen = check_logged_model_name(name) if name else names.generated(random.Random(model_id))  # noqa: S311 - a name is no secret
    logged_models.insert(
        tx,
        logged_models.NewLoggedModel(
            model_id=model_id,
            experiment_id=number,
            name=chosen,
            artifact_location=locations.below(location, "models", model_id, "artifacts"),
            created_ms=now // 1000,
            model_type=model_type,
            source_run_id=source_run_id,
        ),
    )
    logged_models.add_params(tx, model_id, given.items())
    logged_models.set_tags(tx, model_id, labels.items())
    return get(tx, model_id)


def get(tx: Transaction, model_id: str | None, *, deleted_too: bool = False) -> LoggedModel:
    found = logged_models.get(tx, required(model_id, "model_id"), deleted_too=deleted_too)
    if found is None:
        raise NotFound(f"Logged model with ID '{model_id}' not found.")
    return found


def finalize(tx: Transaction, model_id: str | None, status: str | None, *, now: Instant) -> LoggedModel:
    """Say that all files of a model are there, or that they will not come."""
    found = get(tx, model_id)
    if status not in FINAL:
        refuse(status, "status", f"It must be one of {', '.join(FINAL)}.")
    logged_models.set_status(tx, found.info.model_id, FINAL[status], now // 1000)
    return get(tx, model_id)


def delete(tx: Transaction, model_id: str | None, *, by: str, now: Instant) -> None:
    """Delete a logged model softly. Writes one audit event."""
    found = get(tx, model_id).info
    logged_models.delete(tx, found.model_id, now // 1000)
    subject, detail = f"logged_model:{found.model_id}", {"name": found.name}
    audit.append(tx, "logged_model.deleted", subject=subject, by=by, at=now, detail=detail)


def log_params(tx: Transaction, model_id: str | None, params: Sequence[KeyValue], *, cut: bool = True) -> None:
    """Add params. They are written once: the same value again is fine, another one is refused."""
    model_id = get(tx, model_id).info.model_id
    kept = logged_models.params_of(tx, model_id)
    given = checked_params(params, cut=cut, check=check_any_key)
    changed = sorted(key for key, value in given.items() if kept.get(key, value) != value)
    if changed:
        raise InvalidInput(f"Changing param values is not allowed. Already logged with another value: {changed}.")
    logged_models.add_params(tx, model_id, given.items())


def set_tags(tx: Transaction, model_id: str | None, tags: Sequence[KeyValue], *, cut: bool = True) -> LoggedModel:
    model_id = get(tx, model_id).info.model_id
    logged_models.set_tags(tx, model_id, checked_tags(tags, limit=EXPERIMENT_TAG_LENGTH, cut=cut).items())
    return get(tx, model_id)


def delete_tag(tx: Transaction, model_id: str | None, key: str | None) -> None:
    found = get(tx, model_id)
    if not logged_models.delete_tag(tx, found.info.model_id, required(key, "tag_key")):
        raise NotFound(f"No tag with key {key!r} found for model with ID {model_id!r}.")


def note_version(tx: Transaction, model_id: str, name: str, version: int) -> None:
    """Note in the tag that MLflow's clients read that a model was registered as this version.

    With a space after each colon, as MLflow writes it: some compare it as a text.
    """
    kept = logged_models.tag(tx, model_id, VERSIONS_TAG) or "[]"
    try:
        noted = msgspec.json.decode(kept, type=list[object])
    except msgspec.MsgspecError:
        noted = []
    noted.append({"name": name, "version": version})
    logged_models.set_tags(tx, model_id, [(VERSIONS_TAG, json.dumps(noted))])


def search(
    tx: Transaction,
    experiment_ids: Sequence[str] | None,
    *,
    text: str | None,
    datasets: Sequence[DatasetItem],
    order_by: Sequence[OrderItem],
    max_results: int | None,
    page_token: str | None,
) -> tuple[list[LoggedModel], str | None]:
    """One page of models and the token of the next. No experiments means no models, not all of them."""
    limit = check_max_results(max_results, DEFAULT_RESULTS, None)
    scope = {
        "Experiment IDs in the page token do not match": _digest(sorted(set(experiment_ids or ()))),
        "Filter string in the page token does not match": _digest([text or "", list(datasets)]),
        "Order by in the page token does not match": _digest(list(order_by)),
    }
    offset = read(page_token, scope=scope)
    for place, item in enumerate(datasets):
        required(item.dataset_name, f"datasets[{place}].dataset_name")
    found = logged_models.search(
        tx,
        experiments.parse_ids(experiment_ids),
        parse(text, searchable.LOGGED_MODELS),
        [logged_models.DatasetScope(item.dataset_name, item.dataset_digest) for item in datasets],
        [_ordering(item) for item in order_by],
        limit + 1,
        offset,
    )
    return cut(found, limit, offset, scope=scope)


def _digest(asked: object) -> str:
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:16]


def _ordering(item: OrderItem) -> Ordering:
    (parsed,) = parse_order([item.field_name], searchable.LOGGED_MODELS)
    if parsed.entity != "metric" and (item.dataset_name or item.dataset_digest):
        refuse(item.field_name, "order_by", "Only a metric can be restricted to a dataset.")
    return Ordering(
        entity=parsed.entity,
        key=parsed.key,
        ascending=item.ascending,
        dataset_name=item.dataset_name,
        dataset_digest=item.dataset_digest,
    )


def location(tx: Transaction, model_id: str) -> str:
    """Where a model's files lie."""
    return get(tx, model_id).info.artifact_uri
