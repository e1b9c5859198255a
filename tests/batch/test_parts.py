"""What a process in limits says of a part, and what a part that breaks off leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.batch import journal
from tenure.batch.sources import open_files
from tenure.errors import Conflict, InvalidInput
from tenure.monitor import batch_files, part_reader
from tenure.records.base import HOUR_US
from tenure.records.batches import BatchOrder, PartAsked, PartsAsked, PartSeen

from .makers import Scene, rows

FIRST, ROWS, START = 640, 8, 1_700_000_000_000_000
HOUR = START - START % HOUR_US


@pytest.fixture
def order(scene: Scene) -> BatchOrder:
    pq.write_table(rows(5), scene.path("in.parquet"))
    return scene.batch(open_files(scene.path("in.parquet")))._order(dry_run=False)


def table_of(order: BatchOrder, numbers: list[int], event_at: list[int] | None = None) -> pa.Table:
    """What a batch sends of rows with such numbers."""
    told = np.array(numbers)
    score = pa.array(np.linspace(0, 1, len(numbers)))
    at = np.array(event_at or [START] * len(numbers))
    scored = journal.Scored(told, {"x": score}, score, score, at, None, None, None)
    return journal.table_of(order, scored, journal.ids_of(order.batch.batch_id, told), score_says_all=True)


def seen(order: BatchOrder, table: pa.Table, folder: Path, rows: int = ROWS) -> PartSeen:
    pq.write_table(table, folder / "part.parquet")
    part = PartAsked(path=str(folder / "part.parquet"), first_row=FIRST, until_row=FIRST + ROWS, rows=rows)
    asked = PartsAsked(batch_id=order.batch.batch_id, parts=[part], said=batch_files._said(order.batch))
    return part_reader.seen(asked, part)


def test_a_part_with_all_of_its_rows_or_with_some_is_what_it_must_be(order: BatchOrder, tmp_path: Path) -> None:
    batch_id = order.batch.batch_id
    for numbers in (list(range(FIRST, FIRST + ROWS)), [FIRST + 1, FIRST + 5]):
        found = seen(order, table_of(order, numbers), tmp_path, len(numbers))
        assert found == PartSeen(
            first_event_at=START,
            last_event_at=START,
            first_id=f"{batch_id}:{numbers[0]}",
            last_id=f"{batch_id}:{numbers[-1]}",
            hours=[HOUR],
        )


def test_the_hours_of_a_part_are_those_of_its_events(order: BatchOrder, tmp_path: Path) -> None:
    before_1970 = [-1, 0, HOUR_US - 1, HOUR_US, 5 * HOUR_US + 1, -HOUR_US - 1, 0, 0]
    found = seen(order, table_of(order, list(range(FIRST, FIRST + ROWS)), before_1970), tmp_path)
    assert sorted(found.hours) == [-2 * HOUR_US, -HOUR_US, 0, HOUR_US, 5 * HOUR_US]
    assert (found.first_event_at, found.last_event_at) == (-HOUR_US - 1, 5 * HOUR_US + 1)


def ids(change: Callable[[list[str]], list[str | None]]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        return said("prediction_id", change(table.column("prediction_id").to_pylist()))(table)

    return changed


def said(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        place = table.column_names.index(name)
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return table.set_column(place, name, pa.array(values, kind))

    return changed


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (ids(lambda told: [*told[1:], told[0]]), "order of rows"),
        (ids(lambda told: [*told[:-1], told[-2]]), "order of rows"),
        (ids(lambda told: [told[0].replace(":", ":0"), *told[1:]]), "a colon and the row's number"),
        (ids(lambda told: [told[0].replace(":640", ":6x0"), *told[1:]]), "a colon and the row's number"),
        (ids(lambda told: ["f" + told[0][1:], *told[1:]]), "a colon and the row's number"),
        (ids(lambda told: [*told[:-1], told[-1].replace(":647", ":648")]), "rows 640 to 647"),
        (ids(lambda told: [*told[:-1], None]), "must have a prediction id"),
        (said("role", ["champion"] * 7 + ["shadow"]), "'role' must say in every row"),
        (said("release_id", ["another"] * 8), "'release_id' must say in every row"),
        (said("version", [1] * 7 + [None]), "'version' must say in every row"),
        (said("jurisdiction", [None] * 7 + ["US"]), "'jurisdiction' must say in every row"),
        (said("latency_us", [None] * 7 + [5]), "'latency_us' must say in every row"),
        (said("event_at", [START] * 7 + [None]), "event times must be there"),
        (lambda table: table.append_column("y", table.column("score")), "'y' is no column of a part"),
        (lambda table: table.append_column("f_y", table.column("at")), "'f_y' must not hold timestamp"),
        (lambda table: table.slice(1), "it must have 8 rows, and has 7"),
    ],
)
def test_a_part_that_says_something_else_is_told(
    order: BatchOrder, tmp_path: Path, change: Callable[[pa.Table], pa.Table], problem: str
) -> None:
    good = table_of(order, list(range(FIRST, FIRST + ROWS)))
    assert not seen(order, good, tmp_path).problem
    assert problem in seen(order, change(good), tmp_path).problem


def test_a_part_that_breaks_off_leaves_nothing(scene: Scene, order: BatchOrder) -> None:
    path = f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}/parts/0"
    told = iter([{"type": "http.request", "body": b"half of", "more_body": True}, {"type": "http.disconnect"}])
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"until_row=2&rows=2",
        "headers": [(b"host", b"127.0.0.1:5000"), (b"content-length", b"100")],
        "client": ("127.0.0.1", 1),
    }
    answered: list[Any] = []

    async def receive() -> Any:
        return next(told)

    async def send(message: Any) -> None:
        answered.append(message)

    asyncio.run(scene.transport.app(scope, receive, send))
    assert answered[0]["status"] == 500
    assert not list((scene.folder / "batches" / order.batch.batch_id).iterdir())
    assert scene.client.get(f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}")["rows"] == 0


@pytest.mark.parametrize(("first_row", "until_row", "count"), [(0, 2, 3), (0, 2, 0), (2, 2, 1), (0, 1_000_000_001, 1)])
def test_a_part_about_no_rows_is_refused_before_it_is_read(
    scene: Scene, order: BatchOrder, first_row: int, until_row: int, count: int
) -> None:
    place = f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}"
    with pytest.raises(InvalidInput, match="first 1,000,000,000"):
        scene.client.send_file(
            "PUT", f"{place}/parts/{first_row}", b"x", "application/x", {"until_row": until_row, "rows": count}
        )
    scene.client.delete(place)
    with pytest.raises(Conflict, match="abandoned"):
        scene.client.send_file("PUT", f"{place}/parts/0", b"x", "application/x", {"until_row": 2, "rows": 2})
    assert not (scene.folder / "batches" / order.batch.batch_id).exists()


def test_a_part_that_comes_again_takes_the_place_of_the_one_before(scene: Scene, order: BatchOrder) -> None:
    place = f"/api/v1/endpoints/delay/batches/{order.batch.batch_id}"
    for content in (b"first", b"the second"):
        told = scene.client.send_file("PUT", f"{place}/parts/0", content, "application/x", {"until_row": 2, "rows": 2})
    assert told["rows"] == 2
    folder = scene.folder / "batches" / order.batch.batch_id
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"0.parquet": b"the second"}
    assert msgspec.json.encode(told)
