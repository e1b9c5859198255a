"""Channels that models' files name for their alerts: they must be there when a file is applied, and none is taken away
while a file still names it, unless somebody decides so."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from tenure.errors import CannotStart, InvalidInput
from tenure.manage.keys import BY
from tenure.records.base import Instant
from tenure.records.model_files import WEBHOOK, ModelFile
from tenure.store import audit, model_files, settings_kept, webhooks
from tenure.store.database import Transaction

KEPT = "alert_channels"


def check(tx: Transaction, file: ModelFile, configured: Collection[str]) -> None:
    """Raise InvalidInput, with its path, for a channel that is neither configured nor a webhook in service."""
    hooks = [WEBHOOK + name for name in webhooks.names_in_service(tx)]
    for where, channel in _named(file):
        if channel not in configured and channel not in hooks:
            known = ", ".join([*sorted(configured), *hooks]) or "none so far"
            raise InvalidInput(
                f"Alerts must name a channel that there is: {known}. Got {channel!r}. The operator adds one with "
                f"`tenure serve --alert-channel NAME=URL`; `{WEBHOOK}NAME` is a webhook in service.",
                where=where,
            )


def note(tx: Transaction, configured: Collection[str], dropped: Collection[str], *, now: Instant) -> None:
    """Remember which channels the operator named; when they are others than at the start before, write an audit event.

    Raises CannotStart when one is gone that models' files name, unless it is among those `dropped` on purpose. A
    channel that never was there is no reason to stop: the notices of alerts tell of it.
    """
    kept = settings_kept.get(tx, KEPT)
    before: set[str] = set() if kept is None else set(msgspec.json.decode(kept, type=list[str]))
    removed = sorted(before - set(configured))
    naming = {channel: models for channel in removed if (models := model_files.naming_channel(tx, channel))}
    undecided = [channel for channel in naming if channel not in dropped]
    if undecided:
        told = "; ".join(f"{channel!r} by {', '.join(naming[channel])}" for channel in undecided)
        raise CannotStart(
            f"Models' files name channels of alerts that are not configured any more: {told}. Configure them with "
            "--alert-channel NAME=URL, or take them away on purpose with "
            f"--dropped-channels {','.join(undecided)}: nobody is told there any more, which their alerts say."
        )
    if kept is None or before != set(configured):
        settings_kept.put(tx, KEPT, msgspec.json.encode(sorted(configured)).decode())
    if before != set(configured):
        detail = {"added": sorted(set(configured) - before), "removed": removed, "named_by": naming}
        audit.append(tx, "alert.channels_changed", subject="channels", by=BY, at=now, detail=detail)


def _named(file: ModelFile) -> Iterator[tuple[str, str]]:
    yield from ((f"alerts.channels[{place}]", one) for place, one in enumerate(file.alerts.channels))
    yield from ((f"alerts.escalate[{place}].to", one.to) for place, one in enumerate(file.alerts.escalate))
