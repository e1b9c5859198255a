"""`tenure score …`"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tenure.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from tenure.batch.running import Summary
    from tenure.batch.scoring import ChunkScored
    from tenure.batch.sources import Source

TIMEOUT_S = 900.0
FREED_KEPT_MS = "2000"
"""For how long Arrow's allocator, mimalloc, keeps memory that one chunk gave back, so that the next one finds it there:
what the system took back meanwhile it clears before it gives it again, a tenth of all processor time."""


@click.command("score")
@click.argument("endpoint")
@click.option("--input", "input_", type=click.Path(path_type=Path), help="A .parquet or .csv file, or a folder.")
@click.option("--query", help="SQL whose rows are scored, instead of a file. Give it an ORDER BY.")
@click.option(
    "--database",
    envvar="TENURE_SCORE_DATABASE",
    default="duckdb://",
    help="What is asked: a URL of SQLAlchemy, or duckdb:///file.duckdb. Default: DuckDB, which reads local files.",
)
@click.option("--output", type=click.Path(path_type=Path), help="The file to write, .parquet or .csv.")
@click.option("--columns", default="", help="Columns to carry along into the output, with commas between them.")
@click.option("--rejected", type=click.Path(path_type=Path), help="A file for rejected rows; else they stop it.")
@click.option("--event-time", help="The column that says when it happened. Default: now.")
@click.option("--reference", help="The column with your own name of each row, by which outcomes find it.")
@click.option("--ignore-others", is_flag=True, help="Leave out columns that the version does not know.")
@click.option("--jurisdiction", help="Where the answers are used.")
@click.option("--purpose", help="What they are for.")
@click.option("--channel", help="By which way it is asked.")
@click.option("--limit", type=click.IntRange(1), help="Score so many rows at most.")
@click.option("--dry-run", is_flag=True, help="Score the first rows, show them, and keep nothing.")
@click.option("--overwrite", is_flag=True, help="Take the place of an output that is there.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on with what was begun.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where the version's files are kept.")
@click.option("--wheel-index", envvar="TENURE_WHEEL_INDEX", default="", help="Index of the version's own packages.")
@click.option("--wheel-folder", envvar="TENURE_WHEEL_FOLDER", default="", help="Folder of wheels of such packages.")
@click.option("--url", envvar="TENURE_URL", default="http://127.0.0.1:5000", show_default=True, help="The server.")
@click.option("--token", envvar="TENURE_TOKEN", default=None, help="A token to show.", show_envvar=False)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON, for scripts.")
def command(
    endpoint: str,
    input_: Path | None,
    query: str | None,
    database: str,
    output: Path | None,
    columns: str,
    rejected: Path | None,
    limit: int | None,
    dry_run: bool,
    overwrite: bool,
    restart: bool,
    cache: Path | None,
    url: str,
    token: str | None,
    as_json: bool,
    **said: Any,
) -> None:
    """Score a whole file with an endpoint's champion, here; the server keeps what was predicted.

    Killed at any moment, the same command goes on after the last whole chunk. The output appears when it is complete.
    """
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", FREED_KEPT_MS)  # read when Arrow is loaded, which is below
    from tenure.batch import fetching
    from tenure.batch.environments import Wheels
    from tenure.batch.results import Results
    from tenure.batch.running import Batch
    from tenure.batch.scoring import Wanted
    from tenure.batch.sending import Sending
    from tenure.records.batches import NewBatch
    from tenure.sdk.client import Client

    source = _source(input_, query, database)
    wanted = Wanted(
        columns=[name.strip() for name in columns.split(",") if name.strip()],
        event_time=said["event_time"],
        reference=said["reference"],
        limit=limit,
        ignore_others=said["ignore_others"],
    )
    new = NewBatch(
        jurisdiction=said["jurisdiction"], purpose=said["purpose"], channel=said["channel"], source=source.said[:200]
    )
    with Client(url, token=token, timeout_s=TIMEOUT_S) as client:
        wheels = Wheels(said["wheel_index"], said["wheel_folder"])
        batch = Batch(Sending(client, endpoint), source, wanted, new, wheels)
        kept = cache or fetching.default_cache()
        if dry_run:
            _show_first(batch.preview(kept, say=_say)[0], as_json)
            return
        results = Results(_checked(output, input_, overwrite), _free(rejected, overwrite))
        started = time.monotonic()
        with _Bar() as bar:
            summary = batch.run(results, kept, restart=restart, progress=bar.show, say=_say)
        _tell(summary, results.output, time.monotonic() - started, as_json)


class _Bar:
    """Rows done, rows per second and time left, on the terminal; without one, nothing."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("Scoring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows, {task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("rows", total=None, rate="")
        self._first: tuple[int, float] | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, rows: int, total: int | None) -> None:
        now = time.monotonic()
        self._first = self._first or (rows, now)
        began, at = self._first
        rate = f"{(rows - began) / (now - at):,.0f} a second" if rows > began else ""
        self._progress.update(self._task, completed=rows, total=total, rate=rate)


def _source(input_: Path | None, query: str | None, database: str) -> Source:
    from tenure.batch import queries, sources

    if (input_ is None) == (query is None):
        raise InvalidInput("Give exactly one of --input and --query: it says where the rows come from.")
    return queries.Query(query, database) if query is not None else sources.open_files(input_)  # type: ignore[arg-type]


def _checked(output: Path | None, input_: Path | None, overwrite: bool) -> Path:
    if output is None:
        raise InvalidInput("Give --output, the file to write; --dry-run shows the first rows without one.")
    if input_ is not None and output.resolve() == input_.resolve():
        raise InvalidInput("The output must be another file than the input.")
    free = _free(output, overwrite)
    assert free is not None
    return free


def _free(file: Path | None, overwrite: bool) -> Path | None:
    if file is not None and file.exists() and not overwrite:
        raise Conflict(f"{file} is there already. Use --overwrite to take its place.")
    return file


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show_first(scored: ChunkScored, as_json: bool) -> None:
    from tenure.cli.asking import show

    rows = scored.output.to_pylist()
    cells = [[_short(value) for value in row.values()] for row in rows]
    show(rows, as_json, scored.output.column_names, cells, "The first rows; nothing was kept")
    for problem in scored.first_problems:
        click.echo(problem, err=True)


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps([float(f"{one:.6g}") for one in value]) if isinstance(value, list) else value


def _tell(summary: Summary, output: Path, seconds: float, as_json: bool) -> None:
    from msgspec import to_builtins

    batch = summary.batch
    if as_json:
        told = {**summary._asdict(), "batch": to_builtins(batch), "output": str(output)}
        json.dump(told, sys.stdout, indent=2)
        click.echo()
        return
    rate = (summary.rows - summary.went_on_from) / max(seconds, 1e-9)
    click.echo(f"{summary.rows:,} rows by version {batch.version} in {seconds:.1f} s ({rate:,.0f} a second): {output}")
    if summary.rejected:
        why = ", ".join(f"{name} {count:,}" for name, count in summary.reasons.items())
        click.echo(f"{summary.rejected:,} rows were rejected ({why}).")
    if batch.champion != batch.version:
        now = "there is none" if batch.champion is None else f"it is version {batch.champion}"
        click.echo(f"Version {batch.version} is not the champion any more: {now}.")
    click.echo(f"Batch {batch.batch_id}")
