"""`tenure demo`."""

from __future__ import annotations

import sys

import click


@click.command("demo")
@click.option("--fast", is_flag=True, help="Replay a sample of about 40,000 flights (about two minutes).")
@click.option("--until", type=click.IntRange(2, 12), default=12, help="The month to end with.  [default: 12]")
@click.option("--no-keep", is_flag=True, help="End after the table, for scripts; else the server stays until Ctrl-C.")
@click.option("--data", help="Folder for the server's data.  [default: a new temporary folder]")
@click.option("--port", type=click.IntRange(1, 65534), help="Port of the server; the next one scores.  [default: free]")
def command(fast: bool, until: int, no_keep: bool, data: str | None, port: int | None) -> None:
    """Take a model through its whole life on the 336,688 flights that left New York in 2013.

    Exit status 0 means that every step really happened; for that, the year must last until August.
    """
    from rich.console import Console

    from tenure.demo import story

    console = Console()
    try:
        story.tell(fast=fast, until=until, keep=not no_keep, data=data, port=port, console=console)
    except KeyboardInterrupt:
        console.print("\nstopped before the end")
        sys.exit(130)
