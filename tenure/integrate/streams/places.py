"""Where messages come from and where answers go: what every source and sink can do, and how a place is written.

    postgresql://user@host/database#table      a table as a queue, or for answers
    redis://host:6379/0#stream                 a Redis stream
    rows.jsonl                                 a file of JSON lines; - is standard input or output

`$NAME` stands for the variable NAME of the environment, so that a password stands in no file and no list of processes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from tenure.errors import InvalidInput
from tenure.records.streams import Settled, Stream, Taken

VARIABLE = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)$")
POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
REDIS = ("redis", "rediss", "unix")


class Place(msgspec.Struct, frozen=True):
    """A place: of which `kind`, at which URL or path, which table or stream in it."""

    kind: str
    url: str
    name: str

    @property
    def shown(self) -> str:
        """The place without who signs in there."""
        if self.kind == "lines":
            return self.url
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}#{self.name}"


class Sink(Protocol):
    """Takes answers. Writing the same twice does no harm: the first answer of a key stands."""

    def known(self, keys: Sequence[str]) -> set[str]: ...

    def write(self, settled: Settled) -> None: ...

    def close(self) -> None: ...


class Source(Protocol):
    """Gives messages. What is taken is this consumer's until it is settled or given back, or its process dies."""

    ends: bool
    """Whether nothing more will come once nothing is there."""

    def take(self, limit: int) -> list[Taken]: ...

    def settle(self, taken: Sequence[Taken], settled: Settled, sink: Sink) -> None:
        """Have the sink write, and let go of what was taken: in one transaction where both are at one place."""

    def give_back(self) -> None: ...

    def lag(self) -> int | None:
        """How many messages wait, those that are being scored among them."""

    def close(self) -> None: ...


def place_of(told: str, environment: Mapping[str, str], where: str) -> Place:
    """A place as it is written. Raises InvalidInput, without repeating what may hold a password."""
    named = VARIABLE.match(told)
    if named and named[1] not in environment:
        raise InvalidInput(f"The variable {named[1]} must be set, since the stream names it.", where=where)
    written = environment[named[1]] if named else told
    scheme = urlsplit(written).scheme if "://" in written else ""
    if scheme in (*POSTGRES, *REDIS):
        url, _, name = written.rpartition("#")
        if not url or not name:
            raise InvalidInput("A place must end in # and the name of its table or stream.", where=where)
        return Place("postgres" if scheme in POSTGRES else "redis", url, name)
    if scheme or not written:
        raise InvalidInput(
            "A place must be postgresql://…#table, redis://…#stream, a file of JSON lines, or -.", where=where
        )
    return Place("lines", written, "")


def dead_place_of(stream: Stream, sink: Place, environment: Mapping[str, str]) -> Place:
    """Where messages go that cannot be scored: as told, else beside the answers."""
    if stream.dead:
        place = place_of(stream.dead, environment, "dead")
        if (place.kind, place.url) != (sink.kind, sink.url) and sink.kind != "lines":
            raise InvalidInput("`dead` must be another table or stream of the sink's own place.", where="dead")
        return place
    if sink.kind == "lines":
        return Place("lines", f"{sink.url}.dead" if sink.url != "-" else "-", "")
    return Place(sink.kind, sink.url, f"{sink.name}{'_dead' if sink.kind == 'postgres' else ':dead'}")


def open_both(stream: Stream, *, prepare: bool = False) -> tuple[Source, Sink]:
    """The source and the sink of a stream. `prepare`: make tables that are not there.

    Raises InvalidInput, or Unavailable where nothing answers.
    """
    environment = os.environ
    origin, goal = (place_of(getattr(stream, name), environment, name) for name in ("source", "sink"))
    dead = dead_place_of(stream, goal, environment)
    source = _open_source(stream, origin, prepare)
    try:
        return source, _open_sink(stream, goal, dead, prepare)
    except BaseException:
        source.close()
        raise


def _open_source(stream: Stream, place: Place, prepare: bool) -> Source:
    if place.kind == "postgres":
        from tenure.integrate.streams.postgres import PostgresSource

        return PostgresSource(place, prepare=prepare)
    if place.kind == "redis":
        from tenure.integrate.streams.redis_streams import RedisSource

        return RedisSource(place, stream)
    from tenure.integrate.streams.lines import LinesSource

    return LinesSource(place)


def _open_sink(stream: Stream, place: Place, dead: Place, prepare: bool) -> Sink:
    if place.kind == "postgres":
        from tenure.integrate.streams.postgres import PostgresSink

        return PostgresSink(place, dead, stream.endpoint, prepare=prepare)
    if place.kind == "redis":
        from tenure.integrate.streams.redis_streams import RedisSink

        return RedisSink(place, dead, stream)
    from tenure.integrate.streams.lines import LinesSink

    return LinesSink(place, dead)
