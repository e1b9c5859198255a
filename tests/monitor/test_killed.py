"""A worker that is killed at any moment loses nothing and stores nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from tenure.monitor import progress, rows

from .year import ENDPOINT, Traffic, ids

WORK = """
import sys
from pathlib import Path
from tenure.app import open_ground
from tenure.monitor import intake, watch
from tenure.settings import Settings
from tenure.store import lean
lean.refuse_frameworks()
import pyarrow.compute, pyarrow.parquet
from tenure.monitor import verdicts
ground = open_ground(Settings(data=sys.argv[1]))
print("at work", flush=True)
while True:
    intake.take_in(ground, ground.clock())
    watch.judge_due(ground, ground.clock())
"""


@pytest.mark.slow
def test_killing_the_worker_again_and_again_leaves_every_row_once(traffic: Traffic) -> None:
    chance = random.Random(1)
    data = str(traffic.ground.settings.folder)
    sent, told = 0, 0
    for _ in range(6):
        worker = subprocess.Popen([sys.executable, "-c", WORK, data], stdout=subprocess.PIPE)
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"at work\n"
        until = time.monotonic() + chance.uniform(0.05, 0.6)
        while time.monotonic() < until:
            made = traffic.predict(score=[0.5] * 50, columns={"x": [1.0] * 50})
            traffic.tell(ids(made)[:20], [1.0] * 20)
            sent, told = sent + 50, told + 20
        worker.kill()
        worker.wait()
        worker.stdout.close()
    traffic.look()
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.predictions, after.outcomes, after.outcomes_waiting) == (sent, told, 0)
    with traffic.ground.database.reading() as tx:
        got = rows.load(tx, progress.lake_of(traffic.ground), ENDPOINT, -(1 << 62), 1 << 62)
    assert len(set(got.prediction_id)) == len(got) == sent
    assert int(got.known.sum()) == told
