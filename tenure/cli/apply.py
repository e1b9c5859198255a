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
@click.option("--reason", help="Why, where the file loosens rules that others must sign for: 3 to 2,000 characters.")
@server_option
def command(file: Path, dry_run: bool, yes: bool, reason: str | None, client: Any, as_json: bool) -> None:
    """Apply a model's file: shows what it changes, then applies it. The same file twice changes nothing.

    A file that loosens rules of a governed model with an approved version opens a change request instead. An editor
    that knows JSON Schema completes and checks the file: `tenure model schema` prints the schema.
    """
    text = _read(file)
    declared = _parsed(text)
    would = _asked(text, lambda: client.apply(declared, dry_run=True))
    rows, name, revision = _rows(would), declared["model"], would["revision"]
    verb = "asked for" if would["looser"] else "applied"
    if dry_run or not rows:
        title = (
            f"{name} is at revision {revision}; {verb}, this would change{_needing(would)}"
            if dry_run
            else f"{name}: revision {revision}"
        )
        show(would, as_json, ["change", "looser"], rows or [("nothing changed", "")], title)
        sys.exit(2 if dry_run and rows else 0)
    if not yes and not as_json and sys.stdin.isatty():
        show(
            would,
            as_json,
            ["change", "looser"],
            rows,
            f"{name} is at revision {revision}; this changes{_needing(would)}",
        )
        click.confirm("Ask for it?" if would["looser"] else "Apply it?", default=True, abort=True)
        if would["looser"] and reason is None:
            reason = click.prompt("Reason")
    answer = _asked(text, lambda: client.apply(declared, seen=revision, reason=reason))
    change = answer["change"]
    title = f"Change {change['change_id']} is {change['state']}{_needing(answer)}" if change else ""
    show(answer, as_json, ["change", "looser"], _rows(answer), title or f"{name}: revision {answer['revision']}")


def _rows(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """What is changed, each with why it is looser."""
    from tenure.records.differing import tells_of

    waiting = {one["path"]: one["words"] for one in answer["looser"]}
    rows = []
    for line in answer["changes"]:
        met = [path for path in waiting if tells_of(line, path)]
        rows.append((line, "; ".join(waiting[path] for path in met)))
    return rows


def _needing(answer: dict[str, Any]) -> str:
    """Who must sign; nothing where nobody must."""
    needed = [f"{step['needed']} as {step['role']}" for step in answer["needs"]]
    return f"; what is looser needs signatures: {', '.join(needed)}" if needed else ""


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
