"""Compiling at deploy: a version that goes into service is made into the fastest form that is proven equal.

A release asks for it in its own transaction. The worker has a process of its own do it, keeps what was found with the
version, and counts the routing epoch up, so that gateways switch to the form while the scorer still answers.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tenure.build import model_versions
from tenure.deploy import fetching, routing
from tenure.errors import NotFound, TenureError, Unavailable
from tenure.records.base import SECOND_US, Instant, iso
from tenure.records.forms import Form, FormOrder, FormResult
from tenure.records.profiles import ColumnProfile, NumericProfile, Profile
from tenure.records.registry import ModelVersionInfo
from tenure.records.routing import PinnedFile, Release, ReleaseForm
from tenure.serving.forms.program import ONNX_FILE, PROGRAM_FILE
from tenure.serving.processes import MODEL_THREADS, QUIET
from tenure.store import audit, forms, profiles
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.roots import FORMS, FORMS_FOLDER

log = logging.getLogger("tenure.compiling")

MODULE = "tenure.serving.forms.making.job"
RESULT_FILE = "result.msgpack"
MOST_ATTEMPTS = 3
LOG_TAIL_BYTES = 2048
SAMPLE_ROWS = 256
PAUSE_US = 30 * SECOND_US
"""After the disk or the artifact store refused, so long until the next attempt."""
BY = "worker"

Command = Callable[[Path, int], list[str]]


def ask(tx: Transaction, version: ModelVersionInfo, *, by: str, now: Instant) -> None:
    """Have a version compiled unless that was asked for these files already. Part of starting a release."""
    known = forms.get(tx, version.name, version.version)
    if version.digest and (known is None or known.digest != version.digest):
        forms.ask(tx, version.name, version.version, version.digest, by=by, now=now)


def ask_again(tx: Transaction, version: ModelVersionInfo, *, by: str, now: Instant) -> Form:
    """Have a loadable version compiled once more, as after an update. What is proven already answers meanwhile."""
    model, number, digest = version.name, version.version, version.digest or ""
    forms.ask(tx, model, number, digest, by=by, now=now)
    audit.append(tx, "form.asked", subject=f"{model}/{number}", by=by, at=now, detail={"digest": digest})
    return get(tx, model, number)


def get(tx: Transaction, model: str, number: int) -> Form:
    """What is known of a version's form. Raises NotFound."""
    model_versions.get(tx, model, number)
    found = forms.get(tx, model, number)
    if found is None:
        raise NotFound(
            f"Version {number} of {model!r} was not compiled. It is when it goes into service; POST to the same "
            "address asks for it now."
        )
    return found


def command(order: Path, memory_mib: int) -> list[str]:
    """The command line of the process that compiles."""
    limits = ["--parent", str(os.getpid()), "--memory-mib", str(memory_mib)]
    return [sys.executable, "-m", MODULE, str(order), *limits]


class _Outcome(NamedTuple):
    """What came of an attempt: a result with the form's files stored, or why there is none.

    `later`: nothing is wrong with the version; disk or store refused, and the attempt does not count.
    """

    result: FormResult | None
    files: list[PinnedFile]
    problem: str
    later: bool = False


class _Task(NamedTuple):
    form: Form
    outcome: Future[_Outcome]
    lease_until: int


class Compiler:
    """One worker's hands: it has one version at a time compiled, beside everything else that the worker does."""

    def __init__(self, *, command: Command = command) -> None:
        self.name = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"
        self._command = command
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="compiling")
        self._task: _Task | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def compile_waiting(self, ground: Ground, now: Instant) -> bool:
        """Settle what has ended, keep alive what runs, start what waits; returns at once. True when something moved."""
        if self._task is None:
            return self._start_next(ground, now)
        if not self._task.outcome.done():
            self._keep_alive(ground, self._task, now)
            return False
        task, self._task = self._task, None
        self._settle(ground, task, now)
        return True

    def stop(self, ground: Ground, now: Instant) -> None:
        """End the process and give its version back, so that the next worker compiles it."""
        self._stopping = True
        if self._process is not None:
            self._process.kill()
        self._pool.shutdown(wait=True)
        task, self._task = self._task, None
        if task is not None:
            why = "the worker was stopped"
            ground.database.write(lambda tx: forms.fail(tx, task.form, self.name, why, again=True, now=now))

    def _start_next(self, ground: Ground, now: Instant) -> bool:
        form = ground.database.read(lambda tx: forms.free_one(tx, now))
        if form is None:
            return False
        until = self._lease_end(ground, now)
        if not ground.database.write(lambda tx: forms.lease(tx, form, self.name, until, now)):
            return False
        if form.attempts >= MOST_ATTEMPTS:
            why = f"its process ended {MOST_ATTEMPTS} times before it was done"
            ground.database.write(lambda tx: self._fail(tx, form, why, now, again=False))
            return True
        self._task = _Task(form, self._pool.submit(self._attempt, ground, form), until)
        return True

    def _keep_alive(self, ground: Ground, task: _Task, now: Instant) -> None:
        if now < task.lease_until - int(ground.settings.job_lease_s * SECOND_US * 2 / 3):
            return
        until = self._lease_end(ground, now)
        self._task = task._replace(lease_until=until)
        if not ground.database.write(lambda tx: forms.keep_alive(tx, task.form, self.name, until)) and self._process:
            self._process.kill()  # another worker has it, or it was asked for anew

    def _settle(self, ground: Ground, task: _Task, now: Instant) -> None:
        form = task.form
        try:
            outcome = task.outcome.result()
        except Exception:
            log.exception("version %d of %s could not be compiled", form.version, form.model)
            outcome = _Outcome(None, [], "the attempt failed; the worker's log says why")
        if outcome.later:
            until = now + PAUSE_US
            ground.database.write(lambda tx: forms.postpone(tx, form, self.name, outcome.problem, until, now=now))
            return
        if outcome.result is None:
            again = form.attempts + 1 < MOST_ATTEMPTS
            ground.database.write(lambda tx: self._fail(tx, form, outcome.problem, now, again=again))
            return
        result = outcome.result
        ground.database.write(lambda tx: self._record(tx, form, result, outcome.files, now))
        routing.publish(ground)

    def _record(self, tx: Transaction, form: Form, result: FormResult, files: list[PinnedFile], now: Instant) -> None:
        proven = released(result, files) if files else None
        if not forms.settle(tx, form, self.name, result.report, proven, now=now):
            return  # it was asked for anew, or is another worker's by now
        routing.bump(tx)
        report = result.report
        detail: dict[str, Any] = {"digest": form.digest, "kind": report.kind, "reason": report.reason}
        if proven is not None:
            rows = sum(one.rows for one in report.classes)
            detail |= {"form": proven.digest, "rows": rows, "largest_difference": report.largest_difference}
        audit.append(tx, "form.compiled", subject=f"{form.model}/{form.version}", by=BY, at=now, detail=detail)

    def _fail(self, tx: Transaction, form: Form, why: str, now: Instant, *, again: bool) -> None:
        if forms.fail(tx, form, self.name, why, again=again, now=now) and not again:
            detail = {"digest": form.digest, "problem": why}
            audit.append(tx, "form.failed", subject=f"{form.model}/{form.version}", by=BY, at=now, detail=detail)

    def _attempt(self, ground: Ground, form: Form) -> _Outcome:
        """Fetch, compile in a process, store the form's files. On a thread: the worker goes on meanwhile."""
        out = (
            ground.settings.folder
            / "jobs"
            / f"form-{hashlib.sha256(form.model.encode()).hexdigest()[:16]}-{form.version}"
        )
        try:
            shutil.rmtree(out, ignore_errors=True)  # of a worker that was killed
            out.mkdir(parents=True)
            order = _order(ground, form, out)
            problem = self._run(ground, order, out)
            path = out / RESULT_FILE
            if problem or not path.exists():
                return _Outcome(None, [], problem or "its process left no result")
            result = msgspec.msgpack.decode(path.read_bytes(), type=FormResult)
            return _Outcome(result, _stored(ground, out), "")
        except TenureError as problem:
            return _Outcome(None, [], problem.message, later=isinstance(problem, Unavailable))
        except OSError as problem:
            log.warning("version %d of %s is compiled later: %s", form.version, form.model, problem)
            return _Outcome(None, [], f"the data folder refuses: {problem.strerror}", later=True)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _run(self, ground: Ground, order: FormOrder, out: Path) -> str:
        """Run the process to its end; why it left nothing, or nothing."""
        path = out / "order.msgpack"
        path.write_bytes(msgspec.msgpack.encode(order))
        if self._stopping:
            return "the worker was stopped"
        settings = ground.settings
        with (out / "log").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                self._command(path, settings.compile_memory_mib),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
            )
        try:
            status = self._process.wait(settings.compile_timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return f"it took longer than {settings.compile_timeout_s:g} s"
        finally:
            self._process = None
        if status < 0:
            return f"its process was ended by signal {-status}"
        return _last_line(out / "log") if status else ""

    @staticmethod
    def _lease_end(ground: Ground, now: Instant) -> int:
        return now + int(ground.settings.job_lease_s * SECOND_US)


def environment() -> dict[str, str]:
    """What the process is given: none of the server's settings, secrets or addresses, since a version is code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TENURE_", "MLFLOW_", "AWS_"))}
    return {**kept, **MODEL_THREADS, **QUIET}


def released(result: FormResult, files: list[PinnedFile]) -> ReleaseForm:
    """What gateways are told of a proven form."""
    digest = _digest(files)
    return ReleaseForm(
        kind=result.report.kind,
        location=f"{FORMS}/{digest}",
        digest=f"sha256:{digest}",
        files=files,
        probe=result.probe,
        answers=msgspec.msgpack.decode(result.answers),
        tolerance=result.report.tolerance,
    )


def sample(profile: Profile, rows: int = SAMPLE_ROWS) -> dict[str, list[Any]]:
    """Rows like those of a baseline: each column's values in the order of its bins, as often as they were counted.

    Columns are stepped through at different paces, so that values of one meet those of another.
    """
    found: dict[str, list[Any]] = {}
    for place, (name, column) in enumerate(profile.columns.items()):
        if column.of:  # of moments and free texts only measures are known: something like them is made
            found.setdefault(column.of, _made_up(column, rows))
            continue
        if isinstance(column, NumericProfile):
            values: list[Any] = [value for value in (column.min, *column.edges, *column.points, column.max)
                                 if value is not None]  # fmt: skip
        else:
            values = [*column.levels, *column.other_levels]
        values += [None] if column.null_count else []
        found[name] = [values[row * (2 * place + 1) % len(values)] for row in range(rows)] if values else [None] * rows
    return found


def _made_up(column: ColumnProfile, rows: int) -> list[Any]:
    """Texts as long as those that were measured, or moments between the first and the last."""
    if not isinstance(column, NumericProfile) or column.min is None or column.max is None:
        return [None] * rows
    steps = [column.min + (column.max - column.min) * (row % 16) / 15 for row in range(rows)]
    if column.measure == "moment":
        return [iso(int(step)) for step in steps]
    return [("word " * (int(step) // 5 + 1))[: int(step)] for step in steps]


def _order(ground: Ground, form: Form, out: Path) -> FormOrder:
    version, stored = ground.database.read(
        lambda tx: (model_versions.get(tx, form.model, form.version), profiles.get(tx, form.model, form.version))
    )
    release = Release(
        release_id="",
        model=form.model,
        version=form.version,
        role="shadow",
        share=0.0,
        location=version.storage_location,
        digest=form.digest,
        files=version.files,
        inputs=version.inputs,
    )
    folder = fetching.fetch(ground.roots, ground.settings.folder / "models")(release)
    return FormOrder(
        model=form.model,
        version=form.version,
        folder=str(folder),
        files=version.files,
        inputs=version.inputs,
        out=str(out),
        sample=_of_inputs(version, sample(stored.profile)) if stored else {},
    )


def _of_inputs(version: ModelVersionInfo, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The sample's columns that the version takes, each value of its column's type."""
    makers: dict[str, Callable[[Any], Any]] = {"string": str, "boolean": bool, "long": round, "integer": round}
    found = {}
    for column in version.inputs:
        make = makers.get(column.type, float)
        try:
            found[column.name] = [None if value is None else make(value) for value in rows[column.name]]
        except (KeyError, ValueError, OverflowError):
            return {}
    return found


def _stored(ground: Ground, out: Path) -> list[PinnedFile]:
    """Put a form's files where gateways find them, under the digest of what they hold together."""
    found = []
    for path in sorted(out.glob("*")):
        if path.name in (PROGRAM_FILE, ONNX_FILE):
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            found.append(PinnedFile(path=path.name, size_bytes=len(content), sha256=digest))
    if found:
        for file in found:
            ground.artifacts.write(f"{FORMS_FOLDER}/{_digest(found)}/{file.path}", [(out / file.path).read_bytes()])
    return found


def _digest(files: list[PinnedFile]) -> str:
    lines = "".join(f"{file.sha256}  {file.size_bytes}  {file.path}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _last_line(path: Path) -> str:
    lines = path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return "".join(one for one in said[-1] if one.isprintable())[:500] if said else "its process said nothing"
