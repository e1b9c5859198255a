"""The edges of lineage, read from the tables that hold them as facts: each relation once, walked from either end.

No edge is stored a second time, so none can differ from what it tells of. Every relation has an index for both ways.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tenure.records.lineage import NodeKind
from tenure.records.model_files import ModelFile
from tenure.store import tables
from tenure.store.database import Transaction
from tenure.store.model_versions import DELETED

ROW_LIMIT = 20_000
"""Rows of one relation that are read for one step of a walk; who has more is told "at least"."""
Keys = Sequence[tuple[Any, ...]]
Columns = tuple[sa.ColumnElement[Any], ...]

_dataset = tables.datasets.c
_input = tables.run_inputs.c
_run_model = tables.run_models.c
_logged = tables.logged_models.c
_version = tables.model_versions.c
_release = tables.releases.c
_endpoint = tables.endpoints.c
_retraining = tables.retraining_runs.c
_LIVE = _version.current_stage != DELETED
_IS_COPY: sa.ColumnElement[bool] = sa.literal_column(tables.IS_COPY, sa.Boolean())
_IS_ORIGINAL = sa.or_(_version.source.is_(None), sa.not_(_version.source.like("models:/%/%")))
_NOTHING: sa.ColumnElement[Any] = sa.literal("")


class Relation(NamedTuple):
    """Edges of one kind: the columns that make a key at either end, what to say of one, and which come first."""

    how: str
    source: NodeKind
    target: NodeKind
    source_key: Columns
    target_key: Columns
    rows: sa.FromClause
    where: tuple[sa.ColumnElement[bool], ...] = ()
    detail: sa.ColumnElement[Any] = _NOTHING
    ended: sa.ColumnElement[Any] = sa.literal(None)
    newest: sa.ColumnElement[Any] | None = None


RELATIONS: tuple[Relation, ...] = (
    Relation(
        "read by",
        "dataset",
        "run",
        (_dataset.name, _dataset.digest),
        (_input.run_id,),
        tables.datasets.join(tables.run_inputs, _dataset.dataset_id == _input.dataset_id).join(
            tables.runs, tables.runs.c.run_id == _input.run_id
        ),
        detail=_input.context,
        newest=tables.runs.c.start_time,
    ),
    Relation(
        "read by",
        "logged_model",
        "run",
        (_run_model.model_id,),
        (_run_model.run_id,),
        tables.run_models,
        (_run_model.direction == "input",),
        newest=_run_model.run_id,
    ),
    Relation(
        "made",
        "run",
        "logged_model",
        (_logged.source_run_id,),
        (_logged.model_id,),
        tables.logged_models,
        newest=_logged.creation_time,
    ),
    Relation(
        "made",
        "run",
        "logged_model",
        (_run_model.run_id,),
        (_run_model.model_id,),
        tables.run_models,
        (_run_model.direction == "output",),
        newest=_run_model.step,
    ),
    Relation(
        "registered as",
        "logged_model",
        "version",
        (_version.model_id,),
        (_version.name, _version.version),
        tables.model_versions,
        (_LIVE, _IS_ORIGINAL),
        newest=_version.creation_time,
    ),
    Relation(
        "registered as",
        "run",
        "version",
        (_version.run_id,),
        (_version.name, _version.version),
        tables.model_versions,
        (_LIVE, _IS_ORIGINAL, _version.model_id.is_(None)),
        newest=_version.creation_time,
    ),
    Relation(
        "copied as",
        "version",
        "version",
        (_version.source,),
        (_version.name, _version.version),
        tables.model_versions,
        (_LIVE, _IS_COPY),
        newest=_version.creation_time,
    ),
    Relation(
        "has",
        "model",
        "version",
        (_version.name,),
        (_version.name, _version.version),
        tables.model_versions,
        (_LIVE,),
        newest=_version.version,
    ),
    Relation(
        "answers at",
        "model",
        "endpoint",
        (_endpoint.model,),
        (_endpoint.name,),
        tables.endpoints,
        newest=_endpoint.created_at,
    ),
    Relation(
        "in service as",
        "version",
        "release",
        (_release.model, _release.version),
        (_release.release_id,),
        tables.releases,
        detail=_release.role,
        ended=_release.until_at,
        newest=_release.from_at,
    ),
    Relation(
        "serves",
        "release",
        "endpoint",
        (_release.release_id,),
        (_release.endpoint,),
        tables.releases,
        ended=_release.until_at,
        newest=_release.from_at,
    ),
    Relation(
        "retrained by",
        "version",
        "retraining",
        (_retraining.model, _retraining.champion_version),
        (_retraining.retraining_id,),
        tables.retraining_runs,
        newest=_retraining.started_at,
    ),
    Relation(
        "made",
        "retraining",
        "version",
        (_retraining.retraining_id,),
        (_retraining.model, _retraining.challenger_version),
        tables.retraining_runs,
        (_retraining.challenger_version.is_not(None),),
        newest=_retraining.started_at,
    ),
)


class EdgeRow(NamedTuple):
    source: tuple[Any, ...]
    target: tuple[Any, ...]
    detail: str
    ended: bool


def edges(tx: Transaction, relation: Relation, keys: Keys, *, down: bool) -> tuple[list[EdgeRow], bool]:
    """The rows of a relation at these keys, of its sources when `down`, else of its targets; the newest first.

    The second answer is whether there are more than `ROW_LIMIT`.
    """
    at = relation.source_key if down else relation.target_key
    split = len(relation.source_key)
    query = (
        sa.select(*relation.source_key, *relation.target_key, relation.detail, relation.ended)
        .select_from(relation.rows)
        .where(one_of(tx, at, keys), *relation.where)
        .limit(ROW_LIMIT + 1)
    )
    if relation.newest is not None:
        query = query.order_by(relation.newest.desc())
    rows = tx.execute(query).all()
    found = [
        EdgeRow(tuple(row[:split]), tuple(row[split:-2]), row[-2] or "", row[-1] is not None)
        for row in rows[:ROW_LIMIT]
        if all(row[:-2])  # what a version or a logged model does not come from is NULL or empty
    ]
    return found, len(rows) > ROW_LIMIT


def one_of(tx: Transaction, columns: Columns, keys: Keys) -> sa.ColumnElement[bool]:
    """Whether these columns are one of the keys, which travel as one value for each column, however many there are.

    As values of their own, 20,000 keys take SQLAlchemy ten times as long as the database.
    """
    if tx.dialect.name == "sqlite":
        each = sa.func.json_each(json.dumps(keys)).table_valued("value")
        chosen = [sa.func.json_extract(each.c.value, f"$[{at}]") for at in range(len(columns))]
        wanted = sa.select(*chosen).select_from(each)
    else:
        wanted = sa.select(*(_unnested(column, [key[at] for key in keys]) for at, column in enumerate(columns)))
    return columns[0].in_(wanted) if len(columns) == 1 else sa.tuple_(*columns).in_(wanted)


def _unnested(column: sa.ColumnElement[Any], values: list[Any]) -> sa.ColumnElement[Any]:
    plain = sa.Text() if isinstance(column.type, sa.Text) else sa.BigInteger()
    each = sa.func.unnest(sa.cast(values, postgresql.ARRAY(plain)))
    return each.collate("C") if isinstance(plain, sa.Text) else each


class Wearer(NamedTuple):
    """A version as the scores that it takes depend on: its schema, and since when it is there (µs)."""

    model: str
    version: int
    signature: str | None
    registered_at: int


class Answering(NamedTuple):
    """A release that answers or answered clients, so that its version's scores could be used; instants in µs."""

    model: str
    version: int
    from_at: int
    until_at: int | None


def files_with_scores(tx: Transaction) -> list[ModelFile]:
    """The current files in which a feature is declared to be derived from a model."""
    files = tables.model_files.c
    latest = sa.select(files.model, sa.func.max(files.revision).label("revision")).group_by(files.model).subquery()
    query = (
        sa.select(files.body)
        .join(latest, (files.model == latest.c.model) & (files.revision == latest.c.revision))
        .where(files.body.like('%"model:%'))
        .order_by(files.model)
    )
    return [msgspec.json.decode(row.body, type=ModelFile) for row in tx.execute(query)]


def wearers(tx: Transaction, models: Sequence[str]) -> list[Wearer]:
    """Every version of these models that was not deleted, the newest first."""
    query = (
        sa.select(_version.name, _version.version, _version.signature, _version.creation_time)
        .where(_version.name.in_(models), _LIVE)
        .order_by(_version.creation_time.desc(), _version.version.desc())
        .limit(ROW_LIMIT)
    )
    return [Wearer(row[0], row[1], row[2], row[3] * 1000) for row in tx.execute(query)]


def answering(tx: Transaction, models: Sequence[str]) -> list[Answering]:
    """Every release of these models that answers clients or did, the newest first."""
    query = (
        sa.select(_release.model, _release.version, _release.from_at, _release.until_at)
        .where(_release.model.in_(models), _release.role != "shadow")
        .order_by(_release.from_at.desc())
        .limit(ROW_LIMIT)
    )
    return [Answering(*row) for row in tx.execute(query)]
