"""All pages together: what `tenure.app` mounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenure.records.people import Permission
from tenure.web import (
    account,
    alerts,
    audit,
    changes,
    comparisons,
    drift,
    endpoint_charts,
    endpoints,
    ends,
    exports,
    grants,
    histories,
    journaling,
    kills,
    lineage,
    logged_models,
    model_files,
    models,
    overview,
    parquet,
    people,
    pictures,
    placements,
    policies,
    policy_editor,
    policy_exceptions,
    retraining,
    run,
    run_acts,
    run_export,
    runs,
    segment_rows,
    service_levels,
    services,
    set_up,
    sign_in,
    sso,
    statics,
    tokens,
    version_moves,
    versions,
    webhooks,
)
from tenure.web.trouble import on_error

NOUNS = (
    overview,
    models,
    model_files,
    versions,
    version_moves,
    placements,
    lineage,
    runs,
    segment_rows,
    comparisons,
    run_export,
    run_acts,
    run,
    logged_models,
    endpoints,
    endpoint_charts,
    ends,
    service_levels,
    drift,
    exports,
    alerts,
    audit,
    histories,
    journaling,
    kills,
    changes,
    policies,
    policy_editor,
    policy_exceptions,
    retraining,
    webhooks,
    sign_in,
    sso,
    set_up,
    account,
    people,
    services,
    grants,
    tokens,
    statics,
)

handlers: list[Any] = [handler for noun in NOUNS for handler in noun.handlers]


def declared() -> Mapping[str, Permission]:
    """Every page's address with the permission that it asks for."""
    return {
        f"{method} {path}": handler.opt["permission"]
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods
    }


def close_all() -> None:
    """End the processes that draw charts and read files; they start again when they are needed."""
    pictures.close_all()
    parquet.reader.close()


__all__ = ["close_all", "declared", "handlers", "on_error"]
