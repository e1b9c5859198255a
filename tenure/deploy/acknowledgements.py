"""Which gateways route by an epoch already: asked of what each says about itself."""

from __future__ import annotations

import time
from pathlib import Path

from tenure.deploy import routing as made
from tenure.records.kills import Kill, Taken
from tenure.serving import routing
from tenure.store.ground import Ground

LOOK_S = 0.02
WITHIN_S = 3.0


def taken(ground: Ground, kill: Kill) -> Taken:
    """Publish a kill or its end, and wait until every live gateway has taken it up, for 3 s at most."""
    made.publish(ground)
    epoch = ground.database.read(made.epoch)
    told, late = wait(ground.settings.folder, epoch, seconds=WITHIN_S)
    return Taken(kill=kill, epoch=epoch, acknowledged=told, waiting=late)


def wait(folder: Path, epoch: int, *, seconds: float) -> tuple[list[str], list[str]]:
    """The gateways that have taken up the epoch or a later one, and those that had not within so many seconds.

    Returns as soon as all have. A gateway that died meanwhile is in neither list.
    """
    deadline = time.monotonic() + seconds
    while True:
        statuses = routing.read_statuses(folder)
        late = [status.gateway for status in statuses if status.epoch < epoch]
        if not late or time.monotonic() > deadline:
            return [status.gateway for status in statuses if status.epoch >= epoch], late
        time.sleep(LOOK_S)
