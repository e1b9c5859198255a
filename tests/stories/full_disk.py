"""Run on a small disk of its own, with its folder as argument: `python -m tests.stories.full_disk NAME FOLDER`.

Each story fills the disk, sees a clear error, finds whole what was there, makes room, and goes on without being helped.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import mlflow
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.batch import sources
from tenure.batch.results import Results
from tenure.batch.sources import open_files
from tenure.deploy import compiling
from tenure.errors import Unavailable
from tenure.monitor import batch_files, compaction
from tenure.records.base import Instant
from tenure.records.forms import FormResult
from tenure.records.frames import OutcomeFrame
from tenure.serving.journal import Journal, read_frames, segments
from tenure.store import lake_files
from tenure.store.artifacts import ArtifactStore
from tenure.store.lake import Lake
from tenure.store.roots import FORMS_FOLDER
from tests.batch.makers import Scene, put_into_service, rows
from tests.conftest import NOON, make_ground, serving, wait_until
from tests.deploy import test_compiling
from tests.deploy.makers import make_model, make_version
from tests.stories import steps

BLOCK = 16 * 1024


def fill(folder: Path) -> Path:
    """Take all the room there is, to the last byte."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * BLOCK)
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x")
    return filler


def journal(disk: Path) -> None:
    """What was acknowledged is there, once and whole, from before and after; nothing else is."""
    made = Journal(disk / "journal", "one", 60, 64, False)
    acknowledged: list[int] = []

    def append(number: int) -> None:
        made.append_now(OutcomeFrame(at=number, endpoint="e", key=["k" * 3000], value=[1.0], event_at=[number]))
        acknowledged.append(number)

    filler = disk / "filler"
    filler.write_bytes(b"x" * (3 * 1024 * 1024 + 512 * 1024))

    def until_it_is_full() -> None:
        for number in range(10_000):
            append(number)

    with pytest.raises(Unavailable, match=r"No space left.*goes on by itself"):
        until_it_is_full()
    assert len(acknowledged) > 10
    for number in range(20_000, 20_003):
        with pytest.raises(Unavailable, match="No space left"):
            append(number)
    assert _journaled(disk) == acknowledged
    filler.unlink()
    append(30_000)
    made.close()
    assert _journaled(disk) == acknowledged
    assert acknowledged[-1] == 30_000


def _journaled(disk: Path) -> list[int]:
    found = []
    for segment in segments(disk / "journal"):
        frames, offset = read_frames(segment.path, limit_bytes=2**30)
        assert offset == segment.path.stat().st_size, "nothing torn"
        found += [frame.at for frame in frames]
    return found


def forms(disk: Path) -> None:
    """A form that cannot be stored is made later, and no attempt is counted; nothing half is left."""
    with tempfile.TemporaryDirectory() as elsewhere:
        ground = make_ground(Path(elsewhere))
        make_model(ground)
        version = make_version(ground)
        (disk / "artifacts").mkdir()
        for file in ground.artifacts.files(""):
            ArtifactStore(str(disk / "artifacts")).write(file.key, ground.artifacts.read(file.key))
        small = replace(ground, artifacts=ArtifactStore(str(disk / "artifacts")))
        ground.database.write(lambda tx: compiling.ask(tx, version, by="ann", now=NOON))
        result = FormResult(report=test_compiling.REPORT, probe={}, answers=msgspec.msgpack.encode([]))
        compiler = compiling.Compiler(command=test_compiling.leaving(result, b"y" * 60_000))
        filler = fill(disk)
        now = NOON
        for _ in range(compiling.MOST_ATTEMPTS + 1):
            assert compiler.compile_waiting(small, now)
            assert compiler._task is not None
            compiler._task.outcome.result(60)
            assert compiler.compile_waiting(small, now)
            known = test_compiling.known(ground)
            assert (known.state, known.attempts) == ("running", 0)
            assert "No space left" in known.problem
            assert small.artifacts.files(FORMS_FOLDER) == []
            assert not compiler.compile_waiting(small, now), "not before the pause is over"
            now = Instant(now + compiling.PAUSE_US + 1)
        filler.unlink()
        assert test_compiling.until_settled(small, compiler, now).state == "done"
        assert [file.size_bytes for file in small.artifacts.files(FORMS_FOLDER)] == [60_000]
        ground.database.close()


def batch(disk: Path) -> None:
    """The output is not there until it is whole; the same command goes on and writes what it would have written."""
    with tempfile.TemporaryDirectory() as elsewhere, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK_ROWS", 4096)
        ground = make_ground(Path(elsewhere))
        put_into_service(ground)
        scene = Scene(ground, Path(elsewhere))
        pq.write_table(rows(20_000), scene.path("in.parquet"))
        scene.score("in.parquet", "expected.parquet")

        def run() -> None:
            results = Results(disk / "out.parquet", None)
            made = scene.batch(open_files(scene.path("in.parquet")))
            made.run(results, scene.path("cache"), restart=False, progress=lambda *_: None, say=scene.said.append)

        filler = disk / "filler"
        filler.write_bytes(b"x" * (3 * 1024 * 1024 + 512 * 1024))
        with pytest.raises(Unavailable, match=r"disk refuses .*No space left.*run the same command again"):
            run()
        assert not (disk / "out.parquet").exists()
        filler.unlink()
        run()
        assert any(said.startswith("Goes on from row") and said != "Goes on from row 0." for said in scene.said)
        wanted, found = (pq.read_table(path) for path in (scene.path("expected.parquet"), disk / "out.parquet"))
        assert found.drop_columns("prediction_id").equals(wanted.drop_columns("prediction_id"))
        assert sorted(path.name for path in disk.iterdir()) == ["out.parquet"]
        batch_files.processes.close()
        ground.database.close()


def lake(disk: Path) -> None:
    """Files that cannot be merged stay as they are; they are merged when there is room."""
    with tempfile.TemporaryDirectory() as elsewhere:
        ground, small = make_ground(Path(elsewhere)), Lake(disk / "lake")
        random = np.random.default_rng(1)

        def part(number: int) -> pa.Table:
            ids = [f"{number:04d}-{row}" for row in range(200)]
            at = pa.array(np.full(200, NOON + number)).cast(pa.timestamp("us", tz="UTC"))
            return pa.table({"prediction_id": ids, "event_at": at, "f_a": random.normal(size=200)})

        for number in range(compaction.CROWD + 6):
            files = small.write("e", "predictions", f"part-{number:04d}", part(number))
            ground.database.write(lambda tx, files=files: lake_files.add(tx, files, NOON))  # type: ignore[misc]

        def present() -> list[lake_files.LakeFile]:
            return ground.database.read(lambda tx: lake_files.latest_first(tx, "e", "predictions"))

        def content() -> list[str]:
            tables = [pq.read_table(disk / "lake" / file.path) for file in present()]
            return sorted(one for table in tables for one in table.column("prediction_id").to_pylist())

        before, on_disk = content(), sorted(disk.rglob("*"))
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            compaction.tidy(ground, small, NOON)
        assert (content(), sorted(disk.rglob("*"))) == (before, [*sorted([*on_disk, filler])])
        filler.unlink()
        assert compaction.tidy(ground, small, NOON)
        assert content() == before
        assert len(present()) < compaction.CROWD
        ground.database.close()


def server(disk: Path) -> None:
    """A whole server: what it cannot keep it refuses in words, pages are there, and it goes on when room is made."""
    with serving(disk / "data") as running, httpx.Client(timeout=30) as http:
        client = steps.serve_champion(running, "late")
        run_id = mlflow.MlflowClient(running.url).create_run("0").info.run_id
        protocol = f"{running.url}/api/2.0/mlflow"

        def score() -> httpx.Response:
            row = {"dataframe_records": [{"a": 0.1, "b": 0.2}]}
            return http.post(f"{running.scoring_url}/endpoints/late/invocations", json=row)

        def log(step: int) -> httpx.Response:
            point = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": step}
            return http.post(f"{protocol}/runs/log-metric", json=point)

        def artifact() -> httpx.Response:
            return http.put(f"{protocol}-artifacts/artifacts/x/y.bin", content=b"x" * 100_000)

        answered = [score().headers["tenure-prediction-id"]]
        filler, steps_logged = fill(disk), 0
        for _ in range(5_000):
            if (refused := score()).status_code != 200:
                break
            answered.append(refused.headers["tenure-prediction-id"])
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "No space left" in refused.text
        while (refused := log(steps_logged)).status_code == 200 and steps_logged < 50_000:
            steps_logged += 1
        for told, said in ((refused, "database or disk is full"), (artifact(), "No space left")):
            assert told.status_code == 503
            assert said in told.text
        for url in (
            running.url,
            f"{running.url}/endpoints/late",
            f"{running.url}/ready",
            f"{running.scoring_url}/health",
        ):
            assert http.get(url, follow_redirects=True).status_code == 200

        filler.unlink()
        wait_until(lambda: score().status_code == 200, 20, "it answers again")
        wait_until(lambda: log(steps_logged).status_code == 200, 20, "it logs again")
        assert artifact().status_code == 200
        wait_until(lambda: steps.progress(client, "late")["journal_bytes_waiting"] == 0, 60, "the journal is taken in")
        parts = [pq.read_table(file) for file in (disk / "data" / "lake").rglob("predictions/**/*.parquet")]
        ids = [one.rpartition(":")[0] for part in parts for one in part.column("prediction_id").to_pylist()]
        assert len(ids) == len(set(ids)) >= len(answered) + 1
        assert set(answered) <= set(ids)
        points = mlflow.MlflowClient(running.url).get_metric_history(run_id, "loss")
        assert [point.step for point in points] == list(range(steps_logged + 1))
        verified = [sys.executable, "-m", "tenure", "audit", "verify", "--url", running.url]
        assert subprocess.run(verified, check=False, stdout=subprocess.DEVNULL).returncode == 0
        client.close()


STORIES: dict[str, Callable[[Path], None]] = {
    "journal": journal,
    "forms": forms,
    "batch": batch,
    "lake": lake,
    "server": server,
}

if __name__ == "__main__":
    STORIES[sys.argv[1]](Path(sys.argv[2]))
