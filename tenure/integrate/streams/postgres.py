"""A table of Postgres as a queue, and another for answers.

What is taken is locked by an open transaction (`FOR UPDATE SKIP LOCKED`), so several consumers share a queue, and what
a killed one had taken is free at once. Where answers go to the same database, they are written and their messages are
removed in one transaction: either both happened, or neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from tenure.errors import TenureError
from tenure.integrate.streams.places import Place, Sink
from tenure.records.base import instant_of
from tenure.records.streams import Settled, Taken
from tenure.store import queues


class PostgresSource:
    """Messages of a table, the oldest first."""

    ends = False

    def __init__(self, place: Place, *, prepare: bool) -> None:
        self.place = place
        self._table = queues.queue(place.name)
        self._engine = _opened(place, [self._table], prepare)
        self._tx: sa.Connection | None = None

    def take(self, limit: int) -> list[Taken]:
        with queues.naming_failures(self.place.shown):
            self._tx = self._engine.connect()
            rows = queues.take(self._tx, self._table, limit)
        if not rows:
            self.give_back()
        return [Taken(mark=one, key=key, payload=payload, at=instant_of(at)) for one, key, payload, at in rows]

    def settle(self, taken: Sequence[Taken], settled: Settled, sink: Sink) -> None:
        assert self._tx is not None
        with queues.naming_failures(self.place.shown):
            if isinstance(sink, PostgresSink) and sink.place.url == self.place.url:
                sink.write_in(self._tx, settled)
            else:
                sink.write(settled)
            queues.remove(self._tx, self._table, [one.mark for one in taken])
            self._tx.commit()
        self._tx.close()
        self._tx = None

    def give_back(self) -> None:
        """Unlock what was taken."""
        if self._tx is not None:
            self._tx.close()
            self._tx = None

    def lag(self) -> int | None:
        try:
            with queues.naming_failures(self.place.shown), self._engine.connect() as tx:
                return queues.waiting(tx, self._table)
        except TenureError:
            return None

    def close(self) -> None:
        self.give_back()
        self._engine.dispose()


class PostgresSink:
    """Answers in a table, one for each endpoint and key; what cannot be scored in another."""

    def __init__(self, place: Place, dead: Place, endpoint: str, *, prepare: bool) -> None:
        self.place = place
        self._endpoint = endpoint
        self._answers, self._dead = queues.answers(place.name), queues.dead(dead.name)
        self._engine = _opened(place, [self._answers, self._dead], prepare)

    def known(self, keys: Sequence[str]) -> set[str]:
        with queues.naming_failures(self.place.shown), self._engine.connect() as tx:
            return queues.keys_among(tx, self._answers, self._endpoint, keys)

    def write(self, settled: Settled) -> None:
        with queues.naming_failures(self.place.shown), self._engine.begin() as tx:
            self.write_in(tx, settled)

    def write_in(self, tx: sa.Connection, settled: Settled) -> None:
        """Write as part of a transaction that its owner commits."""
        queues.add_answers(tx, self._answers, settled.answers)
        queues.add_dead(tx, self._dead, settled.dead)

    def close(self) -> None:
        self._engine.dispose()


def _opened(place: Place, tables: Sequence[sa.Table], prepare: bool) -> sa.Engine:
    engine = queues.engine_of(place.url)
    try:
        with queues.naming_failures(place.shown), engine.begin() as tx:
            for table in tables:
                queues.check(tx, table, prepare=prepare)
    except BaseException:
        engine.dispose()
        raise
    return engine
