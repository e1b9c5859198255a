"""`tenure import mlflow`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tenure.cli.asking import Verbs

if TYPE_CHECKING:
    from tenure.imports.checking import Comparison
    from tenure.imports.plan import Choice, Step, Told
    from tenure.imports.source import Leftover, Source
    from tenure.sdk.client import Client

SHOWN = 10


@click.group("import", cls=Verbs)
def command() -> None:
    """Move in from another server."""


@command.command("mlflow")
@click.option("--from", "origin", required=True, metavar="URI", help="http://host:5000, or the database: sqlite:///….")
@click.option("--to", "url", envvar="TENURE_URL", default="http://127.0.0.1:5000", show_default=True, help="Tenure.")
@click.option("--experiment", "names", multiple=True, metavar="NAME", help="Only this one; repeat it for several.")
@click.option("--no-artifacts", is_flag=True, help="Leave files where they are and keep their locations as recorded.")
@click.option(
    "--artifacts-from", metavar="PLACE", help="Where a database's mlflow-artifacts:/ lies: a folder or a URL."
)
@click.option("--workspace", default="default", show_default=True, help="Which of a database's workspaces.")
@click.option("--again", is_flag=True, help="Look again at what was moved whole before.")
@click.option("--dry-run", is_flag=True, help="Count what is there and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for scripts.")
def mlflow(
    origin: str,
    url: str,
    names: tuple[str, ...],
    no_artifacts: bool,
    artifacts_from: str | None,
    workspace: str,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Move experiments, runs, metrics, models and files in from an MLflow server or its database.

    It may be stopped and started again at any time. At the end both sides are counted; exit status 1 says that
    something did not arrive.
    """
    from tenure.imports import opening
    from tenure.imports.plan import Choice
    from tenure.sdk.client import Client

    choice = Choice(names=names, artifacts=not no_artifacts, again=again)
    source = opening.open_source(origin, artifacts_from, workspace)
    try:
        if dry_run:
            _dry_run(source, choice, as_json)
            return
        with Client(url, timeout_s=600) as client:
            fine = _move(source, client, choice, as_json)
    finally:
        source.close()
    sys.exit(0 if fine else 1)


def _move(source: Source, client: Client, choice: Choice, as_json: bool) -> bool:
    from tenure.imports import checking
    from tenure.imports.moving import Move
    from tenure.imports.target import Target

    target = Target(client)
    with _progress(as_json) as step:
        told = Move(source, target, choice, step).run()
        totals = {} if told.removed else source.totals(told.counts["experiment"])
        compared = checking.compare(told, totals, target, artifacts=choice.artifacts, step=step)
        leftovers = source.leftovers()
    complete = not told.refused and not told.unreadable
    target.end(compared.ended(complete))
    if as_json:
        click.echo(json.dumps(_as_json(told, compared, leftovers), indent=2))
    else:
        _report(told, compared, leftovers)
    return compared.agrees and complete


def _dry_run(source: Source, choice: Choice, as_json: bool) -> None:
    from tenure.imports import checking

    with _progress(as_json) as step:
        counted, unreadable = checking.count_source(source, choice, step)
        leftovers = source.leftovers()
    if as_json:
        click.echo(json.dumps({"source": counted, "unreadable": unreadable, "not_moved": _left(leftovers)}, indent=2))
        return
    _table("There is, and nothing was moved yet", ("what", "source"), [(what, f"{n:,}") for what, n in counted.items()])
    _lines("Files that cannot be read", [f"{name} at {place}: {why}" for name, place, why in unreadable])
    _lines("Not moved", _told_left(leftovers))


@contextmanager
def _progress(silent: bool) -> Iterator[Step]:
    """Bars on the terminal; nothing where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=silent or not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def step(what: str, total: int | None, done: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            elif total is not None:
                bars.update(tasks[what], total=total)
            bars.update(tasks[what], advance=done)

        yield step


def _report(told: Told, compared: Comparison, leftovers: list[Leftover]) -> None:
    mapped = [one for one in told.experiments if one.how != "kept"]
    _lines(
        "Experiments that have another id here, or joined one of the same name",
        [f"{one.source_id} → {one.target_id} ({one.how})" for one in mapped],
    )
    rows = [
        (line.what, f"{line.source:,}", f"{line.here:,}", "ok" if line.agrees else "DIFFERS") for line in compared.lines
    ]
    _table("Both sides counted", ("what", "source", "Tenure", ""), rows)
    click.echo(
        f"{told.points:,} points and {told.copied_files:,} files ({told.copied_bytes:,} bytes) were sent now; "
        f"{told.skipped:,} items were here before."
    )
    if told.removed:
        click.echo(f"{told.removed:,} items were here and were removed for good since; they are not brought back.")
    _lines("These differ", compared.differing, compared.differing_count)
    _lines("Refused", [f"{name}: {why}" for name, why in told.refused])
    _lines("Files that could not be read", [f"{name} at {place}: {why}" for name, place, why in told.unreadable])
    _lines("Not moved, by its nature", _told_left(leftovers))


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from tenure.cli.asking import show

    show(None, False, columns, rows, title)


def _lines(title: str, lines: list[str], count: int | None = None) -> None:
    if not lines:
        return
    click.echo(f"\n{title}: {len(lines) if count is None else count:,}")
    for line in lines[:SHOWN]:
        click.echo(f"  {line}")
    if (count or len(lines)) > SHOWN:
        click.echo("  …")


def _told_left(leftovers: list[Leftover]) -> list[str]:
    return [
        f"{one.what}{'' if one.count is None else f': {one.count:,}'}"
        + (
            f" ({', '.join(one.examples)}{', …' if (one.count or 0) > len(one.examples) else ''})"
            if one.examples
            else ""
        )
        for one in leftovers
    ]


def _left(leftovers: list[Leftover]) -> list[dict[str, Any]]:
    return [{"what": one.what, "count": one.count, "examples": list(one.examples)} for one in leftovers]


def _as_json(told: Told, compared: Comparison, leftovers: list[Leftover]) -> dict[str, Any]:
    return {
        "counts": {
            line.what: {"source": line.source, "here": line.here, "agrees": line.agrees} for line in compared.lines
        },
        "experiments": [{"source": one.source_id, "here": one.target_id, "how": one.how} for one in told.experiments],
        "differing": compared.differing,
        "differing_count": compared.differing_count,
        "refused": [{"what": what, "why": why} for what, why in told.refused],
        "unreadable": [{"what": what, "location": place, "why": why} for what, place, why in told.unreadable],
        "not_moved": _left(leftovers),
        "sent": {"points": told.points, "files": told.copied_files, "bytes": told.copied_bytes},
        "skipped": told.skipped,
        "removed_here": told.removed,
    }
