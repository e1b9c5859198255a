"""Applying a model's file: seen before it is changed, kept for ever, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.manage import model_files
from tenure.records.model_files import ModelFile
from tenure.store import audit
from tenure.store.ground import Ground

from .makers import NOW


def apply(ground: Ground, owner: str, seen: int | None = None) -> model_files.Applied:
    file = ModelFile(model="m", purpose="p", owner=owner)
    return ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=NOW, seen=seen))


def test_a_change_to_a_revision_that_no_longer_stands_is_refused(each_ground: Ground) -> None:
    assert apply(each_ground, "one", seen=0).revision == 1
    assert apply(each_ground, "two", seen=1).revision == 2
    with pytest.raises(Conflict, match=r"at revision 2, applied by ann on .*made to revision 1"):
        apply(each_ground, "three", seen=1)
    assert each_ground.database.read(lambda tx: model_files.current(tx, "m")).file.owner == "two"  # type: ignore[union-attr]


def test_every_revision_is_kept_with_what_it_changed(each_ground: Ground) -> None:
    for owner in ("one", "two", "two", "one"):
        apply(each_ground, owner)
    history = each_ground.database.read(lambda tx: model_files.history(tx, "m"))
    assert [one.applied.revision for one in history] == [3, 2, 1]
    assert history[0].changes == ["owner: 'two' → 'one'"]
    assert "owner: 'one' added" in history[2].changes
    first = each_ground.database.read(lambda tx: model_files.revision(tx, "m", 1))
    assert first.file.owner == "one"
    with pytest.raises(NotFound, match="has no revision 4"):
        each_ground.database.read(lambda tx: model_files.revision(tx, "m", 4))
    assert each_ground.database.read(lambda tx: model_files.history(tx, "other")) == []
    events = each_ground.database.read(lambda tx: audit.search(tx, action="model_file."))
    assert len(events) == 3


LOOKUP = {"source": "crm", "table": "scores", "key": "customer", "column": "score", "as_of": "at"}


BOTH = model_files.Configured(sources=["dwh", "crm"])


@pytest.mark.parametrize(
    ("changes", "feature", "where", "said"),
    [
        ({}, {}, None, ""),
        ({"source": "cmr"}, {}, "features.n.lookup.source", "crm, dwh"),
        ({"key": "m"}, {}, "features.n.lookup.key", "none of the features"),
        ({"as_of": None}, {}, "features.n", "as_of"),
        ({"as_of": None}, {"freshness_minutes": None}, None, ""),
        ({"missing": "default"}, {}, "features.n.lookup", "give 'default'"),
        ({"tabel": "scores"}, {}, "features.n.lookup.tabel", "table"),
        ({"source": "postgresql://u:p@h/d"}, {}, "features.n.lookup.source", "configured source"),
    ],
)
def test_a_look_up_is_refused_where_it_cannot_work(
    ground: Ground, changes: dict[str, Any], feature: dict[str, Any], where: str | None, said: str
) -> None:
    lookup = {name: value for name, value in (LOOKUP | changes).items() if value is not None}
    told = {name: value for name, value in ({"freshness_minutes": 60} | feature).items() if value is not None}
    declared = {"model": "m", "purpose": "p", "owner": "o", "features": {"n": {"lookup": lookup, **told}, "m": {}}}

    def apply() -> model_files.Applied:
        file = model_files.parse(declared)
        return ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=NOW, configured=BOTH))

    if where is None:
        assert apply().revision == 1
        return
    with pytest.raises(InvalidInput) as problem:
        apply()
    assert problem.value.where == where
    assert said in problem.value.message
