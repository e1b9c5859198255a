"""Outcomes find their predictions: by prediction id, or by the caller's reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from tenure.records.frames import BY_REFERENCE
from tenure.store import lake_files
from tenure.store.database import Transaction
from tenure.store.lake import Lake, Table, instants, timestamps
from tenure.store.outcomes import Refused, Told

MOST_FILES_A_LOOK = 64


class Named(msgspec.Struct, frozen=True, gc=False):
    """The prediction that a key names, and its event time."""

    prediction_id: str
    event_at: int


class Matched(msgspec.Struct, frozen=True, gc=False):
    """An outcome and the prediction it is about."""

    told: Told
    prediction: Named


class Joined(msgspec.Struct, frozen=True):
    """What became of a batch of outcomes. Equal repetitions are in none of the lists."""

    matched: list[Matched]
    unknown: list[Told]
    refused: list[Refused]


def join(tx: Transaction, lake: Lake, endpoint: str, told: Sequence[Told], waiting: dict[str, Told]) -> Joined:
    """Find the predictions that outcomes are about, by what the lake holds now.

    The first outcome of a prediction stands. `waiting`: outcomes kept before for the same keys.
    """
    named = find(tx, lake, endpoint, {one.key for one in told})
    known = standing(tx, lake, endpoint, named.values())
    matched: list[Matched] = []
    unknown: dict[str, Told] = {}
    refused: list[Refused] = []
    for one in told:
        prediction = named.get(one.key)
        if prediction is None:
            first = waiting.get(one.key) or unknown.setdefault(one.key, one)
            stands = first.value
        elif prediction.prediction_id in known:
            stands = known[prediction.prediction_id]
        else:
            stands = known[prediction.prediction_id] = one.value
            matched.append(Matched(one, prediction))
        if stands != one.value:
            refused.append(Refused(one.key, stands, one.value, one.event_at))
    return Joined(matched, list(unknown.values()), refused)


def find(tx: Transaction, lake: Lake, endpoint: str, keys: Iterable[str]) -> dict[str, Named]:
    """The predictions that keys name; keys that name none are left out."""
    wanted = set(keys)
    by_reference = {key for key in wanted if key.startswith(BY_REFERENCE)}
    by_id = wanted - by_reference
    return {**_by_id(tx, lake, endpoint, by_id), **_by_reference(tx, lake, endpoint, by_reference)}


def standing(tx: Transaction, lake: Lake, endpoint: str, predictions: Iterable[Named]) -> dict[str, float]:
    """The outcomes that stand already for some predictions, by prediction id."""
    wanted = list(predictions)
    if not wanted:
        return {}
    first, last = min(one.event_at for one in wanted), max(one.event_at for one in wanted)
    ids = sorted(one.prediction_id for one in wanted)
    found: dict[str, float] = {}
    for file in lake_files.between(tx, endpoint, "outcomes", first, last + 1):
        for table in lake.pick(file, ids, ["prediction_id", "value"]):
            found.update(zip(table.column("prediction_id").to_pylist(), table.column("value").to_pylist(), strict=True))
    return found


def named_by(table: Table) -> dict[str, Named]:
    """Every key that predictions answer to: their ids, and their references, by which the latest is meant."""
    ids = table.column("prediction_id").to_pylist()
    events = instants(table.column("event_at")).tolist()
    named = {key: Named(key, event_at) for key, event_at in zip(ids, events, strict=True)}
    named.update(_latest_by_reference(table))
    return named


def unknown_share(tx: Transaction, lake: Lake, endpoint: str, keys: Sequence[str], looked_at: int) -> float:
    """About which share of keys names no prediction, by at most so many of them, evenly chosen."""
    some = {keys[place] for place in np.linspace(0, len(keys) - 1, min(looked_at, len(keys))).astype(int).tolist()}
    return 1 - len(find(tx, lake, endpoint, some)) / len(some) if some else 0.0


def of_matched(matched: Sequence[Matched]) -> Table:
    """Matched outcomes as a table of the lake: `event_at` is the prediction's, `outcome_at` the outcome's."""
    import pyarrow as pa

    return pa.table(
        {
            "prediction_id": pa.array([one.prediction.prediction_id for one in matched]),
            "event_at": timestamps([one.prediction.event_at for one in matched]),
            "value": pa.array([one.told.value for one in matched], pa.float64()),
            "outcome_at": timestamps([one.told.event_at for one in matched]),
            "told_by": pa.array([one.told.key for one in matched]),
        }
    )


def _by_id(tx: Transaction, lake: Lake, endpoint: str, ids: set[str]) -> dict[str, Named]:
    if not ids:
        return {}
    wanted = sorted(ids)
    found: dict[str, Named] = {}
    for file in lake_files.with_ids(tx, endpoint, "predictions", wanted[0], wanted[-1]):
        for table in lake.pick(file, wanted, ["prediction_id", "event_at"]):
            events = instants(table.column("event_at")).tolist()
            for key, event_at in zip(table.column("prediction_id").to_pylist(), events, strict=True):
                found[key] = Named(key, event_at)
    return found


def _by_reference(tx: Transaction, lake: Lake, endpoint: str, keys: set[str]) -> dict[str, Named]:
    """For each reference its latest prediction, reading files from the latest back until every one is certain."""
    if not keys:
        return {}
    found: dict[str, Named] = {}
    open_keys = set(keys)
    files = lake_files.latest_first(tx, endpoint, "predictions")
    start, count = 0, 2  # outcomes are mostly about the latest predictions: look far back only for what is left
    while start < len(files):
        reaches_until = files[start].last_event_at
        open_keys = {key for key in open_keys if key not in found or found[key].event_at < reaches_until}
        if not open_keys:
            break
        table = lake.read(files[start : start + count], columns=["prediction_id", "event_at", "reference"])
        references = [key[len(BY_REFERENCE) :] for key in open_keys]
        for key, named in _latest_by_reference(_rows_with(table, "reference", references)).items():
            if key not in found or found[key].event_at <= named.event_at:
                found[key] = named
        start, count = start + count, min(count * 2, MOST_FILES_A_LOOK)
    return found


def _latest_by_reference(table: Table) -> dict[str, Named]:
    import pyarrow.compute as pc

    table = table.filter(pc.is_valid(table.column("reference")))
    order = np.argsort(instants(table.column("event_at")), kind="stable")
    rows = table.select(["reference", "prediction_id", "event_at"]).take(order)
    listed = zip(
        rows.column("reference").to_pylist(),
        rows.column("prediction_id").to_pylist(),
        instants(rows.column("event_at")).tolist(),
        strict=True,
    )
    return {BY_REFERENCE + reference: Named(key, event_at) for reference, key, event_at in listed}


def _rows_with(table: Table, column: str, values: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table.column(column), value_set=pa.array(values, pa.string())))
