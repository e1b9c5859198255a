"""`tenure audit …`"""

from __future__ import annotations

import sys
from typing import Any

import click

from tenure.cli import verifying
from tenure.cli.asking import server_option, show, when


@click.group("audit")
def command() -> None:
    """The audit log: who did what, when and why."""


command.add_command(verifying.command)


@command.command("log")
@click.option("--actor", help="Only what this person or service did.")
@click.option("--action", help="Only actions that begin so, such as 'version.'.")
@click.option("--subject", help="Only what was done to this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@server_option
def log(actor: str | None, action: str | None, subject: str | None, limit: int, client: Any, as_json: bool) -> None:
    """Events, newest first."""
    wanted = {"actor": actor, "action": action, "subject": subject, "limit": limit}
    events = client.get("/api/v1/audit", {name: value for name, value in wanted.items() if value is not None})
    rows = [(one["sequence"], when(one["at"]), one["actor"], one["action"], one["subject"]) for one in events]
    show(events, as_json, ["#", "at (UTC)", "who", "what", "about"], rows, "Audit log")


@command.command("verify")
@server_option
def verify(client: Any, as_json: bool) -> None:
    """Walk the whole chain; exit status 1 when an event does not fit."""
    verified = client.get("/api/v1/audit/verify")
    whole = verified["first_bad"] is None
    says = "whole" if whole else f"broken at event {verified['first_bad']}: {verified['problem']}"
    show(verified, as_json, ["events", "chain"], [(verified["events"], says)])
    sys.exit(0 if whole else 1)
