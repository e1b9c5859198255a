"""A small town of models: data, runs, a model whose score is a feature of another, a copy, releases, a retraining."""

from __future__ import annotations

from typing import Any

from tenure.build import datasets, experiments, logged_models, runs
from tenure.manage import model_files
from tenure.records.base import Instant
from tenure.records.endpoints import ReleaseInfo
from tenure.records.registry import NewVersion, Pinned
from tenure.records.retraining import RetrainingRun
from tenure.records.tracking import Dataset, DatasetInput
from tenure.store import endpoints, model_versions, registered_models, releases, retraining_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)
DATASET = "loans@a1b2"
RETRAINING = "0190b5a0-0000-7000-8000-00000000000b"
SIGNATURE = '{"inputs": [%s], "outputs": null, "params": null}'
FILE: dict[str, Any] = {
    "purpose": "Say who pays back",
    "owner": "risk@example.com",
    "approval": {"steps": [{"role": "validator"}]},
}


def columns(*names: str) -> str:
    return SIGNATURE % ", ".join(f'{{"name": "{name}", "type": "double"}}' for name in names)


def version(tx: Transaction, model: str, *, at: Instant = NOW, signature: str | None = None, **more: Any) -> int:
    if not registered_models.exists(tx, model):
        registered_models.insert(tx, model, None, at // 1000)
    number = model_versions.next_number(tx, model)
    new = NewVersion(name=model, source=more.pop("source", "x"), storage_location="x", **more)
    model_versions.insert(tx, new, number, Pinned(files=[], digest="", signature=signature), "ann", at // 1000)
    model_versions.update(tx, model, number, at // 1000, state="approved")
    return number


def release(tx: Transaction, endpoint: str, model: str, number: int, **changed: Any) -> str:
    if endpoints.get(tx, endpoint) is None:
        endpoints.add(tx, endpoint, model, by="ann", now=NOW)
    told = {"role": "champion", "share": 1.0, "from_at": NOW + 5, "until_at": None, **changed}
    made = ReleaseInfo(
        release_id=f"r-{model}-{number}-{told['role']}",
        endpoint=endpoint,
        model=model,
        version=number,
        reason="",
        released_by="ann",
        **told,
    )
    releases.add(tx, made)
    return made.release_id


def run(tx: Transaction, experiment: str, name: str) -> str:
    made = runs.create(tx, experiment, name=name, user_id="ann", start_time=NOW // 1000, tags=[], now=NOW)
    return made.info.run_id


class Chain:
    """loans → run → logged model → fraud 1 → fraud-live → …; fraud's score is in credit; fraud 1 was copied, refit."""

    run_id: str
    model_id: str

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        for model, features in (
            ("fraud", {"age": {"kind": "numeric", "source": "bureau"}}),
            (
                "credit",
                {"age": {}, "risk": {"derived_from": ["model:fraud"]}, "high": {"derived_from": ["risk", "age"]}},
            ),
        ):
            file = model_files.parse({"model": model, "features": features, **FILE})
            ground.database.write(lambda tx, file=file: model_files.apply(tx, file, by="ann", now=NOW))
        ground.database.write(self.fill)

    def fill(self, tx: Transaction) -> None:
        experiment = experiments.create(tx, "risk", location=None, tags=[], now=NOW)
        self.run_id = run(tx, experiment, "forest")
        data = Dataset(name="loans", digest="a1b2", source_type="local", source="{}")
        datasets.log_inputs(tx, self.run_id, [DatasetInput(dataset=data, tags=[])], [])
        made = logged_models.create(
            tx, experiment, name="forest", source_run_id=self.run_id, model_type=None, params=[], tags=[], now=NOW
        )
        self.model_id = made.info.model_id
        given = {"run_id": self.run_id, "model_id": self.model_id, "signature": columns("age")}
        version(tx, "fraud", source=f"models:/{self.model_id}", **given)
        version(tx, "fraud-eu", source="models:/fraud/1", **given)
        version(tx, "fraud", signature=columns("age"))  # the challenger
        version(tx, "credit", signature=columns("high"))
        version(tx, "credit", signature=columns("income"))  # does not take the score
        release(tx, "fraud-live", "fraud", 1)
        release(tx, "credit-live", "credit", 1)
        refit = RetrainingRun(
            retraining_id=RETRAINING,
            endpoint="fraud-live",
            model="fraud",
            state="review",
            champion_version=1,
            challenger_version=2,
            trigger={},
            steps=[],
            dossier=None,
            event_at=NOW,
            started_at=NOW,
            ended_at=None,
        )
        retraining_runs.put(tx, refit)
