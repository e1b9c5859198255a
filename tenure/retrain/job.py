"""A training job's own process: `python -m tenure.retrain.job JOB_ID`.

It reads its order and the rows from the data folder, and writes through HTTP alone, with the unmodified `mlflow` client
and the sdk, like any user: every door's gates hold for it too. Its last act is to leave its result for the worker.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from tenure import settings as settings_
from tenure.build import model_versions
from tenure.errors import InvalidInput, TenureError
from tenure.monitor import rows
from tenure.monitor.rows import Floats
from tenure.monitor.value import valued
from tenure.records.model_files import ModelFile
from tenure.records.registry import ModelVersionInfo
from tenure.records.retraining import Trained, TrainingOrder
from tenure.records.windows import Interval
from tenure.retrain import evidence, jobs
from tenure.serving import lifeline
from tenure.settings import Settings
from tenure.stats import accuracy
from tenure.stats.intervals import Interval3
from tenure.store import model_files
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.ground import Ground
from tenure.store.keys import passing_key

if TYPE_CHECKING:
    from tenure.retrain.registering import Registered
    from tenure.retrain.training import Fitted


def main(job_id: str) -> None:
    """Do the job and leave its result; exit with one sentence when it cannot be done."""
    lifeline.die_with_parent(int(os.environ[jobs.PARENT_VARIABLE]), signal.SIGKILL)
    settings = settings_.load({}, os.environ)
    _act_as_a_client(settings)
    # A recipe is code of somebody's: the server's key, which opens the vault of protected attributes, is not for it.
    ground = Ground(settings, Database(settings.database, readers=1), ArtifactStore(settings.artifacts), passing_key())
    try:
        trained = train(ground, job_id)
    except TenureError as refusal:
        sys.exit(refusal.message)
    finally:
        ground.database.close()
    jobs.leave_result(settings.folder, job_id, msgspec.to_builtins(trained))


def _act_as_a_client(settings: Settings) -> None:
    """Where the server is, for the mlflow client and the sdk; the worker has put the job's own token beside it."""
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["TENURE_URL"] = settings.control_url
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"]))


def train(ground: Ground, job_id: str) -> Trained:
    """Train by the recipe on the endpoint's own matured rows, register the version, and say how it does."""
    from tenure.retrain import registering, training

    order = msgspec.convert(ground.database.read(lambda tx: jobs.get(tx, job_id)).payload, TrainingOrder)
    champion = ground.database.read(lambda tx: model_versions.get(tx, order.model, order.champion_version))
    recipe = training.load_recipe(ground.settings.recipes[order.recipe])
    exported = _export(ground, order)
    features = training.frame_of(_columns(exported, champion), champion.inputs)
    held_out = exported.event_at >= order.split_at
    names = [column.name for column in champion.inputs]
    context = msgspec.to_builtins(order) | {"job_id": job_id, "seed": training.SEED, "features": names}
    fitted = training.fit(recipe, features, exported.y, held_out, context)
    applied = ground.database.read(lambda tx: model_files.current(tx, order.model))
    file = applied.file if applied else None
    judged = _judge(fitted, exported.where(held_out), order.champion_version, file)
    registered = registering.register(order, champion, fitted, judged.metrics(), judged.value)
    return _told(order, fitted, judged, registered)


def _export(ground: Ground, order: TrainingOrder) -> rows.Rows:
    """Every matured row of the endpoint in the order's span, whichever version answered it."""
    found = rows.matured(ground, order.endpoint, from_at=order.from_at, until_at=order.until_at)
    return found.where(evidence.yes_or_no(found.y))


def _columns(exported: rows.Rows, champion: ModelVersionInfo) -> dict[str, Any]:
    """The columns that the champion takes; one that was never sent is missing in every row."""
    if not champion.inputs:
        raise InvalidInput(
            f"Version {champion.version} of {champion.name!r} must have a signature with named columns, since a "
            "retraining keeps the same features. Log the model with `signature=infer_signature(...)`."
        )
    empty = [None] * len(exported)
    sent = {name: values.tolist() for name, values in exported.columns.items()}
    return {column.name: sent.get(column.name, empty) for column in champion.inputs}


class _Judged(NamedTuple):
    """Both versions on the holdout; of the champion, the rows that it answered itself. `value` is the challenger's."""

    champion: Interval3
    challenger: Interval3
    difference: Interval3
    champion_brier: float | None
    challenger_brier: float
    champion_score: Floats
    value: Floats | None

    def metrics(self) -> dict[str, float]:
        """What is logged with the run; what cannot be told is left out."""
        figures = {
            "holdout_roc_auc": self.challenger.value,
            "holdout_roc_auc_low": self.challenger.low,
            "holdout_roc_auc_high": self.challenger.high,
            "holdout_brier": self.challenger_brier,
            "champion_holdout_roc_auc": self.champion.value,
            "champion_holdout_brier": self.champion_brier,
            "holdout_value_per_row": None if self.value is None else float(np.mean(self.value)),
        }
        return {name: value for name, value in figures.items() if value is not None}


def _judge(fitted: Fitted, holdout: rows.Rows, champion_version: int, file: ModelFile | None) -> _Judged:
    own = (holdout.version == champion_version) & (holdout.role == "champion")
    answered = np.where(own, holdout.score, np.nan)
    y, score = fitted.holdout_y, fitted.holdout_score
    return _Judged(
        champion=accuracy.roc_auc_interval(y, answered),
        challenger=accuracy.roc_auc_interval(y, score),
        difference=accuracy.roc_auc_difference(y, answered, score),
        champion_brier=accuracy.brier(y, answered),
        challenger_brier=float(np.mean((score - y) ** 2)),
        champion_score=answered,
        value=valued(file, dataclasses.replace(holdout, score=score)).value,
    )


def _told(order: TrainingOrder, fitted: Fitted, judged: _Judged, registered: Registered) -> Trained:
    from tenure.retrain import training

    return Trained(
        version=registered.version,
        run_id=registered.run_id,
        recipe=order.recipe,
        from_at=order.from_at,
        split_at=order.split_at,
        until_at=order.until_at,
        training_rows=len(fitted.training_y),
        training_events=int(fitted.training_y.sum()),
        holdout_rows=len(fitted.holdout_y),
        holdout_events=int(fitted.holdout_y.sum()),
        champion_roc_auc=_interval(judged.champion),
        challenger_roc_auc=_interval(judged.challenger),
        roc_auc_difference=_interval(judged.difference),
        champion_brier=judged.champion_brier,
        challenger_brier=judged.challenger_brier,
        calibration=training.calibration(fitted.holdout_y, fitted.holdout_score),
        segments=training.segments(fitted.holdout, fitted.holdout_y, judged.champion_score, fitted.holdout_score),
        shift=training.shift(registered.before, fitted.training) if registered.before else [],
        importances=training.importances(fitted.estimator, fitted.holdout, fitted.holdout_y),
        fit_seconds=fitted.fit_seconds,
        predict_us_per_row=fitted.predict_us_per_row,
        packages=registered.packages,
    )


def _interval(measured: Interval3) -> Interval:
    return Interval(value=measured.value, low=measured.low, high=measured.high)


if __name__ == "__main__":
    main(sys.argv[1])
