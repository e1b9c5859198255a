"""What a channel is told, in plain words. Nothing of a row's values is in it: names of columns and figures alone."""

from __future__ import annotations

from tenure.records.alerts import Alert, Evidence
from tenure.records.base import DAY_US, Instant
from tenure.records.incidents import Incident, Point, Series, Stake, Told, ToldOf
from tenure.records.span_words import instant

HEADS = {"firing": "Alert", "escalated": "Nobody has acknowledged", "resolved": "Over"}
MOST_TOLD = 20
SUBJECT_LENGTH = 200


def told(event: ToldOf, incident: Incident, series: Series | None, *, url: str, escalation: int = 0) -> Told:
    """What is said of an incident; `url` is where people find the server."""
    headline = _line(incident.headline)
    return Told(
        event=event,
        model=incident.model,
        headline=headline,
        severity=incident.severity,
        subject=f"{HEADS[event]} ({incident.severity}): {headline}"[:SUBJECT_LENGTH],
        text=_text(event, incident, url),
        url=f"{url}/alerts",
        alerts=incident.alerts,
        escalation=escalation,
        stake=incident.stake,
        series=series,
    )


def money(stake: Stake) -> str:
    """What is at stake in a sentence's end.

    >>> money(Stake(predictions_per_day=1200, start_at=0, end_at=1))
    '1,200 predictions a day, whose value is not known'
    """
    traffic = f"{stake.predictions_per_day:,.0f} predictions a day"
    per_day = stake.per_day
    if per_day is None or per_day.value is None:
        return f"{traffic}, whose value is not known"
    between = ""
    if per_day.low is not None and per_day.high is not None:
        between = f" ({per_day.low:,.0f} to {per_day.high:,.0f} at {per_day.confidence:.0%} confidence)"
    return f"{per_day.value:,.0f} a day{between}, the value of {traffic}, by {stake.outcomes:,} outcomes"


def example(url: str) -> Told:
    """A message to try a channel out, with a picture; nothing of that name is meant."""
    day = 15_706 * DAY_US
    proof = Evidence(
        measure="psi_excess",
        value=0.31,
        threshold=0.1,
        direction="above",
        p_value=1e-9,
        level=0.001,
        n_baseline=20_000,
        n_window=2_100,
        window_start_at=day + 21 * DAY_US,
        window_end_at=day + 28 * DAY_US,
        version=1,
    )
    alert = Alert(
        alert_id="00000000-0000-7000-8000-000000000000",
        endpoint="an-endpoint-to-try",
        monitor="drift",
        subject="a column",
        state="firing",
        severity="warning",
        message="Sent to try a channel; nothing of that name is meant.",
        evidence=proof,
        event_at=day + 28 * DAY_US,
        opened_at=Instant(day + 28 * DAY_US),
        changed_at=Instant(day + 28 * DAY_US),
    )
    incident = Incident(
        incident_id=alert.alert_id,
        model="a-model-to-try",
        family="data",
        state="firing",
        severity="warning",
        headline="a-model-to-try: a column (drift)",
        causes=[],
        alerts=[alert],
        start_at=proof.window_start_at,
        end_at=proof.window_end_at,
        endpoints=[alert.endpoint],
    )
    points = [
        Point(start_at=day + week * 7 * DAY_US, end_at=day + (week + 1) * 7 * DAY_US, value=value)
        for week, value in enumerate((0.01, 0.02, 0.05, 0.31))
    ]
    series = Series(alert_id=alert.alert_id, measure="psi_excess", threshold=0.1, direction="above", points=points)
    return told("firing", incident, series, url=url)


def _text(event: ToldOf, incident: Incident, url: str) -> str:
    lines = [f"{HEADS[event]}: {_line(incident.headline)}", ""]
    lines.append(
        f"Severity {incident.severity}. Event time {instant(incident.start_at)} to {instant(incident.end_at)}."
    )
    if incident.stake is not None and event != "resolved":
        lines.append(f"At stake: {money(incident.stake)}.")
    for number, alert in enumerate(incident.alerts[:MOST_TOLD], 1):
        lines += ["", f"{number}. {_line(alert.message)}", f"   {_proof(alert.evidence)}"]
        lines.append(f"   The rows behind it: tenure monitor rows {alert.alert_id}")
    if len(incident.alerts) > MOST_TOLD:
        lines += ["", f"and {len(incident.alerts) - MOST_TOLD} more."]
    lines += ["", f"See and acknowledge: {url}/alerts"]
    return "\n".join(lines) + "\n"


def _proof(proof: Evidence) -> str:
    sizes = f", {proof.n_window:,} rows" if proof.n_window else ""
    against = f" against {proof.n_baseline:,}" if proof.n_baseline else ""
    chance = f", p {proof.p_value:.2g}" if proof.p_value is not None else ""
    return f"{proof.measure} {proof.value:.4g}, {proof.direction} {proof.threshold:.4g}{chance}{sizes}{against}"


def _line(text: str) -> str:
    return " ".join(text.split())
