"""`tenure alert …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, number, server_option, show, when


@click.group("alert", cls=Verbs)
def command() -> None:
    """Alerts: what fired, who was told, and who has seen it."""


@command.command("list")
@click.option("--endpoint", help="Only this endpoint's.")
@click.option("--state", help="pending, firing, acknowledged or resolved.")
@server_option
def list_(endpoint: str | None, state: str | None, client: Any, as_json: bool) -> None:
    """Alerts, newest first."""
    wanted = {name: value for name, value in (("endpoint", endpoint), ("state", state)) if value}
    alerts = client.get("/api/v1/alerts", wanted)
    rows = [(one["alert_id"], when(one["event_at"]), one["state"], one["message"]) for one in alerts]
    show(alerts, as_json, ["alert", "event time (UTC)", "state", "message"], rows, "Alerts")


@command.command("incidents")
@click.option("--endpoint", help="Only this endpoint's.")
@click.option("--state", help="Only those with an alert that is pending, firing, acknowledged or resolved.")
@server_option
def incidents(endpoint: str | None, state: str | None, client: Any, as_json: bool) -> None:
    """Alerts that belong together, the most urgent first, with what is at stake a day."""
    wanted = {name: value for name, value in (("endpoint", endpoint), ("state", state)) if value}
    found = client.get("/api/v1/incidents", wanted)
    rows = [
        (
            one["incident_id"],
            one["state"] + (", muted" if one["muted"] else ""),
            one["severity"],
            _stake(one["stake"]),
            one["headline"],
            len(one["alerts"]),
        )
        for one in found
    ]
    show(found, as_json, ["incident", "state", "severity", "at stake a day", "what", "alerts"], rows, "Incidents")


def _stake(stake: dict[str, Any] | None) -> str:
    """Money with its interval, else traffic."""
    if stake is None:
        return ""
    per_day = stake["per_day"]
    if per_day is None:
        return f"{stake['predictions_per_day']:,.0f} predictions"
    return f"{number(per_day['value'], 0)} ({number(per_day['low'], 0)} to {number(per_day['high'], 0)})"


@command.command("told")
@click.argument("alert_id")
@server_option
def told(alert_id: str, client: Any, as_json: bool) -> None:
    """Which channels were told of an alert."""
    found = client.get(f"/api/v1/alerts/{alert_id}/notices")
    words = {0: "fires", -1: "is over"}
    rows = [
        (one["channel"], words.get(one["step"], f"escalation {one['step']}"), when(one["told_at"]), one["problem"])
        for one in found
    ]
    show(found, as_json, ["channel", "of what", "when (UTC)", "problem"], rows, "Told")


@command.command("mute")
@click.argument("endpoint")
@click.option("--for", "lasts", required=True, help="How long, from now on: 30m, 4h, 2d.")
@click.option("--reason", required=True, help="Why nobody needs to hear.")
@click.option("--monitor", help="Only alerts of this monitor, such as drift.")
@click.option("--subject", help="Only alerts about this, such as a column.")
@server_option
def mute(
    endpoint: str, lasts: str, reason: str, monitor: str | None, subject: str | None, client: Any, as_json: bool
) -> None:
    """Have nobody told of some alerts of an endpoint for a while. They are recorded all the same."""
    asked = {"lasts": lasts, "reason": reason, "monitor": monitor, "subject": subject}
    made = client.post(f"/api/v1/endpoints/{endpoint}/mutes", asked)
    show(made, as_json, ["mute", "until (UTC)"], [(made["mute_id"], when(made["until_at"]))])


@command.command("unmute")
@click.argument("endpoint")
@click.argument("mute_id")
@click.option("--reason", required=True, help="Why they may hear again.")
@server_option
def unmute(endpoint: str, mute_id: str, reason: str, client: Any, as_json: bool) -> None:
    """End a mute before its time; what fires still is told of then."""
    ended = client.post(f"/api/v1/endpoints/{endpoint}/mutes/{mute_id}/end", {"reason": reason})
    show(ended, as_json, ["mute", "ended (UTC)"], [(ended["mute_id"], when(ended["ended_at"]))])


@command.command("mutes")
@server_option
def mutes(client: Any, as_json: bool) -> None:
    """The mutes that hold now."""
    found = client.get("/api/v1/mutes")
    rows = [
        (one["mute_id"], one["endpoint"], one["monitor"] or "all", one["subject"] or "all", when(one["until_at"]),
         one["muted_by"], one["reason"])
        for one in found
    ]  # fmt: skip
    show(found, as_json, ["mute", "endpoint", "monitor", "subject", "until (UTC)", "by", "reason"], rows, "Mutes")


@command.command("channels")
@server_option
def channels(client: Any, as_json: bool) -> None:
    """The channels that may be told of alerts, and how their last message fared."""
    found = client.get("/api/v1/alert-channels")
    rows = [(one["name"], one["kind"], one["waiting"], _last(one["last"])) for one in found]
    show(found, as_json, ["channel", "kind", "waiting", "last"], rows, "Channels")


def _last(last: dict[str, Any] | None) -> str:
    if last is None:
        return "nothing so far"
    problem = next((tried["problem"] for tried in last["attempts"] if tried["problem"]), None)
    return f"{last['event']} {when(last['created_at'])}: {last['state'].replace('_', ' ')}" + (
        f", {problem}" if problem and last["state"] != "sent" else ""
    )


@command.command("test")
@click.argument("channel")
@server_option
def test(channel: str, client: Any, as_json: bool) -> None:
    """Send an example to a channel; `tenure alert channels` says what became of it."""
    made = client.post(f"/api/v1/alert-channels/{channel}/test", {})
    show(made, as_json, ["channel", "message"], [(made["channel"], made["message_id"])])


@command.command("acknowledge")
@click.argument("alert_id")
@click.option("--reason", required=True, help="What is being done about it.")
@server_option
def acknowledge(alert_id: str, reason: str, client: Any, as_json: bool) -> None:
    """Say that somebody is on it."""
    alert = client.post(f"/api/v1/alerts/{alert_id}/acknowledge", {"reason": reason})
    show(alert, as_json, ["alert", "state"], [(alert["alert_id"], alert["state"])])
