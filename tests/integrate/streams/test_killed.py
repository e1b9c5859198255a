"""Kill -9 of a consumer, again and again, midway: every message has one answer, and is one prediction of the lake."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tenure.monitor import intake
from tenure.records.base import Instant
from tenure.records.frames import PredictionFrame
from tenure.store import lake_files, tables
from tests.conftest import make_ground
from tests.serving.conftest import Gateway, wait_until

from .conftest import PostgresPlace, RedisPlace, echo

MESSAGES = 2_500
KILLS = 2


def consumer(place: PostgresPlace | RedisPlace, gateway: Gateway, file: Path) -> subprocess.Popen[bytes]:
    """A real `tenure stream run`."""
    stream = place.stream(batch=10)
    lines = [f"{name}: '{getattr(stream, name)}'" for name in ("endpoint", "source", "sink")]
    lines += [f"{name}: {getattr(stream, name)}" for name in ("batch", "claim_after_s")]
    file.write_text("\n".join(lines))
    command = [sys.executable, "-m", "tenure", "stream", "run", str(file), "--until-empty"]
    where = os.environ | {"TENURE_SCORING_URL": gateway.url}
    return subprocess.Popen(command, env=where, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_killing_consumers_loses_nothing_and_doubles_nothing(
    place: PostgresPlace | RedisPlace, own_gateway: Callable[[], Gateway], tmp_path: Path
) -> None:
    gateway = own_gateway()
    keys = [f"k{number:04}" for number in range(MESSAGES)]
    place.put([(key, echo(float(number))) for number, key in enumerate(keys)])
    chance = random.Random(7)
    with consumer(place, gateway, tmp_path / "a.yaml") as beside:  # another one works all the while
        for _ in range(KILLS):
            with consumer(place, gateway, tmp_path / "b.yaml") as victim:
                goal = len(place.answers()) + chance.randrange(100, 300)
                wait_until(lambda goal=goal: len(place.answers()) >= goal or victim.poll() is not None, "answers come")
                victim.kill()
        _, told = beside.communicate(timeout=60)
        assert beside.returncode == 0, told.decode()
    with consumer(place, gateway, tmp_path / "a.yaml") as last:
        _, told = last.communicate(timeout=60)
        assert last.returncode == 0, told.decode()
    answers = place.answers()
    assert [key for key, *_ in answers] == keys
    assert [prediction for _, prediction, _ in answers] == [float(number) for number in range(MESSAGES)]
    assert place.dead() == []
    journaled = Counter(
        one for frame in gateway.frames() if isinstance(frame, PredictionFrame) for one in frame.row_ids
    )
    assert set(journaled) == {identifier for _, _, identifier in answers}
    assert in_the_lake(gateway) == MESSAGES


def in_the_lake(gateway: Gateway) -> int:
    ground = make_ground(gateway.folder)
    endpoint = {"name": "tricky", "model": "tricky", "created_at": 0, "created_by": "ann"}
    ground.database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**endpoint)))
    while intake.take_in(ground, Instant(1_750_000_000_000_000)):
        pass
    count = ground.database.read(lambda tx: lake_files.row_counts(tx, "tricky"))["predictions"]
    ground.database.close()
    return count


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_a_consumer_that_is_asked_to_end_finishes_its_batch(
    postgres_place: PostgresPlace, served: Gateway, tmp_path: Path, signal_name: str
) -> None:
    import signal

    prepared = [sys.executable, "-m", "tenure", "stream", "prepare", "--endpoint", "tricky"]
    stream = postgres_place.stream()
    subprocess.run([*prepared, "--source", stream.source, "--sink", stream.sink], check=True, capture_output=True)
    postgres_place.put([(f"k{number}", echo(float(number))) for number in range(2_000)])
    with consumer(postgres_place, served, tmp_path / "c.yaml") as process:
        wait_until(postgres_place.answers, "answers come")
        process.send_signal(getattr(signal, signal_name))
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told.decode()
    assert len(postgres_place.answers()) % 10 == 0
    assert b"taken" in told
    assert b"Traceback" not in told
