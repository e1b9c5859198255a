"""Which versions a form or an environment was made for, and whether any of them may still need it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from tenure.records.environments import Environment
from tenure.records.routing import ReleaseForm
from tenure.store import tables
from tenure.store.database import Transaction
from tenure.store.model_versions import DELETED

_version = tables.model_versions.c
_form = tables.forms.c


class Made(NamedTuple):
    """Something that was made for a version: by its digest, and for whom.

    `ended_ms`: when the version was deleted or retired; None while it may still be put into service, or is.
    """

    digest: str
    model: str
    version: int
    ended_ms: int | None


def forms(tx: Transaction) -> list[Made]:
    """The proven form of every version."""
    query = sa.select(_form.model, _form.version, _form.released, *_STANDING)
    joined = tables.forms.outerjoin(
        tables.model_versions, (_version.name == _form.model) & (_version.version == _form.version)
    )
    rows = tx.execute(query.select_from(joined).where(_form.released.is_not(None)))
    serving = _serving(tx)
    return [
        Made(
            _folder(row.released), row.model, row.version, None if (row.model, row.version) in serving else _ended(row)
        )
        for row in rows
    ]


def environments(tx: Transaction) -> list[Made]:
    """The environment of its own of every version that has one."""
    found, serving = [], _serving(tx)
    of_files = {
        row.files_digest: msgspec.json.decode(row.body, type=Environment).digest
        for row in tx.execute(sa.select(tables.environments))
    }
    query = sa.select(_version.name, _version.version, _version.digest, *_STANDING)
    for row in tx.execute(query.where(_version.digest.is_not(None))):
        digest = of_files.get(row.digest)
        if digest:
            ended = None if (row.name, row.version) in serving else _ended(row)
            found.append(Made(digest, row.name, row.version, ended))
    return found


def forget_form(tx: Transaction, made: Made) -> None:
    tx.execute(sa.delete(tables.forms).where(_form.model == made.model, _form.version == made.version))


def forget_environments(tx: Transaction, digests: set[str]) -> None:
    """Drop what was decided where it names one of these."""
    column = tables.environments.c
    for row in tx.execute(sa.select(tables.environments)).all():
        if msgspec.json.decode(row.body, type=Environment).digest in digests:
            tx.execute(sa.delete(tables.environments).where(column.files_digest == row.files_digest))


def _serving(tx: Transaction) -> set[tuple[str, int]]:
    """Versions with a release that is open, or with a batch that is."""
    release, batch = tables.releases.c, tables.batches.c
    open_ones = tx.execute(sa.select(release.model, release.version).where(release.until_at.is_(None)))
    scored = sa.select(release.model, release.version).join(
        tables.batches, (batch.release_id == release.release_id) & (batch.state == "open")
    )
    return {(row.model, row.version) for row in (*open_ones, *tx.execute(scored))}


_STANDING = (_version.state, _version.current_stage, _version.last_updated_time)


def _ended(row: Any) -> int | None:
    if row.state is None:  # the version's row itself is gone
        return 0
    return int(row.last_updated_time) if row.state == "retired" or row.current_stage == DELETED else None


def _folder(released: str) -> str:
    return msgspec.json.decode(released, type=ReleaseForm).digest.removeprefix("sha256:")
