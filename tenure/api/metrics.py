"""Control's figures for Prometheus; the gateway tells its own on its port."""

from __future__ import annotations

from litestar import Response, get
from litestar.datastructures import State

from tenure.monitor import progress
from tenure.records.people import Permission
from tenure.serving.exposition import CONTENT_TYPE, Page
from tenure.serving.journal import Journal
from tenure.serving.metrics import add_journal, add_process
from tenure.store.ground import Ground


@get("/metrics", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def metrics(ground: Ground, state: State) -> Response[bytes]:
    """How far the journal is taken in, what control journaled, and what it takes of the machine."""
    told = Page()
    waiting, lag_s = progress.backlog(ground)
    told.add("tenure_intake_waiting_bytes", "gauge", "Bytes of the journal that are not in the lake.", [({}, waiting)])
    told.add(
        "tenure_intake_lag_seconds",
        "gauge",
        "Seconds since the oldest segment that is not in the lake was written to.",
        [({}, lag_s)],
    )
    journal: Journal | None = state.get("journal_of_control")
    if journal is not None:
        add_journal(told, journal.figures, "control")
    add_process(told, "control")
    return Response(told.text(), headers={"content-type": CONTENT_TYPE})


handlers = [metrics]
