"""All pages together: what `tenure.app` mounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenure.records.people import Permission
from tenure.web import (
    alerts,
    audit,
    changes,
    comparisons,
    endpoints,
    lineage,
    logged_models,
    model_files,
    models,
    overview,
    retraining,
    run,
    run_acts,
    run_export,
    runs,
    sign_in,
    statics,
    versions,
    webhooks,
)
from tenure.web.pictures import close_all
from tenure.web.trouble import on_error

NOUNS = (
    overview,
    models,
    model_files,
    versions,
    lineage,
    runs,
    comparisons,
    run_export,
    run_acts,
    run,
    logged_models,
    endpoints,
    alerts,
    audit,
    changes,
    retraining,
    webhooks,
    sign_in,
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


__all__ = ["close_all", "declared", "handlers", "on_error"]
