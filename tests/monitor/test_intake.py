"""The journal becomes the lake, exactly once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.monitor import intake, joining, progress, rows
from tenure.records.admission import Admitted
from tenure.records.base import DAY_US, new_id
from tenure.records.frames import PredictionFrame, RefusalFrame
from tenure.records.lookups import LookedUp
from tenure.serving.journal import Segment, framed, read_frames, segments
from tenure.store import lake_files, outcomes, watermarks

from .year import ENDPOINT, START, Traffic, frame, ids

FOREVER = {"from_at": -(1 << 62), "until_at": 1 << 62}


def all_rows(traffic: Traffic, shadow: bool = False) -> rows.Rows:
    with traffic.ground.database.reading() as tx:
        return rows.load(
            tx, progress.lake_of(traffic.ground), ENDPOINT, FOREVER["from_at"], FOREVER["until_at"], shadow=shadow
        )


def test_predictions_come_into_the_lake_with_their_columns_and_types(traffic: Traffic) -> None:
    traffic.predict(
        score=[0.1, None],
        columns={"n": [1, 2], "x": [1.5, None], "carrier": ["UA", None], "wet": [True, False], "mixed": [1, "a"]},
        reference=["a", "b"],
        event_at=[START, START + DAY_US],
    )
    traffic.look()
    got = all_rows(traffic)
    assert len(got) == 2
    assert got.columns["n"].tolist() == [1, 2]
    assert got.columns["x"][0] == 1.5
    assert got.columns["carrier"].tolist() == ["UA", None]
    assert got.columns["wet"].tolist() == [True, False]
    assert got.columns["mixed"].tolist() == ["1", "a"]
    assert got.score[0] == 0.1
    assert got.score[1] != got.score[1]
    assert got.event_at.tolist() == [START, START + DAY_US]


def test_columns_whose_type_changes_between_files_still_meet(traffic: Traffic) -> None:
    for values in ([1], [2.5], [None], ["three"]):
        traffic.predict(columns={"n": values, "m": [values[0] if values[0] != "three" else 4]})
        traffic.look()
    got = all_rows(traffic)
    assert sorted(got.columns["n"].tolist(), key=str) == ["1", "2.5", None, "three"]
    assert sorted(got.columns["m"].tolist(), key=str)[:3] == [1.0, 2.5, 4.0]


@pytest.mark.parametrize("killed_in", ["written", "committed"])
def test_a_kill_between_files_and_commit_neither_loses_nor_doubles(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    made = traffic.predict(score=[0.1] * 10)
    traffic.tell(ids(made)[:5], [1.0] * 5)
    with monkeypatch.context() as patched:
        if killed_in == "written":
            patched.setattr(intake.journal_cursors, "move", die)
        else:
            patched.setattr(intake, "store", die)
        with pytest.raises(Killed):
            intake.take_in(traffic.ground, traffic.now())
    assert len(all_rows(traffic)) == 0
    traffic.predict(score=[0.2] * 3)  # more came before the worker was back
    traffic.look()
    got = all_rows(traffic)
    assert len(got) == 13
    assert len(set(got.prediction_id)) == 13
    assert int(got.known.sum()) == 5


def test_a_row_that_was_scored_again_is_one_prediction(traffic: Traffic) -> None:
    """Whether it comes again in the same bite, in a later one, in other company, or in the shadow."""
    sent = {"event_at": [START, START + DAY_US], "idempotent": True}
    first = traffic.predict(score=[0.1, 0.2], reference=["a", "b"], **sent)
    traffic.predict(score=[0.3, 0.4], reference=["a", "c"], **sent)
    for again in (first, first):
        traffic.gateway.append_now(msgspec.structs.replace(again, role="shadow", columns={}))
    traffic.look()
    traffic.predict(score=[0.5, 0.6], reference=["d", "b"], **sent)
    traffic.predict(score=[0.7, 0.8], reference=["a", "b"], **sent)
    traffic.gateway.append_now(msgspec.structs.replace(first, role="shadow", columns={}))
    traffic.predict(score=[0.9], reference=["a"])  # which says nothing of being the same
    traffic.look()
    got = all_rows(traffic)
    assert sorted(got.score.tolist()) == [0.1, 0.2, 0.4, 0.5, 0.9]
    assert len(set(got.prediction_id)) == 5
    assert len(all_rows(traffic, shadow=True)) == 2
    assert progress.of(traffic.ground, ENDPOINT).predictions == 5


def test_the_outcome_of_a_row_that_was_scored_again_finds_it(traffic: Traffic) -> None:
    made = [traffic.predict(score=[0.1], reference=["a"], idempotent=True) for _ in range(2)]
    traffic.tell(ids(made[1]), [1.0])
    traffic.tell(["ref:a"], [1.0])
    traffic.look()
    traffic.predict(score=[0.1], reference=["a"], idempotent=True)
    traffic.look()
    assert all_rows(traffic).known.tolist() == [True]


def test_what_was_looked_up_is_told_beside_the_features(traffic: Traffic) -> None:
    made = frame(traffic.now(), score=[0.1, 0.2], columns={"n": [0.25, None]})
    told = LookedUp(source="crm", table="scores", at=START, found=["fresh", "missing"], as_of=[START - 5_000_000, None])
    traffic.gateway.append_now(msgspec.structs.replace(made, looked_up={"n": told}))
    traffic.predict(score=[0.3])
    traffic.look()
    with traffic.ground.database.reading() as tx:
        files = lake_files.latest_first(tx, ENDPOINT, "predictions")
    table = intake.lake_of(traffic.ground).read(files)
    by_score = dict(zip(table.column("score").to_pylist(), table.column("looked_up").to_pylist(), strict=True))
    at, as_of = "2013-02-01T00:00:00Z", "2013-01-31T23:59:55Z"
    row = {"source": "crm", "table": "scores", "at": at}
    assert msgspec.json.decode(by_score[0.1]) == {"n": row | {"found": "fresh", "as_of": as_of, "age_s": 5.0}}
    assert msgspec.json.decode(by_score[0.2]) == {"n": row | {"found": "missing", "as_of": None, "age_s": None}}
    assert by_score[0.3] is None


def test_looking_twice_takes_in_once(traffic: Traffic) -> None:
    traffic.predict(score=[0.1] * 4)
    assert intake.take_in(traffic.ground, traffic.now())
    assert not intake.take_in(traffic.ground, traffic.now())
    assert progress.of(traffic.ground, ENDPOINT).predictions == 4


def test_a_torn_frame_waits_until_it_is_whole(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1] * 2)
    [segment] = [one for one in segments(progress.journal_folder(traffic.ground)) if one.process == "gateway-1"]
    whole = framed(made)
    with segment.path.open("ab") as file:
        file.write(whole[: len(whole) // 2])
    traffic.look()
    assert len(all_rows(traffic)) == 2
    assert progress.of(traffic.ground, ENDPOINT).journal_bytes_waiting == len(whole) // 2
    with segment.path.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    traffic.look()
    assert len(all_rows(traffic)) == 4
    assert progress.of(traffic.ground, ENDPOINT).journal_bytes_waiting == 0


def test_a_segment_that_is_sealed_meanwhile_keeps_its_cursor(traffic: Traffic) -> None:
    traffic.predict()
    traffic.look()
    traffic.gateway.seal()
    traffic.predict()
    traffic.look()
    assert len(all_rows(traffic)) == 2


def test_shadow_scores_borrow_the_features_of_what_was_answered(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1, 0.2], columns={"x": [1.0, 2.0]})
    traffic.predict(of=made, score=[0.7, 0.8], version=2, role="shadow")
    traffic.tell(ids(made), [1.0, 0.0])
    traffic.look()
    got = all_rows(traffic, shadow=True)
    assert got.columns["x"].tolist() == [1.0, 2.0]
    assert got.score.tolist() == [0.7, 0.8]
    assert got.y.tolist() == [1.0, 0.0]
    both = rows.paired(traffic.ground, ENDPOINT, 1, 2, START, START + 1)
    assert both.champion_score.tolist() == [0.1, 0.2]
    assert both.challenger_score.tolist() == [0.7, 0.8]
    assert both.y.tolist() == [1.0, 0.0]


def test_rows_are_chosen_by_time_version_and_role(traffic: Traffic) -> None:
    first = traffic.predict(event_at=START, version=1)
    second = traffic.predict(event_at=START + DAY_US, version=2)
    traffic.predict(of=second, version=3, role="shadow")
    traffic.tell(ids(first) + ids(second), [1.0, 0.0])
    traffic.look()
    assert rows.matured(traffic.ground, ENDPOINT, **FOREVER).version.tolist() == [1, 2]
    assert rows.matured(traffic.ground, ENDPOINT, from_at=START, until_at=START + 1).version.tolist() == [1]
    assert rows.matured(traffic.ground, ENDPOINT, **FOREVER, versions=[2]).version.tolist() == [2]
    assert rows.matured(traffic.ground, ENDPOINT, **FOREVER, role="shadow").version.tolist() == [3]


def test_many_small_files_become_one_and_the_old_ones_go(traffic: Traffic) -> None:
    for number in range(70):
        traffic.predict(event_at=START + number * DAY_US, columns={"x": [float(number)]}, reference=[f"r{number}"])
        intake.take_in(traffic.ground, traffic.now())
    traffic.look()
    with traffic.ground.database.reading() as tx:
        files = lake_files.latest_first(tx, ENDPOINT, "predictions")
    assert len(files) < 15
    got = all_rows(traffic)
    assert got.columns["x"].tolist() == [float(number) for number in range(70)]
    for first, last in ((0, 3), (17, 31), (60, 70)):
        some = rows.matured(traffic.ground, ENDPOINT, from_at=START + first * DAY_US, until_at=START + last * DAY_US)
        assert len(some) == 0  # no outcome is known yet
        with traffic.ground.database.reading() as tx:
            lake = progress.lake_of(traffic.ground)
            some = rows.load(tx, lake, ENDPOINT, START + first * DAY_US, START + last * DAY_US)
        assert some.columns["x"].tolist() == [float(day) for day in range(first, last)]
    traffic.clock += 120_000_000
    traffic.look()
    on_disk = sorted(path.name for path in progress.lake_of(traffic.ground).root.rglob("*.parquet"))
    assert on_disk == sorted(file.path.rsplit("/", 1)[1] for file in files)
    traffic.tell(["ref:r3"], [1.0])
    traffic.look()
    assert int(all_rows(traffic).known.sum()) == 1


def test_a_kill_while_files_are_merged_changes_nothing(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(65):
        traffic.predict(event_at=START + number * DAY_US)
    with monkeypatch.context() as patched:
        patched.setattr(intake.compaction.lake_files, "replace", _fail)
        with pytest.raises(RuntimeError):
            intake.take_in(traffic.ground, traffic.now())
    assert len(all_rows(traffic)) == 65
    traffic.look()
    assert len(all_rows(traffic)) == 65


def _fail(*_: Any, **__: Any) -> None:
    raise RuntimeError


def test_a_segment_that_cannot_be_read_holds_nothing_else_back(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = traffic.predict()
    traffic.tell(["ref:a"], [1.0])
    with monkeypatch.context() as patched:
        patched.setattr(intake.tables, "of_predictions", _fail)
        traffic.look()
    assert "gateway-1/000000000001" in caplog.text
    assert progress.of(traffic.ground, ENDPOINT).outcomes_waiting == 1
    traffic.look()
    assert all_rows(traffic).prediction_id.tolist() == ids(made)


def test_an_outcome_finds_its_prediction_by_id_and_by_reference(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1, 0.2], reference=["UA1", "UA2"], event_at=[START, START + DAY_US])
    traffic.look()
    traffic.tell([ids(made)[0], "ref:UA2"], [1.0, 0.0])
    traffic.look()
    assert all_rows(traffic).y.tolist() == [1.0, 0.0]


def test_a_reference_means_its_latest_prediction(traffic: Traffic) -> None:
    traffic.predict(score=[0.1], reference=["UA1"], event_at=START + 2 * DAY_US)
    traffic.look()
    traffic.predict(score=[0.2], reference=["UA1"], event_at=START)
    traffic.look()
    traffic.tell(["ref:UA1"], [1.0])
    traffic.look()
    got = all_rows(traffic)
    assert got.score[got.known].tolist() == [0.1]


def test_an_outcome_that_comes_first_waits_for_its_prediction(traffic: Traffic) -> None:
    traffic.tell(["ref:UA1"], [1.0])
    traffic.look()
    assert progress.of(traffic.ground, ENDPOINT).outcomes_waiting == 1
    traffic.predict(score=[0.3, 0.4], reference=["UA1", "UA9"])
    traffic.look()
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.outcomes_waiting, after.outcomes) == (0, 1)
    got = all_rows(traffic)
    assert got.score[got.known].tolist() == [0.3]


def test_an_equal_repetition_is_ignored_and_a_different_one_is_kept_as_a_conflict(traffic: Traffic) -> None:
    made = traffic.predict(reference=["UA1"])
    [key] = ids(made)
    traffic.look()
    for keys, values in (([key, key], [1.0, 1.0]), (["ref:UA1"], [1.0]), ([key], [0.0]), (["ref:UA1"], [0.0])):
        traffic.tell(keys, values)
        traffic.look()
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.outcomes, after.outcomes_conflicting, after.outcomes_waiting) == (1, 2, 0)
    assert all_rows(traffic).y.tolist() == [1.0]


def test_conflicts_are_seen_among_outcomes_that_wait_too(traffic: Traffic) -> None:
    traffic.tell(["ref:UA1", "ref:UA1"], [1.0, 0.0])
    traffic.look()
    traffic.tell(["ref:UA1"], [0.0])
    traffic.look()
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.outcomes_waiting, after.outcomes_conflicting) == (1, 2)
    traffic.predict(reference=["UA1"])
    traffic.look()
    assert all_rows(traffic).y.tolist() == [1.0]


def test_an_outcome_for_another_endpoint_is_not_taken(traffic: Traffic) -> None:
    made = traffic.predict()
    traffic.tell([ids(made)[0].replace(":0", ":7")], [1.0])
    traffic.look()
    assert progress.of(traffic.ground, ENDPOINT).outcomes_waiting == 1


def test_a_hundred_thousand_waiting_outcomes_do_not_slow_new_predictions(traffic: Traffic) -> None:
    with traffic.ground.database.reading() as tx:
        told = [outcomes.Told(f"ref:gone-{number}", 1.0, START) for number in range(100_000)]
        assert outcomes.waiting_count(tx, ENDPOINT) == 0
    traffic.ground.database.write(lambda tx: outcomes.keep_waiting(tx, ENDPOINT, told, traffic.now()))
    traffic.predict(score=[0.1] * 100, reference=[f"gone-{number}" for number in range(100)])
    traffic.look()
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.outcomes, after.outcomes_waiting) == (100, 99_900)


def test_late_outcomes_mark_the_days_of_their_predictions(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1, 0.2], event_at=[START, START + 9 * DAY_US])
    traffic.look()
    traffic.ground.database.write(lambda tx: watermarks.clear_days(tx, ENDPOINT, START, START + 99 * DAY_US, 1 << 62))
    traffic.tell(ids(made)[1:], [1.0])
    traffic.look()
    with traffic.ground.database.reading() as tx:
        assert [day for day, _ in watermarks.marked_days(tx, ENDPOINT, 1 << 62)] == [START + 9 * DAY_US]


def test_nothing_is_found_where_nothing_is(traffic: Traffic) -> None:
    with traffic.ground.database.reading() as tx:
        assert joining.find(tx, progress.lake_of(traffic.ground), ENDPOINT, ["ref:a", "b:0"]) == {}
    assert len(rows.paired(traffic.ground, ENDPOINT, 1, 2, START, START + 1)) == 0


def test_with_what_a_row_was_admitted_stands_beside_it(traffic: Traffic) -> None:
    plain = frame(traffic.now(), score=[0.1], columns={"wind": [5.0]})
    admitted = Admitted(
        revision=7, jurisdiction="US", channel="app", flagged={"temp": [1]}, clipped={"wind": {1: 90.0, 2: -3.0}}
    )
    made = frame(traffic.now(), score=[0.1] * 3, columns={"wind": [5.0, 80.0, 0.0], "temp": [1.0, 99.0, 2.0]})
    for one in (plain, msgspec.structs.replace(made, admitted=admitted)):
        traffic.gateway.append_now(one)
        traffic.look()
    with traffic.ground.database.reading() as tx:
        files = lake_files.between(tx, ENDPOINT, "predictions", 0, 1 << 60)
        table = progress.lake_of(traffic.ground).read(files)
    assert table.column("file_revision").to_pylist() == [None, 7, 7, 7]
    assert table.column("jurisdiction").to_pylist() == [None, "US", "US", "US"]
    assert table.column("purpose").to_pylist() == [None] * 4
    assert table.column("flagged").to_pylist() == [None, None, '["temp"]', None]
    assert table.column("clipped").to_pylist() == [None, None, '{"wind":90.0}', '{"wind":-3.0}']
    assert all_rows(traffic).clipped["wind"].tolist() == [False, False, True, True]


def test_what_was_refused_is_in_the_lake_and_moves_no_window(traffic: Traffic) -> None:
    traffic.predict()
    traffic.look()
    before = progress.of(traffic.ground, ENDPOINT)
    refused = RefusalFrame(
        refusal_id=new_id(traffic.now()),
        at=traffic.now(),
        endpoint=ENDPOINT,
        model="flights",
        revision=2,
        reason="range",
        rows=4,
        where=["wind"],
        caller="app",
    )
    traffic.gateway.append_now(refused)
    traffic.look()
    with traffic.ground.database.reading() as tx:
        (file,) = lake_files.between(tx, ENDPOINT, "refusals", 0, 1 << 60)
        (row,) = progress.lake_of(traffic.ground).read([file]).to_pylist()
    assert (row["reason"], row["rows"], row["columns"], row["caller"]) == ("range", 4, '["wind"]', "app")
    after = progress.of(traffic.ground, ENDPOINT)
    assert (after.predictions, after.received_until) == (before.predictions, before.received_until)


def test_frames_of_an_earlier_release_are_still_read(tmp_path: Path) -> None:
    """They say nothing of an admission."""
    told = msgspec.to_builtins(frame(START))
    del told["admitted"]
    (tmp_path / "old").write_bytes(framed(told))  # the same msgpack as of a frame without the field
    (read,), _ = read_frames(tmp_path / "old")
    assert isinstance(read, PredictionFrame)
    assert read.admitted is None


def test_what_comes_soon_after_waits_for_its_turn_and_is_taken_in_then(traffic: Traffic) -> None:
    seconds = [100.0]
    pace = intake.Pace(clock=lambda: seconds[0])

    def taken_in() -> int:
        while intake.take_in(traffic.ground, traffic.now(), None, pace):
            pass
        return len(all_rows(traffic))

    traffic.predict(score=[0.5])
    assert taken_in() == 1
    traffic.predict(score=[0.5])
    assert taken_in() == 1
    seconds[0] += 60.0
    assert taken_in() == 2


def test_whole_bites_and_sealed_segments_do_not_wait(tmp_path: Path) -> None:
    pace, written = intake.Pace(clock=lambda: 100.0), Segment("gateway", 1, sealed=False, path=tmp_path)
    pace.took(written, 0.5)
    assert not pace.due(written, intake.PREDICTIONS_A_BITE - 1)
    assert pace.due(written, intake.PREDICTIONS_A_BITE)
    assert pace.due(replace(written, sealed=True), 1)
    assert pace.due(replace(written, sequence=2), 1)
