"""Alerts follow findings: one open alert for a subject, whatever comes in one go."""

from __future__ import annotations

from tenure.monitor import alerts
from tenure.monitor.alerts import Finding
from tenure.records.alerts import Alert, Evidence
from tenure.records.base import DAY_US, Instant
from tenure.store import alerts as stored
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)
WEEK = 7 * DAY_US


def finding(week: int, *, breach: bool, subject: str = "brier") -> Finding:
    evidence = Evidence(
        measure="brier",
        value=0.4,
        threshold=0.2,
        direction="above",
        level=0.01,
        n_baseline=100,
        n_window=100,
        window_start_at=week * WEEK,
        window_end_at=(week + 1) * WEEK,
        version=1,
    )
    return Finding(
        monitor="harm", subject=subject, breach=breach, provisional=False, message=f"week {week}", evidence=evidence
    )


def followed(ground: Ground, *findings: Finding, cooldown_us: int = 0) -> list[Alert]:
    def work(tx: object) -> list[Alert]:
        return alerts.follow(tx, "flights", findings, now=NOW, cooldown_us=cooldown_us)  # type: ignore[arg-type]

    ground.database.write(work)
    found = ground.database.read(lambda tx: stored.search(tx, endpoint="flights"))
    return sorted(found, key=lambda alert: (alert.event_at, alert.subject))


def test_windows_told_together_share_an_alert(each_ground: Ground) -> None:
    (alert,) = followed(each_ground, finding(1, breach=True), finding(2, breach=True))
    assert (alert.state, alert.message, alert.event_at) == ("firing", "week 2", 2 * WEEK)


def test_an_alert_that_is_over_leaves_room_for_the_next(each_ground: Ground) -> None:
    told = [finding(week, breach=breach) for week, breach in enumerate((True, False, True, True))]
    first, second = followed(each_ground, *told)
    assert (first.state, first.resolved_event_at) == ("resolved", 2 * WEEK)
    assert (second.state, second.message) == ("firing", "week 3")


def test_what_was_resolved_among_them_cools_down(each_ground: Ground) -> None:
    told = [finding(week, breach=breach) for week, breach in enumerate((True, False, True))]
    (alert,) = followed(each_ground, *told, cooldown_us=4 * WEEK)
    assert alert.state == "resolved"


def test_subjects_do_not_mix(each_ground: Ground) -> None:
    told = [finding(1, breach=True), finding(1, breach=True, subject="value"), finding(2, breach=False)]
    assert [(alert.subject, alert.state) for alert in followed(each_ground, *told)] == [
        ("brier", "resolved"),
        ("value", "firing"),
    ]
