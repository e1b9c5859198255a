"""What models may do to their scorer, and how versions come and go, without a caller being harmed."""

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
from typing import Any

import httpx
import msgspec
import pytest

from tenure.records.frames import PredictionFrame

from .conftest import Gateway, release, wait_until

ROW = {"carrier": "UA", "distance": 1400.0, "hour": 17}
Make = Callable[..., Gateway]


def act(what: str, number: float = 1.0) -> dict[str, Any]:
    return {"dataframe_records": [{"what": what, "number": number}]}


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def tricky(gateway: Make, models: Path) -> Gateway:
    """A gateway of the test's own with the tricky model at `tricky`."""
    one = gateway(queue_limit=8, scoring_timeout_s=2.0)
    one.publish(tricky=[release(models / "tricky")])
    one.serves("r-tricky-1-champion")
    return one


def test_a_model_may_print_what_it_likes(shared: Gateway) -> None:
    assert shared.score("tricky", act("shout", 7.0)).json() == {"predictions": [7.0]}
    log = shared.folder / "logs" / "scorer-tricky-1.log"
    wait_until(lambda: log.stat().st_size > 200_000, "what was printed is in the log")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_model_sees_none_of_our_secrets_and_sends_no_telemetry(shared: Gateway) -> None:
    (names,) = shared.score("tricky", act("environment")).json()["predictions"]
    assert set(names) == {"MLFLOW_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY", "OMP_NUM_THREADS"}


def test_requests_that_wait_together_are_scored_together_and_told_apart(shared: Gateway) -> None:
    def ask(k: int) -> Any:
        body = {"dataframe_records": [{"what": "slow" if k == 0 else "echo", "number": float(k)}] * (1 + k % 3)}
        return shared.score("tricky", body).json()["predictions"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(30)))
    assert answers == [[float(k)] * (1 + k % 3) for k in range(30)]


def test_one_bad_request_does_not_fail_those_that_waited_with_it(shared: Gateway) -> None:
    def ask(k: int) -> int:
        what = "slow" if k < 2 else "raise" if k % 5 == 0 else "echo"
        return shared.score("tricky", act(what)).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(ask, range(30)))
    assert statuses == [500 if k >= 2 and k % 5 == 0 else 200 for k in range(30)]


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
    assert tricky.healthy()
    wait_until(lambda: not lives(pid), "the scorer that hung is gone")
    wait_until(lambda: tricky.score("tricky", act("echo")).status_code == 200, "another scorer answers")


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


def test_a_version_whose_bytes_changed_is_not_loaded(gateway: Make, models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "tricky", tmp_path / "copied" / "tricky")
    changed, added = release(folder, 1), release(folder, 2)
    one = gateway()
    (folder / "tricky_model.py").write_text("raise SystemExit('loaded what was never approved')")
    one.publish(tricky=[changed])
    wait_until(lambda: one.state(changed.release_id)[0] == "failed", "the version fails")
    assert "the file 'tricky_model.py' has" in one.state(changed.release_id)[1]
    answer = one.score("tricky", act("echo"))
    assert answer.status_code == 503
    assert "Version 1 of tricky failed" in answer.json()["message"]
    shutil.copy(models / "tricky" / "tricky_model.py", folder)
    (folder / "sitecustomize.py").write_text("")
    one.publish(tricky=[added])
    wait_until(lambda: one.state(added.release_id)[0] == "failed", "the version fails")
    assert "'sitecustomize.py' was not there when the version was registered" in one.state(added.release_id)[1]


def asks(gateway: Gateway, until: Event) -> Iterator[httpx.Response]:
    with httpx.Client(timeout=30) as client:
        while not until.is_set():
            yield client.post(f"{gateway.url}/endpoints/flights/invocations", json={"dataframe_records": [ROW]})


def test_a_new_champion_takes_over_without_one_failed_request(gateway: Make, models: Path) -> None:
    one = gateway()
    old, new = release(models / "delay", 1), release(models / "delay", 2)
    one.publish(flights=[old])
    assert one.score("flights", {"dataframe_records": [ROW]}).status_code == 503
    one.serves(old.release_id)
    done = Event()
    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(lambda: list(asks(one, done))) for _ in range(4)]
        one.publish(flights=[new])
        wait_until(lambda: one.score("flights", {"dataframe_records": [ROW]}).headers["tenure-model-version"] == "2",
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


def test_a_spare_process_takes_over_when_a_scorer_dies(gateway: Make, models: Path) -> None:
    one = gateway(spare_scorer=True)
    tricky = release(models / "tricky", 1)
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
    gateway: Make, models: Path, tmp_path: Path
) -> None:
    one = gateway()
    folder = shutil.copytree(models / "delay", tmp_path / "copied" / "delay")
    (folder / "model.pkl").write_bytes(b"not a model")
    old, broken = release(models / "delay", 1), release(folder, 2)
    one.publish(flights=[old])
    one.serves(old.release_id)
    one.publish(flights=[broken])
    wait_until(lambda: one.state(broken.release_id)[0] == "failed", "the new version fails")
    assert "the model cannot be loaded: " in one.state(broken.release_id)[1]
    answer = one.score("flights", {"dataframe_records": [ROW]})
    assert (answer.status_code, answer.headers["tenure-model-version"]) == (200, "1")


def test_taking_an_endpoint_away_takes_effect_within_a_second(tricky: Gateway) -> None:
    assert tricky.score("tricky", act("echo")).status_code == 200
    tricky.publish()
    assert tricky.score("tricky", act("echo")).status_code == 404
    wait_until(lambda: scorers_of(tricky) == 0, "its scorer is stopped", seconds=5)


def test_a_shadow_scores_the_same_rows_after_the_answer(gateway: Make, models: Path) -> None:
    one = gateway()
    shadow = msgspec.structs.replace(release(models / "tricky", 2, "shadow"), digest="another")
    one.publish(tricky=[release(models / "tricky"), shadow])
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


def test_a_slow_shadow_slows_nobody_and_what_it_missed_is_counted(gateway: Make, models: Path) -> None:
    one = gateway(queue_limit=4)
    shadow = release(models / "tricky", 2, "shadow")
    inputs = [msgspec.structs.replace(column, required=column.name == "what") for column in shadow.inputs]
    one.publish(tricky=[release(models / "tricky"), msgspec.structs.replace(shadow, inputs=inputs)])
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


def test_a_key_stays_with_its_arm(gateway: Make, models: Path) -> None:
    one = gateway()
    challenger = release(models / "tricky", 2, "challenger", share=0.5)
    one.publish(tricky=[release(models / "tricky"), challenger])
    one.serves("r-tricky-1-champion")
    one.serves(challenger.release_id)

    def version(key: str) -> str:
        return one.score("tricky", act("echo"), tenure_routing_key=key).headers["tenure-model-version"]

    arms = {str(k): version(str(k)) for k in range(30)}
    assert set(arms.values()) == {"1", "2"}
    assert all(version(key) == arm for key, arm in arms.items())
