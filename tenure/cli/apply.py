"""`tenure apply model.yaml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import server_option, show
from tenure.errors import InvalidInput, TenureError


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing. Exit status 2 if it would.")
@click.option("--yes", is_flag=True, help="Do not ask before applying. Scripts are not asked.")
@server_option
def command(file: Path, dry_run: bool, yes: bool, client: Any, as_json: bool) -> None:
    """Apply a model's file: shows what it changes, then applies it. The same file twice changes nothing.

    An editor that knows JSON Schema completes and checks it: `tenure model schema` prints the schema.
    """
    text = _read(file)
    declared = _parsed(text)
    would = _asked(text, lambda: client.apply(declared, dry_run=True))
    rows = [(change,) for change in would["changes"]]
    name, revision = declared["model"], would["revision"]
    if dry_run or not rows:
        title = (
            f"{name} is at revision {revision}; applied, this would change"
            if dry_run
            else f"{name}: revision {revision}"
        )
        show(would, as_json, ["change"], rows or [("nothing changed",)], title)
        sys.exit(2 if dry_run and rows else 0)
    if not yes and not as_json and sys.stdin.isatty():
        show(would, as_json, ["change"], rows, f"{name} is at revision {revision}; this changes")
        click.confirm("Apply it?", default=True, abort=True)
    answer = _asked(text, lambda: client.apply(declared, seen=revision))
    show(
        answer,
        as_json,
        ["change"],
        [(change,) for change in answer["changes"]],
        f"{name}: revision {answer['revision']}",
    )


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{file} must be text in UTF-8. Byte {problem.start} is not.") from None


def _parsed(text: str) -> dict[str, Any]:
    from tenure.records import model_yaml

    return model_yaml.mapping(text)


def _asked(text: str, ask: Any) -> Any:
    """What the server answers; when it refuses the file, with the line of what does not fit."""
    from tenure.records import yaml_text

    try:
        return ask()
    except TenureError as problem:
        problem.where = yaml_text.placed(text, problem.where)
        raise
