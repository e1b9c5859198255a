"""Routes about the server, as MLflow's clients ask for them."""

from __future__ import annotations

from tenure.api.mlflow.respond import NotImplementedHere
from tenure.api.mlflow.routes import FILES, V3, Asked, Nothing, Route
from tenure.records.people import Permission

INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
}


async def server_info(_sent: Nothing, _asked: Asked) -> dict[str, object]:
    """What this server can do beyond the plain protocol: nothing, so clients take the plain way."""
    return INFO


async def no_parts(_sent: Nothing, _asked: Asked) -> None:
    """Files are uploaded and downloaded whole."""
    raise NotImplementedHere("Multipart and presigned transfer is not offered. PUT or GET the artifact itself.")


PARTS = ("mpu/create", "mpu/complete", "mpu/abort")
ROUTES = (
    Route("GET", f"{V3}server-info", server_info, Nothing, "apart", Permission.PUBLIC),
    *(Route("POST", f"{FILES}{part}/{{path:path}}", no_parts, Nothing, "apart", Permission.TRACK) for part in PARTS),
    Route("GET", f"{FILES}presigned/{{path:path}}", no_parts, Nothing, "apart", Permission.READ),
)
