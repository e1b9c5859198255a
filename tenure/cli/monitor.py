"""`tenure monitor …`: comparing tables without any server, and the windows that a server judged."""

from __future__ import annotations

import sys
import time
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tenure.cli import alert_rows, service_levels, windows
from tenure.cli.asking import SCRIPT_WIDTH, Verbs
from tenure.errors import TenureError

if TYPE_CHECKING:
    from tenure.records.comparisons import ColumnComparison, Comparison

DRIFTED, FAILED = 1, 2
LOOKS = {"drift": "[red]drifted[/]", "breach": "[red]broken[/]", "ok": "[green]in order[/]"}


@click.group("monitor", cls=Verbs)
def command() -> None:
    """Tables beside each other, without any server; windows: how good the answers were; predictions made elsewhere."""


for one in (*windows.commands, *service_levels.commands, alert_rows.rows):
    command.add_command(one)


@command.command("compare")
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "html", "json"]), default="table", show_default=True,
              help="What is written. HTML is one file that needs nothing else.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write; else it is printed.")
@click.option("--columns", default="", help="Only these columns, with commas between them.")
@click.option("--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True,
              help="Of the columns called drifting, at most this share is so by chance.")  # fmt: skip
@click.option("--psi-floor", type=click.FloatRange(0), default=0.1, show_default=True,
              help="Less PSI than this above what sampling gives is never drift.")  # fmt: skip
def compare(
    reference: Path, current: Path, form: str, output: Path | None, columns: str, level: float, psi_floor: float
) -> None:
    """Compare a table with a reference: .parquet or .csv; a reference also .json, as `tenure monitor profile` makes it.

    Exit status 0: nothing drifted. 1: a column drifted or broke the schema. 2: it could not be told.
    """
    try:
        found = _compared(reference, current, columns, level, psi_floor)
        _write(_as(form, found), output)
    except (TenureError, OSError) as problem:
        _fail(problem)
    sys.exit(DRIFTED if found.has_drifted() else 0)


@command.command("profile")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The .json file to write; else it is printed.")
@click.option("--texts", default="", help="Columns that are free texts, with commas between them.")
def profile(file: Path, output: Path | None, texts: str) -> None:
    """Take a table's profile, to compare later tables with: counts, nothing of single rows.

    Exit status 2: it failed.
    """
    import msgspec

    from tenure.sdk import tables

    try:
        with _progress(f"Profiling {file.name}") as bar:
            made = tables.profile_of_file(file, _names(texts), bar.show)
        _write(msgspec.json.encode(made).decode(), output)
    except (TenureError, OSError) as problem:
        _fail(problem)
    if output is not None:
        click.echo(f"{made.rows:,} rows in {len(made.columns)} columns: {output}", err=True)


def _compared(reference: Path, current: Path, columns: str, level: float, psi_floor: float) -> Comparison:
    from tenure.monitor import comparing

    with _progress(f"Profiling {reference.name}") as bar:
        known = comparing.reference_of(reference, _names(columns), bar.show)
    with _progress(f"Comparing {current.name}") as bar:
        return comparing.compare(known, current, level=level, psi_floor=psi_floor, progress=bar.show)


def _as(form: str, found: Comparison) -> str:
    if form == "html":
        from tenure.web import comparison

        return comparison.page(found)
    if form == "json":
        import msgspec

        bare = [msgspec.structs.replace(one, reference=None, current=None) for one in found.columns]
        return msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(found, columns=bare)), indent=2).decode()
    return _table(found)


def _table(found: Comparison) -> str:
    from rich.console import Console
    from rich.table import Table

    head = f"{found.current}, {found.rows:,} rows, beside {found.reference.name}, {found.rows_reference:,} rows"
    table = Table(title=head, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in ("column", "state", "PSI", "excess", "q", "KS", "χ²", "V", "missing", "unseen", ""):
        table.add_column(name, overflow="fold", justify="left" if name in ("column", "state", "") else "right")
    for one in found.columns:
        table.add_row(*_row(one))
    is_terminal = sys.stdout.isatty()
    drawn = StringIO()
    console = Console(file=drawn, width=None if is_terminal else SCRIPT_WIDTH, force_terminal=is_terminal)
    console.print(table, soft_wrap=True)
    if found.added:
        console.print(f"Columns that the reference does not have: {', '.join(found.added)}.", markup=False)
    if found.left_out:
        console.print(f"Not compared, of a type that is not counted: {', '.join(found.left_out)}.", markup=False)
    return drawn.getvalue().rstrip("\n")


def _row(one: ColumnComparison) -> list[Any]:
    from rich.markup import escape

    state = LOOKS.get(one.state, "too few rows")
    shares = [f"{one.null_share:.1%}", _share(one.new_level_share if one.ks is None else one.outside_share)]
    if one.state == "breach" or (one.reference is not None and one.reference.measure == "moment"):
        return [escape(one.column), state, *["–"] * 6, *shares, escape(one.told)]
    ks = "–" if one.ks is None else f"{one.ks:.3f}"
    figures = [f"{one.psi:.3f}", f"{one.psi_excess:.3f}", f"{one.q_value:.2g}", ks]
    figures += [f"{one.chi_squared:.1f}", f"{one.cramers_v:.3f}"]
    return [escape(one.column), state, *figures, *shares, escape(one.told)]


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")


def _names(said: str) -> list[str]:
    return [name.strip() for name in said.split(",") if name.strip()]


def _fail(problem: Exception) -> None:
    click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    where = f" (at {problem.where})" if isinstance(problem, TenureError) and problem.where else ""
    click.echo((problem.message if isinstance(problem, TenureError) else str(problem)) + where, err=True)
    sys.exit(FAILED)


def _progress(what: str) -> _Bar | _NoBar:
    return _Bar(what) if sys.stderr.isatty() else _NoBar()


class _NoBar:
    """Where nobody looks nothing is drawn, and what draws is not loaded."""

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, rows: int, total: int | None) -> None:
        pass


class _Bar:
    """Rows done and rows per second, on the terminal."""

    def __init__(self, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows, {task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("rows", total=None, rate="")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, rows: int, total: int | None) -> None:
        rate = f"{rows / max(time.monotonic() - self._began, 1e-9):,.0f} a second"
        self._progress.update(self._task, completed=rows, total=total, rate=rate)
