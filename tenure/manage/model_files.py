"""The model's file: read, compared with what stands, applied as the next revision or asked for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple

import msgspec

from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tenure.manage import channels, conditions, marks, revisions
from tenure.records import differing, parsing
from tenure.records.base import Instant, Record, iso
from tenure.records.changes import Change, Looser, StepStatus
from tenure.records.digests import digest_of
from tenure.records.model_files import SIGNED_BESIDE, AppliedFile, ModelFile
from tenure.settings import Settings
from tenure.store import audit, model_files, prompts
from tenure.store import changes as stored_changes
from tenure.store.database import Transaction


class Applied(Record):
    """What applying a file did, or would do. No changes and the same revision when it says what stands already.

    `looser` is what others must sign for, and `needs` by whom; then `change` is the request that was opened, `revision`
    still the one that stands, and nothing is changed yet. A dry run opens none.
    """

    model: str
    revision: int
    digest: str
    changes: list[str]
    invalidated: list[str]
    looser: list[Looser] = []
    needs: list[StepStatus] = []
    change: Change | None = None


class Configured(NamedTuple):
    """What the operator named that files may refer to: sources of look-ups and channels of alerts."""

    sources: Collection[str] = ()
    channels: Collection[str] = ()


class Revision(Record):
    """A revision of a model's file with what it changed from the one before it.

    `change_id` is the change request that others signed for it; None for one that loosened nothing that bound.
    """

    applied: AppliedFile
    changes: list[str]
    change_id: str | None = None


def parse(raw: bytes | dict[str, Any]) -> ModelFile:
    """JSON bytes, or a mapping such as YAML gives, as a model's file.

    Raises InvalidInput with the path of what does not fit, for an unknown key with what was probably meant, and for
    all that `check` finds.
    """
    file = parsing.parse(raw, ModelFile, named="The model's file")
    check(file)
    return file


def check(file: ModelFile) -> None:
    """Raise InvalidInput, with the path, for what each part by itself cannot show: features that are derived in a
    circle, a condition that cannot be looked up, days and ranges that end before they begin."""
    marks.check(file)
    if file.use.allow is not None:
        try:
            conditions.compiled(file.use.allow)
        except InvalidInput as problem:
            raise InvalidInput(problem.message, where="use.allow") from None
    begins, ends = (
        _day(day, where) for day, where in ((file.use.valid_from, "valid_from"), (file.use.valid_to, "valid_to"))
    )
    if begins and ends and ends < begins:
        raise InvalidInput(f"'valid_to' must not lie before 'valid_from', {begins}. Got {ends}.", where="use.valid_to")
    for name, feature in file.features.items():
        if feature.lookup and feature.lookup.key in file.features:
            raise InvalidInput(
                "The key of a look-up comes with the request and is no input of the model, so it must be none of the "
                f"features. {feature.lookup.key!r} is one.",
                where=f"features.{name}.lookup.key",
            )
        if feature.range and not feature.range[0] <= feature.range[1]:
            low, high = feature.range
            raise InvalidInput(
                f"A range is its least value, then its greatest. Got {low:g}, then {high:g}.",
                where=f"features.{name}.range",
            )


def check_sources(file: ModelFile, configured: Collection[str]) -> None:
    """Raise InvalidInput for a look-up in a database that the operator has not named."""
    for name, feature in file.features.items():
        if feature.lookup and feature.lookup.source not in configured:
            known = ", ".join(sorted(configured)) or "none"
            raise InvalidInput(
                f"A look-up must name a configured source: {known}. Got {feature.lookup.source!r}. The operator adds "
                "one with `tenure serve --lookup NAME=URL`.",
                where=f"features.{name}.lookup.source",
            )


def _day(day: str | None, where: str) -> date | None:
    try:
        return date.fromisoformat(day) if day else None
    except ValueError:
        raise InvalidInput(f"{where!r} must be a day of the calendar. Got {day}.", where=f"use.{where}") from None


def apply(
    tx: Transaction,
    file: ModelFile,
    *,
    by: str,
    now: Instant,
    dry_run: bool = False,
    seen: int | None = None,
    reason: str | None = None,
    configured: Configured | None = None,
) -> Applied:
    """Make a file the model's current one, unless it says what stands already, or ask that it may be.

    `seen` is the revision that the author looked at, 0 for none. Open approvals of the model are invalidated, since the
    file is part of what they sign. A file that loosens rules that bind already (`revisions.binds`) stands only when
    others have signed: then a change request is opened with the `reason`, and nothing else happens. Raises Conflict
    when another revision stands than was seen, NotAllowed for a file that would take a governed model's `approval`
    away, InvalidInput for a look-up or a channel of alerts that is not `configured`, and for a request without a
    reason. What stands already may be applied again, though a channel that it names is gone.
    """
    if not dry_run:
        audit.lock(tx)  # nothing is applied or approved between this look at what stands and the end
    check(file)
    if configured is not None:
        check_sources(file, configured.sources)
    if prompts.is_prompt(tx, file.model):
        raise NotAllowed(
            f"{file.model!r} is a prompt, which no model's file is about. Delete its tag {prompts.MARK!r}."
        )
    before = model_files.current(tx, file.model)
    for part in ("approval", *SIGNED_BESIDE):
        if before and getattr(before.file, part) and not getattr(file, part):
            raise NotAllowed(
                f"{file.model!r} is under governance, and a file does not take it off. Keep `{part}` with its steps; "
                "they may change, which is audited.",
                where=part,
            )
    _require_seen(before, file.model, seen)
    stands = before is not None and before.file == file
    if configured is not None and not stands:
        channels.check(tx, file, configured.channels)
    changes = differences(before.file if before else None, file)
    would = Applied(
        model=file.model,
        revision=before.revision if before else 0,
        digest=digest_of(file),
        changes=changes,
        invalidated=[],
        looser=[] if stands else revisions.loosened(tx, before, file),
    )
    if before and would.looser:
        needed = revisions.statuses(revisions.asked(tx, before.file, would.looser))
        would = msgspec.structs.replace(would, needs=needed)
    if dry_run or stands:
        return would
    if before and would.looser:
        change = revisions.ask(tx, file, before, would.looser, changes, reason=reason, by=by, now=now)
        return msgspec.structs.replace(would, change=change)
    applied, invalidated = revisions.stand(tx, file, before, changes, by=by, now=now)
    return msgspec.structs.replace(would, revision=applied.revision, invalidated=invalidated)


def configured_of(settings: Settings) -> Configured:
    return Configured(settings.lookups, settings.alert_channels)


def current(tx: Transaction, model: str) -> AppliedFile | None:
    """The model's file as it stands; None when none was applied."""
    return model_files.current(tx, model)


def revision(tx: Transaction, model: str, number: int) -> AppliedFile:
    """One revision of a model's file. Raises NotFound."""
    found = model_files.get(tx, model, number)
    if found is None:
        raise NotFound(f"The file of {model!r} has no revision {number}. `tenure model history {model}` lists them.")
    return found


def history(tx: Transaction, model: str) -> list[Revision]:
    """Every revision of a model's file, newest first; none when no file was applied."""
    kept = model_files.history(tx, model)
    before = [*(one.file for one in kept[1:]), None]
    signed = {
        one.change.revising.standing + 1: one.change.change_id
        for one in stored_changes.search(tx, state="approved", model=model, kind="revise")
        if one.change.revising
    }
    return [
        Revision(applied=one, changes=differences(old, one.file), change_id=signed.get(one.revision))
        for one, old in zip(kept, before, strict=False)
    ]


def all_current(tx: Transaction) -> list[AppliedFile]:
    """Every model's file as it stands, by model."""
    return model_files.all_current(tx)


def differences(before: ModelFile | None, after: ModelFile) -> list[str]:
    """What a file changes, a line for each path.

    >>> old = ModelFile(model="m", purpose="p", owner="o")
    >>> differences(old, ModelFile(model="m", purpose="p", owner="you"))
    ["owner: 'o' → 'you'"]
    """
    plain = _unlike_default(after) if before is None else msgspec.to_builtins(after)
    return differing.lines(msgspec.to_builtins(before) if before else {}, plain)


def _require_seen(before: AppliedFile | None, model: str, seen: int | None) -> None:
    revision = before.revision if before else 0
    if seen is not None and seen != revision:
        raise Conflict(
            f"The file of {model!r} is at revision {revision}{_by_whom(before)}; this change was made to revision "
            f"{seen}. Look at what stands now and change that.",
            where="revision",
        )


def _by_whom(before: AppliedFile | None) -> str:
    return f", applied by {before.applied_by} on {iso(before.applied_at)}" if before else ""


def _unlike_default(file: ModelFile) -> dict[str, Any]:
    """A file without the fields that stand at their defaults: for the first revision they are no news."""
    defaults = msgspec.to_builtins(ModelFile(model="", purpose="-", owner="-"))
    plain: dict[str, Any] = msgspec.to_builtins(file)
    return {key: value for key, value in plain.items() if value != defaults[key]}
