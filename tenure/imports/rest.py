"""A running server as a source, through MLflow's protocol."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from tenure.imports.server import V2, Refused, Server
from tenure.imports.source import (
    CHUNK_POINTS,
    PROMPT_TAG,
    Files,
    Leftover,
    ModelRead,
    RunRead,
    chunked,
    model_of,
)
from tenure.records.imports import (
    ExperimentSent,
    LoggedModelSent,
    ModelLink,
    ModelPoint,
    RegisteredModelSent,
    RunSent,
    Series,
    VersionSent,
)
from tenure.records.tracking import DatasetInput

V3 = "/api/3.0/mlflow/"
PAGE = 1000
RUN_PAGE = 200
READERS = 4
MODEL_STATUSES = {"LOGGED_MODEL_READY": "READY", "LOGGED_MODEL_UPLOAD_FAILED": "FAILED"}
GONE = (400, 404, 405, 501)
COUNTED_AT_MOST = 50
"""Pages of traces that are counted before we say `at least`."""


class RestSource:
    """Deleted runs and experiments are told by the protocol; of deleted logged models only those that a run names."""

    def __init__(self, server: Server, files: Files) -> None:
        self.address = server.address
        self.files = files
        self._server = server
        self._told: set[str] = set()
        self._named: dict[str, None] = {}
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="import-read")
        self._lock = threading.Lock()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._server.close()

    def experiments(self) -> list[ExperimentSent]:
        body = {"max_results": PAGE, "view_type": "ALL", "order_by": ["creation_time ASC"]}
        return [
            ExperimentSent(
                source_id=one["experiment_id"],
                name=one["name"],
                artifact_location=one.get("artifact_location", ""),
                lifecycle_stage="deleted" if one.get("lifecycle_stage") == "deleted" else "active",
                creation_time=int(one.get("creation_time", 0)),
                last_update_time=int(one.get("last_update_time", 0)),
                tags=_pairs(one.get("tags")),
            )
            for one in self._pages("experiments/search", body, "experiments")
        ]

    def count_runs(self, experiment_ids: Collection[str]) -> int | None:
        del experiment_ids
        return None

    def runs(self, experiment_ids: Sequence[str]) -> Iterator[list[RunRead]]:
        for experiment_id in experiment_ids:
            chunk: list[RunRead] = []
            body = {
                "experiment_ids": [experiment_id],
                "max_results": RUN_PAGE,
                "run_view_type": "ALL",
                "order_by": ["attributes.start_time ASC"],  # what is logged meanwhile comes last
            }
            for one in self._pages("runs/search", body, "runs"):
                chunk.append(_run(one))
                self._note_models(chunk[-1].sent)
                if len(chunk) == RUN_PAGE:
                    yield chunk
                    chunk = []
            if chunk:
                yield chunk

    def _note_models(self, run: RunSent) -> None:
        self._named.update((link.model_id, None) for link in (*run.models_read, *run.models_made))

    def points(self, runs: Sequence[RunRead]) -> Iterator[list[Series]]:
        wanted = [(run.sent.run_id, key) for run in runs for key in run.latest]
        plain: list[tuple[str, str, Any, int, int]] = []
        for (run_id, key), points in zip(wanted, self._pool.map(self._history, wanted), strict=True):
            for one in points:
                if one.get("model_id"):  # Tenure tells on which model and data a point was measured
                    yield [_single(run_id, key, one)]
                else:
                    plain.append((run_id, key, _value(one), int(one.get("timestamp", 0)), int(one.get("step", 0))))
            if len(plain) >= CHUNK_POINTS:
                yield from chunked(iter(plain))
                plain = []
        yield from chunked(iter(plain))

    def _history(self, wanted: tuple[str, str]) -> list[dict[str, Any]]:
        run_id, key = wanted
        found: list[dict[str, Any]] = []
        token = None
        while True:
            page = self._server.get(
                f"{V2}metrics/get-history", run_id=run_id, metric_key=key, max_results=CHUNK_POINTS, page_token=token
            )
            found += page.get("metrics", [])
            token = page.get("next_page_token")
            if not token:
                return found

    def logged_models(self, experiment_ids: Sequence[str]) -> Iterator[list[LoggedModelSent]]:
        for start in range(0, len(experiment_ids), 50):
            body = {"experiment_ids": list(experiment_ids[start : start + 50]), "max_results": RUN_PAGE}
            try:
                found = [_model(one, "active") for one in self._pages("logged-models/search", body, "models")]
            except Refused as refused:
                if refused.status in GONE:  # a release before logged models
                    return
                raise
            self._told.update(one.model_id for one in found)
            for at in range(0, len(found), RUN_PAGE):
                yield found[at : at + RUN_PAGE]

    def deleted_models(self) -> list[LoggedModelSent]:
        """Logged models that no search tells and a run names: the deleted ones."""
        found = []
        for model_id in [one for one in self._named if one not in self._told]:
            try:
                answer = self._server.get(f"{V2}logged-models/{model_id}", allow_deleted="true")
            except Refused:
                continue
            self._told.add(model_id)
            found.append(_model(answer["model"], "deleted"))
        return found

    def registered_models(self) -> list[ModelRead]:
        found = []
        for one in self._pages("registered-models/search", {"max_results": PAGE}, "registered_models", get=True):
            tags = _pairs(one.get("tags"))
            if tags.get(PROMPT_TAG, "").lower() == "true":
                continue
            name = one["name"]
            sent = RegisteredModelSent(
                name=name,
                description=one.get("description"),
                creation_time=int(one.get("creation_timestamp", 0)),
                last_updated_time=int(one.get("last_updated_timestamp", 0)),
                tags=tags,
            )
            aliases = {alias["alias"]: int(alias["version"]) for alias in one.get("aliases", [])}
            found.append(ModelRead(sent, aliases, self._versions(name)))
        return found

    def _versions(self, name: str) -> list[VersionSent]:
        quoted = name.replace("'", "''")
        question = {"filter": f"name='{quoted}'", "max_results": PAGE, "order_by": "version_number ASC"}
        return [
            self._version(one) for one in self._pages("model-versions/search", question, "model_versions", get=True)
        ]

    def _version(self, one: Mapping[str, Any]) -> VersionSent:
        name, number = one["name"], int(one["version"])
        try:
            answer = self._server.get(f"{V2}model-versions/get-download-uri", name=name, version=number)
            location = answer.get("artifact_uri") or one.get("source")
        except Refused:
            location = one.get("source")
        return VersionSent(
            name=name,
            version=number,
            user_id=one.get("user_id") or "",
            current_stage=one.get("current_stage") or "None",
            creation_time=int(one.get("creation_timestamp", 0)),
            last_updated_time=int(one.get("last_updated_timestamp", 0)),
            description=one.get("description"),
            source=one.get("source"),
            storage_location=location,
            run_id=one.get("run_id") or None,
            run_link=one.get("run_link") or None,
            model_id=one.get("model_id") or model_of(one.get("source"), location),
            status=one.get("status") or "READY",
            status_message=one.get("status_message"),
            tags=_pairs(one.get("tags")),
        )

    def totals(self, experiment_ids: Collection[str]) -> dict[str, int]:
        del experiment_ids
        return {}

    def leftovers(self) -> list[Leftover]:
        found = [
            Leftover("users and permissions (this protocol does not tell them)", None),
            Leftover("numbers of deleted versions (this protocol does not tell them)", None),
        ]
        question = {"filter": f"tag.`{PROMPT_TAG}` = 'true'", "max_results": PAGE}
        found += self._counted("prompts", "registered-models/search", question, "registered_models", get=True)
        found += self._counted("webhooks", "webhooks", {"max_results": 100}, "webhooks", get=True)
        experiments = [one.source_id for one in self.experiments()]
        found += self._counted(
            "GenAI evaluation datasets", f"{V3}datasets/search", {"experiment_ids": experiments}, "datasets"
        )
        locations = [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": one}} for one in experiments[:100]
        ]
        return found + self._counted(
            "traces", f"{V3}traces/search", {"locations": locations, "max_results": 500}, "traces"
        )

    def _counted(
        self, what: str, path: str, question: dict[str, Any], field: str, *, get: bool = False
    ) -> list[Leftover]:
        """How many there are of something that is not moved; nothing to say where the source does not know of it."""
        names: list[str] = []
        try:
            for count, one in enumerate(self._pages(path, question, field, get=get), start=1):
                names.append(str(one.get("name") or one.get("trace_id") or ""))
                if count >= COUNTED_AT_MOST * 500:
                    return [Leftover(f"{what} (at least)", count, names[:3])]
        except Refused:
            return []
        return [Leftover(what, len(names), [name for name in names[:3] if name])] if names else []

    def _pages(self, path: str, question: dict[str, Any], field: str, *, get: bool = False) -> Iterator[dict[str, Any]]:
        path = path if path.startswith("/") else V2 + path
        token = None
        while True:
            asked = {**question, "page_token": token}
            page = self._server.get(path, **asked) if get else self._server.post(path, asked)
            yield from page.get(field, [])
            token = page.get("next_page_token")
            if not token:
                return


def _run(one: Mapping[str, Any]) -> RunRead:
    info, data = one["info"], one.get("data", {})
    inputs, outputs = one.get("inputs", {}), one.get("outputs", {})
    tags = _pairs(data.get("tags"))
    sent = RunSent(
        run_id=info.get("run_id") or info["run_uuid"],
        experiment_id=info["experiment_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", ""),
        user_id=info.get("user_id") or "",
        status=info.get("status") or "FINISHED",
        start_time=int(info.get("start_time", 0)),
        end_time=int(info["end_time"]) if info.get("end_time") else None,
        deleted_time=None,
        lifecycle_stage="deleted" if info.get("lifecycle_stage") == "deleted" else "active",
        artifact_uri=info.get("artifact_uri") or "",
        params=_pairs(data.get("params")),
        tags=tags,
        datasets=msgspec.convert(inputs.get("dataset_inputs", []), list[DatasetInput]),
        models_read=[_link(link) for link in inputs.get("model_inputs", [])],
        models_made=[_link(link) for link in outputs.get("model_outputs", [])],
    )
    latest = {
        metric["key"]: [metric.get("step", 0), metric.get("timestamp", 0), metric.get("value", 0)]
        for metric in data.get("metrics", [])
    }
    return RunRead(sent, latest, None)


def _link(one: Mapping[str, Any]) -> ModelLink:
    return ModelLink(model_id=one["model_id"], step=int(one.get("step", 0)))


def _model(one: Mapping[str, Any], stage: Any) -> LoggedModelSent:
    info, data = one["info"], one.get("data", {})
    status: Any = MODEL_STATUSES.get(info.get("status", ""), "PENDING")
    return LoggedModelSent(
        model_id=info["model_id"],
        experiment_id=info["experiment_id"],
        name=info.get("name", ""),
        artifact_location=info.get("artifact_uri", ""),
        creation_time=int(info.get("creation_timestamp_ms", 0)),
        last_update_time=int(info.get("last_updated_timestamp_ms", 0)),
        status=status,
        lifecycle_stage=stage,
        status_message=info.get("status_message"),
        model_type=info.get("model_type"),
        source_run_id=info.get("source_run_id"),
        params=_pairs(data.get("params")),
        tags=_pairs(info.get("tags")),
        points=[
            ModelPoint(
                key=metric["key"],
                value=_value(metric),
                timestamp=int(metric.get("timestamp", 0)),
                step=int(metric.get("step", 0)),
                run_id=metric.get("run_id", ""),
                dataset_name=metric.get("dataset_name"),
                dataset_digest=metric.get("dataset_digest"),
            )
            for metric in data.get("metrics", [])
        ],
    )


def _single(run_id: str, key: str, one: Mapping[str, Any]) -> Series:
    return Series(
        run_id=run_id,
        key=key,
        values=[_value(one)],
        timestamps=[int(one.get("timestamp", 0))],
        steps=[int(one.get("step", 0))],
        model_id=one["model_id"],
        dataset_name=one.get("dataset_name"),
        dataset_digest=one.get("dataset_digest"),
    )


def _value(metric: Mapping[str, Any]) -> Any:
    """A value as the wire has it: a number that is 0 may be left out; NaN and the infinities are words."""
    value = metric.get("value", 0.0)
    return None if value == "NaN" else value


def _pairs(items: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {one["key"]: one.get("value", "") for one in items or ()}
