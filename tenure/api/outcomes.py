"""Routes about outcomes and overrides."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from litestar import post
from litestar.datastructures import State

from tenure.access import ENDPOINT
from tenure.api.handling import Asked
from tenure.deploy import endpoints
from tenure.errors import InvalidInput, TooLarge
from tenure.manage import tables
from tenure.monitor import outcome_classes, outcomes, uploads
from tenure.monitor.outcomes import OUTCOMES_NAME, Sending
from tenure.monitor.progress import journal_folder
from tenure.monitor.uploads import OUTCOMES, OVERRIDES
from tenure.records.outcomes import Accept, OutcomesAccepted
from tenure.records.people import Permission, Principal
from tenure.serving.journal import MIB, Journal
from tenure.store.ground import Ground

JSON = "application/json"
HELD_BYTES = 4 * MIB
_opening = threading.Lock()


@post(
    "/api/v1/endpoints/{name:str}/outcomes",
    permission=Permission.OUTCOME,
    subject=ENDPOINT,
    status_code=200,
    request_max_body_size=None,
)
async def accept_outcomes(
    name: str, request: Asked, ground: Ground, principal: Principal, accept: Accept = "all"
) -> OutcomesAccepted:
    """Tell what became of predictions: JSON, `text/csv`, `application/vnd.apache.parquet`, or a stream of
    `application/vnd.apache.arrow.stream`, which may be as long as the server's limit on files of outcomes.

    What is answered is on disk. When rows do not fit, up to 20 of them are told and nothing is stored; with
    `accept=valid` the rows that fit are stored. The same rows again change nothing. Whether each outcome found its
    prediction shows in the endpoint's progress.
    """
    return await _accept(OUTCOMES, name, request, ground, principal, accept)


@post(
    "/api/v1/endpoints/{name:str}/overrides",
    permission=Permission.OUTCOME,
    subject=ENDPOINT,
    status_code=200,
    request_max_body_size=None,
)
async def accept_overrides(
    name: str, request: Asked, ground: Ground, principal: Principal, accept: Accept = "all"
) -> OutcomesAccepted:
    """Tell what people decided instead of the model: `value`, `reason`, who (`decided_by`) and when (`event_time`).

    An override is never taken for an outcome: what really happened is told apart. It comes in the same forms.
    """
    return await _accept(OVERRIDES, name, request, ground, principal, accept)


async def _accept(
    kind: str, name: str, request: Asked, ground: Ground, principal: Principal, accept: Accept
) -> OutcomesAccepted:
    await asyncio.to_thread(ground.database.read, lambda tx: endpoints.get(tx, name))
    content = _content(request.headers.get("content-type", JSON))
    streams = content in ("csv", "arrow")
    limit = (ground.settings.max_outcomes_mib if streams else ground.settings.max_body_mib) * MIB
    with tempfile.SpooledTemporaryFile(HELD_BYTES, dir=str(ground.settings.folder)) as body:
        size = await spooled(request, cast(BinaryIO, body), limit)
        sending = Sending(endpoint=name, kind=kind, by=principal.name, now=ground.clock(), accept=accept)
        most = ground.settings.max_rows if content == "json" else uploads.MOST_ROWS_OF[content]

        def take() -> OutcomesAccepted:
            return outcomes.accept(
                lambda: journal_of(request.app.state, ground),
                sending,
                _blocks(cast(BinaryIO, body), content, kind, size, most),
                ground.settings.folder,
                lambda: ground.database.read(lambda tx: outcome_classes.classes_at(tx, name)),
            )

        return await asyncio.to_thread(take)


async def spooled(request: Asked, body: BinaryIO, limit: int) -> int:
    """Keep a body as it comes, in memory or beyond that on the disk; its size. Raises TooLarge."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(
                f"A body of this kind may have at most {limit // MIB:,} MiB. Split it into several requests; CSV and "
                "Arrow streams may be longer than other forms."
            )
        body.write(chunk)
    body.seek(0)
    return size


def _blocks(body: BinaryIO, content: str, kind: str, size: int, most_rows: int) -> Iterator[Any]:
    if content == "json":
        return uploads.from_json(body.read(), kind, most_rows)
    return uploads.from_file(body, cast(tables.Kind, content), kind, size_bytes=size, max_rows=most_rows)


def _content(content_type: str) -> str:
    told = content_type.partition(";")[0].strip().lower()
    if told == JSON:
        return "json"
    if told in tables.KINDS:
        return tables.KINDS[told]
    raise InvalidInput(
        f"The content type must be {JSON}, {', '.join(tables.KINDS)}. Got {told[:60]!r}.", where="content-type"
    )


def journal_of(state: State, ground: Ground, name: str = OUTCOMES_NAME) -> Journal:
    """This process's journal of outcomes, or of what else is uploaded, opened when the first ones come."""
    with _opening:
        kept = f"journal_of_{name}"
        journal: Journal | None = state.get(kept)
        if journal is None:
            told = ground.settings
            journal = Journal(
                journal_folder(ground), name, told.segment_seal_s, told.segment_max_mib, told.journal_fsync
            )
            state[kept] = journal
    return journal


handlers = [accept_outcomes, accept_overrides]
