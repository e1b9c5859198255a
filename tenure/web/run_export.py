"""The list of runs as CSV: the same question by the same query, every page of it, as it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from litestar import get
from litestar.params import Parameter
from litestar.response import Stream

from tenure.build import run_pages
from tenure.records.base import Record, iso
from tenure.records.people import Permission
from tenure.records.tracking import Run
from tenure.store import runs as kept_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import runs, wording
from tenure.web.run_columns import Column, cells, chosen, sensible

PAGE = 500
FIXED = ("run_id", "run_name")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
HEADERS = {
    "Content-Disposition": 'attachment; filename="runs.csv"',
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
}


@get("/runs.csv", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def runs_csv(
    ground: Ground,
    experiment: runs.Many = None,
    q: str = "",
    columns: str = "",
    sort: str = "",
    down: bool = True,
    view: str = "active",
    ticked: Annotated[list[str] | None, Parameter(query="column", required=False)] = None,
) -> Stream:
    """Every run that the list finds, in its order. Instants are ISO 8601 in UTC, durations seconds."""
    asked = runs.asked_for(experiment, q, columns, sort, down, view, PAGE)
    wanted = chosen(asked.columns, ticked or ())
    first = ground.database.read(lambda tx: _page(tx, asked, None))  # what cannot be read is refused before it begins
    return Stream(_lines(ground, asked, wanted, first), media_type="text/csv; charset=utf-8", headers=HEADERS)


class _Page(Record):
    runs: list[Run]
    following: str | None
    names: dict[str, str]


def _page(tx: Transaction, asked: runs.Asked, token: str | None) -> _Page:
    known = runs.known_experiments(tx)
    found = run_pages.page(
        tx,
        runs.wanted(asked, known),
        text=asked.q or None,
        order_by=asked.order_by,
        view=runs.VIEWS[asked.view],
        limit=PAGE,
        token=token,
    )
    names = {one.experiment_id: one.name for one in known}
    return _Page(runs=kept_runs.get_many(tx, found.run_ids), following=found.following, names=names)


def _lines(ground: Ground, asked: runs.Asked, wanted: Sequence[Column], page: _Page) -> Iterator[str]:
    """A page is read, written and forgotten; no transaction is kept open for a slow reader."""
    columns = wanted or sensible(page.runs[: runs.Asked().size])
    yield _line([*FIXED, *(one.name for one in columns)])
    while True:
        yield "".join(_line(_values(run, columns, page.names)) for run in page.runs)
        token = page.following
        if token is None:
            return
        page = ground.database.read(lambda tx, token=token: _page(tx, asked, token))  # type: ignore[misc]


def _values(run: Run, columns: Sequence[Column], names: dict[str, str]) -> list[Any]:
    told = cells(run, columns, names.get(run.info.experiment_id, ""))
    raw = {one.key: one.value for one in run.data.metrics}
    values: list[Any] = [run.info.run_id, run.info.run_name]
    for column, cell in zip(columns, told, strict=True):
        if column.group == "metrics":
            values.append(raw.get(column.key, ""))
        elif column.group == "attributes" and column.key in ("start_time", "end_time", "duration"):
            values.append(_time(run, column.key))
        else:
            values.append(cell.text)
    return values


def _time(run: Run, key: str) -> str | float:
    start, end = run.info.start_time, run.info.end_time
    if key == "duration":
        return (end - start) / 1000 if end is not None else ""
    at = wording.of_ms(start if key == "start_time" else end)
    return iso(at) if at else ""


def _line(values: Sequence[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([safe(value) for value in values])
    return written.getvalue()


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: such text gets an apostrophe in front. Numbers stay numbers.

    >>> safe("=1+1"), safe(-0.5), safe("-1"), safe("forest")
    ("'=1+1", -0.5, '-1', 'forest')
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


handlers = [runs_csv]
