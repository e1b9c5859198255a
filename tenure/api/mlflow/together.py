"""Small writes of one turn of the event loop share a transaction: what many connections send is committed once.

The first of a turn is written at once: a training loop that waits for every answer has nobody to wait for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tenure.store.database import Database, Outcome, Work


class Together:
    """Gathers the writes that a turn brings, and runs them before the next turn when nobody else is writing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn_began = False
        self._gathered: list[tuple[Work[Any], asyncio.Future[Outcome | None]]] = []

    async def write(self, work: Work[Any]) -> Any:
        """The work's answer, after the commit. Work of a few rows only: it runs on the event loop."""
        if self._turn_began:
            told: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
            self._gathered.append((work, told))
            outcome = await told
        else:
            outcome = self.write_now(work)
        if outcome is None:  # it would have had to wait, which the loop must not
            return await asyncio.wrap_future(self._database.submit(work))
        if outcome.failure is not None:
            raise outcome.failure
        return outcome.answer

    def write_now(self, work: Work[Any]) -> Outcome | None:
        """What became of the first work of a turn; None, with nothing done, for what has to wait."""
        if self._turn_began:
            return None
        self._turn_began = True
        asyncio.get_running_loop().call_soon(self._end_turn)
        outcomes = self._database.write_now((work,))
        return outcomes[0] if outcomes else None

    def _end_turn(self) -> None:
        self._turn_began = False
        if not self._gathered:
            return
        gathered, self._gathered = self._gathered, []
        outcomes = self._database.write_now([work for work, _ in gathered])
        for place, (_, told) in enumerate(gathered):
            if not told.cancelled():
                told.set_result(outcomes[place] if outcomes else None)
