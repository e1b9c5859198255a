"""A batch from its first row to its last: what is written, what the lake gets, and what a kill leaves."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tenure.batch import results as results_module
from tenure.batch import sources
from tenure.batch.pipeline import Pipeline
from tenure.batch.queries import Query
from tenure.batch.results import Results
from tenure.batch.scoring import Wanted
from tenure.batch.sources import open_files
from tenure.errors import Conflict, InvalidInput, NotAdmitted, OverQuota, Unavailable, ValuesRefused
from tenure.monitor import batches
from tenure.monitor import rows as lake_rows
from tenure.monitor.intake import lake_of
from tenure.records.routing import InputColumn
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Request
from tenure.serving.forms import loading
from tenure.serving.protocols import mlflow
from tenure.store import audit, lake_files
from tenure.store.ground import Ground
from tests.conftest import make_ground

from .conftest import CHUNK_ROWS
from .makers import INPUTS, LATE, NOW, Scene, add_champion, declare, put_into_service, rows

KEYED = Wanted(columns=["id"])


def read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def answered_online(table: pa.Table) -> list[Any]:
    """What a gateway answers, row by row and all together: it decodes, checks and computes."""
    names = [column["name"] for column in INPUTS]
    data = [[row[name] for name in names] for row in table.to_pylist()]
    inputs = Inputs([InputColumn(**column) for column in INPUTS])  # type: ignore[arg-type]
    form = loading.built(msgspec.msgpack.encode(LATE), None)

    def ask(part: list[Any]) -> list[Any]:
        body = msgspec.json.encode({"dataframe_split": {"columns": names, "data": part}})
        return form.outputs(inputs.columns_of(mlflow.from_json(Request({}, body, NOW, 10**6, inputs))), len(part))

    together = ask(data)
    assert [ask([row])[0] for row in data] == together
    return together


def test_a_file_is_answered_as_requests_are_and_registered_with_the_log_in_one_step(scene: Scene) -> None:
    table = rows(200)
    pq.write_table(table, scene.path("in.parquet"), row_group_size=77)
    summary = scene.score("in.parquet")
    scored = read(scene.path("scored.parquet"))
    assert [row["prediction"] for row in scored] == answered_online(table)
    assert [row["id"] for row in scored] == table.column("id").to_pylist()
    batch_id = summary.batch.batch_id
    assert [row["prediction_id"] for row in scored] == [f"{batch_id}:{k}" for k in range(200)]
    assert (summary.batch.state, summary.rows, summary.rejected) == ("done", 200, 0)
    digest = hashlib.sha256(scene.path("scored.parquet").read_bytes()).hexdigest()
    assert summary.batch.output_sha256 == digest
    assert summary.batch.input_sha256 == hashlib.sha256(scene.path("in.parquet").read_bytes()).hexdigest()
    with scene.ground.database.reading() as tx:
        event = audit.search(tx, limit=1)[0]
        assert (event.action, event.actor) == ("batch.scored", "owner")
        assert event.detail["output_sha256"] == digest
        assert event.detail["predictions"] == 200
        kept = lake_rows.load(tx, lake_of(scene.ground), "delay", 0, 2**62)
    assert len(kept) == 200
    order = [int(key.rpartition(":")[2]) for key in kept.prediction_id]
    assert [scored[k]["score"] for k in order] == kept.score.tolist()
    assert set(kept.latency_us.tolist()) == {lake_rows.NO_LATENCY}
    assert not list(scene.folder.glob(".*"))
    assert not (scene.folder / "batches" / batch_id).exists()


def test_parquet_csv_a_folder_and_queries_give_the_same_answers(scene: Scene) -> None:
    table = rows(150)
    pq.write_table(table, scene.path("in.parquet"))
    pa.csv.write_csv(table, scene.path("in.csv"))
    scene.path("folder/part").mkdir(parents=True)
    pq.write_table(table.slice(0, 40), scene.path("folder/a.parquet"))
    pq.write_table(table.slice(40), scene.path("folder/part/b.parquet"))
    scene.score("in.parquet")
    expected = [(row["id"], row["prediction"]) for row in read(scene.path("scored.parquet"))]
    query = f"SELECT * FROM '{scene.path('in.parquet')}'"
    sqlite = f"sqlite:///{scene.path('in.db')}"
    write_sqlite(table, scene.path("in.db"))
    for source in (
        "in.csv",
        "folder",
        Query(query, "duckdb://"),
        Query("SELECT * FROM flights ORDER BY number", sqlite),
    ):
        wanted = Wanted(columns=["id"], ignore_others=True)
        scene.score(source, "other.parquet", wanted=wanted)
        assert [(row["id"], row["prediction"]) for row in read(scene.path("other.parquet"))] == expected
        scene.path("other.parquet").unlink()
    scene.score("in.parquet", "scored.csv")
    lines = pa.csv.read_csv(scene.path("scored.csv")).to_pylist()
    assert [(row["id"], msgspec.json.decode(row["prediction"])) for row in lines] == expected


def write_sqlite(table: pa.Table, path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE flights (number INTEGER, id TEXT, km REAL, hour INTEGER, carrier TEXT)")
    lines = [(k, *row.values()) for k, row in enumerate(table.to_pylist())]
    connection.executemany("INSERT INTO flights VALUES (?, ?, ?, ?, ?)", lines)
    connection.commit()
    connection.close()


def without_ids(path: Path) -> list[dict[str, Any]]:
    return [{**row, "prediction_id": row["prediction_id"].rpartition(":")[2]} for row in read(path)]


def _killed(folder: str, when: str) -> None:
    """In a process of its own: a batch that kills itself in its third chunk."""
    ground = make_ground(Path(folder))
    sources.CHUNK_ROWS = CHUNK_ROWS
    scene = Scene(ground, Path(folder))
    keep, note = Results.keep, Results.note

    def die(number: int) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def keeping(self: Results, chunk: Any, scored: Any, rejected: Any) -> None:
        keep(self, chunk, scored, rejected)
        if when == "kept":
            die(chunk.number)

    def noting(self: Results, chunk: Any) -> None:
        if when == "torn" and chunk.number == 2:
            with (self.folder / "chunks.jsonl").open("ab") as file:
                file.write(b'{"number":2,"ro')
            die(2)
        note(self, chunk)
        if when == "noted":
            die(chunk.number)

    results_module.Results.keep, results_module.Results.note = keeping, noting  # type: ignore[method-assign]
    if when == "joined":
        results_module.Results.publish = lambda _self: die(2)  # type: ignore[method-assign]
    scene.score("in.parquet", rejected="no.parquet")


SLOW = pytest.mark.slow  # each starts a process; two of them are enough day by day


@pytest.mark.parametrize(
    "when", ["kept", "noted", pytest.param("torn", marks=SLOW), pytest.param("joined", marks=SLOW)]
)
def test_killed_at_any_moment_it_goes_on_and_writes_what_it_would_have_written(
    scene: Scene, tmp_path: Path, when: str
) -> None:
    table = rows(300).set_column(2, "hour", pa.array([None if k % 50 == 7 else k % 24 for k in range(300)]))
    pq.write_table(table, scene.path("in.parquet"))
    scene.score("in.parquet", "whole.parquet", rejected="whole-no.parquet")
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(str(tmp_path), when))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not scene.path("scored.parquet").exists()
    scene.transport.asked.clear()
    summary = scene.score("in.parquet", rejected="no.parquet")
    assert summary.went_on_from == {"kept": 128, "torn": 128, "noted": 192, "joined": 300}[when]
    assert without_ids(scene.path("scored.parquet")) == without_ids(scene.path("whole.parquet"))
    assert read(scene.path("no.parquet")) == read(scene.path("whole-no.parquet"))
    sent = [one for one in scene.transport.asked if "/parts/" in one]
    assert len(sent) == {"kept": 3, "torn": 3, "noted": 2, "joined": 0}[when]
    with scene.ground.database.reading() as tx:
        kept = lake_rows.load(tx, lake_of(scene.ground), "delay", 0, 2**62)
        assert len([one for one in audit.search(tx, limit=100) if one.action == "batch.scored"]) == 2
    mine = [key for key in kept.prediction_id if key.startswith(summary.batch.batch_id)]
    assert len(mine) == len(set(mine)) == 294


def test_rejected_rows_stop_it_or_go_to_a_file_with_their_reasons(scene: Scene) -> None:
    declare(
        scene.ground,
        features={
            "hour": {"kind": "numeric", "range": [0, 20], "outside": "reject"},
            "km": {"kind": "numeric", "range": [0, 150], "outside": "clip"},
        },
    )
    table = pa.table(
        {
            "id": ["a", "b", "c", "d", "e"],
            "km": [100.0, 500.0, None, 1.0, -3.0],
            "hour": pa.array([1, 2, 30, None, 5]),
            "carrier": ["AA", "UA", "AA", "AA", None],
        }
    )
    pq.write_table(table, scene.path("in.parquet"))
    with pytest.raises(ValuesRefused, match=r"3 of the rows 0 to 4 .* Row 2: Column 'hour' must lie between 0 and 20"):
        scene.score("in.parquet")
    assert not scene.path("scored.parquet").exists()
    summary = scene.score("in.parquet", rejected="no.parquet")
    assert (summary.rows, summary.rejected, summary.reasons) == (5, 3, {"range": 1, "null": 2})
    refused = read(scene.path("no.parquet"))
    assert [(row["rejected_row"], row["rejected_column"], row["rejected_reason"]) for row in refused] == [
        (2, "hour", "range"),
        (3, "hour", "null"),
        (4, "carrier", "null"),
    ]
    assert [row["id"] for row in refused] == ["c", "d", "e"]
    scored = read(scene.path("scored.parquet"))
    near = table.slice(0, 2).set_column(1, "km", pa.array([100.0, 150.0]))
    assert [row["prediction"] for row in scored] == answered_online(near)
    with scene.ground.database.reading() as tx:
        files = lake_files.latest_first(tx, "delay", "predictions")
    kept = lake_of(scene.ground).read(files).to_pylist()
    assert [(row["f_km"], row["clipped"], row["file_revision"]) for row in kept] == [
        (100.0, None, 1),
        (150.0, '{"km":500.0}', 1),
    ]


def test_what_the_version_itself_refuses_is_rejected_by_row(scene: Scene) -> None:
    table = rows(5).set_column(2, "hour", pa.array([1, -1, 2, 3, 4]))
    pq.write_table(table, scene.path("in.parquet"))
    summary = scene.score("in.parquet", rejected="no.csv")
    assert summary.reasons == {"model": 1}
    assert "fails at a value of the column 'hour'" in scene.path("no.csv").read_text()
    assert [row["id"] for row in read(scene.path("scored.parquet"))] == ["r0", "r2", "r3", "r4"]


def test_the_use_that_the_models_file_allows_is_asked_of_the_batch(scene: Scene) -> None:
    use = {"jurisdictions": ["US"], "not_for": ["crew scheduling"], "require": ["purpose"]}
    declare(scene.ground, use={**use, "quota": {"rows_per_day": 100}})
    pq.write_table(rows(120), scene.path("in.parquet"))
    with pytest.raises(NotAdmitted, match="must say its purpose"):
        scene.score("in.parquet")
    with pytest.raises(NotAdmitted, match="US only"):
        scene.score("in.parquet", purpose="warn", jurisdiction="BR")
    with pytest.raises(OverQuota, match="100 rows scored on a day, and 64 came"):
        scene.score("in.parquet", purpose="warn")
    declare(scene.ground, use=use)
    summary = scene.score("in.parquet", purpose="warn")
    assert summary.went_on_from == 64
    assert summary.batch.admitted is not None
    assert (summary.batch.admitted.purpose, summary.batch.admitted.jurisdiction) == ("warn", "US")


def test_a_server_that_is_away_is_waited_for_and_then_gone_on_with(scene: Scene) -> None:
    pq.write_table(rows(200), scene.path("in.parquet"))
    batch = scene.batch(open_files(scene.path("in.parquet")))
    send, fails = scene.sending.part, {64: [1], 128: [2]}

    def away(order: Any, part: Any) -> Any:
        if fails.get(part.first_row):
            scene.transport.away = fails[part.first_row].pop()  # once: it is asked again and answers; twice: it is not
        send(order, part)

    scene.sending.part = away  # type: ignore[method-assign]
    results = Results(scene.path("scored.parquet"), None)
    with pytest.raises(Unavailable, match="run the same command again"):
        batch.run(results, scene.path("cache"), restart=False, progress=lambda *_: None, say=lambda _: None)
    assert scene.score("in.parquet").went_on_from == 128


def test_a_last_chunk_that_cannot_be_kept_is_not_left_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(rows(200), scene.path("in.parquet"))
    source, failed = open_files(scene.path("in.parquet")), threading.Event()
    keep, chunks = Pipeline._keep, source.chunks

    def fails(self: Pipeline, number: int, *answered: Any) -> Any:
        with monkeypatch.context() as patch:
            try:
                if number == 3:
                    patch.setattr(self._results, "note", full_disk)
                return keep(self, number, *answered)
            finally:
                if number == 3:
                    failed.set()

    def ends_later(*asked: Any) -> Any:
        yield from chunks(*asked)
        assert failed.wait(30)

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_keep", fails)
        patch.setattr(source, "chunks", ends_later)
        with pytest.raises(Unavailable, match="No space left"):
            scene.score(source)
    assert scene.score("in.parquet").went_on_from == 192
    assert len(read(scene.path("scored.parquet"))) == 200


def test_a_batch_goes_on_with_the_version_that_it_began_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(rows(200), scene.path("in.parquet"))
    batch = scene.batch(open_files(scene.path("in.parquet")))
    results = Results(scene.path("scored.parquet"), None)
    monkeypatch.setattr(results, "note", full_disk)
    with pytest.raises(Unavailable, match=r"disk refuses .*No space left"):
        batch.run(results, scene.path("cache"), restart=False, progress=lambda *_: None, say=lambda _: None)
    twice = msgspec.structs.replace(LATE, base=[3.0])
    assert add_champion(scene.ground, twice) == 2
    summary = scene.score("in.parquet")
    assert (summary.batch.version, summary.batch.champion) == (1, 2)
    assert any("goes on with version 1" in said for said in scene.said)
    assert [row["prediction"] for row in read(scene.path("scored.parquet"))] == answered_online(rows(200))


def full_disk(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_what_was_begun_otherwise_is_not_gone_on_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(rows(100), scene.path("in.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr(Results, "publish", full_disk)
        with pytest.raises(Unavailable):
            scene.score("in.parquet")
    with pytest.raises(Conflict, match="other options"):
        scene.score("in.parquet", wanted=Wanted(columns=["id"], limit=10))
    pq.write_table(rows(101), scene.path("in.parquet"))
    with pytest.raises(Conflict, match="input changed"):
        scene.score("in.parquet")
    assert scene.score("in.parquet", restart=True).rows == 101


def test_a_query_that_gives_other_rows_is_not_gone_on_with(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(rows(100), scene.path("in.parquet"))
    query = f"SELECT * FROM '{scene.path('in.parquet')}'"
    with monkeypatch.context() as patch:
        patch.setattr(Results, "publish", full_disk)
        with pytest.raises(Unavailable):
            scene.score(Query(query, "duckdb://"))
    pq.write_table(rows(100, seed=1), scene.path("in.parquet"))
    with pytest.raises(Conflict, match="gives other rows"):
        scene.score(Query(query, "duckdb://"))


def test_event_times_and_references_come_from_columns(scene: Scene) -> None:
    instants = ["2025-03-01T10:00:00Z", "2025-03-02T10:00:00Z", "1740996000000000", "soon"]
    table = rows(4).append_column("at", pa.array(instants))
    pq.write_table(table, scene.path("in.parquet"))
    wanted = Wanted(event_time="at", reference="id")
    summary = scene.score("in.parquet", rejected="no.parquet", wanted=wanted)
    assert summary.reasons == {"event_time": 1}
    with scene.ground.database.reading() as tx:
        [file] = lake_files.latest_first(tx, "delay", "predictions")
        kept = lake_of(scene.ground).read([file]).to_pylist()
    assert [(row["reference"], row["event_at"].isoformat()[:10]) for row in kept] == [
        ("r0", "2025-03-01"),
        ("r1", "2025-03-02"),
        ("r2", "2025-03-03"),
    ]
    assert {row["batch"] for row in kept} == {summary.batch.batch_id}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"drop": "hour"}, "Missing: 'hour'"),
        ({"add": "extra"}, "Not known: 'extra'.*--columns carries a column along, --ignore-others"),
        ({"set": ("hour", pa.array(["1"] * 5))}, "'hour' must hold numbers"),
        ({"set": ("carrier", pa.array([1] * 5))}, "'carrier' must hold text"),
        ({"rows": 0}, "must have rows"),
        ({"bytes": b"PAR1 and nothing"}, "cannot be read as Parquet"),
        ({"bytes": b""}, "is empty"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_bad_input_is_told_and_leaves_nothing_open(scene: Scene, changed: dict[str, Any], problem: str) -> None:
    table = rows(changed.get("rows", 5))
    if "drop" in changed:
        table = table.drop_columns(changed["drop"])
    if "add" in changed:
        table = table.append_column(changed["add"], table.column("km"))
    if "set" in changed:
        name, values = changed["set"]
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, scene.path("in.parquet"))
    if "bytes" in changed:
        scene.path("in.parquet").write_bytes(changed["bytes"])
    with pytest.raises(InvalidInput, match=problem):
        scene.score("in.parquet")
    assert not scene.path("scored.parquet").exists()


def test_a_preview_keeps_nothing(scene: Scene) -> None:
    pq.write_table(rows(40), scene.path("in.parquet"))
    scored, _ = scene.batch(open_files(scene.path("in.parquet"))).preview(scene.path("cache"), say=print)
    assert [row["prediction"] for row in scored.output.to_pylist()] == answered_online(rows(40).slice(0, 10))
    assert scene.client.get("/api/v1/endpoints/delay/batches") == []


def test_a_batch_can_be_given_up_and_is_after_thirty_days(scene: Scene) -> None:
    order = scene.batch(open_files(written(scene)))._order(dry_run=False)
    place = f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}"
    assert scene.client.delete(place)["state"] == "abandoned"
    with pytest.raises(Conflict, match="Only an open batch"):
        scene.client.delete(place)
    silent = scene.batch(open_files(written(scene)))._order(dry_run=False)
    assert batches.abandon_silent(scene.ground, now=silent.batch.opened_at + batches.SILENT_US + 1) == 1  # type: ignore[arg-type]


def written(scene: Scene) -> Path:
    pq.write_table(rows(5), scene.path("in.parquet"))
    return scene.path("in.parquet")


def test_a_part_that_is_not_what_it_must_be_stays_out_of_the_lake(each_ground: Ground, tmp_path: Path) -> None:
    put_into_service(each_ground)
    scene = Scene(each_ground, tmp_path)
    order = scene.batch(open_files(written(scene)))._order(dry_run=False)
    place = f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}"
    end = {"rows": 2, "rejected": 0, "input_sha256": "0" * 64, "output_sha256": "1" * 64}
    for table, problem in (
        (pa.table({"prediction_id": [f"{order.batch.batch_id}:{k}" for k in range(2)]}), "each of the columns"),
        (pa.table({"x": [1, 2]}), "each of the columns"),
    ):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        asked = {"until_row": 2, "rows": 2}
        scene.client.send_file("PUT", f"{place}/parts/0", sink.getvalue().to_pybytes(), "application/x", asked)
        with pytest.raises(InvalidInput, match=problem):
            scene.client.post(f"{place}/finish", end)
    scene.client.send_file("PUT", f"{place}/parts/0", b"no Parquet", "application/x", {"until_row": 2, "rows": 2})
    with pytest.raises(InvalidInput, match="cannot be read"):
        scene.client.post(f"{place}/finish", end)
    with each_ground.database.reading() as tx:
        assert lake_files.latest_first(tx, "delay", "predictions") == []
