"""Jobs in processes of their own: leased, kept alive, taken over, settled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.manage import tokens
from tenure.records.base import SECOND_US, Instant
from tenure.records.jobs import Job
from tenure.records.tokens import Token
from tenure.retrain import jobs
from tenure.settings import OIDC_SECRET_VARIABLE
from tenure.store import jobs as stored
from tenure.store import tokens as kept_tokens
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)
LEASE_US = 30 * SECOND_US
PATIENCE_S = 20


def child(code: str) -> jobs.Command:
    return lambda job_id: [sys.executable, "-c", code, job_id]


def leaving(ground: Ground, result: str = '{"version": 2}') -> jobs.Command:
    path = ground.settings.folder / "jobs"
    return child(f"import sys, pathlib; pathlib.Path({str(path)!r}, sys.argv[1] + '.json').write_text({result!r})")


WAITING = child("import time; time.sleep(60)")


@pytest.fixture
def runners(request: pytest.FixtureRequest) -> Iterator[list[jobs.Runner]]:
    name = "each_ground" if "each_ground" in request.fixturenames else "ground"
    ground: Ground = request.getfixturevalue(name)
    made: list[jobs.Runner] = []
    yield made
    for runner in made:
        runner.stop(ground, NOW)


def add(ground: Ground) -> str:
    return ground.database.write(lambda tx: jobs.add(tx, "retrain", {"endpoint": "e"}, now=NOW))


def get(ground: Ground, job_id: str) -> Job:
    return ground.database.read(lambda tx: jobs.get(tx, job_id))


def run_until(ground: Ground, runner: jobs.Runner, job_id: str, state: str, now: Instant = NOW) -> Job:
    deadline = time.monotonic() + PATIENCE_S
    while get(ground, job_id).state != state:
        assert time.monotonic() < deadline, f"the job is {get(ground, job_id).state}, not {state}"
        runner.run_waiting(ground, now)
        time.sleep(0.01)  # polling a real process, with a deadline
    return get(ground, job_id)


def test_a_job_that_is_done_keeps_what_its_process_left(each_ground: Ground, runners: list[jobs.Runner]) -> None:
    job_id = add(each_ground)
    runners.append(jobs.Runner(command=leaving(each_ground)))
    done = run_until(each_ground, runners[0], job_id, "done")
    assert (done.result, done.attempts, done.lease_until) == ({"version": 2}, 1, None)


def test_looking_returns_at_once_and_one_child_runs_at_a_time(ground: Ground, runners: list[jobs.Runner]) -> None:
    first, second = add(ground), add(ground)
    runners.append(jobs.Runner(command=WAITING))
    assert runners[0].run_waiting(ground, NOW)
    assert not runners[0].run_waiting(ground, NOW)
    assert (get(ground, first).state, get(ground, second).state) == ("running", "waiting")


def test_a_process_that_gives_up_fails_its_job_with_its_last_line(ground: Ground, runners: list[jobs.Runner]) -> None:
    job_id = add(ground)
    runners.append(jobs.Runner(command=child("print('hello'); raise ValueError('no rows\\x1b[31m')")))
    failed = run_until(ground, runners[0], job_id, "failed")
    assert failed.result == {"failure": "ValueError: no rows[31m"}
    assert "Traceback" in jobs.log_path(ground.settings.folder, job_id).read_text()


def test_a_process_that_ends_well_but_leaves_nothing_fails(ground: Ground, runners: list[jobs.Runner]) -> None:
    job_id = add(ground)
    runners.append(jobs.Runner(command=child("pass")))
    assert run_until(ground, runners[0], job_id, "failed").result == {"failure": "it said nothing"}


def test_a_process_that_is_killed_is_started_again_and_given_up_after_three_times(
    ground: Ground, runners: list[jobs.Runner]
) -> None:
    job_id = add(ground)
    runners.append(jobs.Runner(command=child("import os; os.kill(os.getpid(), 9)")))
    failed = run_until(ground, runners[0], job_id, "failed")
    assert "3 times" in (failed.result or {})["failure"]


def test_a_living_job_is_kept_alive_and_not_taken_over(ground: Ground, runners: list[jobs.Runner]) -> None:
    job_id = add(ground)
    runners += [jobs.Runner(command=WAITING), jobs.Runner(command=WAITING)]
    runners[0].run_waiting(ground, NOW)
    later = Instant(NOW + LEASE_US * 9 // 10)
    runners[0].run_waiting(ground, later)
    assert get(ground, job_id).lease_until == later + LEASE_US
    assert not runners[1].run_waiting(ground, Instant(NOW + LEASE_US + 1))
    assert get(ground, job_id).worker == runners[0].name


def test_the_job_of_a_silent_worker_is_taken_over(each_ground: Ground, runners: list[jobs.Runner]) -> None:
    job_id = add(each_ground)
    runners += [jobs.Runner(command=WAITING), jobs.Runner(command=leaving(each_ground))]
    runners[0].run_waiting(each_ground, NOW)
    done = run_until(each_ground, runners[1], job_id, "done", Instant(NOW + LEASE_US + 1))
    assert (done.worker, done.attempts) == (runners[1].name, 2)


def test_a_worker_whose_job_was_taken_over_ends_its_process_and_settles_nothing(
    ground: Ground, runners: list[jobs.Runner]
) -> None:
    job_id = add(ground)
    runners += [jobs.Runner(command=WAITING), jobs.Runner(command=WAITING)]
    runners[0].run_waiting(ground, NOW)
    late = Instant(NOW + LEASE_US + 1)
    runners[1].run_waiting(ground, late)
    runners[0].run_waiting(ground, late)
    deadline = time.monotonic() + PATIENCE_S
    while not runners[0].run_waiting(ground, late):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # polling a real process, with a deadline
    assert (get(ground, job_id).state, get(ground, job_id).worker) == ("running", runners[1].name)


def test_a_job_that_had_finished_when_its_worker_died_is_not_done_twice(
    ground: Ground, runners: list[jobs.Runner]
) -> None:
    job_id = add(ground)
    runners += [jobs.Runner(command=WAITING), jobs.Runner(command=child("raise SystemExit('done twice')"))]
    runners[0].run_waiting(ground, NOW)
    jobs.leave_result(ground.settings.folder, job_id, {"version": 3})
    assert runners[1].run_waiting(ground, Instant(NOW + LEASE_US + 1))
    assert (get(ground, job_id).state, get(ground, job_id).result) == ("done", {"version": 3})


def test_a_worker_that_stops_gives_its_job_back(ground: Ground) -> None:
    job_id, runner = add(ground), jobs.Runner(command=WAITING)
    runner.run_waiting(ground, NOW)
    runner.stop(ground, NOW)
    assert (get(ground, job_id).state, get(ground, job_id).worker) == ("waiting", None)


def test_of_two_workers_that_want_the_same_job_one_gets_it(each_ground: Ground) -> None:
    job = get(each_ground, add(each_ground))
    until = NOW + LEASE_US
    assert each_ground.database.write(lambda tx: stored.lease(tx, job, "a", until, NOW))
    assert not each_ground.database.write(lambda tx: stored.lease(tx, job, "b", until, NOW))
    assert not each_ground.database.write(lambda tx: stored.keep_alive(tx, job.job_id, "b", until))
    assert not each_ground.database.write(
        lambda tx: stored.settle(tx, job.job_id, "b", state="done", result={}, now=NOW)
    )


def test_the_process_dies_with_its_worker(ground: Ground, tmp_path: Path) -> None:
    """A worker is killed -9 while its job waits for the server; the job's process must not outlive it."""
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import os, signal, time;"
        " from tenure.retrain import jobs; from tenure.serving import lifeline;"
        " lifeline.die_with_parent(int(os.environ[jobs.PARENT_VARIABLE]), signal.SIGKILL);"
        " print(os.getpid(), flush=True); time.sleep(60)'],"
        f" env={{**os.environ, {jobs.PARENT_VARIABLE!r}: str(os.getpid())}})\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        os.kill(worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # polling a real process, with a deadline


def left_by(ground: Ground, runners: list[jobs.Runner]) -> dict[str, str]:
    """The environment of a job's process."""
    job_id = add(ground)
    path = ground.settings.folder / "jobs"
    code = (
        "import json, os, pathlib, sys; "
        f"pathlib.Path({str(path)!r}, sys.argv[1] + '.json').write_text(json.dumps(dict(os.environ)))"
    )
    runners.append(jobs.Runner(command=child(code)))
    seen = run_until(ground, runners[0], job_id, "done").result
    assert seen is not None
    return seen


def test_a_recipe_is_not_given_the_secret_of_who_signs_people_in(
    ground: Ground, runners: list[jobs.Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OIDC_SECRET_VARIABLE, "provider-client-secret")
    seen = left_by(ground, runners)
    assert seen[jobs.PARENT_VARIABLE] == str(os.getpid())
    assert "provider-client-secret" not in str(seen)


def test_a_job_is_given_a_token_of_its_own_that_ends_with_it(
    each_ground: Ground, runners: list[jobs.Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_TOKEN", "what somebody showed")
    seen = left_by(each_ground, runners)
    assert seen["TENURE_TOKEN"] == seen["MLFLOW_TRACKING_TOKEN"]
    assert "what somebody showed" not in seen.values()
    [token] = tokens_of_jobs(each_ground)
    assert token.revoked_at == NOW
    assert token.expires_at == NOW + jobs.LONGEST_S * SECOND_US
    digest = tokens.digest_of(seen["TENURE_TOKEN"])
    assert each_ground.database.read(lambda tx: tokens.find(tx, digest, NOW, solo=False)) is None


@pytest.mark.parametrize("end", ["stops", "fails", "dies"])
def test_whatever_ends_a_job_its_token_is_good_no_longer(
    each_ground: Ground, runners: list[jobs.Runner], end: str
) -> None:
    job_id = add(each_ground)
    runners.append(jobs.Runner(command=child("raise SystemExit('no rows')") if end == "fails" else WAITING))
    runners[0].run_waiting(each_ground, NOW)
    [token] = tokens_of_jobs(each_ground)
    assert token.revoked_at is None
    if end == "stops":
        runners[0].stop(each_ground, NOW)
    elif end == "fails":
        run_until(each_ground, runners[0], job_id, "failed")
    else:  # its worker dies, and another one takes the job over
        runners.append(jobs.Runner(command=WAITING))
        assert runners[1].run_waiting(each_ground, Instant(NOW + LEASE_US + 1))
    revoked = {one.token_id: one.revoked_at is not None for one in tokens_of_jobs(each_ground)}
    assert revoked.pop(token.token_id)
    assert list(revoked.values()) == ([False] if end == "dies" else [])


def tokens_of_jobs(ground: Ground) -> list[Token]:
    return ground.database.read(lambda tx: kept_tokens.search(tx, principal=tokens.JOBS))
