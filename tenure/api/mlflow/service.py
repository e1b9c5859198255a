"""Routes about the server, as MLflow's clients ask for them."""

from __future__ import annotations

from importlib.metadata import version

from tenure.api.mlflow.routes import V3, Asked, Nothing, Route
from tenure.api.mlflow.streams import Receive, Scope, Send, apart
from tenure.records.people import Permission
from tenure.serving import answers
from tenure.store.ground import Ground

VERSION = version("tenure")


async def health(_asked: Asked, _scope: Scope, _receive: Receive, send: Send, _path: dict[str, str]) -> None:
    """`OK` as soon as requests are answered."""
    await answers.answer(send, 200, answers.TEXT, b"OK")


async def tenure_version(_asked: Asked, _scope: Scope, _receive: Receive, send: Send, _path: dict[str, str]) -> None:
    """The release of Tenure that answers."""
    await answers.answer(send, 200, answers.TEXT, VERSION.encode())


async def server_info(_sent: Nothing, asked: Asked) -> dict[str, object]:
    """What this server can do beyond the plain protocol.

    That large files may go to the object store directly is told only when the operator says that clients reach it:
    a client that was told so and does not reach it fails instead of sending the file here.
    """
    return await apart(_info, asked.ground)


def _info(ground: Ground) -> dict[str, object]:
    direct = ground.artifacts.direct
    told = ground.settings.direct_transfers
    signs = ground.roots.sign_somewhere
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "artifact_serving_enabled": True,
        "artifacts_presigned_only": False,
        "multipart_uploads_enabled": told and direct is not None and direct.parts is not None,
        "multipart_downloads_enabled": told and direct is not None,
        "presigned_upload_run_id_supported": signs,
        "presigned_upload_model_id_supported": signs,
        "model_artifact_presigned_downloads_supported": signs,
    }


PUBLIC = Permission.PUBLIC
ROUTES = (
    Route("GET", "/health", health, kind="stream", permission=PUBLIC),
    Route("GET", "/version", tenure_version, kind="stream", permission=PUBLIC),
    Route("GET", f"{V3}server-info", server_info, Nothing, "apart", PUBLIC),
)
