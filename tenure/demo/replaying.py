"""Monitor and retrain: the year passes, day by day, through the scoring API; the server does the rest.

Event time is what the flights say, not what the clock says. A window is waited for when it has closed, and event
time stands still while a retraining job runs or a scorer starts: minutes in the real world, nothing in a year.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from tenure.demo.flights import YEAR, Flights
from tenure.demo.recipe import FEATURES
from tenure.demo.stage import Stage
from tenure.records.base import DAY_US, Instant, instant_of, moment_of

if TYPE_CHECKING:
    from pandas import DataFrame

WINDOW_DAYS = 7
PATIENCE_S = 120.0
POLL_S = 0.1  # a look at how far the server is costs both sides some 10 ms of a processor
BUSY_POLL_S = 0.3


def _midnight(day: int) -> Instant:
    from datetime import UTC, datetime

    return Instant(instant_of(datetime(YEAR, 1, 1, tzinfo=UTC)) + day * DAY_US)


@dataclass
class Replay:
    """Sends flights and their outcomes in the order in which they happened, and tells what the server did about it."""

    stage: Stage
    flights: DataFrame
    on_review: Callable[[], int]
    sent: int = 0
    told: int = 0
    _alerts_seen: set[str] = field(default_factory=set)
    _told_of: set[tuple[str, str]] = field(default_factory=set)
    _retrainings_seen: dict[str, int] = field(default_factory=dict)
    _late_news: list[DataFrame] = field(default_factory=list)

    def run(self) -> None:
        first, last = int(self.flights["day"].min()), int(self.flights["day"].max())
        by_day = dict(tuple(self.flights.groupby("day", sort=True)))
        with _bar(self.stage) as bar:
            task = bar.add_task("replaying", total=len(self.flights), note="")
            for day in range(first, last + 2):  # a day more, for what lands after midnight
                sent = self._score(by_day.get(day))
                self._tell(_midnight(day + 1) if day <= last else None)
                bar.update(task, advance=sent, note=f"{moment_of(_midnight(min(day, last))):%-d %b}")
                if (day - first) % WINDOW_DAYS == WINDOW_DAYS - 1 or day > last:
                    self._wait(_midnight(day), bar, task)

    @property
    def alerts(self) -> int:
        """How many alerts have fired."""
        return len(self._alerts_seen)

    def _score(self, flights: DataFrame | None) -> int:
        """One request for a day's flights, each row with its own event time and reference."""
        if flights is None:
            return 0
        answer = self.stage.client.score(
            self.stage.model,
            flights[FEATURES],
            event_time=flights["departs_at"].tolist(),
            reference=flights["reference"].tolist(),
        )
        self.stage.check(len(answer.predictions) == len(flights), "every flight of a day was scored")
        self._late_news.append(flights.dropna(subset=["late"]))
        self.sent += len(flights)
        return len(flights)

    def _tell(self, until: Instant | None) -> None:
        """Tell the outcomes of flights that landed before `until` (all that is left when None)."""
        import pandas as pd

        if not self._late_news:
            return
        waiting = pd.concat(self._late_news)
        landed = waiting if until is None else waiting[waiting["landed_at"] < until]
        self._late_news = [] if until is None else [waiting[waiting["landed_at"] >= until]]
        if landed.empty:
            return
        accepted = self.stage.client.outcomes(
            self.stage.model,
            landed["late"].tolist(),
            references=landed["reference"].tolist(),
            event_time=landed["landed_at"].tolist(),
        )
        self.stage.check(accepted.accepted == len(landed), "every outcome was accepted")
        self.told += len(landed)

    def _wait(self, until: Instant, bar: Progress, task: Any) -> None:
        """Let the server catch up with event time; sign what asks for people."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            progress = self.stage.client.get(f"/api/v1/endpoints/{self.stage.model}/progress")
            busy = progress["retraining"] in ("queued", "training")
            behind = (
                progress["journal_bytes_waiting"] > 0 or progress["monitored_until"] <= until - WINDOW_DAYS * DAY_US
            )
            if progress["retraining"] == "review" and self.on_review():
                continue
            if not busy and not behind and all_serving(self.stage):
                self._narrate()
                return
            bar.update(task, note="retraining …" if busy else None)
            self.stage.check(time.monotonic() < deadline, f"the server caught up within {PATIENCE_S:.0f} s")
            time.sleep(BUSY_POLL_S if busy else POLL_S)

    def _narrate(self) -> None:
        """Say what is new: alerts that fired, steps that a retraining took."""
        for alert in reversed(self.stage.client.get("/api/v1/alerts", {"endpoint": self.stage.model, "limit": 1000})):
            if alert["alert_id"] not in self._alerts_seen and alert["state"] != "pending":
                self._alerts_seen.add(alert["alert_id"])
                self._say_once(alert)
        for run in reversed(self.stage.client.get("/api/v1/retraining", {"endpoint": self.stage.model})):
            seen = self._retrainings_seen.get(run["retraining_id"], 0)
            for step in run["steps"][seen:]:
                self._line(step["event_at"], f"[cyan]retraining[/cyan] {step['name']}: {step['detail']}")
            self._retrainings_seen[run["retraining_id"]] = len(run["steps"])

    def _say_once(self, alert: dict[str, Any]) -> None:
        """Only the first alert about a subject is told here; the table counts them all."""
        if (alert["monitor"], alert["subject"]) not in self._told_of:
            self._told_of.add((alert["monitor"], alert["subject"]))
            self._line(alert["event_at"], f"[yellow]alert[/yellow] {alert['message']}")

    def _line(self, event_at: int, text: str) -> None:
        self.stage.tell(f"   [dim]{moment_of(event_at):%d %b}[/dim] {text}")


def all_serving(stage: Stage) -> bool:
    """Whether every open release has a scorer that answers."""
    endpoint = stage.client.get(f"/api/v1/endpoints/{stage.model}")
    states = {health["release_id"]: health["state"] for health in endpoint["health"]}
    open_releases = [release["release_id"] for release in endpoint["releases"] if release["until_at"] is None]
    return all(states.get(release_id) == "serving" for release_id in open_releases)


def wait_for_serving(stage: Stage) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not all_serving(stage):
        stage.check(time.monotonic() < deadline, f"the scorer started within {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)


def replay(stage: Stage, flights: Flights, on_review: Callable[[], int]) -> Replay:
    """Pass what follows January through the endpoint."""
    passing = Replay(stage, flights.after_january(), on_review)
    passing.run()
    return passing


def _bar(stage: Stage) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[note]}", justify="right"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stage.console,
        transient=True,
    )
