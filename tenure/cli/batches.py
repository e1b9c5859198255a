"""`tenure batch …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("batch", cls=Verbs)
def command() -> None:
    """Batches: files that were scored as a whole."""


@command.command("list")
@click.argument("endpoint")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="So many at most.")
@server_option
def list_(endpoint: str, limit: int, client: Any, as_json: bool) -> None:
    """Batches of an endpoint, newest first."""
    found = client.get(f"/api/v1/endpoints/{endpoint}/batches", {"limit": limit})
    rows = [
        (
            one["batch_id"],
            one["state"],
            f"{one['rows']:,}",
            f"{one['rejected']:,}",
            one["version"],
            one["source"],
            one["opened_by"],
            when(one["opened_at"]),
        )
        for one in found
    ]
    columns = ["batch", "state", "rows", "rejected", "version", "input", "by", "begun (UTC)"]
    show(found, as_json, columns, rows, f"Batches of {endpoint}")


@command.command("show")
@click.argument("endpoint")
@click.argument("batch_id")
@server_option
def show_(endpoint: str, batch_id: str, client: Any, as_json: bool) -> None:
    """One batch: its version, its rows, digests of input and output."""
    batch = client.get(f"/api/v1/endpoints/{endpoint}/batches/{batch_id}")
    told = [(name.replace("_", " "), when(value) if name.endswith("_at") else value) for name, value in batch.items()]
    show(batch, as_json, ["", ""], [one for one in told if one[1] is not None], batch_id)


@command.command("abandon")
@click.argument("endpoint")
@click.argument("batch_id")
@server_option
def abandon(endpoint: str, batch_id: str, client: Any, as_json: bool) -> None:
    """Give up an open batch: nothing of it reaches the lake."""
    batch = client.delete(f"/api/v1/endpoints/{endpoint}/batches/{batch_id}")
    show(batch, as_json, ["batch", "state"], [(batch["batch_id"], batch["state"])])
