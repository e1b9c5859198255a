"""Where runs and versions came from, as their clients told it."""

from __future__ import annotations

from tenure.records.provenance import NOTHING, PREFIXES, Provenance, provenance_of
from tenure.records.registry import ModelVersionInfo
from tenure.records.tracking import KeyValue, Run
from tenure.store import datasets, logged_models, runs
from tenure.store.database import Transaction


def of_run(run: Run) -> Provenance:
    """A run's provenance, by its tags and its datasets."""
    return provenance_of(_plain(run.data.tags), run.inputs.dataset_inputs)


def of_version(tx: Transaction, info: ModelVersionInfo) -> Provenance:
    """A version's provenance: its logged model's, else its run's; the datasets are the run's.

    The logged model comes first because its tags were taken after training, when every library was loaded.
    """
    run_id = info.run_id if info.run_id and runs.stage_of(tx, info.run_id) else None  # it may be gone
    data = datasets.of_run(tx, run_id) if run_id else []
    tags = logged_models.tags_of(tx, info.model_id) if info.model_id else {}
    if not any(key.startswith(PREFIXES) for key in tags):
        return provenance_of(runs.tags_of(tx, run_id), data) if run_id else NOTHING
    return provenance_of(tags, data)


def _plain(tags: list[KeyValue]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}
