"""From what the user wrote to a source."""

from __future__ import annotations

from tenure.errors import InvalidInput
from tenure.imports.source import Source


def open_source(origin: str, artifacts_from: str | None = None, workspace: str = "default") -> Source:
    """The source at an address: a server's (http, https) or a database's URL.

    `artifacts_from`: where a database's `mlflow-artifacts:/` lies, a folder, a URL, or the server that serves it.
    """
    from tenure.imports.places import Places
    from tenure.imports.server import Server

    scheme = origin.partition(":")[0].lower()
    if scheme in ("http", "https"):
        from tenure.imports.rest import RestSource

        server = Server(origin)
        return RestSource(server, Places(artifacts_from, server))
    if scheme == "file" or "://" not in origin:
        raise InvalidInput(
            "The source must be an address or a database: http://host:5000, sqlite:///path/to/mlflow.db, "
            f"postgresql://…. Got {origin!r}. For a folder of MLflow's file store run `mlflow server "
            "--backend-store-uri` with that folder and move from its address.",
            where="--from",
        )
    from tenure.imports.database import DatabaseSource

    if artifacts_from and artifacts_from.startswith(("http://", "https://")):
        return DatabaseSource(origin, Places(None, Server(artifacts_from)), workspace=workspace)
    return DatabaseSource(origin, Places(artifacts_from), workspace=workspace)
