"""`tenure retrain …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("retrain", cls=Verbs)
def command() -> None:
    """Retraining runs: what fired, what was compared, how it ended."""


@command.command("list")
@click.option("--endpoint", help="Only this endpoint's.")
@server_option
def list_(endpoint: str | None, client: Any, as_json: bool) -> None:
    """Retraining runs, newest first."""
    runs = client.get("/api/v1/retraining", {"endpoint": endpoint} if endpoint else None)
    rows = [
        (
            run["retraining_id"],
            run["endpoint"],
            when(run["event_at"]),
            f"{run['champion_version']} → {run['challenger_version'] or '?'}",
            run["state"],
        )
        for run in runs
    ]
    show(runs, as_json, ["run", "endpoint", "event time (UTC)", "versions", "state"], rows, "Retraining runs")


@command.command("show")
@click.argument("retraining_id")
@server_option
def show_(retraining_id: str, client: Any, as_json: bool) -> None:
    """One run, step by step."""
    run = client.get(f"/api/v1/retraining/{retraining_id}")
    rows = [(when(step["event_at"]), step["name"], step["detail"]) for step in run["steps"]]
    show(run, as_json, ["event time (UTC)", "step", "detail"], rows, f"{run['endpoint']}: {run['state']}")
