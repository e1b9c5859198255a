"""How far the server has come with an endpoint."""

from __future__ import annotations

from tenure.deploy import endpoints
from tenure.monitor.intake import bytes_waiting
from tenure.records.windows import Progress
from tenure.store import lake_files, outcomes, retraining_runs, watermarks
from tenure.store.ground import Ground


def of(ground: Ground, endpoint: str) -> Progress:
    """How far the server has come with an endpoint, in event time. Raises NotFound.

    A client that replays the past waits after what it sent up to event time T until `journal_bytes_waiting` is 0
    and `monitored_until` has reached the start of the window that holds T: then every window before it is judged,
    with all outcomes that were sent. A window that must be judged again holds `monitored_until` back.
    """
    with ground.database.reading() as tx:
        endpoints.get(tx, endpoint)
        # Bytes first: what is taken in between the two looks is then seen by the second.
        waiting = bytes_waiting(ground, tx)
        mark = watermarks.get(tx, endpoint)
        changed = watermarks.marked_days(tx, endpoint, mark.monitored_until) if mark else []
        monitored = mark.monitored_until if mark else 0
        rows = lake_files.row_counts(tx, endpoint)
        under_way = retraining_runs.under_way(tx, endpoint)
        return Progress(
            endpoint=endpoint,
            received_until=mark.received_until if mark else 0,
            monitored_until=min([monitored, *(day for day, _ in changed[:1])]),
            outcomes_until=mark.outcomes_until if mark else 0,
            predictions=rows.get("predictions", 0),
            outcomes=rows.get("outcomes", 0),
            outcomes_waiting=outcomes.waiting_count(tx, endpoint),
            outcomes_conflicting=outcomes.refused_count(tx, endpoint),
            journal_bytes_waiting=waiting,
            retraining=under_way.state if under_way else None,
        )
