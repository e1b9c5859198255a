"""`tenure vault …`"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import Verbs, kind_of, server_option, show, when


@click.group("vault", cls=Verbs)
def command() -> None:
    """Protected attributes: kept sealed, for tests of fairness alone. Nothing gives their values out again."""


@command.command("put")
@click.argument("attribute")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", required=True, help="The column that names the row; the other column holds the attribute.")
@server_option
def put(attribute: str, file: Path, key: str, client: Any, as_json: bool) -> None:
    """Put an attribute from a .csv or .parquet file with two columns, in place of what was there."""
    path = f"/api/v1/vault/{quote(attribute, safe='')}"
    entry = client.send_file("PUT", path, file.read_bytes(), kind_of(file), {"key": key})
    show(entry, as_json, ["attribute", "rows"], [(entry["attribute"], entry["rows"])])


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """What is in the vault: names and numbers of rows, never a value."""
    found = client.get("/api/v1/vault")
    rows = [(one["attribute"], one["rows"], one["put_by"], when(one["put_at"])) for one in found]
    show(found, as_json, ["attribute", "rows", "put by", "at (UTC)"], rows, "Vault")
