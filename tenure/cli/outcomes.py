"""`tenure outcome …`"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import Verbs, server_option, show
from tenure.errors import InvalidInput

ARROW = "application/vnd.apache.arrow.stream"
AT_ONCE = 1024 * 1024
ROWS_AT_ONCE = 32_768
ENDINGS = (".csv", ".parquet", ".arrows")
valid_option = click.option("--valid", is_flag=True, help="Store the rows that fit when others do not.")


@click.group("outcome", cls=Verbs)
def command() -> None:
    """Outcomes: what really happened; and overrides: what a person decided instead of the model."""


@command.command("upload")
@click.argument("endpoint")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--overrides", is_flag=True, help="The rows are overrides, with a column `reason`.")
@valid_option
@server_option
def upload(endpoint: str, file: Path, overrides: bool, valid: bool, client: Any, as_json: bool) -> None:
    """Upload outcomes from a .csv, .parquet or .arrows file of any length.

    Its columns are `value`, `prediction_id` or `reference`, and perhaps `event_time`. To upload a file again changes
    nothing, so an upload that broke off may be repeated.
    """
    content, chunks = sent(file)
    path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/{'overrides' if overrides else 'outcomes'}"
    told = client.send_file("POST", path, chunks, content, {"accept": "valid" if valid else "all"})
    show(told, as_json, ["accepted", "refused"], [(told["accepted"], told["refused"])])
    for problem in [] if as_json else told["problems"]:
        click.echo(f"{problem['where']}: {problem['message']}", err=True)


@command.command("override")
@click.argument("endpoint")
@click.argument("prediction")
@click.argument("value", type=float)
@click.option("--reason", required=True, help="Why the decision differs.")
@click.option("--decided-by", help="Who decided; you, when nobody is named.")
@click.option("--reference", is_flag=True, help="PREDICTION is the caller's reference and no prediction id.")
@server_option
def override(
    endpoint: str,
    prediction: str,
    value: float,
    reason: str,
    decided_by: str | None,
    reference: bool,
    client: Any,
    as_json: bool,
) -> None:
    """Tell that a person decided VALUE instead of what the model said."""
    named = "reference" if reference else "prediction_id"
    given = {named: prediction, "value": value, "reason": reason, "decided_by": decided_by}
    told = client.post(f"/api/v1/endpoints/{quote(endpoint, safe='')}/overrides", {"overrides": [given]})
    show(told, as_json, ["accepted"], [(told["accepted"],)])


def sent(file: Path) -> tuple[str, Iterator[bytes]]:
    """How a file is sent, piece by piece: Parquet, which cannot be read before it is whole, as a stream of its rows."""
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise InvalidInput(f"The file must end in {', '.join(ENDINGS)}. Got {file.name!r}.")
    if ending == ".parquet":
        return ARROW, _streamed(file)
    return "text/csv" if ending == ".csv" else ARROW, _pieces(file)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(AT_ONCE):
            yield piece


def _streamed(file: Path) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces = _Pieces()
    try:
        with pq.ParquetFile(file, pre_buffer=False) as opened:  # else all that was read stays in memory
            with pa.ipc.new_stream(pa.PythonFile(pieces, mode="w"), opened.schema_arrow) as stream:
                for batch in opened.iter_batches(ROWS_AT_ONCE):
                    stream.write_batch(batch)
                    yield pieces.taken()
            yield pieces.taken()
    except (pa.ArrowException, OSError) as problem:
        raise InvalidInput(f"{file} cannot be read as Parquet: {problem}.") from None


class _Pieces(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._held.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        held, self._held = self._held, []
        return b"".join(held)
