"""What becomes of scorers that hang, die or cannot start, and how versions come and go, without harm to a caller."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import httpx
import msgspec
import pytest

from tenure.records.frames import PredictionFrame

from .conftest import HERE, Gateway, act, release, wait_until

Make = Callable[..., Gateway]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def tricky(gateway: Make, tricky_folder: Path) -> Gateway:
    """A gateway of the test's own with the tricky model at `tricky`."""
    one = gateway(queue_limit=8, scoring_timeout_s=2.0)
    one.publish(tricky=[release(tricky_folder)])
    one.serves("r-tricky-1-champion")
    return one


def test_a_request_in_flight_when_the_scorer_dies_is_refused_and_not_journaled(tricky: Gateway) -> None:
    answer = tricky.score("tricky", act("die"))
    assert answer.status_code == 503
    assert "try again" in answer.json()["message"]
    assert answer.headers["retry-after"] == "1"
    assert tricky.frames() == []
    wait_until(lambda: tricky.score("tricky", act("echo")).status_code == 200, "another scorer answers")


def test_a_scorer_that_hangs_is_replaced(tricky: Gateway) -> None:
    (pid,) = tricky.score("tricky", act("pid")).json()["predictions"]
    answer = tricky.score("tricky", act("hang"))
    assert answer.status_code == 503
    assert "did not answer within 2 s" in answer.json()["message"]
    assert answer.headers["retry-after"] == "1"
    assert tricky.healthy()
    wait_until(lambda: not lives(pid), "the scorer that hung is gone")
    wait_until(lambda: tricky.score("tricky", act("echo")).status_code == 200, "another scorer answers")


@pytest.mark.parametrize("what", ["crash", "exit"])
def test_a_model_that_ends_its_scorer_costs_one_request(tricky: Gateway, what: str) -> None:
    answer = tricky.score("tricky", act(what))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert tricky.healthy()
    wait_until(lambda: tricky.score("tricky", act("echo")).status_code == 200, "another scorer answers")


def test_a_scorer_that_has_filled_its_memory_is_replaced(gateway: Make, tricky_folder: Path) -> None:
    one = gateway(scorer_memory_mib=400)
    one.publish(tricky=[release(tricky_folder)])
    one.serves("r-tricky-1-champion")
    (pid,) = one.score("tricky", act("pid")).json()["predictions"]
    assert one.score("tricky", act("limits")).json() == {"predictions": [[400 * 1024 * 1024, 0]]}
    answer = one.score("tricky", act("leak"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    wait_until(lambda: one.score("tricky", act("echo")).status_code == 200, "another scorer answers")
    assert not lives(pid)
    assert "has filled its memory" in (one.folder / "logs" / "scorer-tricky-1.log").read_text()


def test_one_request_that_asks_for_too_much_memory_leaves_its_scorer_alive(gateway: Make, tricky_folder: Path) -> None:
    one = gateway(scorer_memory_mib=400)
    one.publish(tricky=[release(tricky_folder)])
    one.serves("r-tricky-1-champion")
    (pid,) = one.score("tricky", act("pid")).json()["predictions"]
    answer = one.score("tricky", act("too much", 100.0))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
    assert "MemoryError" in answer.json()["message"]
    assert one.score("tricky", act("pid")).json() == {"predictions": [pid]}


def test_what_a_model_started_dies_with_its_scorer(tricky: Gateway) -> None:
    (pids,) = tricky.score("tricky", act("children")).json()["predictions"]
    assert all(lives(pid) for pid in pids)
    tricky.score("tricky", act("die"))
    wait_until(lambda: not any(lives(pid) for pid in pids), "the scorer and all its children are gone")


def test_what_a_model_started_is_gone_when_the_next_gateway_starts(tricky: Gateway) -> None:
    (pids,) = tricky.score("tricky", act("children")).json()["predictions"]
    tricky.kill()
    tricky.start()
    wait_until(lambda: not any(lives(pid) for pid in pids), "what the gateway left behind is gone")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_has_no_number_for_is_null(tricky: Gateway, number: float) -> None:
    answer = tricky.score("tricky", act("not a number", {"nan": 0.0, "inf": 1.0, "-inf": -1.0}[str(number)]))
    assert answer.content == b'{"predictions":[null]}'


def test_a_model_that_gives_too_few_outputs_fails_and_its_neighbours_do_not(tricky: Gateway) -> None:
    body = {"dataframe_records": [{"what": "echo", "number": 1.0}, {"what": "few", "number": 2.0}]}
    answer = tricky.score("tricky", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
    assert "one output for each row" in answer.json()["message"]
    assert tricky.frames() == []
    assert tricky.score("tricky", act("echo", 3.0)).json() == {"predictions": [3.0]}


def test_what_a_model_prints_goes_to_its_log_and_what_it_raises_is_not_told(tricky: Gateway) -> None:
    assert tricky.score("tricky", act("shout", 4.0)).json() == {"predictions": [4.0]}
    told = tricky.score("tricky", act("raise"))
    assert (told.status_code, "4711" in told.text, "ValueError" in told.text) == (500, False, True)
    said = (tricky.folder / "logs" / "scorer-tricky-1.log").read_text()
    assert "xxxx" in said
    assert "yyyy" in said
    assert "4711" in said


def test_health_answers_while_a_model_takes_its_time(tricky: Gateway) -> None:
    (pid,) = tricky.score("tricky", act("pid")).json()["predictions"]
    os.kill(pid, signal.SIGSTOP)  # the model cannot go on before this test lets it
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(tricky.score, "tricky", act("echo", 5.0))
        try:
            assert [tricky.healthy() for _ in range(20)] == [True] * 20
            assert not asked.done()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert asked.result().json() == {"predictions": [5.0]}


def test_when_too_many_wait_the_next_is_told_so_at_once(tricky: Gateway) -> None:
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda k: tricky.score("tricky", act("slow" if k == 0 else "echo")), range(40)))
        answers += pool.map(lambda _: tricky.score("tricky", act("hang")), range(40))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert {answer.status_code for answer in answers} <= {200, 429, 503}


def test_scorers_die_with_their_gateway(tricky: Gateway) -> None:
    (pid,) = tricky.score("tricky", act("pid")).json()["predictions"]
    assert lives(pid)
    tricky.kill()
    wait_until(lambda: not lives(pid), "the scorer is gone")


def test_stopping_finishes_what_is_in_flight_and_seals_the_journal(tricky: Gateway) -> None:
    (pid,) = tricky.score("tricky", act("pid")).json()["predictions"]
    asking = HTTPConnection("127.0.0.1", tricky.settings.gateway_port, timeout=30)
    body = msgspec.json.encode(act("slow"))
    asking.request("POST", "/endpoints/tricky/invocations", body, {"Content-Type": "application/json"})
    # What was sent after it is answered, so the slow one has been read and is being scored.
    assert httpx.get(f"{tricky.url}/health").status_code == 200
    code = tricky.stop()
    assert asking.getresponse().status == 200
    asking.close()
    assert code == 0
    assert not lives(pid)
    assert not list((tricky.folder / "journal").rglob("*.open"))


def test_a_version_whose_bytes_changed_is_not_loaded(gateway: Make, tricky_folder: Path) -> None:
    folder = tricky_folder
    changed, added = release(folder, 1), release(folder, 2)
    one = gateway()
    (folder / "tricky_model.py").write_text("raise SystemExit('loaded what was never approved')")
    one.publish(tricky=[changed])
    wait_until(lambda: one.state(changed.release_id)[0] == "failed", "the version fails")
    assert "the file 'tricky_model.py' has" in one.state(changed.release_id)[1]
    answer = one.score("tricky", act("echo"))
    assert answer.status_code == 503
    assert "Version 1 of tricky failed" in answer.json()["message"]
    shutil.copy(HERE / "tricky_model.py", folder)
    (folder / "sitecustomize.py").write_text("")
    one.publish(tricky=[added])
    wait_until(lambda: one.state(added.release_id)[0] == "failed", "the version fails")
    assert "'sitecustomize.py' was not there when the version was registered" in one.state(added.release_id)[1]


def asks(gateway: Gateway, until: Event) -> Iterator[httpx.Response]:
    with httpx.Client(timeout=30) as client:
        while not until.is_set():
            yield client.post(f"{gateway.url}/endpoints/tricky/invocations", json=act("echo"))


def test_a_new_champion_takes_over_without_one_failed_request(gateway: Make, tricky_folder: Path) -> None:
    one = gateway(keep_warm_s=0.0)
    old, new = release(tricky_folder, 1), release(tricky_folder, 2)
    one.publish(tricky=[old])
    one.serves(old.release_id)
    done = Event()
    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(lambda: list(asks(one, done))) for _ in range(4)]
        one.publish(tricky=[new])
        wait_until(lambda: one.score("tricky", act("echo")).headers["tenure-model-version"] == "2",
                   "the new champion answers")  # fmt: skip
        done.set()
        answers = [answer for loop in loops for answer in loop.result()]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["tenure-model-version"] for answer in answers} == {"1", "2"}
    assert one.state(new.release_id) == ("serving", "")
    wait_until(lambda: scorers_of(one) == 1, "the old scorer is stopped")


def children_of(gateway: Gateway) -> list[int]:
    assert gateway.process is not None
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if lives(int(pid))]


def scorers_of(gateway: Gateway) -> int:
    return len(children_of(gateway))


def test_a_spare_process_takes_over_when_a_scorer_dies(gateway: Make, tricky_folder: Path) -> None:
    one = gateway(spare_scorer=True)
    tricky = release(tricky_folder, 1)
    one.publish(tricky=[tricky])
    one.serves(tricky.release_id)
    (pid,) = one.score("tricky", act("pid")).json()["predictions"]
    wait_until(lambda: scorers_of(one) == 2, "a spare is there")
    (spare,) = set(children_of(one)) - {pid}
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: one.score("tricky", act("pid")).status_code == 200, "the spare answers")
    assert one.score("tricky", act("pid")).json()["predictions"] == [spare]
    wait_until(lambda: scorers_of(one) == 2, "there is a spare again")
    one.stop()
    assert not lives(spare)


def test_a_new_champion_that_cannot_start_leaves_the_old_one_answering(
    gateway: Make, tricky_folder: Path, tmp_path: Path
) -> None:
    one = gateway()
    folder = tmp_path / "broken" / "tricky"
    folder.mkdir(parents=True)
    (folder / "tricky_model.py").write_bytes(b"not a model")
    old, broken = release(tricky_folder, 1), release(folder, 2)
    one.publish(tricky=[old])
    assert one.score("tricky", act("echo")).status_code == 503
    one.serves(old.release_id)
    one.publish(tricky=[broken])
    wait_until(lambda: one.state(broken.release_id)[0] == "failed", "the new version fails")
    assert "the model cannot be loaded: " in one.state(broken.release_id)[1]
    answer = one.score("tricky", act("echo"))
    assert (answer.status_code, answer.headers["tenure-model-version"]) == (200, "1")


def test_taking_an_endpoint_away_takes_effect_within_a_second(tricky: Gateway) -> None:
    assert tricky.score("tricky", act("echo")).status_code == 200
    tricky.publish()
    assert tricky.score("tricky", act("echo")).status_code == 404
    wait_until(lambda: scorers_of(tricky) == 0, "its scorer is stopped", seconds=5)


def test_a_shadow_scores_the_same_rows_after_the_answer(gateway: Make, tricky_folder: Path) -> None:
    one = gateway()
    shadow = msgspec.structs.replace(release(tricky_folder, 2, "shadow"), digest="another")
    one.publish(tricky=[release(tricky_folder), shadow])
    one.serves("r-tricky-1-champion")
    one.serves(shadow.release_id)
    answer = one.score("tricky", act("echo", 5.0) | {"reference": ["a"], "event_time": "2013-02-01"})
    wait_until(lambda: len(one.frames()) == 2, "the shadow's frame is there")
    first, second = one.frames()
    assert isinstance(first, PredictionFrame)
    assert isinstance(second, PredictionFrame)
    assert (first.role, second.role) == ("champion", "shadow")
    assert first.prediction_id == second.prediction_id == answer.headers["tenure-prediction-id"]
    assert second.columns == {}
    assert (second.version, second.output, second.reference) == (2, [5.0], ["a"])
    assert second.event_at == first.event_at


def test_a_slow_shadow_slows_nobody_and_what_it_missed_is_counted(gateway: Make, tricky_folder: Path) -> None:
    one = gateway(queue_limit=4)
    shadow = release(tricky_folder, 2, "shadow")
    inputs = [msgspec.structs.replace(column, required=column.name == "what") for column in shadow.inputs]
    one.publish(tricky=[release(tricky_folder), msgspec.structs.replace(shadow, inputs=inputs)])
    one.serves("r-tricky-1-champion")
    one.serves(shadow.release_id)
    one.score("tricky", act("pid"))
    frames = wait_until(lambda: [f for f in one.frames() if getattr(f, "role", "") == "shadow"], "the shadow scores")
    os.kill(frames[0].output[0], signal.SIGSTOP)  # the shadow stands still; the champion must not notice
    started = time.monotonic()
    for _ in range(20):
        assert one.score("tricky", act("echo")).status_code == 200
    assert time.monotonic() - started < 10
    wait_until(lambda: "16 requests were not scored" in one.state(shadow.release_id)[1], "the missed ones are counted")


def test_a_key_stays_with_its_arm(gateway: Make, tricky_folder: Path) -> None:
    one = gateway()
    challenger = release(tricky_folder, 2, "challenger", share=0.5)
    one.publish(tricky=[release(tricky_folder), challenger])
    one.serves("r-tricky-1-champion")
    one.serves(challenger.release_id)

    def version(key: str) -> str:
        return one.score("tricky", act("echo"), tenure_routing_key=key).headers["tenure-model-version"]

    arms = {str(k): version(str(k)) for k in range(30)}
    assert set(arms.values()) == {"1", "2"}
    assert all(version(key) == arm for key, arm in arms.items())
