"""What happens as time passes, as one readable story.

The worker looks at what has arrived, again and again: it takes the journal in, joins outcomes to predictions,
judges the windows that are due, looks at error budgets once a minute, opens and resolves alerts, moves every retraining
one step on, has versions in service compiled, has people told of alerts, sends the messages that wait in the outbox and
what endpoints export, and signs a checkpoint of the audit log from time to time.
Each step is safe to be killed in: what it had not committed it does again.
Where nothing happens it only asks whether something was committed or journaled, and looks at all of it once a second.
Under load, when something is journaled all the time, it takes that in; everything else waits for a commit of somebody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from tenure.records.base import Instant
from tenure.store.ground import Ground

log = logging.getLogger("tenure.worker")
Step = Callable[[Ground, Instant], bool]
QUIET_AFTER_S = 5.0
QUIET_LOOK_S = 1.0


class Lull:
    """Tells which looks can be left out because nothing happens: a look is some twenty statements, five times a second.

    After five seconds without anything to do, a look is due when somebody has committed or journaled since the last
    one, and once a second for what only waits for time to pass: a retry, a lease, the end of a job.
    """

    def __init__(self, news: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._news = news
        self._clock = clock
        self._moved_at = self._looked_at = clock()
        self._seen: object = None

    def due(self) -> bool:
        """Whether to look now; what comes from now on is news at the next time."""
        now = self._clock()
        if now - self._moved_at < QUIET_AFTER_S:
            return True
        try:
            found = self._news()
        except Exception:  # a look tells what is wrong
            return True
        if found == self._seen and now - self._looked_at < QUIET_LOOK_S:
            return False
        self._seen, self._looked_at = found, now
        return True

    def looked(self, moved: bool) -> None:
        """A look is over; `moved`: there was something to do."""
        if moved:
            self._moved_at = self._clock()


class Look:
    """Steps that are taken together, and the lull in which they are left out."""

    def __init__(self, lull: Lull, steps: Sequence[Step]) -> None:
        self._lull = lull
        self._steps = steps

    def when_due(self, ground: Ground) -> bool:
        """Take every step if a look is due; whether one of them found something to do. One that fails is logged."""
        if not self._lull.due():
            return False
        moved = False
        for step in self._steps:
            try:
                moved = step(ground, ground.clock()) or moved
            except Exception:
                log.exception("the worker's step %s failed; it is tried again", step.__module__)
        self._lull.looked(moved)
        return moved


def run(ground: Ground, stopping: threading.Event) -> None:
    """Look at what has arrived until told to stop. A failing step is logged and tried again at the next look."""
    from tenure.deploy import compiling
    from tenure.integrate import deliveries, exports
    from tenure.integrate.notices import NoticeSender
    from tenure.manage import checkpoints
    from tenure.monitor import burning, intake, notices, segments, watch
    from tenure.retrain import jobs, loop

    runner, sender, compiler = jobs.Runner(), deliveries.Sender(), compiling.Compiler()
    notifier, watcher, pace = NoticeSender(), burning.Watcher(), intake.Pace()
    teller, keeper, exporter = segments.Teller(), checkpoints.Keeper(), exports.Exporter()

    def take_in(ground: Ground, now: Instant) -> bool:
        return intake.take_in(ground, now, exporter, pace)

    inflow = Look(Lull(lambda: intake.journaled(ground)), [take_in])
    others = Look(
        Lull(ground.database.committed),  # so also when something was taken in
        [
            watch.judge_due,
            watcher.look_due,
            loop.advance,
            runner.run_waiting,
            compiler.compile_waiting,
            notices.tell_due,
            sender.send_due,
            notifier.send_due,
            exporter.send_due,
            teller.tell_due,
            keeper.keep_due,
        ],
    )
    while not stopping.is_set():
        moved = [look.when_due(ground) for look in (inflow, others)]
        if not any(moved):
            stopping.wait(ground.settings.worker_tick_ms / 1000)
    runner.stop(ground, ground.clock())
    compiler.stop(ground, ground.clock())
    sender.stop(ground, ground.clock())
    notifier.stop(ground, ground.clock())
    exporter.stop(ground, ground.clock())
