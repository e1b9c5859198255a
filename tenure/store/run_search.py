"""Finding runs: filtered, ordered, a page at a time, and about as fast among 50,000 runs as among a thousand.

A page walks an index in the order that was asked for and stops when it is full. Where few runs can match, they are
looked up by an index and sorted instead; how many can is counted first, no further than FEW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tenure.records.search import Comparison, Ordering
from tenure.store import conditions, tables
from tenure.store.conditions import Condition
from tenure.store.database import Transaction

FEW = 2000
RUN = tables.runs.c
KEYED: dict[str, sa.Table] = {"metric": tables.latest_metrics, "param": tables.params, "tag": tables.tags}
NEWEST: tuple[sa.ColumnElement[Any], ...] = (RUN.start_time.desc(), RUN.run_id.asc())


def search(
    tx: Transaction,
    experiment_ids: Sequence[int],
    comparisons: Sequence[Comparison],
    orderings: Sequence[Ordering],
    stages: Sequence[str],
    limit: int,
    offset: int,
) -> list[str]:
    """Ids of the runs for which every comparison holds, in order: by `orderings`, then the newest first."""
    if not experiment_ids:
        return []
    scope = [_one_of(RUN.experiment_id, experiment_ids), _one_of(RUN.lifecycle_stage, stages)]
    few = _fewest(tx, scope, comparisons)
    if isinstance(few, Comparison):
        scope[0] = _inside(experiment_ids)
    holds = [
        *scope,
        *(_looked_up(tx, one) if one is few else _condition(tx, one) for one in comparisons),
    ]
    first = orderings[0] if orderings else None
    if few is None and first is not None and first.entity in KEYED:
        return _walk(tx, experiment_ids, holds, orderings, limit, offset)
    query = sa.select(RUN.run_id).where(*holds)
    return list(tx.scalars(_sorted(query, orderings).limit(limit).offset(offset)))


def _one_of(column: sa.ColumnElement[Any], values: Sequence[Any]) -> Condition:
    """Equality where there is one value: an index then also gives the order of what follows in it."""
    return column == values[0] if len(values) == 1 else column.in_(values)


def _inside(experiment_ids: Sequence[int]) -> Condition:
    """In these experiments, said so that no index answers it: the planner would start there and look at every run."""
    return _one_of(RUN.experiment_id + 0, experiment_ids)


# --- conditions ---


def _condition(tx: Transaction, one: Comparison) -> Condition:
    """The comparison, asked of one run at a time."""
    if one.entity == "attribute":
        return conditions.compared(tx, RUN["name" if one.key == "run_name" else one.key], one)
    if one.entity == "dataset":
        return _dataset_rows(tx, one).where(tables.run_inputs.c.run_id == RUN.run_id).exists()
    table = KEYED[one.entity]
    if one.entity != "metric":
        return conditions.keyed(tx, table, table.c.run_id == RUN.run_id, one)
    rows = sa.select(sa.literal(1)).where(table.c.run_id == RUN.run_id, table.c.key == one.key)
    return rows.where(conditions.measured(tx, table.c.value, one)).exists()


def _looked_up(tx: Transaction, one: Comparison) -> Condition:
    """The comparison, as the set of runs that an index gives for it."""
    if one.entity == "attribute":
        return _condition(tx, one)
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


def _fewest(tx: Transaction, scope: Sequence[Condition], comparisons: Sequence[Comparison]) -> Comparison | bool | None:
    """What leaves at most FEW runs: a comparison that an index answers, True for the scope itself, None for nothing."""
    counted: list[tuple[int, Comparison | bool]] = [(_count(tx, sa.select(RUN.run_id).where(*scope)), True)]
    counted += [(_count(tx, _matching(tx, one)), one) for one in comparisons if _is_indexed(one)]
    runs, fewest = min(counted, key=lambda pair: pair[0])
    return fewest if runs <= FEW else None


def _is_indexed(one: Comparison) -> bool:
    if one.entity == "metric":
        return one.op != "!="
    return one.entity in ("param", "tag") and one.op == "="


def _count(tx: Transaction, query: sa.Select[Any]) -> int:
    bounded = query.limit(FEW + 1).subquery()
    return int(tx.scalar(sa.select(sa.func.count()).select_from(bounded)) or 0)


# --- order ---


def _sorted(query: sa.Select[Any], orderings: Sequence[Ordering]) -> sa.Select[Any]:
    """Order by looking every key up and sorting."""
    order: list[sa.ColumnElement[Any]] = []
    source: sa.FromClause = tables.runs
    for item in orderings:
        if item.entity == "attribute":
            order += _by_attribute(item)
            continue
        table = KEYED[item.entity].alias()
        source = source.outerjoin(table, sa.and_(table.c.run_id == RUN.run_id, table.c.key == item.key))
        order.append(sa.case((table.c.run_id.is_(None), 2), (table.c.value.is_(None), 1), else_=0))
        order.append(table.c.value.asc() if item.ascending else table.c.value.desc())
    return query.select_from(source).order_by(*order, *NEWEST)


def _by_attribute(item: Ordering) -> list[sa.ColumnElement[Any]]:
    column = RUN["name" if item.key == "run_name" else item.key]
    if item.key == "end_time":
        return conditions.ordered(column, ascending=item.ascending)
    return [column.asc() if item.ascending else column.desc()]


def _walk(
    tx: Transaction,
    experiment_ids: Sequence[int],
    holds: Sequence[Condition],
    orderings: Sequence[Ordering],
    limit: int,
    offset: int,
) -> list[str]:
    """Walk the index of the first key's values; then come runs where it is NaN, then runs that lack it."""
    first, rest = orderings[0], orderings[1:]
    table = KEYED[first.entity].alias("walked")
    has = sa.select(sa.literal(1)).where(table.c.run_id == RUN.run_id, table.c.key == first.key).exists()
    apart = [RUN.run_id == table.c.run_id, table.c.key == first.key, _inside(experiment_ids), *holds[1:]]
    with_value = sa.select(RUN.run_id).where(*apart, table.c.value.is_not(None))
    with_value = with_value.order_by(table.c.value.asc() if first.ascending else table.c.value.desc())
    phases = [_then(with_value, rest)]
    if first.entity == "metric":
        phases.append(_then(sa.select(RUN.run_id).where(*apart, table.c.value.is_(None)), rest))
    phases.append(_sorted(sa.select(RUN.run_id).where(*holds, ~has), rest))
    found: list[str] = []
    for phase in phases:
        page = list(tx.scalars(phase.limit(limit - len(found)).offset(offset)))
        found += page
        if len(found) == limit:
            break
        if page or not offset:
            offset = 0
        else:
            offset -= int(tx.scalar(sa.select(sa.func.count()).select_from(phase.order_by(None).subquery())) or 0)
    return found


def _then(query: sa.Select[Any], rest: Sequence[Ordering]) -> sa.Select[Any]:
    """Order what is equal in the walked key by the other keys, each looked up."""
    order: list[sa.ColumnElement[Any]] = []
    for item in rest:
        if item.entity == "attribute":
            order += _by_attribute(item)
            continue
        table = KEYED[item.entity].alias()
        own = (table.c.run_id == RUN.run_id, table.c.key == item.key)
        there = sa.select(sa.literal(1)).where(*own).correlate(tables.runs).exists()
        value = sa.select(table.c.value).where(*own).correlate(tables.runs).scalar_subquery()
        order.append(sa.case((~there, 2), (value.is_(None), 1), else_=0))
        order.append(value.asc() if item.ascending else value.desc())
    return query.order_by(*order, *NEWEST)
