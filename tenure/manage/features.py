"""Features side by side: what each costs, what it is worth, and whether it is known when the model must answer."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.build import features as build_features
from tenure.build import logged_models, model_versions
from tenure.build.features import Measured
from tenure.errors import NotFound
from tenure.manage import facts, published
from tenure.records.facts import FeatureFact
from tenure.records.features import FeatureRow, FeatureTable, MeasuredFeature, MeasuredFeatures
from tenure.records.model_files import ModelFile
from tenure.records.tracking import Run
from tenure.store import model_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground

EXPENSIVE_SHARE = 0.1
"""Of the time of all features together; and at least twice what it would be if all took the same."""
UNIMPORTANT_SHARE = 0.01
"""Of the sum of all importances, where a method gives no interval."""
NAMED = 3
MODELS_OF_RUN = 5


def of_version(ground: Ground, tx: Transaction, name: str, version: int) -> FeatureTable:
    """The features of a version. Raises NotFound."""
    info = model_versions.get(tx, name, version)
    applied = model_files.current(tx, name)
    file = applied.file if applied else None
    measured = build_features.of_version(ground.opened(info.storage_location), info)
    return table(measured, facts.features(tx, info, published.for_model(tx, name, ground.clock())), file)


def of_logged_model(ground: Ground, tx: Transaction, model_id: str) -> FeatureTable:
    """The features of a logged model. When they are known is told by the file of the model that it was last
    registered as; nobody has told it of one that was never registered. Raises NotFound."""
    info = logged_models.get(tx, model_id).info
    applied = model_files.current(tx, info.registrations[-1].name) if info.registrations else None
    return table(build_features.read(ground.opened(info.artifact_uri)), [], applied.file if applied else None)


def of_run(ground: Ground, tx: Transaction, run: Run) -> FeatureTable | None:
    """The features of the model that a run logged last, of those whose features were measured; None without one."""
    for output in list(reversed(run.outputs.model_outputs))[:MODELS_OF_RUN]:
        try:
            found = of_logged_model(ground, tx, output.model_id)
        except NotFound:  # the model was deleted since
            continue
        if found.features or found.problem:
            return found
    return None


def table(measured: Measured, inputs: Sequence[FeatureFact], file: ModelFile | None) -> FeatureTable:
    """The version's inputs in their order, then what was measured beyond them."""
    found = measured.found or MeasuredFeatures(features=[])
    known = {one.name: one for one in found.features}
    asked = {one.name: one for one in inputs}
    rows = [_row(name, known.get(name), asked.get(name), file) for name in dict.fromkeys([*asked, *known])]
    return FeatureTable(
        features=rows,
        sentence=sentence(rows),
        rows=found.rows,
        method=found.method,
        notes=found.notes,
        problem=measured.problem,
        is_pinned=measured.is_pinned,
    )


def sentence(rows: Sequence[FeatureRow]) -> str:
    """What stands out: what matters and is not known at scoring or forbidden, what costs much and does not matter."""
    said = [_late(rows), _forbidden(rows), _wasteful(rows)]
    told = " ".join(one for one in said if one)
    if told:
        return told
    if any(row.importance or row.ms_per_1000_rows is not None for row in rows):
        return "No feature stands out: none costs much for nothing, and none that matters is missing at scoring."
    return "Nothing was measured."


def _row(name: str, known: MeasuredFeature | None, asked: FeatureFact | None, file: ModelFile | None) -> FeatureRow:
    declared = file.features.get(name) if file else None
    return FeatureRow(
        name=name,
        kind=(declared.kind if declared else None) or (known.kind if known else "") or (asked.type if asked else ""),
        available=declared.available if declared else None,
        at_scoring=declared.available == "at_scoring" if declared else None,
        source=declared.source if declared else None,
        freshness_minutes=declared.freshness_minutes if declared else None,
        forbidden_because=asked.forbidden_because if asked else "",
        computing=known.computing if known else None,
        preparing=known.preparing if known else None,
        importance=known.importance if known else None,
    )


def _late(rows: Sequence[FeatureRow]) -> str:
    late = [row for row in rows if row.at_scoring is False and _matters(row, rows)]
    return f"{_named(late)} but {_are(late)} not known at scoring." if late else ""


def _forbidden(rows: Sequence[FeatureRow]) -> str:
    banned = [row for row in rows if row.forbidden_because and _matters(row, rows)]
    return f"{_named(banned)} but {_are(banned)} forbidden." if banned else ""


def _wasteful(rows: Sequence[FeatureRow]) -> str:
    """Features that take much of the time and whose importance cannot be told from nothing."""
    total = sum(row.ms_per_1000_rows or 0.0 for row in rows)
    timed = [row for row in rows if row.ms_per_1000_rows is not None]
    if not total or len(timed) < 2:
        return ""
    least = max(EXPENSIVE_SHARE, 2 / len(timed))
    found = [
        row
        for row in sorted(timed, key=lambda row: -(row.ms_per_1000_rows or 0.0))
        if (row.ms_per_1000_rows or 0.0) / total >= least and row.importance and not _matters(row, rows)
    ]
    if not found:
        return ""
    share = sum(row.ms_per_1000_rows or 0.0 for row in found) / total
    verb = "takes" if len(found) == 1 else "take"
    return f"{_names(found)} {verb} {share:.0%} of the time and cannot be told from useless."


def _matters(row: FeatureRow, rows: Sequence[FeatureRow]) -> bool:
    worth = row.importance
    if worth is None:
        return False
    if worth.low is not None:
        return worth.low > 0
    total = sum(one.importance.value for one in rows if one.importance)
    return worth.value > UNIMPORTANT_SHARE * total


def _named(rows: Sequence[FeatureRow]) -> str:
    return f"{_names(rows)} {'matters' if len(rows) == 1 else 'matter'}"


def _are(rows: Sequence[FeatureRow]) -> str:
    return "is" if len(rows) == 1 else "are"


def _names(rows: Sequence[FeatureRow]) -> str:
    names = [f"'{row.name}'" for row in rows[:NAMED]]
    more = len(rows) - len(names)
    if more:
        names.append(f"{more} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
