"""The Tenure server that is moved into, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from tenure.records.imports import (
    AliasSent,
    Asked,
    Counted,
    Counts,
    ExperimentSent,
    ExperimentsSent,
    ExperimentTaken,
    Folder,
    ImportBegun,
    ImportEnded,
    ItemDone,
    ItemsDone,
    Kind,
    Known,
    LoggedModelSent,
    LoggedModelsSent,
    NewImport,
    Page,
    PointsSent,
    RegisteredModelSent,
    RegisteredModelsSent,
    RunSent,
    RunsSent,
    Series,
    Taken,
    VersionSent,
)
from tenure.sdk.client import Client

FILES = "/api/2.0/mlflow-artifacts/artifacts/"
COUNTED_AT_ONCE = 500
Answer = TypeVar("Answer")


class Target:
    """What an import asks of Tenure. May be used by several threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.source = ""

    def begin(self, new: NewImport) -> None:
        self.source = msgspec.convert(self._client.post("/api/v1/imports", new), ImportBegun).source

    def known(self, kind: Kind) -> dict[str, Known]:
        """What was begun or done before."""
        found: dict[str, Known] = {}
        after: str | None = ""
        while after is not None:
            answer = self._client.get(self._path("items"), {"kind": kind, "after": after})
            page = msgspec.convert(answer, Page)
            found.update((item.source_id, item) for item in page.items)
            after = page.after
        return found

    def experiments(self, sent: Sequence[ExperimentSent]) -> list[ExperimentTaken]:
        taken: list[ExperimentTaken] = []
        for start in range(0, len(sent), COUNTED_AT_ONCE):
            part = ExperimentsSent(experiments=list(sent[start : start + COUNTED_AT_ONCE]))
            taken += self._post("experiments", part, list[ExperimentTaken])
        return taken

    def runs(self, sent: Sequence[RunSent]) -> Taken:
        return self._post("runs", RunsSent(runs=list(sent)), Taken)

    def points(self, series: Sequence[Series]) -> int:
        return int(self._post("points", PointsSent(series=list(series)), dict[str, int])["points"])

    def logged_models(self, sent: Sequence[LoggedModelSent]) -> Taken:
        return self._post("logged-models", LoggedModelsSent(models=list(sent)), Taken)

    def registered_models(self, sent: Sequence[RegisteredModelSent]) -> Taken:
        return self._post("registered-models", RegisteredModelsSent(models=list(sent)), Taken)

    def version(self, sent: VersionSent) -> None:
        self._post("versions", sent, dict[str, Any])

    def alias(self, sent: AliasSent) -> None:
        self._client.post(self._path("aliases"), sent)

    def done(self, kind: Kind, items: Sequence[ItemDone]) -> None:
        if items:
            self._client.post(self._path("done"), ItemsDone(kind=kind, items=list(items)))

    def count(self, kind: Kind, source_ids: Sequence[str]) -> Iterator[dict[str, Counts]]:
        """What is here of these items, a part at a time."""
        for start in range(0, len(source_ids), COUNTED_AT_ONCE):
            asked = Asked(kind=kind, source_ids=list(source_ids[start : start + COUNTED_AT_ONCE]))
            yield self._post("count", asked, Counted).counts

    def files(self, location: str) -> Mapping[str, int]:
        """Files below a location here: path → bytes."""
        return msgspec.convert(self._client.get(self._path("files"), {"location": location}), Folder).files

    def upload(self, location: str, path: str, chunks: Iterable[bytes]) -> None:
        """Store a file below a location of ours, which reads mlflow-artifacts:/ and a folder."""
        folder = location.partition(":/")[2].strip("/")
        self._client.upload(FILES + quote(f"{folder}/{path}"), chunks)

    def end(self, ended: ImportEnded) -> None:
        self._client.post(self._path("end"), ended)

    def _path(self, what: str) -> str:
        return f"/api/v1/imports/{self.source}/{what}"

    def _post(self, what: str, body: Any, kind: type[Answer]) -> Answer:
        return msgspec.convert(self._client.post(self._path(what), body), kind)
