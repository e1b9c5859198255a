"""`tenure demo`: one model's whole life, told in order. It uses only HTTP, the mlflow client and the sdk."""

from __future__ import annotations

import contextlib
import signal
import threading
import time

from rich.console import Console

from tenure.demo import building, flights, managing, replaying, table
from tenure.demo.recipe import FEATURES
from tenure.demo.stage import Stage, set_stage

FAST_FLIGHTS = 44_000  # of the whole year; about 40,400 of them are replayed


def tell(*, fast: bool, until: int, keep: bool, data: str | None, port: int | None, console: Console) -> None:
    """Play the whole story. Raises when a step did not really happen."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both as Ctrl-C, also in the background of a script
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    with set_stage(console, data, port) as stage:
        console.print(
            f"[bold]Tenure[/bold] at {stage.client.url}, everything in {stage.folder}", highlight=False, soft_wrap=True
        )
        with console.status("reading the flights of 2013 …"):
            year = flights.load(FAST_FLIGHTS if fast else None).until_month(until)
        estimator, people = _begin(stage, year)
        passed = _pass_the_year(stage, year, people)
        stage.chapter(6, "What came of it", f"{time.monotonic() - started:.0f} s after the start")
        shown = table.make(stage, year, estimator)
        table.show(stage, shown)
        managing.verify_audit(stage)
        _check(stage, passed, shown)
        if keep:
            _stay(stage, people)


def _begin(stage: Stage, year: flights.Flights) -> tuple[object, list[managing.Signer]]:
    """Build, manage, deploy: until the first approved version answers."""
    stage.chapter(1, "Build", "train on January with scikit-learn through the mlflow client")
    with stage.console.status("training a tempting model and an honest one …"):
        tempting = building.train(stage, year, [*FEATURES, "dep_delay"], "tempting")
        honest = building.train(stage, year, FEATURES, "honest")
    stage.say(f"version {tempting.version} knows the departure delay: AUC {tempting.holdout_roc_auc:.3f}")
    stage.say(f"version {honest.version} knows what travellers know: AUC {honest.holdout_roc_auc:.3f}")

    stage.chapter(2, "Manage", "nothing reaches production that was not allowed to")
    managing.declare(stage)
    people = managing.invite(stage)
    for person in people:
        stage.say(f"{person.printed_name} may sign as {person.role}: name {person.name}, password {person.password}")
    managing.refusal_of_the_tempting(stage, tempting.version, tempting.holdout_roc_auc)
    managing.refusal_without_approval(stage, honest.version)
    managing.approve(stage, honest.version, people)
    managing.verify_audit(stage)

    stage.chapter(3, "Deploy", f"an endpoint that answers: {stage.client.scoring_url}/endpoints/{stage.model}")
    stage.client.endpoint(stage.model, model=stage.model)
    managing.promote(stage, honest.version)
    with stage.console.status("the scorer loads the version …"):
        replaying.wait_for_serving(stage)
    stage.say(f"version {honest.version} is champion and answers")
    return honest.estimator, people


def _pass_the_year(stage: Stage, year: flights.Flights, people: list[managing.Signer]) -> replaying.Replay:
    stage.chapter(4, "Monitor", "February to December, day by day, outcomes after landing")
    stage.chapter(5, "Retrain", "by itself, when accuracy is proven lost")
    passed = replaying.replay(stage, year, lambda: managing.sign_what_waits(stage, people))
    stage.say(f"{passed.sent:,} flights scored and journaled, {passed.told:,} outcomes told")
    return passed


def _check(stage: Stage, passed: replaying.Replay, shown: table.Table) -> None:
    """Exit status 0 means that all of it happened."""
    stage.check(passed.alerts > 0, "alerts fired as the year drifted")
    runs = stage.client.get("/api/v1/retraining", {"endpoint": stage.model})
    stage.check(any(run["state"] == "promoted" for run in runs), "a retrained version was promoted")
    stage.check(shown.predictions == passed.sent, f"every scored flight is in the report, not {shown.predictions:,}")
    stage.check(shown.outcomes == passed.told, f"every outcome found its flight, not {shown.outcomes:,}")
    stage.check(shown.gained is not None and shown.gained > 0, "AUC after promotion beats the January model's")


def _stay(stage: Stage, people: list[managing.Signer]) -> None:
    """Leave the server running until Ctrl-C."""
    console = stage.console
    console.print(
        f"\nThe server stays: [bold]{stage.client.url}[/bold]   (Ctrl-C stops it)", highlight=False, soft_wrap=True
    )
    for person in people:
        console.print(
            f"   sign in as {person.name} ({person.role}) with {person.password}", highlight=False, soft_wrap=True
        )
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    stage.tell("\nstopping")
