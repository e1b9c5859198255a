"""An endpoint with traffic, outcomes and a policy, as a gateway and control would have journaled it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tenure.deploy import endpoints, promotions
from tenure.monitor import intake, watch
from tenure.monitor.progress import journal_folder
from tenure.records.base import DAY_US, Instant, new_id
from tenure.records.endpoints import NewEndpoint
from tenure.records.frames import OutcomeFrame, PredictionFrame
from tenure.records.retraining import CalibrationBin, RetrainingRun, Trained, TrainingOrder
from tenure.records.windows import Interval
from tenure.retrain import jobs, loop, runs
from tenure.serving.journal import Journal
from tenure.store import jobs as stored_jobs
from tenure.store import releases as in_service
from tenure.store.ground import Ground

from ..deploy.makers import NOW, approve, govern, make_model, make_validator, make_version

START = Instant(1_359_676_800_000_000)  # 2013-02-01
ENDPOINT = "delay-eu"
ROWS_A_DAY = 100
POLICY: dict[str, Any] = {
    "recipe": "tiny",
    "when": [{"accuracy": {"at_least": 0.7, "min_outcomes": 300}}],
    "guard": {"cooldown_days": 7, "max_per_quarter": 6},
    "data": {"window_days": 28, "least_days": 7, "holdout_days": 3},
    "accept": {"better": {}, "no_worse": {"margin": 0.01}, "shadow_days": 7, "shadow_outcomes": 200},
    "envelope": {"expires": "2099-12-31", "score_psi_max": 50},
    "then": "promote",
}


class World:
    """Version 1 answers by chance. `day` sends a day's traffic and its outcomes; `work` lets the worker look."""

    def __init__(self, ground: Ground, *, governed: bool = True, **policy: Any) -> None:
        self.ground = msgspec_replace(ground, recipes={"tiny": "no.module:fit"})
        root = journal_folder(ground)
        self.gateway = Journal(root, "gateway-1", 1e9, 64, False)
        self.control = Journal(root, "control", 1e9, 64, False)
        self.clock = int(NOW)
        self.rng = np.random.default_rng(7)
        make_model(ground)
        make_version(ground)
        approval = {"steps": [{"role": "validator"}]} if governed else None
        make_validator(ground)
        govern(
            ground,
            approval=approval,
            monitors={"window_days": 7, "false_alerts_per_year": 4},
            retraining={**POLICY, **policy},
        )
        if governed:
            approve(ground, self.version(1))
        self.promote(1)
        new = NewEndpoint(name=ENDPOINT, model="delay")
        ground.database.write(lambda tx: endpoints.create(tx, new, by="ann", now=self.now()))

    def close(self) -> None:
        self.gateway.close()
        self.control.close()

    def now(self) -> Instant:
        self.clock += 1_000_000
        return Instant(self.clock)

    def version(self, number: int) -> Any:
        from tenure.build import model_versions

        return self.ground.database.read(lambda tx: model_versions.get(tx, "delay", number))

    def promote(self, version: int) -> None:
        self.ground.database.write(
            lambda tx: promotions.promote(tx, "delay", version, to="champion", reason="go", by="ann", now=self.now())
        )

    def days(self, first: int, until: int, *, champion: int = 1, shadow: int | None = None, good: bool = True) -> None:
        for day in range(first, until):
            self.day(day, champion=champion, shadow=shadow, good=good)

    def day(self, day: int, *, champion: int = 1, shadow: int | None = None, good: bool = True) -> None:
        """A hundred rows: the champion guesses; the shadow knows something if `good`, else it guesses too."""
        event_at = START + day * DAY_US + np.arange(ROWS_A_DAY) * (DAY_US // ROWS_A_DAY)
        y = (self.rng.random(ROWS_A_DAY) < 0.4).astype(float)
        guess = self.rng.uniform(0.3, 0.5, ROWS_A_DAY)
        known = np.clip(0.2 + 0.3 * y + self.rng.normal(0, 0.15, ROWS_A_DAY), 0.01, 0.99)
        request = new_id(self.now())
        self._predicted(request, event_at, guess, champion, "champion", {"distance": (y * 900 + 100).tolist()})
        if shadow is not None:
            score = known if good else self.rng.uniform(0.3, 0.5, ROWS_A_DAY)
            self._predicted(request, event_at, score, shadow, "shadow", {})
        self.control.append_now(
            OutcomeFrame(
                at=self.now(),
                endpoint=ENDPOINT,
                key=[f"{request}:{row}" for row in range(ROWS_A_DAY)],
                value=y.tolist(),
                event_at=(event_at + 3_600_000_000).tolist(),
            )
        )

    def _predicted(self, request: str, event_at: Any, score: Any, version: int, role: Any, columns: Any) -> None:
        self.gateway.append_now(
            PredictionFrame(
                prediction_id=request,
                at=self.now(),
                endpoint=ENDPOINT,
                release_id=f"release-{version}",
                model="delay",
                version=version,
                role=role,
                rows=len(event_at),
                event_at=event_at.tolist(),
                reference=None,
                columns=columns,
                output=score.tolist(),
                score=score.tolist(),
                latency_us=900,
            )
        )

    def work(self) -> None:
        """What the worker does until nothing moves any more, without its jobs."""
        while any(step(self.ground, self.now()) for step in (intake.take_in, watch.judge_due, loop.advance)):
            pass

    def runs(self) -> list[RetrainingRun]:
        return self.ground.database.read(lambda tx: runs.search(tx, endpoint=ENDPOINT))

    def run(self) -> RetrainingRun:
        (only,) = self.runs()
        return only

    def order(self) -> TrainingOrder:
        return msgspec.convert(self._job().payload, TrainingOrder)

    def start_training(self) -> None:
        job = self._job()
        assert self.ground.database.write(lambda tx: stored_jobs.lease(tx, job, "w", self.clock + DAY_US, self.now()))

    def finish_training(self) -> int:
        """Stand in for the job's process: version 2 is there, with its baseline."""
        self.start_training()
        made = make_version(self.ground, content=b"retrained")
        result = msgspec.to_builtins(trained(made.version, self.order()))
        self.settle("done", result)
        return made.version

    def settle(self, state: Any, result: dict[str, Any]) -> None:
        job = self._job()
        self.ground.database.write(
            lambda tx: stored_jobs.settle(tx, job.job_id, "w", state=state, result=result, now=self.now())
        )

    def serving(self) -> list[tuple[int, str]]:
        open_ones = self.ground.database.read(lambda tx: in_service.open_ones(tx, endpoint=ENDPOINT))
        return [(release.version, release.role) for release in open_ones]

    def _job(self) -> Any:
        job_id = runs.figure(self.run(), "triggered", "job_id")
        return self.ground.database.read(lambda tx: jobs.get(tx, job_id))


def msgspec_replace(ground: Ground, **changes: Any) -> Ground:
    """The same ground with other settings."""
    import dataclasses

    return dataclasses.replace(ground, settings=msgspec.structs.replace(ground.settings, **changes))


def trained(version: int, order: TrainingOrder) -> Trained:
    interval = Interval(value=0.8, low=0.75, high=0.85)
    return Trained(
        version=version,
        run_id="0" * 32,
        recipe=order.recipe,
        from_at=order.from_at,
        split_at=order.split_at,
        until_at=order.until_at,
        training_rows=1000,
        training_events=400,
        holdout_rows=300,
        holdout_events=120,
        champion_roc_auc=Interval(value=0.5, low=0.45, high=0.55),
        challenger_roc_auc=interval,
        roc_auc_difference=Interval(value=0.3, low=0.25, high=0.35),
        champion_brier=0.25,
        challenger_brier=0.18,
        calibration=[CalibrationBin(rows=30, mean_score=0.4, event_rate=0.41)],
        segments=[],
        shift=[],
        importances={"distance": 0.3},
        fit_seconds=0.1,
        predict_us_per_row=2.0,
        packages={"python": "3"},
    )
