"""Our API and the pages as one Litestar application: every room's routes behind one guard, errors in one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from tenure import access
from tenure.api import (
    account,
    alerts,
    audit,
    batches,
    cards,
    changes,
    contents,
    deleted,
    endpoints,
    environments,
    exports,
    external,
    features,
    forms,
    grants,
    handling,
    imports,
    journaling,
    kills,
    leftovers,
    lineage,
    metrics,
    model_files,
    models,
    outcomes,
    people,
    policies,
    profiles,
    provenance,
    retraining,
    service,
    service_levels,
    services,
    tokens,
    vault,
    webhooks,
    windows,
)
from tenure.errors import TenureError
from tenure.records.people import Permission
from tenure.store.ground import Ground

ROOMS = (
    service,
    metrics,
    people,
    account,
    grants,
    services,
    tokens,
    models,
    model_files,
    cards,
    profiles,
    provenance,
    exports,
    external,
    features,
    contents,
    forms,
    environments,
    changes,
    policies,
    vault,
    lineage,
    endpoints,
    outcomes,
    batches,
    windows,
    service_levels,
    alerts,
    retraining,
    webhooks,
    imports,
    kills,
    journaling,
    deleted,
    leftovers,
    audit,
)
OPENAPI_PATH = "/api/v1/openapi"


def application(
    ground: Ground,
    gate: access.Gate,
    pages: Sequence[Any],
    on_page_error: Callable[[Any, Exception], Any],
) -> Litestar:
    """Our API and the pages as one application; errors leave as JSON below /api, else as a page."""

    def either(as_json: Callable[[Any, Any], Any]) -> Callable[[Any, Exception], Any]:
        def handle(request: Any, error: Exception) -> Any:
            return as_json(request, error) if request.url.path.startswith("/api/") else on_page_error(request, error)

        return handle

    return Litestar(
        route_handlers=[*(handler for room in ROOMS for handler in room.handlers), *pages],
        dependencies={
            "ground": Provide(handling.ground, sync_to_thread=False),
            "principal": Provide(handling.principal, sync_to_thread=False),
        },
        guards=[handling.guard],
        exception_handlers={
            TenureError: either(handling.on_ours),
            HTTPException: either(handling.on_litestars),
            RecursionError: either(handling.on_too_deep),
            Exception: either(handling.on_unforeseen),
        },
        state=State({"ground": ground, "gate": gate}),
        request_max_body_size=ground.settings.max_body_mib * 1024 * 1024,
        openapi_config=OpenAPIConfig(
            title="Tenure",
            version=service.VERSION,
            render_plugins=[JsonRenderPlugin()],
            openapi_router=Router(OPENAPI_PATH, route_handlers=[], opt={"permission": Permission.READ}),
        ),
        logging_config=None,
        debug=False,
    )


def check_declared(ours: Litestar, mlflow: Mapping[str, object]) -> None:
    """Refuse to start when a route of either application declares no permission, or no subject where it needs one."""
    declared: dict[str, object] = dict(mlflow)
    for route in ours.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.handler_name != "options_handler":
                asked = access.Declared(handler.opt.get("permission"), handler.opt.get("subject"))
                declared[f"{'/'.join(sorted(handler.http_methods))} {route.path}"] = asked
    access.check_declared(declared)
