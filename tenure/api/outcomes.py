"""Routes about outcomes."""

from __future__ import annotations

import threading

from litestar import Request, post
from litestar.datastructures import State

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.errors import InvalidInput
from tenure.monitor import outcomes, uploads
from tenure.monitor.outcomes import OUTCOMES_NAME
from tenure.monitor.progress import journal_folder
from tenure.records.outcomes import OutcomeBatch, OutcomesAccepted
from tenure.records.people import Permission, Principal
from tenure.serving.journal import Journal
from tenure.store.ground import Ground

JSON, CSV = "application/json", "text/csv"
PARQUET = "application/vnd.apache.parquet"
_opening = threading.Lock()


@post(
    "/api/v1/endpoints/{name:str}/outcomes",
    permission=Permission.OUTCOME,
    subject=ENDPOINT,
    sync_to_thread=True,
    status_code=200,
)
def accept_outcomes(
    name: str, body: bytes, request: Request[object, object, State], ground: Ground, principal: Principal
) -> OutcomesAccepted:
    """Tell what became of predictions: JSON, or a file as `text/csv` or `application/vnd.apache.parquet`.

    What is answered is on disk. Whether each outcome found its prediction shows in the endpoint's progress.
    """
    ground.database.read(lambda tx: endpoints.get(tx, name))
    batch = _batch(body, request.headers.get("content-type", JSON), ground.settings.max_rows)
    return outcomes.accept(
        journal_of(request.app.state, ground),
        name,
        batch,
        by=principal.name,
        now=ground.clock(),
        max_rows=ground.settings.max_rows,
    )


def journal_of(state: State, ground: Ground) -> Journal:
    """This process's journal of outcomes, opened when the first ones come."""
    with _opening:
        journal: Journal | None = state.get("outcome_journal")
        if journal is None:
            told = ground.settings
            journal = Journal(
                journal_folder(ground), OUTCOMES_NAME, told.segment_seal_s, told.segment_max_mib, told.journal_fsync
            )
            state["outcome_journal"] = journal
    return journal


def _batch(body: bytes, content_type: str, max_rows: int) -> OutcomeBatch:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return outcomes.parse(body)
    if kind == CSV:
        return uploads.from_csv(body, max_rows)
    if kind == PARQUET:
        return uploads.from_parquet(body, max_rows)
    raise InvalidInput(f"The content type must be {JSON}, {CSV} or {PARQUET}. Got {kind!r}.", where="content-type")


handlers = [accept_outcomes]
