"""Runs as a list: searched with MLflow's filter language, in chosen columns, page by page; everything by URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import Parameter
from litestar.response import Redirect

from tenure.build import experiments, run_pages
from tenure.build.search import Unreadable
from tenure.errors import InvalidInput
from tenure.records.base import Record
from tenure.records.people import Permission, Principal
from tenure.records.tracking import Experiment, Run
from tenure.store import run_keys
from tenure.store import runs as kept_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import csrf_of
from tenure.web.page import link, show
from tenure.web.run_columns import ATTRIBUTES, Column, cells, chosen, column, natural, sensible

SIZES = (25, 50, 100, 200)
VIEWS = {"active": "ACTIVE_ONLY", "deleted": "DELETED_ONLY", "all": "ALL"}
NOTE_TAG = "mlflow.note.content"
MOST_EXPERIMENTS = 50_000
LISTED_EXPERIMENTS = 300
KEYED_EXPERIMENTS = 50
COUNT_LIMIT = 10_000
FILTERED_COUNT_LIMIT = 1_000
"""What a filter finds is counted by looking at one run after the other: this many take 30 ms."""


class Asked(Record):
    """What the URL asks for. Every link of the page is this with something changed."""

    experiment: list[str] = []
    q: str = ""
    columns: str = ""
    sort: str = ""
    down: bool = True
    view: str = "active"
    size: int = 50

    def link(self, path: str = "/runs", **changed: Any) -> str:
        """The address of the same question with something else; what is as always is left out."""
        said: dict[str, Any] = {
            "experiment": self.experiment,
            "q": self.q,
            "columns": self.columns,
            "sort": self.sort,
            "down": "" if self.down or not self.sort else "false",
            "view": "" if self.view == "active" else self.view,
            "size": "" if self.size == 50 else self.size,
        }
        return link(path, **{**said, **changed})

    def sorted_by(self, name: str) -> str:
        """The address that sorts by a column; the other way round when it already does."""
        turned = not self.down if name == self.sort else True
        return self.link(sort=name, down="" if turned else "false")

    @property
    def order_by(self) -> list[str] | None:
        if not self.sort:
            return None
        return [f"{column(self.sort).order} {'DESC' if self.down else 'ASC'}"]


class Row(Record):
    """A run of the list. `depth` is 1 where it stands below its parent."""

    run: Run
    cells: list[Any]
    depth: int = 0
    parent: str = ""
    parent_name: str = ""
    children: int = 0


class Listed(Record):
    """One page. `refused` says what is wrong with the question; `place` is where in the filter, counted from 0."""

    rows: list[Row] = []
    columns: list[Any] = []
    following: str | None = None
    preceding: str | None = None
    seen: int | None = 0
    count: int = 0
    counted_to: int = COUNT_LIMIT
    refused: str = ""
    place: int | None = None


Many = Annotated[list[str] | None, Parameter(required=False)]


@get("/runs", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def runs_page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    experiment: Many = None,
    q: str = "",
    columns: str = "",
    ticked: Annotated[list[str] | None, Parameter(query="column", required=False)] = None,
    sort: str = "",
    down: bool = True,
    view: str = "active",
    size: int = 50,
    page: str = "",
    last: bool = False,
    gone: Many = None,
) -> Response[str] | Redirect:
    asked = asked_for(experiment, q, columns, sort, down, view, size)
    if ticked:  # a form ticks many; an address to keep and send says it once
        return Redirect(asked.link(columns=",".join(one.name for one in chosen(columns, ticked))), status_code=303)

    def load(tx: Transaction) -> dict[str, Any]:
        known = known_experiments(tx)
        listed = _list(tx, asked, known, page, last)
        single = next((one for one in known if [one.experiment_id] == asked.experiment), None)
        return {
            "asked": asked,
            "listed": listed,
            "experiments": known[:LISTED_EXPERIMENTS],
            "more_experiments": max(len(known) - LISTED_EXPERIMENTS, 0),
            "counts": _counts(tx, asked.view),
            "offers": _offers(tx, asked, known, listed.columns),
            "single": single,
            "note": _note(single),
            "gone": gone or [],
            "sizes": SIZES,
            "views": list(VIEWS),
            "control_url": ground.settings.shown_url,
            "first": not page and not last,
            "csrf": csrf_of(request),
            "may_write": Permission.TRACK in principal.permissions,
        }

    return show(ground, principal, "runs.html", load, current="runs")


def asked_for(experiment: list[str] | None, q: str, columns: str, sort: str, down: bool, view: str, size: int) -> Asked:
    if view not in VIEWS:
        raise InvalidInput(f"The view must be one of {', '.join(VIEWS)}. Got {view[:50]!r}.", where="view")
    return Asked(
        experiment=[one for one in dict.fromkeys(experiment or ()) if one],
        q=q,
        columns=",".join(one.name for one in chosen(columns, ())),
        sort=column(sort).name if sort else "",
        down=down,
        view=view,
        size=min(max(size, 1), SIZES[-1]),
    )


def known_experiments(tx: Transaction) -> list[Experiment]:
    known, _ = experiments.search(
        tx, text=None, order_by=None, view="ALL", max_results=MOST_EXPERIMENTS, page_token=None
    )
    return known


def wanted(asked: Asked, known: Sequence[Experiment]) -> list[str]:
    return asked.experiment or [one.experiment_id for one in known]


def _list(tx: Transaction, asked: Asked, known: Sequence[Experiment], page: str, last: bool) -> Listed:
    """One page of runs. A question that cannot be read is told instead of raised: it is corrected where it stands."""
    within = wanted(asked, known)
    view = VIEWS[asked.view]
    most = FILTERED_COUNT_LIMIT if asked.q.strip() else COUNT_LIMIT
    try:
        found = run_pages.page(
            tx,
            within,
            text=asked.q or None,
            order_by=asked.order_by,
            view=view,
            limit=asked.size,
            token=page or None,
            last=last,
        )
        count = run_pages.count(tx, within, text=asked.q or None, view=view, most=most + 1)
    except InvalidInput as refusal:
        place = refusal.place if isinstance(refusal, Unreadable) and refusal.where == "filter" else None
        return Listed(columns=list(chosen(asked.columns, ())), refused=refusal.message, place=place)
    runs = kept_runs.get_many(tx, found.run_ids)
    columns = chosen(asked.columns, ()) or sensible(runs)
    seen = count - len(runs) if last and count <= most else found.seen
    return Listed(
        rows=_rows(tx, runs, columns, known, nested=not asked.sort),
        columns=columns,
        following=found.following,
        preceding=found.preceding,
        seen=seen,
        count=count,
        counted_to=most,
    )


def _rows(
    tx: Transaction, runs: Sequence[Run], columns: Sequence[Column], known: Sequence[Experiment], *, nested: bool
) -> list[Row]:
    names = {one.experiment_id: one.name for one in known}
    parents = {run.info.run_id: parent for run in runs if (parent := _parent(run))}
    named = run_keys.names(tx, list(dict.fromkeys(parents.values())))
    counted = run_keys.children_counts(tx, [run.info.run_id for run in runs])
    here = {run.info.run_id for run in runs}
    rows = [
        Row(
            run=run,
            cells=cells(run, columns, names.get(run.info.experiment_id, "")),
            depth=1 if nested and parents.get(run.info.run_id) in here else 0,
            parent=parents.get(run.info.run_id, ""),
            parent_name=named.get(parents.get(run.info.run_id, ""), ""),
            children=counted.get(run.info.run_id, 0),
        )
        for run in runs
    ]
    return _below_parents(rows) if nested else rows


def _parent(run: Run) -> str:
    return next((tag.value for tag in run.data.tags if tag.key == run_keys.PARENT_TAG), "")


def _below_parents(rows: Sequence[Row]) -> list[Row]:
    """Children right below a parent that is on the same page; the rest stays in its order."""
    below: dict[str, list[Row]] = {}
    for row in rows:
        if row.depth:
            below.setdefault(row.parent, []).append(row)

    def with_children(row: Row) -> Iterator[Row]:
        """Taken out as they are placed, so that runs that name each other as parents end somewhere."""
        yield row
        for child in below.pop(row.run.info.run_id, ()):
            yield from with_children(child)

    placed = [each for row in rows if not row.depth for each in with_children(row)]
    return [*placed, *(row for left in below.values() for row in left)]


def _offers(
    tx: Transaction, asked: Asked, known: Sequence[Experiment], shown: Sequence[Column]
) -> list[tuple[str, list[Column]]]:
    """Columns that can be chosen beside those that are shown, by kind."""
    numbers = [int(one.experiment_id) for one in known if one.experiment_id in wanted(asked, known)]
    keys = run_keys.of_newest(tx, numbers[:KEYED_EXPERIMENTS])
    groups = {"metrics": keys.metrics, "params": keys.params, "tags": keys.tags, "attributes": list(ATTRIBUTES)[:-1]}
    offered = {
        group: [Column(group, key) for key in sorted(of_group, key=natural)] for group, of_group in groups.items()
    }
    return [(group.capitalize(), [one for one in left if one not in shown]) for group, left in offered.items()]


def _counts(tx: Transaction, view: str) -> dict[str, int]:
    stages = experiments.stages_of(VIEWS[view])
    return {str(number): sum(by.get(one, 0) for one in stages) for number, by in run_keys.run_counts(tx).items()}


def _note(experiment: Experiment | None) -> str:
    return next((tag.value for tag in experiment.tags if tag.key == NOTE_TAG), "") if experiment else ""


handlers = [runs_page]
