"""The route for predictions of models that Tenure does not serve."""

from __future__ import annotations

import asyncio
import tempfile
from typing import BinaryIO, cast

from litestar import post

from tenure.access import ENDPOINT
from tenure.api.handling import Asked
from tenure.api.outcomes import HELD_BYTES, journal_of, spooled
from tenure.build import model_versions
from tenure.deploy import endpoints
from tenure.errors import UnsupportedType
from tenure.manage import tables
from tenure.monitor import uploads
from tenure.records.external import PredictionsAccepted
from tenure.records.people import Permission, Principal
from tenure.serving.journal import MIB
from tenure.store import audit
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@post(
    "/api/v1/endpoints/{name:str}/predictions",
    permission=Permission.SCORE,
    subject=ENDPOINT,
    status_code=200,
    request_max_body_size=None,
)
async def accept_predictions(
    name: str, version: int, request: Asked, ground: Ground, principal: Principal
) -> PredictionsAccepted:
    """Tell what a version said that answers elsewhere, as CSV, Parquet or an Arrow stream: `prediction`, `reference`,
    perhaps `event_time`, and the features, a column each.

    They are watched as those of any version: profiles, drift, and accuracy once outcomes come, which name them by their
    reference. All or nothing is stored; what is sent again changes nothing.
    """
    from tenure.monitor import external  # here, since it brings numpy

    def load(tx: Transaction) -> str:
        model = endpoints.get(tx, name).model
        model_versions.get(tx, model, version)
        return model

    model = await asyncio.to_thread(ground.database.read, load)
    content = tables.KINDS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
    if content is None:
        raise UnsupportedType(f"The content type must be one of {', '.join(tables.KINDS)}.", where="content-type")
    limit = (ground.settings.max_body_mib if content == "parquet" else ground.settings.max_outcomes_mib) * MIB
    sending = external.Sending(name, model, version, principal.name, ground.clock())
    with tempfile.SpooledTemporaryFile(HELD_BYTES, dir=str(ground.settings.folder)) as body:
        size = await spooled(request, cast(BinaryIO, body), limit)

        def take() -> PredictionsAccepted:
            blocks = tables.blocks(
                cast(BinaryIO, body),
                content,
                size_bytes=size,
                most_rows=uploads.MOST_ROWS_OF[content],
                as_text=("reference", "prediction_id", "id", "event_time"),
            )
            told = external.accept(
                lambda: journal_of(request.app.state, ground, external.JOURNAL), sending, blocks, ground.settings.folder
            )
            detail = {"rows": told.accepted, "version": version, "release": external.RELEASE}
            ground.database.write(
                lambda tx: audit.append(
                    tx,
                    "predictions.uploaded",
                    subject=f"endpoint:{name}",
                    by=principal.name,
                    at=sending.now,
                    detail=detail,
                )
            )
            return told

        return await asyncio.to_thread(take)


handlers = [accept_predictions]
