"""Finding runs: filtered, ordered, a page at a time, and about as fast among 50,000 runs as among a thousand.

A page walks an index in the order that was asked for and stops when it is full. Where few runs can match, they are
looked up by an index and sorted instead; how many can is counted first, no further than FEW.

A page begins where another one ended, told by the values that its last run was ordered by, so that the thousandth page
costs what the first does: by an offset the last pages of 50,000 runs took 0.3 s, with a filter 3 s. One page costs
more: the last of those ordered by a key which the filter does not compare. Runs without that key come after it, no
index tells which they are, and so every run in the scope is looked up once, 1 µs each on SQLite, to learn that there
are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from tenure.records.search import Comparison, Ordering, Position
from tenure.store import conditions, tables
from tenure.store.conditions import Condition
from tenure.store.database import Transaction

FEW = 2000
RUN = tables.runs.c
KEYED: dict[str, sa.Table] = {"metric": tables.latest_metrics, "param": tables.params, "tag": tables.tags}
PRESENCE = ("IS NULL", "IS NOT NULL")
LACKING = 2
"""Rank of a run without the key that runs are ordered by; 1 is NaN, 0 a value. In this order they come."""


class Term(NamedTuple):
    """One of the things that runs are ordered by."""

    column: sa.ColumnElement[Any]
    ascending: bool = True


class Scope(NamedTuple):
    """The experiments and the stages in which runs are looked for."""

    experiment_ids: Sequence[int]
    stages: Sequence[str]

    @property
    def indexed(self) -> list[Condition]:
        """Said so that an index gives the runs, the newest first or last."""
        return [_one_of(RUN.experiment_id, self.experiment_ids), _one_of(RUN.lifecycle_stage, self.stages)]

    def checked(self, tx: Transaction) -> list[Condition]:
        """Said so that SQLite answers it by no index: it would start there and look at every run.

        Postgres counts what an equality leaves, but takes any sum for rare, and then looks at every run.
        """
        column = RUN.experiment_id + 0 if tx.dialect.name == "sqlite" else RUN.experiment_id
        return [_one_of(column, self.experiment_ids), _one_of(RUN.lifecycle_stage, self.stages)]


NEWEST = (Term(RUN.start_time, ascending=False), Term(RUN.run_id))


def search(
    tx: Transaction,
    experiment_ids: Sequence[int],
    comparisons: Sequence[Comparison],
    orderings: Sequence[Ordering],
    stages: Sequence[str],
    limit: int,
    position: Position,
) -> list[str]:
    """Ids of the runs for which every comparison holds, in order: by `orderings`, then the newest first.

    They are the first `limit` after the position, or when it looks back the last `limit` before it.
    """
    if not experiment_ids:
        return []
    scope = Scope(experiment_ids, stages)
    few = _fewest(tx, scope, comparisons)
    first = orderings[0] if orderings else None
    if few is None and first is not None and first.entity in KEYED:
        found = _walk(tx, scope, comparisons, orderings, limit, position)
    else:
        source, terms = _joined(orderings)
        query = sa.select(RUN.run_id).select_from(source).where(*_holds(tx, scope, comparisons, few))
        found = list(tx.scalars(_page(query, terms, position.values, position.back).limit(limit)))
    return found[::-1] if position.back else found


def values_of(tx: Transaction, run_id: str, orderings: Sequence[Ordering]) -> list[Any]:
    """What a run is ordered by: what a position after or before it holds."""
    source, terms = _joined(orderings)
    columns = [term.column.label(f"v{place}") for place, term in enumerate(terms)]
    row = tx.execute(sa.select(*columns).select_from(source).where(RUN.run_id == run_id)).one()
    return list(row)


def count(
    tx: Transaction, experiment_ids: Sequence[int], comparisons: Sequence[Comparison], stages: Sequence[str], most: int
) -> int:
    """How many runs there are for which every comparison holds, counted no further than `most`."""
    if not experiment_ids:
        return 0
    scope = Scope(experiment_ids, stages)
    few = _fewest(tx, scope, comparisons) if comparisons else None
    query = sa.select(RUN.run_id).where(*_holds(tx, scope, comparisons, few))
    return _count(tx, query, most)


def _holds(
    tx: Transaction, scope: Scope, comparisons: Sequence[Comparison], few: Comparison | bool | None
) -> list[Condition]:
    begun = scope.checked(tx) if isinstance(few, Comparison) else scope.indexed
    asked = (_looked_up(tx, one) if one is few else _condition(tx, one, RUN.run_id) for one in comparisons)
    return [*begun, *asked]


def _one_of(column: sa.ColumnElement[Any], values: Sequence[Any]) -> Condition:
    """Equality where there is one value: an index then also gives the order of what follows in it."""
    return column == values[0] if len(values) == 1 else column.in_(values)


# --- conditions ---


def _condition(tx: Transaction, one: Comparison, run_id: sa.ColumnElement[str]) -> Condition:
    """The comparison, asked of one run at a time: the one with this id."""
    if one.entity == "attribute":
        return conditions.compared(tx, RUN["name" if one.key == "run_name" else one.key], one)
    if one.entity == "dataset":
        return conditions.found(tx, _dataset_rows(tx, one).where(tables.run_inputs.c.run_id == run_id))
    table = KEYED[one.entity]
    if one.entity != "metric":
        return conditions.keyed(tx, table, table.c.run_id == run_id, one)
    rows = sa.select(sa.literal(1)).where(table.c.run_id == run_id, table.c.key == one.key)
    return conditions.found(tx, rows.where(conditions.measured(tx, table.c.value, one)))


def _looked_up(tx: Transaction, one: Comparison) -> Condition:
    """The comparison, as the set of runs that an index gives for it."""
    if one.entity == "attribute":
        return _condition(tx, one, RUN.run_id)
    return RUN.run_id.in_(_matching(tx, one))


def _matching(tx: Transaction, one: Comparison) -> sa.Select[Any]:
    if one.entity == "dataset":
        return _dataset_rows(tx, one).with_only_columns(tables.run_inputs.c.run_id)
    table = KEYED[one.entity]
    return sa.select(table.c.run_id).where(table.c.key == one.key, conditions.compared(tx, table.c.value, one))


def _dataset_rows(tx: Transaction, one: Comparison) -> sa.Select[Any]:
    inputs, datasets = tables.run_inputs, tables.datasets
    rows = sa.select(sa.literal(1)).select_from(inputs.join(datasets, datasets.c.dataset_id == inputs.c.dataset_id))
    if one.key == "context":
        return rows.where(conditions.compared(tx, inputs.c.context, one))
    return rows.where(conditions.compared(tx, datasets.c[one.key], one))


def _fewest(tx: Transaction, scope: Scope, comparisons: Sequence[Comparison]) -> Comparison | bool | None:
    """What leaves at most FEW runs: a comparison that an index answers, True for the scope itself, None for nothing."""
    counted: list[tuple[int, Comparison | bool]] = [
        (_count(tx, sa.select(RUN.run_id).where(*scope.indexed), FEW + 1), True)
    ]
    counted += [(_count(tx, _matching(tx, one), FEW + 1), one) for one in comparisons if _is_indexed(one)]
    runs, fewest = min(counted, key=lambda pair: pair[0])
    return fewest if runs <= FEW else None


def _is_indexed(one: Comparison) -> bool:
    if one.entity == "metric":
        return one.op != "!="
    return one.entity in ("param", "tag") and one.op == "="


def _count(tx: Transaction, query: sa.Select[Any], most: int) -> int:
    bounded = query.limit(most).subquery()
    return int(tx.scalar(sa.select(sa.func.count()).select_from(bounded)) or 0)


# --- order ---


def _joined(orderings: Sequence[Ordering]) -> tuple[sa.FromClause, list[Term]]:
    """Terms of the orderings, every key looked up by a join."""
    source: sa.FromClause = tables.runs
    terms: list[Term] = []
    for item in orderings:
        if item.entity == "attribute":
            terms += _by_attribute(item)
            continue
        table = KEYED[item.entity].alias()
        source = source.outerjoin(table, sa.and_(table.c.run_id == RUN.run_id, table.c.key == item.key))
        rank = sa.case((table.c.run_id.is_(None), LACKING), (table.c.value.is_(None), 1), else_=0)
        terms += [Term(rank), Term(table.c.value, item.ascending)]
    return source, [*terms, *NEWEST]


def _looked_up_terms(orderings: Sequence[Ordering]) -> list[Term]:
    """The same terms, every key looked up by a subquery: among what is equal in a walked key."""
    terms: list[Term] = []
    for item in orderings:
        if item.entity == "attribute":
            terms += _by_attribute(item)
            continue
        table = KEYED[item.entity].alias()
        own = (table.c.run_id == RUN.run_id, table.c.key == item.key)
        there = sa.select(sa.literal(1)).where(*own).correlate(tables.runs).exists()
        value = sa.select(table.c.value).where(*own).correlate(tables.runs).scalar_subquery()
        terms += [Term(sa.case((~there, LACKING), (value.is_(None), 1), else_=0)), Term(value, item.ascending)]
    return [*terms, *NEWEST]


def _by_attribute(item: Ordering) -> list[Term]:
    column = RUN["name" if item.key == "run_name" else item.key]
    missing_last = [Term(sa.case((column.is_(None), 1), else_=0))] if item.key == "end_time" else []
    return [*missing_last, Term(column, item.ascending)]


def _walk(
    tx: Transaction,
    scope: Scope,
    comparisons: Sequence[Comparison],
    orderings: Sequence[Ordering],
    limit: int,
    position: Position,
) -> list[str]:
    """Walk the index of the first key's values; then come runs where it is NaN, then runs that lack it."""
    first, rest = orderings[0], _looked_up_terms(orderings[1:])
    table = KEYED[first.entity].alias("walked")
    own = [one for one in comparisons if (one.entity, one.key) == (first.entity, first.key)]
    others = [one for one in comparisons if one not in own]
    # Asked of the walked row, not of its run: runs that others rule out are not even looked up.
    walked = [table.c.key == first.key, *(_condition(tx, one, table.c.run_id) for one in others)]
    walked += [RUN.run_id == table.c.run_id, *scope.checked(tx)]
    values = [conditions.compared(tx, table.c.value, one) for one in own if one.op not in PRESENCE]
    having = sa.select(sa.literal(1)).where(table.c.run_id == RUN.run_id, table.c.key == first.key)
    lacks = ~conditions.found(tx, having)  # first, since hardly any run does: the rest is then not looked up
    lacking = [lacks, *scope.indexed, *(_condition(tx, one, RUN.run_id) for one in others)]
    ordered = [Term(table.c.value, first.ascending)]
    phases: dict[int, tuple[sa.Select[Any], list[Term]]] = {
        0: (sa.select(RUN.run_id).where(*walked, table.c.value.is_not(None), *values), ordered),
        1: (sa.select(RUN.run_id).where(*walked, table.c.value.is_(None)), []),
        LACKING: (sa.select(RUN.run_id).where(*lacking), []),
    }
    phases = {rank: phase for rank, phase in phases.items() if _may_hold(rank, first, own)}
    begun: Any = position.values[0] if position.values else None
    found: list[str] = []
    for rank in sorted(phases, reverse=position.back):
        if begun is not None and (rank > begun if position.back else rank < begun):
            continue
        query, by_value = phases[rank]
        beyond = position.values[1 if by_value else 2 :] if rank == begun else []
        page = _page(query, [*by_value, *rest], beyond, position.back)
        found += tx.scalars(page.limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def _may_hold(rank: int, first: Ordering, own: Sequence[Comparison]) -> bool:
    """Whether any run of that rank can do: comparisons of the key that runs are ordered by rule some out.

    It spares looking at every run to learn that the last page is the last.
    """
    if rank == LACKING:
        return all(one.op == "IS NULL" for one in own)
    if rank == 1:
        return first.entity == "metric" and all(one.op == "!=" for one in own)
    return all(one.op != "IS NULL" for one in own)


def _page(query: sa.Select[Any], terms: Sequence[Term], values: Sequence[Any], back: bool) -> sa.Select[Any]:
    """The query in order, from beyond these values on; turned round when looking back."""
    turned = [Term(term.column, term.ascending is not back) for term in terms]
    if values:
        query = query.where(_beyond(turned, values))
    return query.order_by(*(term.column.asc() if term.ascending else term.column.desc() for term in turned))


def _beyond(terms: Sequence[Term], values: Sequence[Any]) -> Condition:
    """Comes after these values. What is missing (None) is equal to what is missing: its rank stands before it."""
    same: list[Condition] = []
    ways: list[Condition] = []
    for term, value in zip(terms, values, strict=True):
        if value is None:
            same.append(term.column.is_(None))
            continue
        ways.append(sa.and_(*same, term.column > value if term.ascending else term.column < value))
        same.append(term.column == value)
    first, value = terms[0], values[0]
    bound = first.column >= value if first.ascending else first.column <= value  # what an index can start from
    return sa.and_(bound, sa.or_(*ways))
