"""`tenure stream …`"""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tenure.cli.asking import Verbs, server_option

if TYPE_CHECKING:
    from tenure.records.streams import Stream

GIVEN = ("endpoint", "source", "sink", "dead", "batch", "metrics")


@click.group("stream", cls=Verbs)
def command() -> None:
    """Streams: score what flows from a source to a sink, docs/streams.md."""


def stream_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `stream`, from a file, from options, or from both."""

    @click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--endpoint", help="Where the rows are scored.")
    @click.option("--source", help="postgresql://…#table, redis://…#stream, a file of JSON lines, or -.")
    @click.option("--sink", help="The same, for answers.")
    @click.option("--dead", help="For messages that cannot be scored.  [default: beside the answers]")
    @click.option("--batch", type=int, help="How many messages a request may hold.  [default: 256]")
    @click.option("--metrics", help="A file for counters in Prometheus' text form.")
    @functools.wraps(command)
    def streaming(*args: Any, file: Path | None, **given: Any) -> Any:
        told = {name: given.pop(name) for name in GIVEN}
        return command(*args, stream=_stream(file, told), **given)

    return streaming


@command.command("run")
@stream_options
@click.option("--until-empty", is_flag=True, help="End when nothing waits any more.")
@click.option("--scoring-url", envvar="TENURE_SCORING_URL", help="The gateway.  [default: as the server says]")
@server_option
def run(stream: Stream, until_empty: bool, scoring_url: str | None, client: Any, as_json: bool) -> None:
    """Score messages as they come, until Ctrl-C: the batch at hand is finished then. FILE is YAML.

    Several may run at once on one Postgres or Redis.
    """
    import logging

    import msgspec

    from tenure.integrate.streams.consumer import Consumer
    from tenure.integrate.streams.places import open_both
    from tenure.integrate.streams.progress import Progress
    from tenure.integrate.streams.scoring import Scorer
    from tenure.records.streams import Counts

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    if scoring_url:
        client.scoring_url = scoring_url
    source, sink = open_both(stream)
    try:
        counts = Counts()
        progress = Progress(stream.endpoint, counts, source.lag, metrics=stream.metrics)
        consumer = Consumer(stream, source, sink, Scorer(client, stream.endpoint), counts, progress.tell)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: consumer.stop())
        try:
            consumer.run(until_empty=until_empty)
        finally:
            progress.end()
    finally:
        source.close()
        sink.close()
    if as_json:
        click.echo(msgspec.json.encode(counts).decode())


@command.command("prepare")
@stream_options
def prepare(stream: Stream) -> None:
    """Make the tables, or the group of a Redis stream, that a stream needs and that are not there yet."""
    from tenure.integrate.streams.places import open_both

    source, sink = open_both(stream, prepare=True)
    source.close()
    sink.close()
    click.echo("The source and the sink are ready.")


def _stream(file: Path | None, given: dict[str, Any]) -> Stream:
    from tenure.errors import InvalidInput
    from tenure.records import parsing, yaml_text
    from tenure.records.streams import Stream

    named = "The stream's file"
    text = file.read_text() if file else ""
    declared = yaml_text.mapping(text, named=named, such_as="endpoint, source and sink") if file else {}
    declared |= {name: value for name, value in given.items() if value is not None}
    missing = [name for name in ("endpoint", "source", "sink") if name not in declared]
    if missing:
        raise InvalidInput(f"A stream must name its {' and '.join(missing)}, in its file or by --{missing[0]}.")
    try:
        return parsing.parse(declared, Stream, named=named)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, where=yaml_text.placed(text, problem.where)) from None
