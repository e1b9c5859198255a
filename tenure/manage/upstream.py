"""The models whose scores a model takes, at first hand and further back: their files, columns and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenure.build import model_versions, registered_models
from tenure.manage import marks
from tenure.manage.marks import Known, Marks
from tenure.records.facts import UpstreamFact
from tenure.records.model_files import AppliedFile
from tenure.store import model_files, releases
from tenure.store.database import Transaction

OUT_OF_USE = ("rejected", "retired")


def known(tx: Transaction, model: str, applied: AppliedFile | None) -> dict[str, Known]:
    """A model and all that it leads back to."""
    found = {model: Known(applied.file if applied else None, ())}
    waiting = marks.models_of(found[model].file)
    while waiting:
        name = waiting.pop()
        if name not in found:
            other = model_files.current(tx, name)
            found[name] = Known(other.file if other else None, _inputs(tx, name))
            waiting += marks.models_of(found[name].file)
    return found


def facts_of(tx: Transaction, taken: Iterable[Marks], known: Mapping[str, Known]) -> list[UpstreamFact]:
    """The other models that the columns of a version lead back to, by name."""
    names = sorted({name for one in taken for name in one.models})
    return [_fact(tx, name, known.get(name)) for name in names]


def _fact(tx: Transaction, name: str, known: Known | None) -> UpstreamFact:
    champion = registered_models.aliases(tx, name).get("champion")
    states = {one.version: one.state for one in model_versions.of_model(tx, name)}
    file = known.file if known else None
    return UpstreamFact(
        model=name,
        governed=bool(file and file.approval),
        champion=champion,
        champion_state=states.get(champion) if champion is not None else None,
    )


def _inputs(tx: Transaction, model: str) -> tuple[str, ...]:
    """The columns that a model's versions in use take: approved ones and those in service; of all that may yet be
    used while there are none."""
    versions = [one for one in model_versions.of_model(tx, model) if one.state not in OUT_OF_USE]
    serving = {one.version for one in releases.open_ones(tx) if one.model == model}
    used = [one for one in versions if one.state == "approved" or one.version in serving]
    return tuple(sorted({column.name for one in used or versions for column in one.inputs}))
