"""What holds for every source and sink, and how places are written."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tenure.errors import InvalidInput, Unavailable
from tenure.integrate.streams.consumer import Consumer
from tenure.integrate.streams.places import Place, dead_place_of, open_both, place_of
from tenure.integrate.streams.scoring import Scorer
from tenure.records.base import id_of_reference
from tenure.records.streams import Answered, Counts, Settled, Stream
from tenure.sdk.client import Client
from tests.conftest import missing
from tests.serving.conftest import Gateway

from .conftest import PostgresPlace, RedisPlace, echo

AT = 1_748_779_200_000_000


def run(stream: Stream, served: Gateway) -> Counts:
    source, sink = open_both(stream)
    with Client(served.url, served.url) as client:
        counts = Consumer(stream, source, sink, Scorer(client, stream.endpoint), Counts()).run(until_empty=True)
    source.close()
    sink.close()
    return counts


def test_each_message_has_one_answer(place: PostgresPlace | RedisPlace, served: Gateway) -> None:
    place.put([(f"k{number:03}", echo(float(number))) for number in range(100)])
    counts = run(place.stream(batch=7), served)
    assert (counts.taken, counts.scored, counts.dead, counts.batches) == (100, 100, 0, 15)
    wanted = [(f"k{n:03}", float(n), f"{id_of_reference('tricky', f'k{n:03}', AT)}:0") for n in range(100)]
    assert place.answers() == wanted


def test_a_key_that_comes_again_is_answered_once(place: PostgresPlace | RedisPlace, served: Gateway) -> None:
    place.put([("a", echo(1.0)), ("b", echo(2.0)), ("a", echo(1.0))])
    assert run(place.stream(), served).scored == 2
    place.put([("b", echo(2.0)), ("c", echo(3.0))])
    counts = run(place.stream(), served)
    assert (counts.scored, counts.known) == (1, 1)
    assert [key for key, *_ in place.answers()] == ["a", "b", "c"]


def test_what_cannot_be_scored_is_laid_aside_with_its_reason(
    place: PostgresPlace | RedisPlace, served: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"k{number}", echo(float(number))) for number in range(20)]
    wrong = [
        ("raises", {"row": {"what": "raise", "number": 1.0}}),
        ("type", {"row": {"what": "echo", "number": "4711-secret"}}),
        ("shape", {"rows": [{"secret": 4711}]}),
        ("when", echo(1.0, event_time=17)),
    ]
    place.put([*rows[:3], wrong[0], *rows[3:9], wrong[1], wrong[2], *rows[9:], wrong[3]])
    counts = run(place.stream(batch=16), served)
    assert (counts.scored, counts.dead) == (20, 4)
    assert len(place.answers()) == 20
    told = {key: (code, json.loads(message)) for key, code, message in place.dead()}
    assert {key: code for key, (code, _) in told.items()} == {
        "raises": "model_failed",
        "type": "invalid_input",
        "shape": "invalid_input",
        "when": "invalid_input",
    }
    assert {key: message for key, (_, message) in told.items()} == dict(wrong)
    assert "4711" not in caplog.text


def test_what_is_taken_is_nobody_elses_until_it_is_given_back(place: PostgresPlace | RedisPlace) -> None:
    place.put([(key, echo(1.0)) for key in "abcd"])
    one, unused = open_both(place.stream(consumer="one", claim_after_s=600))
    other, sink = open_both(place.stream(consumer="other", claim_after_s=600))
    assert [taken.key for taken in one.take(2)] == ["a", "b"]
    assert [taken.key for taken in other.take(9)] == ["c", "d"]
    other.give_back()
    mine = other.take(9)
    assert [taken.key for taken in mine] == ["c", "d"]
    other.settle(mine, Settled(), sink)
    assert other.take(9) == []
    assert one.lag() == 2
    one.close()  # as when it dies
    again, also_unused = open_both(place.stream(consumer="one"))
    assert [taken.key for taken in again.take(9)] == ["a", "b"]
    for end in (again, other, sink, unused, also_unused):
        end.close()


def test_the_first_answer_of_a_key_stands(place: PostgresPlace | RedisPlace) -> None:
    """Whoever was slow, and believed dead, writes what another has written meanwhile."""
    source, sink = open_both(place.stream())

    def answered(number: float) -> Settled:
        made = Answered(
            key="a", endpoint="tricky", prediction=number, prediction_id="id:0", model_version=1, event_at=AT
        )
        return Settled(answers=[made])

    sink.write(answered(1.0))
    sink.write(answered(2.0))
    assert place.answers() == [("a", 1.0, "id:0")]
    assert sink.known(["b", "a"]) == {"a"}
    source.close()
    sink.close()


def test_a_place_that_is_gone_is_told_without_its_password() -> None:
    stream = Stream(endpoint="e", source="redis://:geheim@127.0.0.1:1/0#work", sink="-")
    if find_spec("redis") is None:
        missing("Redis' client")
    with pytest.raises(Unavailable) as failure:
        open_both(stream)
    assert "geheim" not in str(failure.value)
    assert "127.0.0.1" in str(failure.value)


def test_a_table_that_is_not_there_says_how_to_make_it(postgres_place: PostgresPlace) -> None:
    with pytest.raises(InvalidInput, match="tenure stream prepare"):
        open_both(postgres_place.stream())


def test_from_one_kind_of_place_to_another(
    postgres_place: PostgresPlace, redis_place: RedisPlace, served: Gateway, tmp_path: Path
) -> None:
    """Lines to Postgres' queue's form, Postgres to Redis, Redis to lines."""
    for end in open_both(postgres_place.stream(), prepare=True):
        end.close()
    postgres_place.put([(f"k{number}", echo(float(number))) for number in range(5)])
    assert run(postgres_place.stream(sink=redis_place.stream().sink), served).scored == 5
    assert len(redis_place.answers()) == 5
    redis_place.put([(f"k{number}", echo(float(number))) for number in range(5)])
    run(redis_place.stream(sink=str(tmp_path / "answers.jsonl")), served)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"k{number}" for number in range(5)]


def test_lines_go_on_after_a_torn_end(served: Gateway, tmp_path: Path) -> None:
    rows, answers = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    said: list[Any] = [{"key": f"k{n}", **echo(float(n))} for n in range(4)]
    rows.write_text("\n".join([*map(json.dumps, said), "", "not json", json.dumps(echo(9.0))]))
    stream = Stream(endpoint="tricky", source=str(rows), sink=str(answers), batch=3)
    assert run(stream, served).scored == 5
    whole = answers.read_text().splitlines(keepends=True)
    assert json.loads(whole[-1])["key"] == f"{rows}:7"
    answers.write_text("".join(whole[:2]) + whole[2][:20])
    counts = run(stream, served)
    assert (counts.scored, counts.known) == (3, 2)
    assert sorted(answers.read_text().splitlines(keepends=True)) == sorted(whole)
    dead = [json.loads(line) for line in (tmp_path / "answers.jsonl.dead").read_text().splitlines()]
    assert {one["payload"] for one in dead} == {"not json"}


@pytest.mark.parametrize(
    ("told", "kind", "name"),
    [
        ("postgresql://u:p@h/db#jobs.work", "postgres", "jobs.work"),
        ("rediss://h:6380/2#{a}work", "redis", "{a}work"),
        ("$WHERE", "redis", "work"),
        ("rows.jsonl", "lines", ""),
        ("-", "lines", ""),
    ],
)
def test_how_a_place_is_written(told: str, kind: str, name: str) -> None:
    place = place_of(told, {"WHERE": "redis://h/0#work"}, "source")
    assert (place.kind, place.name) == (kind, name)
    assert ":p@" not in place.shown


@pytest.mark.parametrize("told", ["", "kafka://h/topic#x", "postgresql://u:geheim@h/db", "$NOBODY_SET_THIS"])
def test_what_is_no_place(told: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        place_of(told, {}, "sink")
    assert failure.value.where == "sink"
    assert "geheim" not in str(failure.value)


def test_what_is_dead_lies_beside_the_answers() -> None:
    sink = Place("postgres", "postgresql://h/db", "answers")
    stream = Stream(endpoint="e", source="-", sink="-")
    assert dead_place_of(stream, sink, {}).name == "answers_dead"
    with pytest.raises(InvalidInput):
        dead_place_of(Stream(endpoint="e", source="-", sink="-", dead="redis://h/0#x"), sink, {})
