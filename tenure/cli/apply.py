"""`tenure apply model.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import server_option, show
from tenure.errors import InvalidInput


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@server_option
def command(file: Path, dry_run: bool, client: Any, as_json: bool) -> None:
    """Apply a model's file. The same file twice changes nothing."""
    import yaml

    try:
        declared = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as problem:
        raise InvalidInput(f"{file} must be YAML. It cannot be read: {problem}") from None
    if not isinstance(declared, dict):
        raise InvalidInput(f"{file} must hold keys such as model, purpose and owner. Got {type(declared).__name__}.")
    answer = client.apply(declared, dry_run=dry_run)
    rows = [(change,) for change in answer["changes"]]
    name, revision = declared["model"], answer["revision"]
    title = (
        f"{name} is at revision {revision}; applied, this would change" if dry_run else f"{name}: revision {revision}"
    )
    show(answer, as_json, ["change"], rows or [("nothing changed",)], title)
