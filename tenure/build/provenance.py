"""Where runs and versions came from, as their clients told it."""

from __future__ import annotations

import msgspec

from tenure.build import logged_models, runs
from tenure.errors import NotFound
from tenure.records.provenance import NOTHING, PREFIXES, Provenance, data_of, provenance_of
from tenure.records.registry import ModelVersionInfo
from tenure.records.tracking import KeyValue, Run
from tenure.store.database import Transaction


def of_run(run: Run) -> Provenance:
    """A run's provenance, by its tags and its datasets."""
    return provenance_of(_plain(run.data.tags), run.inputs.dataset_inputs)


def of_version(tx: Transaction, info: ModelVersionInfo) -> Provenance:
    """A version's provenance: its logged model's, else its run's; the datasets are the run's.

    The logged model comes first because its tags were taken after training, when every library was loaded.
    """
    run = _run(tx, info.run_id)
    tags = _tags_of_model(tx, info.model_id)
    if not any(key.startswith(PREFIXES) for key in tags):
        return of_run(run) if run else NOTHING
    told = provenance_of(tags)
    return msgspec.structs.replace(told, data=data_of(run.inputs.dataset_inputs)) if run else told


def _run(tx: Transaction, run_id: str | None) -> Run | None:
    """None for a version without a run, and for one whose run is gone."""
    try:
        return runs.get(tx, run_id) if run_id else None
    except NotFound:
        return None


def _tags_of_model(tx: Transaction, model_id: str | None) -> dict[str, str]:
    try:
        return _plain(logged_models.get(tx, model_id).info.tags) if model_id else {}
    except NotFound:
        return {}


def _plain(tags: list[KeyValue]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}
