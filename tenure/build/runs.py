"""Runs: one training or evaluation each, with params, metrics and tags."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

import msgspec

from tenure.build import experiments, locations, names, run_pages
from tenure.build.limits import (
    PARAM_LENGTH,
    RUN_TAG_LENGTH,
    SHOWN_LENGTH,
    check_key,
    check_max_results,
    checked_tags,
    fitted,
    refuse,
    required,
)
from tenure.errors import InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.tracking import KeyValue, Run, RunData, RunDigest, RunInfo, RunInputs, RunOutputs
from tenure.store import audit, metrics, runs
from tenure.store.database import Transaction

NAME_TAG = "mlflow.runName"
HISTORY_TAG = "mlflow.log-model.history"
STATUSES = frozenset({"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"})
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
DEFAULT_RESULTS = 1000
MOST_RESULTS = 50_000


def create(
    tx: Transaction,
    experiment_id: str | None,
    *,
    name: str | None,
    user_id: str | None,
    start_time: int | None,
    tags: Sequence[KeyValue],
    now: Instant,
    cut: bool = True,
) -> Run:
    """Start a run in an active experiment. Without a name one is generated; the tag `mlflow.runName` mirrors it."""
    number = experiments.parse_id(experiment_id or "0")
    location = experiments.location_for(tx, number)
    checked = checked_tags(tags, cut=cut)
    tagged = checked.get(NAME_TAG)
    if name and tagged and name != tagged:
        raise InvalidInput(
            f"Both 'run_name' argument and '{NAME_TAG}' tag are specified, but with different values "
            f"(run_name='{name[:SHOWN_LENGTH]}', {NAME_TAG}='{tagged[:SHOWN_LENGTH]}'). Give one of them."
        )
    run_id = f"{random.getrandbits(128):032x}"
    chosen = fitted(name or "", RUN_TAG_LENGTH, "run_name", cut=cut) or tagged or names.generated(random.Random(run_id))  # noqa: S311 - a name is no secret
    checked[NAME_TAG] = chosen
    new = runs.NewRun(
        run_id=run_id,
        experiment_id=number,
        name=chosen,
        user_id=user_id or "",
        start_time=now // 1000 if start_time is None else start_time,
        artifact_uri=locations.below(location, run_id, "artifacts"),
    )
    runs.insert(tx, new)
    runs.set_tags(tx, run_id, checked.items())
    info = RunInfo(
        run_id=run_id,
        run_uuid=run_id,
        run_name=chosen,
        experiment_id=str(number),
        user_id=new.user_id,
        status="RUNNING",
        start_time=new.start_time,
        artifact_uri=new.artifact_uri,
        lifecycle_stage="active",
    )
    told = [KeyValue(key=key, value=value) for key, value in sorted(checked.items())]
    return Run(info=info, data=RunData(tags=told), inputs=RunInputs(), outputs=RunOutputs())


def get(tx: Transaction, run_id: str | None) -> Run:
    """A run with all that belongs to it, deleted or not."""
    found = runs.get_many(tx, [required(run_id, "run_id")])
    if not found:
        raise _unknown(run_id)
    return found[0]


def info(tx: Transaction, run_id: str | None) -> RunInfo:
    found = runs.info(tx, required(run_id, "run_id"))
    if found is None:
        raise _unknown(run_id)
    return found


def check_active(tx: Transaction, run_id: str | None) -> str:
    """The run's id if the run may be written to. Deleting an experiment deletes its runs, so one look is enough."""
    run_id = required(run_id, "run_id")
    stage = runs.stage_of(tx, run_id)
    if stage == "active":
        return run_id
    if stage is None:
        raise _unknown(run_id)
    raise InvalidInput(f"The run {run_id} must be in the 'active' state. Current state is {stage}.")


def update(
    tx: Transaction,
    run_id: str | None,
    *,
    status: str | None,
    end_time: int | None,
    name: str | None,
    digest: RunDigest | None,
    by: str,
    now: Instant,
    cut: bool = True,
) -> RunInfo:
    """Change a run's status, end or name. When it ends, one audit event tells what it had logged.

    `digest`: what `digested` said before this transaction; counted again if more was logged meanwhile.
    """
    run_id = check_active(tx, run_id)
    if status is not None and status not in STATUSES:
        refuse(status, "status", f"It must be one of {', '.join(sorted(STATUSES))}.")
    name = fitted(name or "", RUN_TAG_LENGTH, "run_name", cut=cut)
    runs.update(tx, run_id, status=status, end_time=end_time, name=name or None)
    if name:
        runs.set_tags(tx, run_id, [(NAME_TAG, name)])
    if status in ENDED:
        _tell_end(tx, run_id, str(status), digest, by, now)
    return info(tx, run_id)


def digested(tx: Transaction, run_id: str | None) -> RunDigest:
    """Counts of what a run has logged, and a SHA-256 over all of it in the order of keys."""
    run_id = required(run_id, "run_id")
    params, tags = runs.params_of(tx, run_id), runs.tags_of(tx, run_id)
    hashed = hashlib.sha256()
    for kind, pairs in (("param", params), ("tag", tags)):
        for key in sorted(pairs):
            hashed.update(msgspec.json.encode([kind, key, pairs[key]]) + b"\n")
    points = 0
    for point in metrics.each(tx, run_id):
        hashed.update(msgspec.json.encode(["metric", *point]) + b"\n")
        points += 1
    _, keys = metrics.count(tx, run_id)
    return RunDigest(
        metric_points=points, metric_keys=keys, params=len(params), tags=len(tags), sha256=hashed.hexdigest()
    )


def delete(tx: Transaction, run_id: str | None, *, by: str, now: Instant) -> None:
    """Delete a run softly. Writes one audit event; deleting it again changes nothing."""
    found = info(tx, run_id)
    if found.lifecycle_stage == "deleted":
        return
    runs.set_stage(tx, found.run_id, "deleted", now // 1000)
    audit.append(tx, "run.deleted", subject=f"run:{run_id}", by=by, at=now)


def restore(tx: Transaction, run_id: str | None, *, by: str, now: Instant) -> None:
    """Restore a deleted run whose experiment is active. Writes one audit event; restoring it again changes nothing."""
    found = info(tx, run_id)
    if found.lifecycle_stage == "active":
        return
    experiments.location_for(tx, int(found.experiment_id))
    if not runs.set_stage(tx, found.run_id, "active", None):
        raise _unknown(run_id)
    audit.append(tx, "run.restored", subject=f"run:{run_id}", by=by, at=now)


def log_param(tx: Transaction, run_id: str | None, key: str, value: str, *, cut: bool = True) -> None:
    """Store a param. It is written once: the same value again is fine, another one is refused."""
    run_id = check_active(tx, run_id)
    check_key(key, "key")
    value = fitted(value, PARAM_LENGTH, "value", cut=cut)
    kept = runs.add_param(tx, run_id, key, value)
    if kept is not None and kept != value:
        raise changed_param(run_id, key, kept, value)


def log_params(tx: Transaction, run_id: str, params: dict[str, str]) -> None:
    """Store params of a run that is known to be active."""
    if not params:
        return
    kept = runs.params_of(tx, run_id)
    for key, value in params.items():
        if key in kept and kept[key] != value:
            raise changed_param(run_id, key, kept[key], value)
    runs.add_params(tx, run_id, [(key, value) for key, value in params.items() if key not in kept])


def changed_param(run_id: str, key: str, kept: str, value: str) -> InvalidInput:
    return InvalidInput(
        f"Changing param values is not allowed. Param with key='{key}' was already logged with value='{kept}' for run "
        f"ID='{run_id}'. Attempted logging new value '{value}'.",
        where="params",
    )


def set_tag(tx: Transaction, run_id: str | None, key: str, value: str, *, cut: bool = True) -> None:
    run_id = check_active(tx, run_id)
    check_key(key, "key")
    set_tags(tx, run_id, {key: fitted(value, RUN_TAG_LENGTH, "value", cut=cut)})


def set_tags(tx: Transaction, run_id: str, tags: dict[str, str]) -> None:
    """Set tags of a run that is known to be active; the tag `mlflow.runName` renames it."""
    runs.set_tags(tx, run_id, tags.items())
    if tags.get(NAME_TAG):
        runs.update(tx, run_id, name=tags[NAME_TAG])


def delete_tag(tx: Transaction, run_id: str | None, key: str | None) -> None:
    run_id = check_active(tx, run_id)
    if not runs.delete_tag(tx, run_id, required(key, "key")):
        raise NotFound(f"No tag with name: {key} in run with id {run_id}")


def log_model(tx: Transaction, run_id: str | None, model_json: str | None) -> None:
    """Append a model's description to the tag in which old clients keep the models of a run."""
    run_id = check_active(tx, run_id)
    try:
        described = msgspec.json.decode(required(model_json, "model_json"), type=dict[str, object])
    except msgspec.MsgspecError:
        refuse(model_json, "model_json", "Malformed model info: it must be a JSON object.")
    absent = {"artifact_path", "flavors", "utc_time_created", "run_id"} - described.keys()
    if absent:
        raise InvalidInput(f"Model json is missing mandatory fields: {sorted(absent)}", where="model_json")
    kept = runs.tags_of(tx, run_id).get(HISTORY_TAG, "[]")
    try:
        history = msgspec.json.decode(kept, type=list[object])
    except msgspec.MsgspecError:
        history = []
    runs.set_tags(tx, run_id, [(HISTORY_TAG, json.dumps([*history, described]))])  # spaced as MLflow writes it


def search(
    tx: Transaction,
    experiment_ids: Sequence[str] | None,
    *,
    text: str | None,
    order_by: Sequence[str] | None,
    view: str | None,
    max_results: int | None,
    page_token: str | None,
) -> tuple[list[Run], str | None]:
    """One page of runs and the token of the next."""
    limit = check_max_results(max_results, DEFAULT_RESULTS, MOST_RESULTS)
    page = run_pages.page(tx, experiment_ids, text=text, order_by=order_by, view=view, limit=limit, token=page_token)
    return runs.get_many(tx, page.run_ids), page.following


def _tell_end(tx: Transaction, run_id: str, status: str, digest: RunDigest | None, by: str, now: Instant) -> None:
    counted = metrics.count(tx, run_id)
    if digest is None or (digest.metric_points, digest.metric_keys) != counted:
        digest = digested(tx, run_id)
    detail = {"status": status, **msgspec.to_builtins(digest)}
    audit.append(tx, "run.ended", subject=f"run:{run_id}", by=by, at=now, detail=detail)


def _unknown(run_id: str | None) -> NotFound:
    return NotFound(f"Run with id={run_id} not found")
