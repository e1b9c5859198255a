"""`tenure alert …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("alert", cls=Verbs)
def command() -> None:
    """Alerts: what fired, and who has seen it."""


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


@command.command("acknowledge")
@click.argument("alert_id")
@click.option("--reason", required=True, help="What is being done about it.")
@server_option
def acknowledge(alert_id: str, reason: str, client: Any, as_json: bool) -> None:
    """Say that somebody is on it."""
    alert = client.post(f"/api/v1/alerts/{alert_id}/acknowledge", {"reason": reason})
    show(alert, as_json, ["alert", "state"], [(alert["alert_id"], alert["state"])])
