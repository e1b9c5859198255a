"""Features that a model's file fills from tables, made into what the routing table carries."""

from __future__ import annotations

from tenure.manage import model_files
from tenure.records.base import SECOND_US
from tenure.records.lookups import LookupRule
from tenure.records.model_files import Feature, Lookup
from tenure.store.database import Transaction


def of_model(tx: Transaction, model: str) -> list[LookupRule]:
    """What the model's file, as it stands, has looked up."""
    applied = model_files.current(tx, model)
    features = applied.file.features.items() if applied else ()
    return [_rule(name, feature, feature.lookup) for name, feature in features if feature.lookup]


def _rule(name: str, feature: Feature, lookup: Lookup) -> LookupRule:
    fresh = None if feature.freshness_minutes is None else int(feature.freshness_minutes * 60 * SECOND_US)
    kept = int(lookup.cache_seconds * SECOND_US)
    return LookupRule(
        feature=name,
        source=lookup.source,
        table=lookup.table,
        key=lookup.key,
        column=lookup.column,
        as_of=lookup.as_of,
        fresh_us=fresh,
        missing=lookup.missing,
        stale=lookup.stale,
        default=lookup.default,
        override=lookup.override,
        cache_us=kept if fresh is None else min(kept, fresh),
    )
