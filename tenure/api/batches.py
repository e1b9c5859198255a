"""Routes about batches: files that are scored as a whole, where the command runs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from litestar import delete, get, post, put
from litestar.params import Parameter
from litestar.response import Stream

from tenure.access import ENDPOINT
from tenure.api.handling import Asked
from tenure.errors import NotFound
from tenure.monitor import batches
from tenure.records.batches import BatchEnd, BatchInfo, BatchOrder, NewBatch, PartPlace
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground

PATH = "/api/v1/endpoints/{name:str}/batches"


@post(PATH, permission=Permission.SCORE, subject=ENDPOINT, sync_to_thread=True)
def open_batch(ground: Ground, principal: Principal, name: str, data: NewBatch) -> BatchOrder:
    """Open a batch with the endpoint's champion; what is answered says what it is scored with."""
    now = ground.clock()
    batches.abandon_silent(ground, now=now)
    return ground.database.write(lambda tx: batches.opened(ground, tx, name, data, principal=principal, now=now))


@get(PATH, permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def list_batches(ground: Ground, name: str, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100) -> list[BatchInfo]:
    """Batches of an endpoint, newest first."""
    return ground.database.read(lambda tx: batches.list_of(tx, name, limit))


@get(f"{PATH}/{{batch_id:str}}", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_batch(ground: Ground, name: str, batch_id: str) -> BatchInfo:
    """One batch."""
    return ground.database.read(lambda tx: batches.get(tx, name, batch_id))


@put(f"{PATH}/{{batch_id:str}}/parts/{{first_row:int}}", permission=Permission.SCORE, subject=ENDPOINT)
async def put_part(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    batch_id: str,
    first_row: int,
    until_row: int,
    rows: int,
) -> BatchInfo:
    """Send predictions of some rows as Parquet, as the lake keeps them. Sent again, they take the same place."""
    place, now = PartPlace(first_row=first_row, until_row=until_row, rows=rows), ground.clock()
    draft = await asyncio.to_thread(batches.begin_part, ground, name, batch_id, place, principal=principal, now=now)
    with contextlib.closing(draft):
        async for chunk in request.stream():
            draft.write(chunk)
        return await asyncio.to_thread(
            batches.keep_part, ground, name, batch_id, place, draft, principal=principal, now=now
        )


@post(
    f"{PATH}/{{batch_id:str}}/look",
    permission=Permission.SCORE,
    subject=ENDPOINT,
    status_code=200,
    sync_to_thread=True,
)
def look_ahead(ground: Ground, principal: Principal, name: str, batch_id: str) -> BatchInfo:
    """Have the parts that were sent looked into already, so that the end is quick. It changes nothing else."""
    return batches.look_ahead(ground, name, batch_id, principal=principal)


@post(
    f"{PATH}/{{batch_id:str}}/finish",
    permission=Permission.SCORE,
    subject=ENDPOINT,
    status_code=200,
    sync_to_thread=True,
)
def finish_batch(ground: Ground, principal: Principal, name: str, batch_id: str, data: BatchEnd) -> BatchInfo:
    """Say that all parts are sent: they become part of the lake, or nothing does."""
    return batches.finish(ground, name, batch_id, data, principal=principal, now=ground.clock())


@delete(
    f"{PATH}/{{batch_id:str}}",
    permission=Permission.SCORE,
    subject=ENDPOINT,
    status_code=200,
    sync_to_thread=True,
)
def abandon_batch(ground: Ground, principal: Principal, name: str, batch_id: str) -> BatchInfo:
    """Give up an open batch. Nothing of it reaches the lake."""
    batch = ground.database.read(lambda tx: batches.get(tx, name, batch_id))
    batches.require_may_abandon(batch, principal)
    return batches.abandon(ground, name, batch_id, by=principal.name, now=ground.clock())


@get(
    "/api/v1/endpoints/{name:str}/releases/{release_id:str}/file",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
)
def get_release_file(ground: Ground, name: str, release_id: str, path: str, form: bool = False) -> Stream:
    """One file of the version that a release put into service, or with `form` of its proven form."""
    if not path:
        raise NotFound("The path of a file must be given.", where="path")
    chunks = batches.content(ground, name, release_id, path, form=form)
    return Stream(chunks, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


handlers = [open_batch, list_batches, get_batch, put_part, look_ahead, finish_batch, abandon_batch, get_release_file]
