"""The model card: what a person wrote, with what is empty filled from facts where facts can tell."""

from __future__ import annotations

import msgspec

from tenure.build import model_versions
from tenure.manage import voiding
from tenure.records.base import Instant, iso
from tenure.records.cards import Card, CardInfo
from tenure.records.digests import digest_of
from tenure.records.model_files import ModelFile
from tenure.records.profiles import NumericProfile, Profile
from tenure.records.registry import ModelVersionInfo
from tenure.store import audit, cards, model_files, profiles
from tenure.store.database import Transaction

COLUMNS_SHOWN = 40
LEVELS_SHOWN = 8


def edit(tx: Transaction, model: str, version: int, card: Card, *, by: str, now: Instant) -> CardInfo:
    """Write a version's card: the next revision, unless it says what stands already.

    Open approvals of the version are invalidated, since they sign the card. Writes one audit event.
    """
    info = model_versions.get(tx, model, version)
    before = cards.current(tx, model, version)
    if before is not None and before.card == card:
        return current(tx, model, version)
    written = cards.WrittenCard(before.revision + 1 if before else 1, card, by, now)
    digest = digest_of(card)
    cards.add(tx, model, version, written, digest)
    changed = [field for field in card.__struct_fields__ if _text(card, field) != _text(before and before.card, field)]
    detail = {"revision": written.revision, "digest": digest, "changed": changed}
    audit.append(tx, "card.edited", subject=f"{model}/{version}", by=by, at=now, detail=detail)
    voiding.void_stale(tx, model, info.version, what="the card", by=by, now=now)
    return current(tx, model, version)


def carry_over(tx: Transaction, model: str, old: int, new: int, *, by: str, now: Instant) -> None:
    """Give a version what a person wrote on the card of another one, unless somebody wrote on its card already.

    What facts tell is left to new facts, and so is the accuracy, which the old card tells of the old version.
    """
    written = cards.current(tx, model, old)
    card = msgspec.structs.replace(written.card, accuracy="") if written else Card()
    if card != Card() and cards.current(tx, model, new) is None:
        edit(tx, model, new, card, by=by, now=now)


def current(tx: Transaction, model: str, version: int) -> CardInfo:
    """A version's card as it reads now. Revision 0 is one that nobody has written yet."""
    info = model_versions.get(tx, model, version)
    written = cards.current(tx, model, version)
    applied = model_files.current(tx, model)
    stored = profiles.signed(tx, model, version)
    return filled(info, written, file=applied.file if applied else None, baseline=stored.profile if stored else None)


def filled(
    info: ModelVersionInfo, written: cards.WrittenCard | None, *, file: ModelFile | None, baseline: Profile | None
) -> CardInfo:
    """A card whose empty fields are told from facts; `missing` are those that facts cannot tell."""
    own = written.card if written else Card()
    told = from_facts(info, file, baseline)
    values = {field: _text(own, field) or told.get(field, "") for field in Card.__struct_fields__}
    card = msgspec.convert(values, Card)
    return CardInfo(
        model=info.name,
        version=info.version,
        revision=written.revision if written else 0,
        digest=digest_of(card),
        card=card,
        from_facts=[field for field, text in values.items() if text and not _text(own, field)],
        missing=[field for field, text in values.items() if not text],
        edited_by=written.edited_by if written else "",
        edited_at=written.edited_at if written else 0,
    )


def from_facts(info: ModelVersionInfo, file: ModelFile | None, baseline: Profile | None) -> dict[str, str]:
    """The fields of a card that facts can tell. None of them changes by being looked at or by being deployed."""
    told = {"how_to_call": _how_to_call(info)}
    if file is not None:
        told |= {"purpose": file.purpose, "owner": file.owner, "expected_output": _expected_output(file)}
    if baseline is not None:
        told |= {"input_limits": _input_limits(baseline), "accuracy": _accuracy(baseline)}
    return {field: text for field, text in told.items() if text}


def _how_to_call(info: ModelVersionInfo) -> str:
    if not info.inputs:
        return ""
    columns = ", ".join(f"{column.name} ({column.type})" for column in info.inputs)
    return f"POST /endpoints/<endpoint>/invocations on the scoring port, as JSON, each row with: {columns}."


def _expected_output(file: ModelFile) -> str:
    if file.prediction is None:
        return ""
    return (
        f"A score from 0 to 1: how likely the answer is '{file.prediction.positive}'. It is judged by "
        f"'{file.prediction.outcome}', known after {file.prediction.outcome_after_hours:g} hours. "
        f"Action: {file.action}."
    )


def _input_limits(baseline: Profile) -> str:
    lines = []
    for name, column in list(baseline.columns.items())[:COLUMNS_SHOWN]:
        if column.measure == "hour of week":
            continue
        if isinstance(column, NumericProfile) and column.measure == "moment":
            limits = _moments(column)
        elif isinstance(column, NumericProfile):
            limits = (
                f"{column.min:g} to {column.max:g}" if column.min is not None and column.max is not None else "empty"
            )
        else:
            shown = ", ".join(column.levels[:LEVELS_SHOWN])
            more = len(column.levels) + len(column.other_levels) - LEVELS_SHOWN
            limits = f"one of {shown}" + (f" and {more} more" if more > 0 else "")
        lines.append(f"{name}: {limits}")
    hidden = len(baseline.columns) - COLUMNS_SHOWN
    ending = f"; and {hidden} more columns" if hidden > 0 else ""
    return "As seen at training: " + "; ".join(lines) + ending + "." if lines else ""


def _moments(column: NumericProfile) -> str:
    if column.min is None or column.max is None:
        return "empty"
    return f"{iso(int(column.min))} to {iso(int(column.max))}"


def _accuracy(baseline: Profile) -> str:
    judged = baseline.judged
    if judged is None:
        return ""
    return (
        f"ROC AUC {judged.roc_auc:.3f} (interval {judged.roc_auc_low:.3f} to {judged.roc_auc_high:.3f}) and "
        f"Brier score {judged.brier:.3f} on {judged.rows:,} rows held out of training, "
        f"{judged.positives:,} of them positive."
    )


def _text(card: Card | None, field: str) -> str:
    return str(getattr(card, field)).strip() if card is not None else ""
