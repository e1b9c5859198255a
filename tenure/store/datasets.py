"""What runs read and made: datasets and logged models as inputs, logged models as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tenure.records.tracking import (
    Dataset,
    DatasetInput,
    DatasetSummary,
    KeyValue,
    ModelInput,
    ModelOutput,
    RunInputs,
    RunOutputs,
)
from tenure.store import driver
from tenure.store.database import Transaction

CONTEXT_TAG = "mlflow.data.context"
_tags = msgspec.json.Decoder(list[KeyValue])


def add(tx: Transaction, experiment_id: int, dataset: Dataset) -> int:
    """The number of a dataset, which is known by name and digest within its experiment; added when it is new."""
    known = "SELECT dataset_id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
    values = (experiment_id, dataset.name, dataset.digest)
    found = driver.execute(tx, known, values).fetchone()
    if found is None:
        driver.execute(
            tx,
            "INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (*values, dataset.source_type, dataset.source, dataset.schema, dataset.profile),
        )
        found = driver.execute(tx, known, values).fetchone()
    return int(found[0])


def add_input(tx: Transaction, run_id: str, dataset_id: int, tags: Sequence[KeyValue]) -> None:
    """Say that a run read a dataset. Saying it again changes nothing."""
    context = next((tag.value for tag in tags if tag.key == CONTEXT_TAG), None)
    driver.execute(
        tx,
        "INSERT INTO run_inputs (run_id, dataset_id, tags, context) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (run_id, dataset_id, msgspec.json.encode(tags).decode(), context),
    )


def add_models(tx: Transaction, run_id: str, direction: str, models: Iterable[tuple[str, int]]) -> None:
    """Say that logged models (id, step) went into a run or came out of it."""
    driver.execute_many(
        tx,
        "INSERT INTO run_models (run_id, model_id, direction, step) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(run_id, model_id, direction, step) for model_id, step in models],
    )


def summaries(tx: Transaction, experiment_ids: Sequence[int], limit: int) -> list[DatasetSummary]:
    """Datasets that runs of these experiments read, once for each context in which they did."""
    rows = driver.execute(
        tx,
        "SELECT DISTINCT d.experiment_id, d.name, d.digest, i.context"  # noqa: S608 - places
        " FROM datasets d JOIN run_inputs i ON i.dataset_id = d.dataset_id"
        f" WHERE d.experiment_id IN ({driver.marks(len(experiment_ids))})"
        " ORDER BY d.experiment_id, d.name, d.digest, i.context LIMIT ?",
        (*experiment_ids, limit),
    )
    return [
        DatasetSummary(experiment_id=str(experiment_id), name=name, digest=digest, context=context or None)
        for experiment_id, name, digest, context in rows.fetchall()
    ]


def of_runs(tx: Transaction, run_ids: Sequence[str]) -> tuple[dict[str, RunInputs], dict[str, RunOutputs]]:
    """Inputs and outputs of each run."""
    inputs = {run_id: RunInputs(dataset_inputs=[], model_inputs=[]) for run_id in run_ids}
    outputs = {run_id: RunOutputs(model_outputs=[]) for run_id in run_ids}
    if not run_ids:
        return inputs, outputs
    for run_id, given in _read_by(tx, run_ids):
        inputs[run_id].dataset_inputs.append(given)
    for run_id, model_id, direction, step in driver.execute(
        tx,
        f"SELECT run_id, model_id, direction, step FROM run_models WHERE run_id IN ({driver.marks(len(run_ids))})"  # noqa: S608 - places
        " ORDER BY run_id, step, model_id",
        tuple(run_ids),
    ).fetchall():
        if direction == "input":
            inputs[run_id].model_inputs.append(ModelInput(model_id=model_id))
        else:
            outputs[run_id].model_outputs.append(ModelOutput(model_id=model_id, step=step))
    return inputs, outputs


def of_run(tx: Transaction, run_id: str) -> list[DatasetInput]:
    """The datasets that a run read."""
    return [given for _, given in _read_by(tx, [run_id])]


def _read_by(tx: Transaction, run_ids: Sequence[str]) -> Iterator[tuple[str, DatasetInput]]:
    for run_id, tags, name, digest, source_type, source, schema, profile in driver.execute(
        tx,
        "SELECT i.run_id, i.tags, d.name, d.digest, d.source_type, d.source, d.schema, d.profile"  # noqa: S608 - places
        f" FROM run_inputs i JOIN datasets d ON d.dataset_id = i.dataset_id"
        f" WHERE i.run_id IN ({driver.marks(len(run_ids))}) ORDER BY i.run_id, i.dataset_id",
        tuple(run_ids),
    ).fetchall():
        dataset = Dataset(
            name=name, digest=digest, source_type=source_type, source=source, schema=schema, profile=profile
        )
        yield run_id, DatasetInput(dataset=dataset, tags=_tags.decode(tags))
