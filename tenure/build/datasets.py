"""What a run reads and makes: datasets and logged models."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.build import experiments, runs
from tenure.build.limits import check_length, required
from tenure.errors import InvalidInput
from tenure.records.tracking import DatasetInput, DatasetSummary, ModelInput, ModelOutput
from tenure.store import datasets
from tenure.store import runs as stored_runs
from tenure.store.database import Transaction

NAME_LENGTH = 500
DIGEST_LENGTH = 36
SCHEMA_LENGTH = 1_048_575
SOURCE_LENGTH = 65_535
PROFILE_LENGTH = 16_777_215
TAG_KEY_LENGTH = 255
TAG_LENGTH = 500
MOST_INPUTS = 5000  # MLflow's own server knows no limit; so many take 0.3 s
MOST_EXPERIMENTS = 20
MOST_SUMMARIES = 1000


def log_inputs(
    tx: Transaction, run_id: str | None, inputs: Sequence[DatasetInput], models: Sequence[ModelInput]
) -> None:
    """Say which datasets and logged models a run reads. Saying it again changes nothing."""
    run_id = runs.check_active(tx, run_id)
    if len(inputs) > MOST_INPUTS:
        raise InvalidInput(
            f"A request can contain at most {MOST_INPUTS} datasets. Got {len(inputs)}. Split the request.",
            where="datasets",
        )
    for place, one in enumerate(inputs):
        _check(one, f"datasets[{place}]")
    experiment_id = stored_runs.experiment_of(tx, run_id)
    for one in inputs:
        datasets.add_input(tx, run_id, datasets.add(tx, int(experiment_id or 0), one.dataset), one.tags)
    datasets.add_models(tx, run_id, "input", [(model.model_id, 0) for model in models])


def search(tx: Transaction, experiment_ids: Sequence[str]) -> list[DatasetSummary]:
    """Which datasets the runs of some experiments read, and as what."""
    if not experiment_ids:
        raise InvalidInput("SearchDatasets request must specify at least one experiment_id.", where="experiment_ids")
    if len(experiment_ids) > MOST_EXPERIMENTS:
        raise InvalidInput(
            f"SearchDatasets request cannot specify more than {MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(experiment_ids)} experiment_ids.",
            where="experiment_ids",
        )
    return datasets.summaries(tx, experiments.parse_ids(experiment_ids), MOST_SUMMARIES)


def log_outputs(tx: Transaction, run_id: str | None, models: Sequence[ModelOutput]) -> None:
    """Say which logged models a run made, and at which step."""
    run_id = runs.check_active(tx, run_id)
    datasets.add_models(tx, run_id, "output", [(model.model_id, model.step) for model in models])


def _check(one: DatasetInput, where: str) -> None:
    dataset = one.dataset
    for name, value, limit in (
        ("name", dataset.name, NAME_LENGTH),
        ("digest", dataset.digest, DIGEST_LENGTH),
        ("source_type", dataset.source_type, NAME_LENGTH),
        ("source", dataset.source, SOURCE_LENGTH),
    ):
        check_length(required(value, f"{where}.dataset.{name}"), limit, f"{where}.dataset.{name}")
    check_length(dataset.schema or "", SCHEMA_LENGTH, f"{where}.dataset.schema")
    check_length(dataset.profile or "", PROFILE_LENGTH, f"{where}.dataset.profile")
    for place, tag in enumerate(one.tags):
        check_length(required(tag.key, f"{where}.tags[{place}].key"), TAG_KEY_LENGTH, f"{where}.tags[{place}].key")
        check_length(tag.value, TAG_LENGTH, f"{where}.tags[{place}].value")
