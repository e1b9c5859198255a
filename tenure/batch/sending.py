"""What a batch says to the server: what it begins, sends and ends with, again for a minute while that is away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec

from tenure.batch import journal
from tenure.errors import OverQuota, TenureError, Unavailable
from tenure.records.batches import BatchEnd, BatchInfo, BatchOrder, NewBatch
from tenure.sdk.client import Client

PARQUET = "application/vnd.apache.parquet"
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
Told = TypeVar("Told")


class Sending:
    """Of batches of one endpoint. Everything raises Unavailable when the server is away, or for longer."""

    def __init__(self, client: Client, endpoint: str) -> None:
        self.client, self.endpoint = client, endpoint
        self.pauses_s = PAUSES_S
        self._path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/batches"

    def open(self, new: NewBatch) -> BatchOrder:
        """Open a batch, or with `dry_run` ask what it would be scored with. Raises what the server refuses."""
        return msgspec.convert(self.client.post(self._path, new), BatchOrder)

    def get(self, batch_id: str) -> BatchInfo:
        return msgspec.convert(self.client.get(f"{self._path}/{batch_id}"), BatchInfo)

    def part(self, order: BatchOrder, part: journal.Part) -> None:
        """Send a part piece by piece, which spares copies of all of it."""
        import pyarrow as pa

        path = f"{self._path}/{order.batch.batch_id}/parts/{part.first_row}"
        asked = {"until_row": part.until_row, "rows": part.rows}
        self.client.send_file("PUT", path, pa.BufferReader(part.content), PARQUET, asked)

    def look_ahead(self, order: BatchOrder) -> None:
        """Have the server look into what it has: only to be quicker at the end, which finds out whatever this does
        not."""
        with contextlib.suppress(TenureError):
            self.client.post(f"{self._path}/{order.batch.batch_id}/look")

    def finish(self, order: BatchOrder, end: BatchEnd) -> BatchInfo:
        place = f"{self._path}/{order.batch.batch_id}/finish"
        return msgspec.convert(self.patiently(lambda: self.client.post(place, end)), BatchInfo)

    def give_up(self, order: BatchOrder) -> None:
        with contextlib.suppress(TenureError):
            self.client.delete(f"{self._path}/{order.batch.batch_id}")

    def patiently(self, send: Callable[[], Told]) -> Told:
        """Ask again for a minute while the server is away."""
        for pause_s in self.pauses_s:
            try:
                return send()
            except OverQuota:
                raise
            except Unavailable:
                time.sleep(pause_s)
        try:
            return send()
        except OverQuota:
            raise
        except Unavailable as problem:
            raise Unavailable(
                f"{problem.message} What is scored is kept: run the same command again to go on."
            ) from None
