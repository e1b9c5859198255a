"""How a command asks a running server, and how it shows what came back."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from tenure.errors import InvalidInput
from tenure.sdk.client import Client

Row = Sequence[Any]
SCRIPT_WIDTH = 200


class Verbs(click.Group):
    """A noun's commands, each with the whole first sentence of its help: click would cut it off in the middle."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=SCRIPT_WIDTH)) for name, one in found if one])


def server_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `client` (from --url and --token) and `as_json` (from --json)."""

    @click.option("--url", envvar="TENURE_URL", default="http://127.0.0.1:5000", show_default=True, help="The server.")
    @click.option("--token", envvar="TENURE_TOKEN", default=None, help="A token to show.", show_envvar=False)
    @click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for scripts.")
    @functools.wraps(command)
    def asking(*args: Any, url: str, token: str | None, **given: Any) -> Any:
        with Client(url, token=token) as client:
            return command(*args, client=client, **given)

    return asking


def show(answer: Any, as_json: bool, columns: Sequence[str] = (), rows: Sequence[Row] = (), title: str = "") -> None:
    """Print rows as a table, or the whole answer as JSON."""
    if as_json:
        json.dump(answer, sys.stdout, indent=2)
        click.echo()
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")  # an id that is cut off could not be copied
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=SCRIPT_WIDTH)
    console.print(table if rows else f"{title or 'Answer'}: nothing there.", soft_wrap=True)


def when(instant: int | None) -> str:
    """An instant (µs UTC) as `2013-02-01 05:00`."""
    from tenure.records.base import moment_of

    return f"{moment_of(instant):%Y-%m-%d %H:%M}" if instant else ""


def number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def kind_of(file: Path) -> str:
    """The content type of a table by its file's ending. Raises InvalidInput for another than .csv and .parquet."""
    kinds = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet"}
    if file.suffix.lower() not in kinds:
        raise InvalidInput(f"The file must end in {' or '.join(kinds)}. Got {file.name!r}.")
    return kinds[file.suffix.lower()]
