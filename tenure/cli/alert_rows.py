"""`tenure monitor rows`: the rows behind an alert, to look at closely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import server_option


@click.command("rows")
@click.argument("alert_id")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The file: .parquet or .csv.")
@click.option("--sql", is_flag=True, help="Print the query alone, to be run by DuckDB in the data folder's lake/.")
@server_option
def rows(alert_id: str, output: Path | None, sql: bool, client: Any, as_json: bool) -> None:
    """The rows behind an alert, as a file, and the query that gives them.

    Without --output the query is shown. Columns that are protected are left out for whoever may not see them.
    """
    query = client.get(f"/api/v1/alerts/{alert_id}/query")
    if as_json or (sql and output is None):
        from tenure.cli.asking import show

        click.echo(query["sql"]) if not as_json else show(query, as_json)
        return
    click.echo(f"-- {query['what']}; {query['files']} files of the lake")
    click.echo(query["sql"])
    if output is None:
        return
    form = output.suffix.lower().removeprefix(".")
    if form not in ("parquet", "csv"):
        raise click.UsageError(f"--output must end in .parquet or .csv. Got {output.name!r}.")
    size = 0
    with output.open("wb") as file:
        for part in client.download(f"/api/v1/alerts/{alert_id}/rows", {"form": form}):
            size += file.write(part)
    click.echo(f"-- {size:,} bytes written to {output}")
