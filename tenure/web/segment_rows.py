"""The rows behind a weak segment of a window."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.records.people import Permission, Principal
from tenure.records.weaknesses import LOSSES
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.cells import cell
from tenure.web.page import show

SHOWN = 100


@get(
    "/endpoints/{name:str}/segments/{start_at:int}/{version:int}/{role:str}/{number:int}",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(
    ground: Ground, principal: Principal, name: str, start_at: int, version: int, role: str, number: int
) -> Response[str]:
    """The first rows of a segment, with the columns that define it and no other, and the query that finds them all."""
    from tenure.monitor import segment_rows  # here, since it brings scipy

    found = segment_rows.behind(ground, name, start_at, version, role, number)
    columns = list(found.rows.columns)
    rows = [
        {
            "prediction_id": found.rows.prediction_id[place],
            "event_at": int(found.rows.event_at[place]),
            "score": cell(float(found.rows.score[place])),
            "outcome": cell(float(found.rows.y[place])),
            "values": [cell(found.rows.columns[column].tolist()[place]) for column in columns],
        }
        for place in range(min(len(found.rows), SHOWN))
    ]

    def load(tx: Transaction) -> dict[str, Any]:
        return {
            "endpoint": endpoints.get(tx, name),
            "segment": found.segment,
            "window": found.window,
            "columns": columns,
            "rows": rows,
            "count": len(found.rows),
            "query": found.query,
            "losses": LOSSES,
        }

    return show(ground, principal, "segment_rows.html", load, current="models")


handlers = [page]
