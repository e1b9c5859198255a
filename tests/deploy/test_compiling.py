"""Versions that go into service are compiled, in a process that may die, hang or be full."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.build import model_versions
from tenure.deploy import compiling, endpoints, promotions, releases, routing
from tenure.errors import NotFound
from tenure.records.base import Instant
from tenure.records.endpoints import NewEndpoint
from tenure.records.forms import Candidate, Form, FormReport, FormResult
from tenure.records.profiles import CategoricalProfile, NumericProfile, Profile
from tenure.serving.forms.program import PROGRAM_FILE
from tenure.store import audit, forms, registered_models
from tenure.store.ground import Ground

from .makers import NOW, make_model, make_version

LATER = Instant(NOW + 10**9)
REPORT = FormReport(kind="linear", reason="", candidates=[Candidate(kind="linear")], tolerance=1e-9)


def leaving(result: FormResult, content: bytes | None = b"a form") -> compiling.Command:
    """A process that leaves a result and, unless told otherwise, a form's file."""
    files = {"result.msgpack": msgspec.msgpack.encode(result)} | ({PROGRAM_FILE: content} if content else {})
    code = (
        "import sys, pathlib; out = pathlib.Path(sys.argv[1]).parent\n"
        f"for name, content in {files!r}.items(): (out / name).write_bytes(content)"
    )
    return lambda order, _: [sys.executable, "-c", code, str(order)]


def running(code: str) -> compiling.Command:
    return lambda _order, _memory: [sys.executable, "-c", code]


@pytest.fixture
def released(each_ground: Ground) -> Ground:
    """A version in service at an endpoint, on both databases."""
    make_model(each_ground)
    make_version(each_ground)
    new = NewEndpoint(name="delay-eu", model="delay")
    each_ground.database.write(lambda tx: endpoints.create(tx, new, by="ann", now=NOW))
    each_ground.database.write(
        lambda tx: promotions.promote(tx, "delay", 1, to="champion", reason="better", by="ann", now=NOW)
    )
    return each_ground


@pytest.fixture
def compiler() -> Iterator[Callable[[compiling.Command], compiling.Compiler]]:
    return lambda command: compiling.Compiler(command=command)


def until_settled(ground: Ground, compiler: compiling.Compiler, now: Instant = NOW) -> Form:
    """Look as the worker does until nothing is running."""
    deadline = time.monotonic() + 60
    while True:
        compiler.compile_waiting(ground, now)
        form = known(ground)
        if form.state in ("done", "failed"):
            return form
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a real process, with a deadline


def known(ground: Ground) -> Form:
    return ground.database.read(lambda tx: compiling.get(tx, "delay", 1))


def actions(ground: Ground) -> list[str]:
    return [
        event.action
        for event in ground.database.read(lambda tx: audit.search(tx, limit=50))
        if event.action.startswith("form.")
    ]


def test_a_release_asks_for_a_form_in_its_own_transaction_and_only_once(released: Ground) -> None:
    form = known(released)
    assert (form.state, form.attempts, form.asked_by) == ("waiting", 0, "ann")
    version = released.database.read(lambda tx: model_versions.get(tx, "delay", 1))
    released.database.write(lambda tx: compiling.ask(tx, version, by="bob", now=LATER))
    assert known(released) == form


def test_a_proven_form_reaches_the_table_of_routes_with_files_that_are_pinned(released: Ground) -> None:
    before = released.database.read(routing.epoch)
    result = FormResult(report=REPORT, probe={"distance": [1.0]}, answers=msgspec.msgpack.encode([0.5]))
    form = until_settled(released, compiling.Compiler(command=leaving(result)))
    assert (form.state, form.report) == ("done", REPORT)
    assert released.database.read(routing.epoch) > before
    (release,) = released.database.read(routing.table).routes["delay-eu"].releases
    assert release.form == form.released
    assert release.form is not None
    (file,) = release.form.files
    opened = released.opened(release.form.location)
    assert opened is not None
    assert b"".join(opened.store.read(opened.below(file.path))) == b"a form"
    assert (release.form.probe, release.form.answers) == ({"distance": [1.0]}, [0.5])
    assert actions(released) == ["form.compiled"]


def test_what_cannot_be_compiled_is_done_and_its_scorer_stays(released: Ground) -> None:
    report = FormReport(kind="original", reason="it is code", candidates=[])
    form = until_settled(released, compiling.Compiler(command=leaving(FormResult(report=report), None)))
    assert (form.state, form.report, form.released) == ("done", report, None)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
        ("import sys; sys.exit('it needs more than 4096 MiB of memory')", "more than 4096 MiB"),
        ("pass", "left no result"),
    ],
)
def test_a_process_that_dies_is_tried_three_times_and_then_told_of(ground: Ground, code: str, problem: str) -> None:
    make_model(ground)
    version = make_version(ground)
    ground.database.write(lambda tx: compiling.ask(tx, version, by="ann", now=NOW))
    form = until_settled(ground, compiling.Compiler(command=running(code)))
    assert (form.state, form.attempts) == ("failed", 3)
    assert problem in form.problem
    assert actions(ground) == ["form.failed"]


def test_a_process_that_hangs_is_ended(ground: Ground) -> None:
    make_model(ground)
    version = make_version(ground)
    ground.database.write(lambda tx: compiling.ask(tx, version, by="ann", now=NOW))
    quick = Ground(
        msgspec.structs.replace(ground.settings, compile_timeout_s=0.2), ground.database, ground.artifacts, ground.key
    )
    form = until_settled(quick, compiling.Compiler(command=running("import time; time.sleep(60)")))
    assert "longer than 0.2 s" in form.problem


def test_a_worker_that_stops_gives_its_version_back_and_a_silent_one_loses_it(released: Ground) -> None:
    hanging = compiling.Compiler(command=running("import time; time.sleep(60)"))
    hanging.compile_waiting(released, NOW)
    assert known(released).state == "running"
    other = compiling.Compiler(command=running("pass"))
    assert not other.compile_waiting(released, NOW)
    hanging.stop(released, NOW)
    assert known(released).state == "waiting"
    silent = released.database.read(lambda tx: forms.free_one(tx, NOW))
    assert silent is not None
    assert released.database.write(lambda tx: forms.lease(tx, silent, "dead", NOW + 1, NOW))
    assert released.database.read(lambda tx: forms.free_one(tx, NOW)) is None
    assert released.database.read(lambda tx: forms.free_one(tx, LATER)) is not None


def test_what_was_proven_answers_while_it_is_compiled_once_more(released: Ground) -> None:
    result = FormResult(report=REPORT, probe={"distance": [1.0]}, answers=msgspec.msgpack.encode([0.5]))
    until_settled(released, compiling.Compiler(command=leaving(result)))
    again = released.database.write(
        lambda tx: compiling.ask_again(tx, releases.loadable(tx, "delay", 1), by="ann", now=LATER)
    )
    assert (again.state, again.report) == ("waiting", REPORT)
    (release,) = released.database.read(routing.table).routes["delay-eu"].releases
    assert release.form == again.released
    assert release.form is not None


def test_a_form_follows_its_model_and_goes_with_it(each_ground: Ground) -> None:
    make_model(each_ground)
    version = make_version(each_ground)
    each_ground.database.write(lambda tx: compiling.ask(tx, version, by="ann", now=NOW))
    each_ground.database.write(lambda tx: registered_models.rename(tx, "delay", "late", NOW // 1000))
    assert each_ground.database.read(lambda tx: forms.get(tx, "late", 1)) is not None
    each_ground.database.write(lambda tx: registered_models.delete(tx, "late"))
    assert each_ground.database.read(lambda tx: forms.get(tx, "late", 1)) is None
    with pytest.raises(NotFound):
        each_ground.database.read(lambda tx: compiling.get(tx, "late", 1))


def test_the_process_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TENURE_OIDC_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "secret")
    given = compiling.environment()
    assert "secret" not in given.values()
    assert given["ORT_DISABLE_TELEMETRY"] == "1"


def test_rows_like_a_baseline_take_every_bin_and_level() -> None:
    columns: dict[str, Any] = {
        "km": NumericProfile(edges=[1.0, 2.0], counts=[1, 1, 1], null_count=1, min=0.0, max=9.0),
        "carrier": CategoricalProfile(levels=["AA", "UA"], counts=[1, 1]),
    }
    rows = compiling.sample(Profile(rows=3, columns=columns), 20)
    assert set(rows["km"]) == {0.0, 1.0, 2.0, 9.0, None}
    assert set(rows["carrier"]) == {"AA", "UA"}
    assert Path(compiling.command(Path("order"), 1)[3]).name == "order"
