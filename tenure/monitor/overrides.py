"""What people decided instead of the model: joined to predictions as outcomes are, and never taken for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tenure.monitor import joining
from tenure.monitor.joining import Named
from tenure.records.frames import OverrideFrame
from tenure.store import lake_files
from tenure.store.database import Transaction
from tenure.store.lake import Lake, Table, instants, timestamps
from tenure.store.overrides import Decided

Joined = tuple[Decided, Named]


class Split(NamedTuple):
    """Overrides whose prediction is known, once each, and those that wait for theirs."""

    matched: list[Joined]
    unknown: list[Decided]


def told(frames: Sequence[OverrideFrame]) -> list[Decided]:
    return [
        Decided(*one)
        for frame in frames
        for one in zip(frame.key, frame.value, frame.event_at, frame.reason, frame.decided_by, strict=True)
    ]


def join(tx: Transaction, lake: Lake, endpoint: str, decided: Sequence[Decided]) -> Split:
    """Find the predictions that overrides are about, by what the lake holds now. What stands already is in neither."""
    named = joining.find(tx, lake, endpoint, {one.key for one in decided})
    found = [(one, named[one.key]) for one in decided if one.key in named]
    return Split(new(tx, lake, endpoint, found), [one for one in decided if one.key not in named])


def new(tx: Transaction, lake: Lake, endpoint: str, found: Sequence[Joined]) -> list[Joined]:
    """Those that the lake does not hold yet: of one person about one prediction at one instant, the first stands."""
    known = _standing(tx, lake, endpoint, [prediction for _, prediction in found])
    fresh = []
    for one, prediction in found:
        mark = (prediction.prediction_id, one.decided_by, one.event_at)
        if mark not in known:
            known.add(mark)
            fresh.append((one, prediction))
    return fresh


def matched(waited: Sequence[Decided], named: Mapping[str, Named]) -> list[Joined]:
    return [(one, named[one.key]) for one in waited]


def table_of(joined: Sequence[Joined]) -> Table:
    """Overrides as a table of the lake: `event_at` is the prediction's, `decided_at` when the person decided."""
    import pyarrow as pa

    return pa.table(
        {
            "prediction_id": pa.array([prediction.prediction_id for _, prediction in joined]),
            "event_at": timestamps([prediction.event_at for _, prediction in joined]),
            "value": pa.array([one.value for one, _ in joined], pa.float64()),
            "decided_at": timestamps([one.event_at for one, _ in joined]),
            "decided_by": pa.array([one.decided_by for one, _ in joined]),
            "reason": pa.array([one.reason for one, _ in joined]),
            "told_by": pa.array([one.key for one, _ in joined]),
        }
    )


def overridden_count(tx: Transaction, lake: Lake, endpoint: str) -> int:
    """How many predictions of an endpoint a person overrode, however often each."""
    import pyarrow.compute as pc

    files = lake_files.latest_first(tx, endpoint, "overrides")
    table = lake.read(files, columns=["prediction_id"]) if files else None
    return 0 if table is None else int(pc.count_distinct(table.column("prediction_id")).as_py())


def _standing(tx: Transaction, lake: Lake, endpoint: str, predictions: Sequence[Named]) -> set[tuple[str, str, int]]:
    if not predictions:
        return set()
    first, last = min(one.event_at for one in predictions), max(one.event_at for one in predictions)
    files = lake_files.between(tx, endpoint, "overrides", first, last + 1)
    columns = ["prediction_id", "decided_by", "decided_at"]
    table = lake.read(files, columns=columns, from_at=first, until_at=last + 1)
    if table.num_rows == 0:
        return set()
    ids, people = table.column("prediction_id").to_pylist(), table.column("decided_by").to_pylist()
    return set(zip(ids, people, instants(table.column("decided_at")).tolist(), strict=True))
