"""What the nodes of lineage are called, how they stand, and whether they are still there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from tenure.records.lineage import NodeKind
from tenure.store import tables
from tenure.store.database import Transaction
from tenure.store.lineage import Columns, Keys, one_of
from tenure.store.model_versions import DELETED


class NodeRow(NamedTuple):
    """A node as its table has it; instants in µs, `from_at` and `until_at` of a release alone.

    `owner` is who made it, the endpoint of a release or a retraining, or the model of an endpoint.
    """

    key: tuple[Any, ...]
    name: str
    state: str
    owner: str
    from_at: int | None
    until_at: int | None
    made_at: int | None


class _Table(NamedTuple):
    key: Columns
    name: sa.ColumnElement[Any]
    state: sa.ColumnElement[Any]
    owner: sa.ColumnElement[Any]
    from_at: sa.ColumnElement[Any] = sa.null()
    until_at: sa.ColumnElement[Any] = sa.null()
    where: tuple[sa.ColumnElement[bool], ...] = ()
    made_at: sa.ColumnElement[Any] = sa.null()


_NONE = sa.literal("")
_dataset, _run, _logged = tables.datasets.c, tables.runs.c, tables.logged_models.c
_model, _version, _release = tables.registered_models.c, tables.model_versions.c, tables.releases.c
_endpoint, _retraining = tables.endpoints.c, tables.retraining_runs.c
_TABLES: dict[NodeKind, _Table] = {
    "dataset": _Table((_dataset.name, _dataset.digest), _dataset.name, _NONE, _dataset.source_type),
    "run": _Table((_run.run_id,), _run.name, _run.lifecycle_stage, _run.user_id, made_at=_run.start_time * 1000),
    "logged_model": _Table(
        (_logged.model_id,), _logged.name, _logged.lifecycle_stage, _NONE, made_at=_logged.creation_time * 1000
    ),
    "model": _Table((_model.name,), _model.name, _NONE, _NONE, made_at=_model.creation_time * 1000),
    "version": _Table(
        (_version.name, _version.version),
        _version.name,
        _version.state,
        _version.user_id,
        where=(_version.current_stage != DELETED,),
        made_at=_version.creation_time * 1000,
    ),
    "release": _Table(
        (_release.release_id,),
        _release.role,
        _NONE,
        _release.endpoint,
        _release.from_at,
        _release.until_at,
        made_at=_release.from_at,
    ),
    "endpoint": _Table((_endpoint.name,), _endpoint.name, _NONE, _endpoint.model, made_at=_endpoint.created_at),
    "retraining": _Table(
        (_retraining.retraining_id,),
        _retraining.model,
        _retraining.state,
        _retraining.endpoint,
        made_at=_retraining.started_at,
    ),
}


def rows(tx: Transaction, kind: NodeKind, keys: Keys) -> list[NodeRow]:
    """The nodes of a kind that are there, of those with these keys."""
    table = _TABLES[kind]
    told = (table.name, table.state, table.owner, table.from_at, table.until_at, table.made_at)
    query = sa.select(*table.key, *told).where(one_of(tx, table.key, keys), *table.where)
    return [NodeRow(tuple(row[:-6]), *row[-6:]) for row in tx.execute(query).all()]


def aliases_of(tx: Transaction, models: Sequence[str]) -> list[tuple[str, str, int]]:
    """Every alias of these models: model, alias, version."""
    alias = tables.aliases.c
    query = sa.select(alias.name, alias.alias, alias.version).where(alias.name.in_(models))
    return [tuple(row) for row in tx.execute(query.order_by(alias.name, alias.alias))]
