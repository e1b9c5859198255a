"""Small builders: an endpoint with traffic, as the gateway and control would have journaled it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tenure.manage import model_files
from tenure.monitor import intake, progress, watch
from tenure.records.base import DAY_US, Instant, new_id
from tenure.records.frames import OutcomeFrame, PredictionFrame
from tenure.records.model_files import ModelFile
from tenure.records.profiles import CategoricalProfile, NumericProfile, Profile
from tenure.serving.journal import Journal
from tenure.stats import histograms
from tenure.store import profiles, tables
from tenure.store.ground import Ground

START = Instant(1_359_676_800_000_000)  # 2013-02-01
ENDPOINT = "flight-delay"
MODEL = "flights"


class Traffic:
    """Writes what a gateway and control write, and lets the worker look."""

    def __init__(self, ground: Ground, model: str = MODEL) -> None:
        self.ground = ground
        root = progress.journal_folder(ground)
        self.gateway = Journal(root, "gateway-1", 1e9, 64, False)
        self.control = Journal(root, "control", 1e9, 64, False)
        self.model = model
        self.clock = 1_700_000_000_000_000
        ground.database.write(
            lambda tx: tx.execute(
                sa.insert(tables.endpoints).values(name=ENDPOINT, model=model, created_at=0, created_by="ann")
            )
        )

    def now(self) -> Instant:
        self.clock += 1_000_000
        return Instant(self.clock)

    def predict(self, **given: Any) -> PredictionFrame:
        made = frame(self.now(), model=self.model, **given)
        self.gateway.append_now(made)
        return made

    def tell(self, keys: Sequence[str], values: Sequence[float], event_at: int = START + DAY_US) -> None:
        self.control.append_now(
            OutcomeFrame(
                at=self.now(), endpoint=ENDPOINT, key=list(keys), value=list(values), event_at=[event_at] * len(keys)
            )
        )

    def look(self) -> None:
        while intake.take_in(self.ground, self.now()):
            pass

    def judge(self) -> None:
        while watch.judge_due(self.ground, self.now()):
            pass

    def apply(self, file: ModelFile) -> None:
        self.ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=self.now()))

    def keep_profile(self, profile: Profile, version: int) -> None:
        self.ground.database.write(
            lambda tx: profiles.put(tx, self.model, version, profile, "-", by="ann", now=self.now())
        )

    def close(self) -> None:
        self.gateway.close()
        self.control.close()


def frame(
    now: Instant,
    *,
    columns: dict[str, list[Any]] | None = None,
    score: Sequence[float | None] = (0.5,),
    event_at: int | Sequence[int] = START,
    version: int = 1,
    role: Any = "champion",
    reference: list[str] | None = None,
    of: PredictionFrame | None = None,
    model: str = MODEL,
    idempotent: bool = False,
    output: Sequence[Any] | None = None,
) -> PredictionFrame:
    rows = len(score)
    return PredictionFrame(
        prediction_id=of.prediction_id if of else new_id(now),
        at=now,
        endpoint=ENDPOINT,
        release_id=f"release-{version}",
        model=model,
        version=version,
        role=role,
        rows=rows,
        event_at=[event_at] * rows if isinstance(event_at, int) else list(event_at),
        reference=reference,
        columns=columns or {},
        output=list(score if output is None else output),
        score=list(score),
        latency_us=1500,
        idempotent=idempotent,
    )


def ids(made: PredictionFrame) -> list[str]:
    return made.row_ids


def profile_of(columns: dict[str, Any], score: Any = None) -> Profile:
    made: dict[str, Any] = {}
    for name, values in columns.items():
        if isinstance(values[0], str):
            levels, others = histograms.vocabulary(values)
            counted = histograms.count_categorical(values, levels, others)
            made[name] = CategoricalProfile(
                levels=levels,
                other_levels=others,
                counts=counted.counts.tolist(),
                other_count=counted.other_count,
                new_count=counted.new_count,
                null_count=counted.null_count,
                n=counted.n,
            )
        else:
            made[name] = numeric(values)
    return Profile(
        rows=len(next(iter(columns.values()))), columns=made, score=None if score is None else numeric(score)
    )


def numeric(values: Any) -> NumericProfile:
    edges, points = histograms.quantile_edges(values)
    counted = histograms.count_numeric(values, edges, points)
    return NumericProfile(
        edges=edges.tolist(),
        points=points.tolist(),
        counts=counted.counts.tolist(),
        point_counts=counted.point_counts.tolist(),
        null_count=counted.null_count,
        n=counted.n,
        mean=counted.mean,
        m2=counted.m2,
        min=counted.min,
        max=counted.max,
    )
