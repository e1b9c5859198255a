"""The unmodified client sends and fetches one large and one small file: `direct_session.py <server> <bucket>`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


def session(server: str, bucket: str) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # the server's, not the client's
    os.environ |= {
        "MLFLOW_TRACKING_URI": server,
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 * MIB),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * MIB),
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(3 * MIB),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    import mlflow  # reads its environment
    import requests

    asked: list[str] = []
    plainly = requests.Session.request

    def noted(self: requests.Session, method: str, url: str, **how: Any) -> Any:
        asked.append(f"{method.upper()} {url}")
        return plainly(self, method, url, **how)

    requests.Session.request = noted  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "lärge 1.bin"), Path(folder, "small.txt")
        large.write_bytes(os.urandom(11 * MIB))
        small.write_text("small")
        with mlflow.start_run() as run:
            for file in (large, small):
                mlflow.log_artifact(str(file), "files")
        back = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/files", dst_path=f"{folder}/back"))
        assert (back / large.name).read_bytes() == large.read_bytes()
        assert (back / small.name).read_text() == "small"

    put_there = [one for one in asked if one.startswith(f"PUT {bucket}")]
    fetched_there = [one for one in asked if one.startswith(f"GET {bucket}")]
    assert len(put_there) == 3, put_there
    assert len(fetched_there) >= 4, fetched_there
    assert [one.rsplit("/", 1)[-1] for one in asked if one.startswith(f"PUT {server}")] == ["small.txt"]


if __name__ == "__main__":
    session(*sys.argv[1:3])
