"""What scores in the shadow: copies of what was answered, once the answers have left. It never slows one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tenure.errors import TenureError
from tenure.serving.admissions import as_admitted
from tenure.serving.arms import Arm
from tenure.serving.columns import packed_values, scores_of
from tenure.serving.decoding import Columns
from tenure.serving.journal import Journal
from tenure.serving.lookups import Lookups
from tenure.serving.routing import place_of
from tenure.settings import Settings

if TYPE_CHECKING:
    from tenure.serving.scoring import Scored

log = logging.getLogger("tenure.gateway")


class Shadows:
    """`dropped` counts by release what was not scored."""

    def __init__(self, settings: Settings, journal: Journal, lookups: Lookups) -> None:
        self.dropped: Counter[str] = Counter()
        self._most = settings.queue_limit
        self._timeout_s = settings.scoring_timeout_s
        self._journal = journal
        self._lookups = lookups
        self._tasks: set[asyncio.Task[None]] = set()

    def mirror(self, scored: Scored) -> None:
        """Have the shadows score what was answered, now that it has left; not what the journal does not hold."""
        if scored.frame is None:
            return
        for shadow in scored.endpoint.shadows:
            mirrored = shadow.release.share
            if not 0 < mirrored < 1 or place_of("mirror", scored.answer.prediction_id) < mirrored:
                self._begin(shadow, scored)

    async def finish(self) -> None:
        """Wait for the shadows that have begun, for as long as a request may take."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout_s)

    def _begin(self, shadow: Arm, scored: Scored) -> None:
        """Have a shadow score, unless too much waits for it already: then count it as dropped."""
        if shadow.scorer.waiting >= self._most or len(self._tasks) >= self._most:
            self.dropped[shadow.release.release_id] += 1
            return
        task = asyncio.get_running_loop().create_task(self._shadow(shadow, scored))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _shadow(self, shadow: Arm, scored: Scored) -> None:
        started = time.perf_counter_ns()
        release, asked = shadow.release, scored.asked
        assert scored.frame is not None
        try:
            same = shadow.scorer.inputs == scored.arm.scorer.inputs
            columns = scored.columns
            if not same:
                columns = as_admitted(self._taken_by(shadow, scored), scored.admitted, scored.columns)
            outputs = await shadow.scorer.outputs(columns, asked.rows, asked.params)
            await self._journal.append(
                msgspec.structs.replace(
                    scored.frame,
                    release_id=release.release_id,
                    model=release.model,
                    version=release.version,
                    role="shadow",
                    columns={},
                    output=packed_values(outputs),
                    score=scores_of(outputs),
                    latency_us=(time.perf_counter_ns() - started) // 1000,
                )
            )
        except TenureError as problem:
            self.dropped[release.release_id] += 1
            log.warning("version %d was not scored in the shadow: %s", release.version, problem.message)
        except Exception:
            self.dropped[release.release_id] += 1
            log.exception("version %d was not scored in the shadow", release.version)

    def _taken_by(self, shadow: Arm, scored: Scored) -> Columns:
        """What was asked as a shadow takes it, which is not what the version that answered takes."""
        lookups = self._lookups.at(scored.endpoint.name)
        if lookups is None or scored.filled is None:
            return shadow.scorer.inputs.columns_of(scored.asked)
        return lookups.again(shadow.scorer.inputs, scored.asked, scored.filled)
