"""Control's figures for Prometheus; the gateway tells its own on its port."""

from __future__ import annotations

from litestar import Response, get
from litestar.datastructures import State

from tenure.monitor import progress, service_levels
from tenure.records.exports import Export
from tenure.records.people import Permission
from tenure.serving.exposition import CONTENT_TYPE, Page
from tenure.serving.journal import Journal
from tenure.serving.metrics import add_journal, add_process
from tenure.store import alerts, endpoints, exports, outbox
from tenure.store.ground import Ground


@get("/metrics", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def metrics(ground: Ground, state: State) -> Response[bytes]:
    """How far the journal is taken in, which alerts there are, what leaves for others, what control takes."""
    told = Page()
    waiting, lag_s = progress.backlog(ground)
    told.add("tenure_intake_waiting_bytes", "gauge", "Bytes of the journal that are not in the lake.", [({}, waiting)])
    told.add(
        "tenure_intake_lag_seconds",
        "gauge",
        "Seconds since the oldest segment that is not in the lake was written to.",
        [({}, lag_s)],
    )
    open_alerts, messages, exported = ground.database.read(
        lambda tx: (alerts.counts(tx), outbox.counts(tx), exports.all_of(tx))
    )
    told.add(
        "tenure_alerts",
        "gauge",
        "Alerts that are not over, by state and severity.",
        [({"endpoint": name, "state": state, "severity": grave}, n) for name, state, grave, n in open_alerts],
    )
    _add_objectives(told, ground)
    told.add(
        "tenure_outbox_messages",
        "gauge",
        "Messages of the outbox, by what they are for and their state; settled ones until they are forgotten.",
        [({"channel": channel, "state": state}, n) for channel, state, n in messages],
    )
    told.add(
        "tenure_export_events",
        "gauge",
        "Events of an endpoint's export, by what became of them since it was set.",
        [
            ({"endpoint": name, "state": state}, n)
            for name, (export, _) in sorted(exported.items())
            for state, n in _states_of(export).items()
        ],
    )
    journal: Journal | None = state.get("journal_of_control")
    if journal is not None:
        add_journal(told, journal.figures, "control")
    add_process(told, "control")
    return Response(told.text(), headers={"content-type": CONTENT_TYPE})


def _add_objectives(told: Page, ground: Ground) -> None:
    """What is left of each error budget, and how fast it burns in each window of the rules that alarms go by."""
    now = ground.clock()
    standing = ground.database.read(
        lambda tx: [
            ({"endpoint": one.name, "objective": budget.objective}, budget)
            for one in endpoints.list_all(tx)
            for budget in service_levels.budgets(tx, one.name, now)
        ]
    )
    told.add(
        "tenure_slo_budget_remaining",
        "gauge",
        "What is left of an error budget: 1 is all of it, 0 nothing, below 0 more than all was spent.",
        [(labels, budget.remaining) for labels, budget in standing],
    )
    told.add(
        "tenure_slo_burn_rate",
        "gauge",
        "How many times as fast as an error budget lasts it was spent in a window.",
        [
            ({**labels, "window": _window(minutes)}, rate)
            for labels, budget in standing
            for minutes, rate in service_levels.rates(budget).items()
        ],
    )


def _window(minutes: int) -> str:
    """
    >>> [_window(n) for n in (5, 30, 60, 4320)]
    ['5m', '30m', '1h', '3d']
    """
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 1440 else f"{minutes // 1440}d"


def _states_of(export: Export) -> dict[str, int]:
    return {"waiting": export.waiting, "sent": export.sent, "failed": export.failed, "dropped": export.dropped}


handlers = [metrics]
