"""Experiments: where runs and logged models belong."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.build import locations, searchable
from tenure.build.limits import (
    EXPERIMENT_NAME_LENGTH,
    EXPERIMENT_TAG_LENGTH,
    SHOWN_LENGTH,
    check_key,
    check_length,
    check_max_results,
    checked_tags,
    refuse,
    required,
)
from tenure.build.pages import cut, read
from tenure.build.search import parse, parse_order
from tenure.errors import AlreadyExists, InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.tracking import Experiment, KeyValue
from tenure.store import audit, experiments, runs
from tenure.store.database import Transaction

DEFAULT_ID = 0
DEFAULT_NAME = "Default"
MOST_RESULTS = 50_000
LARGEST_ID = 2**31 - 1
LONGEST_ID = 12
STAGES = {"ACTIVE_ONLY": ("active",), "DELETED_ONLY": ("deleted",), "ALL": ("active", "deleted")}


class Inactive(InvalidInput):
    """What was deleted cannot be changed until it is restored."""

    code = "invalid_state"


def seed(tx: Transaction, now: Instant, *, root: str = locations.ROOT) -> None:
    """Make experiment 0, `Default`, which exists from the start. Doing it again changes nothing."""
    experiments.insert(tx, DEFAULT_NAME, None, root, now // 1000, DEFAULT_ID)


def create(
    tx: Transaction,
    name: str | None,
    *,
    location: str | None,
    tags: Sequence[KeyValue],
    now: Instant,
    root: str = locations.ROOT,
) -> str:
    """Add an experiment and return its id. A name stays taken when its experiment is deleted.

    Without a location its artifacts lie below `root`, which ends in a slash.
    """
    name = _checked_name(name)
    checked = checked_tags(tags, limit=EXPERIMENT_TAG_LENGTH, cut=False)
    _must_be_free(tx, name)
    given = locations.checked_location(location) if location else None
    identifier = experiments.insert(tx, name, given, root, now // 1000, None)
    experiments.set_tags(tx, identifier, checked.items())
    return str(identifier)


def get(tx: Transaction, identifier: str | None) -> Experiment:
    found = experiments.get(tx, parse_id(identifier))
    if found is None:
        raise NotFound(f"No Experiment with id={identifier} exists")
    return found


def get_by_name(tx: Transaction, name: str | None) -> Experiment:
    name = required(name, "experiment_name")
    found = experiments.get_by_name(tx, name)
    if found is None:
        raise NotFound(f"Could not find experiment with name '{name}'")
    return found


def rename(tx: Transaction, identifier: str | None, name: str | None, *, by: str, now: Instant) -> None:
    """Give an active experiment another name. Writes one audit event, unless it has that name."""
    found = get(tx, identifier)
    if found.lifecycle_stage != "active":
        raise Inactive("Cannot rename a non-active experiment. Restore it first.")
    if name is None:
        return
    name = _checked_name(required(name, "new_name"))
    if name != found.name:
        _must_be_free(tx, name)
        experiments.update(tx, int(found.experiment_id), now // 1000, name=name)
        subject, detail = f"experiment:{found.experiment_id}", {"before": found.name, "after": name}
        audit.append(tx, "experiment.renamed", subject=subject, by=by, at=now, detail=detail)


def delete(tx: Transaction, identifier: str | None, *, by: str, now: Instant) -> None:
    """Delete an experiment and its runs softly: all can be restored. Writes one audit event."""
    _change_stage(tx, _in_stage(tx, identifier, "active"), "deleted", by, now)


def restore(tx: Transaction, identifier: str | None, *, by: str, now: Instant) -> None:
    """Restore a deleted experiment with all of its runs. Writes one audit event."""
    _change_stage(tx, _in_stage(tx, identifier, "deleted"), "active", by, now)


def set_tag(tx: Transaction, identifier: str | None, key: str, value: str, *, now: Instant) -> None:
    number = _active(tx, identifier)
    check_key(key, "key")
    check_length(value, EXPERIMENT_TAG_LENGTH, "value")
    experiments.set_tags(tx, number, [(key, value)])
    experiments.update(tx, number, now // 1000)


def delete_tag(tx: Transaction, identifier: str | None, key: str) -> None:
    if not experiments.delete_tag(tx, _active(tx, identifier), required(key, "key")):
        raise NotFound(f"No tag with name: {key} in experiment with id {identifier}")


def search(
    tx: Transaction,
    *,
    text: str | None,
    order_by: Sequence[str] | None,
    view: str | None,
    max_results: int | None,
    page_token: str | None,
) -> tuple[list[Experiment], str | None]:
    """One page of experiments and the token of the next."""
    limit = check_max_results(max_results, None, MOST_RESULTS)
    offset = read(page_token)
    found = experiments.search(
        tx,
        parse(text, searchable.EXPERIMENTS),
        parse_order(order_by, searchable.EXPERIMENTS),
        stages_of(view),
        limit + 1,
        offset,
    )
    return cut(found, limit, offset)


def parse_id(identifier: str | None) -> int:
    """An experiment's number from its decimal string."""
    return _number(required(identifier, "experiment_id"))


def parse_ids(identifiers: Sequence[str] | None) -> list[int]:
    """Numbers of experiments, each once."""
    return list(dict.fromkeys(_number(identifier) for identifier in identifiers or ()))


def _number(text: str) -> int:
    digits = text.removeprefix("-")  # a negative number is a number: there is just no such experiment
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_ID) or abs(int(digits)) > LARGEST_ID:
        raise InvalidInput(
            f"Invalid experiment ID '{text[:SHOWN_LENGTH]}'. Experiment ID must be a valid integer.",
            where="experiment_id",
        )
    return int(text)


def stages_of(view: str | None) -> tuple[str, ...]:
    """The lifecycle stages that a view type shows."""
    stages = STAGES.get(view or "ACTIVE_ONLY")
    if stages is None:
        refuse(view, "run_view_type", f"It must be one of {', '.join(STAGES)}.")
    return stages


def location_for(tx: Transaction, number: int) -> str:
    """Where an active experiment keeps its artifacts. Raises when it does not exist or is deleted."""
    found = experiments.stage_of(tx, number)
    if found is None:
        raise NotFound(f"No Experiment with id={number} exists")
    stage, location = found
    if stage != "active":
        raise InvalidInput(f"The experiment {number} must be in the 'active' state. Current state is {stage}.")
    return location


def _active(tx: Transaction, identifier: str | None) -> int:
    number = parse_id(identifier)
    location_for(tx, number)
    return number


def _in_stage(tx: Transaction, identifier: str | None, stage: str) -> Experiment:
    found = get(tx, identifier)
    if found.lifecycle_stage != stage:
        raise NotFound(f"No Experiment with id={identifier} exists that is {stage}; it is {found.lifecycle_stage}")
    return found


def _change_stage(tx: Transaction, found: Experiment, stage: str, by: str, now: Instant) -> None:
    number, now_ms = int(found.experiment_id), now // 1000
    if not experiments.update(tx, number, now_ms, stage=stage):  # removed for good at this very moment
        raise NotFound(f"No Experiment with id={number} exists")
    runs.set_stage_of_experiment(tx, number, stage, now_ms if stage == "deleted" else None)
    action = "experiment.deleted" if stage == "deleted" else "experiment.restored"
    audit.append(tx, action, subject=f"experiment:{number}", by=by, at=now, detail={"name": found.name})


def _checked_name(name: str | None) -> str:
    name = required(name, "name")
    if not name.strip():
        refuse(name, "name", "Invalid experiment name: it must not be empty.")
    check_length(name, EXPERIMENT_NAME_LENGTH, "name")
    return name


def _must_be_free(tx: Transaction, name: str) -> None:
    taken = experiments.get_by_name(tx, name)
    if taken is None:
        return
    if taken.lifecycle_stage == "active":
        raise AlreadyExists(f"Experiment(name={name}) already exists. Choose another name, or log into this one.")
    raise AlreadyExists(
        f"Experiment(name={name}) already exists in deleted state. You can restore the experiment, or permanently "
        "delete it to create a new one."
    )
