"""`tenure monitor upload · windows · weakest`: what a server watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import number, server_option, show, when
from tenure.cli.outcomes import sent


@click.command("upload")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--endpoint", required=True, help="The endpoint that watches the model.")
@click.option("--version", required=True, type=int, help="The registered version that made the predictions.")
@server_option
def upload(file: Path, endpoint: str, version: int, client: Any, as_json: bool) -> None:
    """Upload predictions of a model that answers elsewhere, from a .csv, .parquet or .arrows file.

    Its columns are `prediction`, `reference`, perhaps `event_time`, and the features. Outcomes follow with `tenure
    outcome upload`, by reference. To upload a file again changes nothing.
    """
    content, chunks = sent(file)
    path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/predictions"
    told = client.send_file("POST", path, chunks, content, {"version": str(version)})
    show(told, as_json, ["accepted", "version"], [(told["accepted"], told["version"])])


@click.command("windows")
@click.argument("endpoint")
@click.option("--limit", type=click.IntRange(1, 1000), default=12, show_default=True, help="So many, latest first.")
@server_option
def windows(endpoint: str, limit: int, client: Any, as_json: bool) -> None:
    """The figures of each window by the model's task, with 95 % intervals, and how mature it is."""
    from tenure.records.base import DAY_US

    found = client.get(f"/api/v1/endpoints/{quote(endpoint, safe='')}/windows", {"limit": limit})
    whole_days = not any(at % DAY_US for one in found for at in (one["start_at"], one["end_at"]))
    rows = [
        (
            when(one["start_at"])[: 10 if whole_days else 16],
            one["version"],
            one["role"],
            f"{one['predictions']:,}",
            f"{one['outcomes']:,}",
            f"{one['maturity']:.0%}" + (" provisional" if one["provisional"] else ""),
            _figures(one["measured"]),
            one["accuracy_state"].replace("_", " "),
        )
        for one in found
    ]
    columns = ["from", "version", "role", "predictions", "outcomes", "mature", "measures", "accuracy"]
    show(found, as_json, columns, rows, endpoint)


@click.command("weakest")
@click.argument("endpoint")
@server_option
def weakest(endpoint: str, client: Any, as_json: bool) -> None:
    """Groups of the latest complete window's rows that are proven to be weaker than all others."""
    found = client.get(f"/api/v1/endpoints/{quote(endpoint, safe='')}/windows", {"limit": 100})
    window = next((one for one in found if not one["provisional"] and one["role"] != "shadow"), None)
    told = window["weakest"] if window else []
    rows = [
        (
            one["said"],
            f"{one['rows']:,}",
            number(one["loss"]),
            number(one["loss_of_others"]),
            f"{number(one['low'])} to {number(one['high'])}",
            f"{one['q_value']:.2g}",
        )
        for one in told
    ]
    show(told, as_json, ["group", "rows", "loss", "elsewhere", "higher by (95 %)", "q"], rows, endpoint)


def _figures(measured: dict[str, Any] | None) -> str:
    if measured is None:
        return ""
    return "\n".join(
        f"{one['metric']} {number(one['value'])}"
        + (f" ({number(one['low'])} to {number(one['high'])})" if one["low"] is not None else "")
        for one in measured["figures"]
    )


commands = (upload, windows, weakest)
