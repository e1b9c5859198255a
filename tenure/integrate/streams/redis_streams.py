"""Redis streams, read by a consumer group.

What is taken stays pending until it is acknowledged; what a dead consumer had taken is claimed by another after
`claim_after_s`. The sink remembers each key for `remember_hours`, and adds an answer only where the key is new, in one
script; where source and sink are one Redis, answers and acknowledgements happen in one transaction.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from tenure.errors import InvalidInput, Unavailable
from tenure.integrate.streams.places import Place, Sink
from tenure.records.base import iso
from tenure.records.streams import Settled, Stream, Taken

KEY, MESSAGE, ANSWER = b"key", b"message", b"answer"
TIMEOUT_S = 10
ADD_NEW = """
for i = 2, #KEYS do
  if redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1]) then
    redis.call('XADD', KEYS[1], '*', 'key', ARGV[2 * i - 2], 'answer', ARGV[2 * i - 1])
  end
end
"""
"""KEYS: the stream, then what remembers each answer's key. ARGV: seconds to remember, then key and answer of each."""


class RedisSource:
    """Messages of a stream, field `message`, with their `key`; without one the entry's id is the key."""

    ends = False

    def __init__(self, place: Place, stream: Stream) -> None:
        self.place = place
        self._redis = _connected(place)
        self._group = stream.group
        self._consumer = stream.consumer or f"{socket.gethostname()}-{os.getpid()}"
        self._idle_ms = int(stream.claim_after_s * 1000)
        self._again = True  # what this consumer's name had taken before it died comes first
        with naming_failures(place):
            self._make_group()

    def take(self, limit: int) -> list[Taken]:
        with naming_failures(self.place):
            found = self._own(limit) if self._again else []
            self._again = bool(found)
            found = found or self._new(limit) or self._abandoned(limit)
        return [self._taken(*entry) for entry in found]

    def settle(self, taken: Sequence[Taken], settled: Settled, sink: Sink) -> None:
        with naming_failures(self.place):
            pipe = self._redis.pipeline(transaction=True)
            if isinstance(sink, RedisSink) and sink.place.url == self.place.url:
                sink.write_in(pipe, settled)
            else:
                sink.write(settled)
            pipe.xack(self.place.name, self._group, *(one.mark for one in taken))
            pipe.execute()

    def give_back(self) -> None:
        """What was taken stays this consumer's, and is read again at the next look."""
        self._again = True

    def lag(self) -> int | None:
        try:
            with naming_failures(self.place):
                groups = self._redis.xinfo_groups(self.place.name)
        except (Unavailable, InvalidInput):
            return None
        mine = next((one for one in groups if one["name"] == self._group.encode()), None)
        return None if mine is None or mine.get("lag") is None else int(mine["lag"]) + int(mine["pending"])

    def close(self) -> None:
        self._redis.close()

    def _own(self, limit: int) -> list[Any]:
        return self._read("0", limit)

    def _new(self, limit: int) -> list[Any]:
        return self._read(">", limit)

    def _read(self, since: str, limit: int) -> list[Any]:
        found = self._redis.xreadgroup(self._group, self._consumer, {self.place.name: since}, count=limit)
        return list(found[0][1]) if found else []

    def _abandoned(self, limit: int) -> list[Any]:
        """What a consumer that is gone has left."""
        claimed = self._redis.xautoclaim(self.place.name, self._group, self._consumer, self._idle_ms, count=limit)
        return list(claimed[1])

    def _taken(self, mark: bytes, fields: dict[bytes, bytes] | None) -> Taken:
        held = fields or {}  # of an entry that was trimmed away meanwhile nothing is left
        otherwise = f"{self.place.name}/{mark.decode()}"
        key = held[KEY].decode("utf-8", "replace") if KEY in held else otherwise
        return Taken(mark=mark, key=key, payload=held.get(MESSAGE, b""), at=int(mark.split(b"-")[0]) * 1000)

    def _make_group(self) -> None:
        import redis

        try:
            self._redis.xgroup_create(self.place.name, self._group, id="0", mkstream=True)
        except redis.ResponseError as problem:
            if "BUSYGROUP" not in str(problem):
                raise


class RedisSink:
    """Answers in a stream, fields `key` and `answer` (JSON); what cannot be scored in another, with `message` too."""

    def __init__(self, place: Place, dead: Place, stream: Stream) -> None:
        self.place = place
        self._dead = dead.name
        self._endpoint = stream.endpoint
        self._remember_s = int(stream.remember_hours * 3600)
        self._redis = _connected(place)

    def known(self, keys: Sequence[str]) -> set[str]:
        with naming_failures(self.place):
            held = self._redis.mget([self._memory_of(key) for key in keys]) if keys else []
        return {key for key, one in zip(keys, held, strict=True) if one is not None}

    def write(self, settled: Settled) -> None:
        with naming_failures(self.place):
            pipe = self._redis.pipeline(transaction=True)
            self.write_in(pipe, settled)
            pipe.execute()

    def write_in(self, pipe: Any, settled: Settled) -> None:
        """Write as part of a transaction that its owner executes."""
        if settled.answers:
            memories = [self._memory_of(one.key) for one in settled.answers]
            told: list[Any] = []
            for one in settled.answers:
                answer = msgspec.to_builtins(one) | {"event_at": iso(one.event_at)}
                told += [one.key, msgspec.json.encode(answer)]
            pipe.eval(ADD_NEW, 1 + len(memories), self.place.name, *memories, self._remember_s, *told)
        for dead in settled.dead:
            told_of = {name: getattr(dead, name) for name in ("key", "endpoint", "code", "reason", "where")}
            pipe.xadd(self._dead, {**told_of, "message": dead.payload})

    def close(self) -> None:
        self._redis.close()

    def _memory_of(self, key: str) -> str:
        return f"{self.place.name}:known:{self._endpoint}:{key}"


@contextmanager
def naming_failures(place: Place) -> Iterator[None]:
    """Failures of Redis as ours."""
    import redis

    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError):
        raise Unavailable(f"{place.shown} does not answer. It is tried again.") from None
    except redis.ResponseError as problem:
        word = str(problem).split(" ", 1)[0]
        if word in ("LOADING", "READONLY", "OOM", "BUSY", "MISCONF", "MASTERDOWN"):
            raise Unavailable(f"{place.shown} cannot do it now ({word}). It is tried again.") from None
        raise InvalidInput(f"{place.shown} refuses what the stream asks ({word}). Is it a stream?") from None
    except redis.RedisError as problem:
        raise Unavailable(f"{place.shown} fails ({type(problem).__name__}). It is tried again.") from None


def _connected(place: Place) -> Any:
    try:
        import redis
    except ImportError:
        raise InvalidInput("Redis needs its client: pip install 'tenure[redis]'.") from None
    waits = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    try:
        return redis.Redis.from_url(place.url, protocol=2, **waits)
    except ValueError:
        raise InvalidInput("The URL of a Redis must read redis://host:6379/0, rediss://… or unix:///path.") from None
