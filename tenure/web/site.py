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
    endpoints,
    grants,
    logged_models,
    models,
    overview,
    people,
    retraining,
    run,
    run_acts,
    run_export,
    runs,
    services,
    set_up,
    sign_in,
    sso,
    statics,
    tokens,
    versions,
    webhooks,
)
from tenure.web.pictures import close_all
from tenure.web.trouble import on_error

NOUNS = (
    overview,
    models,
    versions,
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


__all__ = ["close_all", "declared", "handlers", "on_error"]
