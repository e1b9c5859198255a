"""What a chart of an endpoint is drawn from: only what it shows, in the measure that the model's file promises."""

from __future__ import annotations

import pytest

from tenure.errors import NotFound
from tenure.manage import model_files
from tenure.store.ground import Ground
from tenure.web.endpoint_charts import story

from . import town


def test_each_chart_reads_only_what_it_shows(filled: Ground) -> None:
    with filled.database.reading() as tx:
        harm, accuracy, latency, drift = (
            story(tx, town.MODEL, chart) for chart in ("harm", "accuracy", "latency", "drift")
        )
    assert (len(harm.windows), len(harm.detectors)) == (0, 3)
    assert (accuracy.metric, accuracy.held, accuracy.detectors) == ("roc_auc", None, [])
    assert accuracy.baselines[1].value == 0.742
    assert {one.monitor for one in accuracy.alerts} == {"accuracy"}
    assert (latency.held, latency.alerts) == (7.5, [])
    assert drift.floor == 0.1
    starts = [window.start_at for window in accuracy.windows]
    assert starts == sorted(starts)
    assert all(window.profile is None for window in accuracy.windows)


def test_the_measure_is_the_promised_one(ground: Ground) -> None:
    town.fill(ground)
    promised = {"accuracy": {"metric": "brier", "at_most": 0.2}}
    file = model_files.parse({**town.FILE, "monitors": {**town.FILE["monitors"], **promised}})
    ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=town.NOW))
    with ground.database.reading() as tx:
        told = story(tx, town.MODEL, "accuracy")
        with pytest.raises(NotFound):
            story(tx, "nope", "accuracy")
    assert (told.metric, told.held) == ("brier", 0.2)
    assert told.baselines[2].value == 0.158
