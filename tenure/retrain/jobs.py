"""Jobs: work in a process of its own, leased by a worker that keeps it alive and settles it.

A worker that dies takes its child with it; when its lease has run out, another worker takes the job over. What a child
leaves is a file in `<data>/jobs/`, written whole or not at all, so that a job that had finished is not done twice.
"""

from __future__ import annotations

import logging
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tenure.errors import NotFound
from tenure.manage import tokens
from tenure.records.base import SECOND_US, Instant, new_id
from tenure.records.jobs import Job, JobState
from tenure.settings import OIDC_SECRET_VARIABLE
from tenure.store import jobs
from tenure.store.database import Transaction
from tenure.store.ground import Ground

log = logging.getLogger("tenure.jobs")
Command = Callable[[str], list[str]]
PARENT_VARIABLE = "TENURE_WORKER_PID"
NOT_FOR_JOBS = (
    OIDC_SECRET_VARIABLE,
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "TENURE_LOOKUPS",
)
MOST_ATTEMPTS = 3
LONGEST_S = 2 * 3600.0
LOG_TAIL_BYTES = 4096


def add(tx: Transaction, kind: str, payload: dict[str, Any], *, now: Instant) -> str:
    """Put a job among those that wait, and return its id."""
    job_id = new_id(now)
    jobs.add(tx, job_id, kind, payload, now)
    return job_id


def get(tx: Transaction, job_id: str) -> Job:
    """The job of that id. Raises NotFound."""
    job = jobs.get(tx, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id!r}.")
    return job


def environment(secret: str) -> dict[str, str]:
    """What a job's child is given: a recipe is code of somebody's, and who signs in is no business of it.

    `secret` is the job's own token, in place of whatever the server shows or was told to show.
    """
    kept = {name: value for name, value in os.environ.items() if name not in NOT_FOR_JOBS}
    return {**kept, PARENT_VARIABLE: str(os.getpid()), "TENURE_TOKEN": secret, "MLFLOW_TRACKING_TOKEN": secret}


def result_path(folder: Path, job_id: str) -> Path:
    """Where a job's child leaves its result, as JSON."""
    return folder / "jobs" / f"{job_id}.json"


def log_path(folder: Path, job_id: str) -> Path:
    """Where what a job's child says is kept."""
    return folder / "jobs" / f"{job_id}.log"


def leave_result(folder: Path, job_id: str, result: dict[str, Any]) -> None:
    """Write a job's result so that it is there whole or not at all. Called by the child as its last act."""
    path = result_path(folder, job_id)
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(result))
    draft.rename(path)


def command(job_id: str) -> list[str]:
    """The command line of a job's child."""
    return [sys.executable, "-m", "tenure.retrain.job", job_id]


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    started_s: float
    lease_until: int
    token_id: str


class Runner:
    """One worker's hands: it starts waiting jobs as child processes, at most `limit` at a time, and settles them."""

    def __init__(self, *, limit: int = 1, command: Command = command) -> None:
        self.name = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"
        self._limit = limit
        self._command = command
        self._children: dict[str, _Child] = {}

    def run_waiting(self, ground: Ground, now: Instant) -> bool:
        """Settle what has ended, keep alive what runs, start what waits; returns at once. True when a job moved."""
        moved = False
        for job_id, child in list(self._children.items()):
            if child.process.poll() is None:
                self._keep_alive(ground, job_id, child, now)
            else:
                del self._children[job_id]
                self._settle(ground, job_id, child.process.returncode, now, child.token_id)
                moved = True
        return self._start_next(ground, now) or moved

    def stop(self, ground: Ground, now: Instant) -> None:
        """End the children and give their jobs back, so that the next worker starts them anew."""
        for job_id, child in self._children.items():
            child.process.kill()
            self._settle(ground, job_id, child.process.wait(), now, child.token_id)
        self._children.clear()

    def _start_next(self, ground: Ground, now: Instant) -> bool:
        if len(self._children) >= self._limit:
            return False
        free = ground.database.read(lambda tx: jobs.free_ones(tx, now))
        return any(self._take(ground, job, now) for job in free)

    def _take(self, ground: Ground, job: Job, now: Instant) -> bool:
        until = self._lease_end(ground, now)

        def lease(tx: Transaction) -> bool:
            leased = jobs.lease(tx, job, self.name, until, now)
            if leased:
                tokens.revoke_of_job(tx, job.job_id, now=now)  # of a worker that died
            return leased

        if not ground.database.write(lease):
            return False
        if result_path(ground.settings.folder, job.job_id).exists():  # finished, but its worker died before it said so
            self._settle(ground, job.job_id, 0, now)
        elif job.attempts >= MOST_ATTEMPTS:
            self._fail(ground, job.job_id, f"its process ended {MOST_ATTEMPTS} times before it was done", now)
        else:
            self._children[job.job_id] = self._start(ground, job.job_id, until, now)
        return True

    def _start(self, ground: Ground, job_id: str, lease_until: int, now: Instant) -> _Child:
        last = Instant(now + int(LONGEST_S * SECOND_US))
        token = ground.database.write(lambda tx: tokens.create_for_job(tx, job_id, until=last, now=now))
        path = log_path(ground.settings.folder, job_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  our own module; the id is one that we made
                self._command(job_id),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(token.secret),
            )
        return _Child(process, time.monotonic(), lease_until, token.token.token_id)

    def _keep_alive(self, ground: Ground, job_id: str, child: _Child, now: Instant) -> None:
        """Renew the lease at a third of its length; end a child that is no longer ours or has taken too long."""
        if time.monotonic() - child.started_s > LONGEST_S:
            child.process.kill()
            return
        renew_at = child.lease_until - int(ground.settings.job_lease_s * SECOND_US * 2 / 3)
        if now < renew_at:
            return
        child.lease_until = self._lease_end(ground, now)
        until = child.lease_until
        if not ground.database.write(lambda tx: jobs.keep_alive(tx, job_id, self.name, until)):
            log.warning("the job %s was taken over by another worker; its process here is ended", job_id)
            child.process.kill()

    def _settle(self, ground: Ground, job_id: str, status: int, now: Instant, token_id: str = "") -> None:
        """Say what became of a job, and take its token away with it."""
        folder = ground.settings.folder
        if status == 0 and result_path(folder, job_id).exists():
            result = msgspec.json.decode(result_path(folder, job_id).read_bytes())
            self._end(ground, job_id, "done", result, now, token_id)
        elif status < 0:  # ended from outside, by a signal: it may go well another time

            def give_back(tx: Transaction) -> None:
                jobs.give_back(tx, job_id, self.name, now)
                tokens.end(tx, token_id, now=now)

            ground.database.write(give_back)
        else:
            self._fail(ground, job_id, last_line(log_path(folder, job_id)), now, token_id)

    def _fail(self, ground: Ground, job_id: str, why: str, now: Instant, token_id: str = "") -> None:
        self._end(ground, job_id, "failed", {"failure": why}, now, token_id)

    def _end(
        self, ground: Ground, job_id: str, state: JobState, result: dict[str, Any], now: Instant, token_id: str
    ) -> None:
        def end(tx: Transaction) -> None:
            jobs.settle(tx, job_id, self.name, state=state, result=result, now=now)
            tokens.end(tx, token_id, now=now)

        ground.database.write(end)

    @staticmethod
    def _lease_end(ground: Ground, now: Instant) -> int:
        return now + int(ground.settings.job_lease_s * SECOND_US)


def last_line(path: Path) -> str:
    """The last line of a log that says something, without its control characters; at most 500 characters."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "it left no log"
    said = [line.strip() for line in lines if line.strip()]
    return "".join(character for character in said[-1] if character.isprintable())[:500] if said else "it said nothing"
