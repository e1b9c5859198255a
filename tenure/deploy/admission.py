"""What a model's file asks of scoring requests, made into what the routing table carries."""

from __future__ import annotations

import logging
from datetime import date

from tenure.errors import InvalidInput
from tenure.manage import conditions, model_files
from tenure.records.admission import NEVER, AdmissionRules, ColumnRule, Condition, UseRules
from tenure.records.base import DAY_US
from tenure.records.model_files import AppliedFile, Feature, Use
from tenure.store.database import Transaction

log = logging.getLogger("tenure.deploy")
EPOCH_DAY = date(1970, 1, 1)


def of_model(tx: Transaction, model: str) -> AdmissionRules | None:
    """What the model's file, as it stands, asks of requests; None without a file, or when it asks nothing."""
    applied = model_files.current(tx, model)
    return rules(applied) if applied else None


def rules(applied: AppliedFile) -> AdmissionRules | None:
    """What one revision of a model's file asks of requests; None when it asks nothing."""
    use = _use(applied)
    columns = [rule for name, feature in applied.file.features.items() if (rule := _column(name, feature))]
    if use == UseRules() and not columns:
        return None
    return AdmissionRules(model=applied.model, revision=applied.revision, use=use, columns=columns)


def _use(applied: AppliedFile) -> UseRules:
    use: Use = applied.file.use
    return UseRules(
        jurisdictions=use.jurisdictions,
        purposes=list(use.purposes),
        not_for=use.not_for,
        callers=list(use.callers),
        require=use.require,
        allow=_allow(applied),
        valid_from_at=_midnight(use.valid_from),
        valid_until_at=_midnight(use.valid_to, days_later=1),
        rows_per_minute=use.quota.rows_per_minute if use.quota else None,
        rows_per_day=use.quota.rows_per_day if use.quota else None,
    )


def _allow(applied: AppliedFile) -> Condition | None:
    """The condition as look-ups. One that an earlier release took and this one does not lets nobody pass."""
    if applied.file.use.allow is None:
        return None
    try:
        return conditions.compiled(applied.file.use.allow)
    except InvalidInput:
        log.exception("no request to %s is admitted: its `use.allow` cannot be read any more", applied.model)
        return NEVER


def _midnight(day: str | None, *, days_later: int = 0) -> int | None:
    return None if day is None else ((date.fromisoformat(day) - EPOCH_DAY).days + days_later) * DAY_US


def _column(name: str, feature: Feature) -> ColumnRule | None:
    if feature.kind is None and feature.range is None and feature.null == "allow":
        return None
    low, high = feature.range or (None, None)
    return ColumnRule(name=name, kind=feature.kind, low=low, high=high, outside=feature.outside, null=feature.null)
