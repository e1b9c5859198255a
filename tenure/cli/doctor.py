"""`tenure doctor`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from tenure.cli.asking import server_option, show
from tenure.errors import TenureError


class Check(NamedTuple):
    name: str
    fine: bool
    detail: str


@click.command("doctor")
@click.option("--data", default="tenure-data", show_default=True, help="The data folder to look at.")
@server_option
def command(data: str, client: Any, as_json: bool) -> None:
    """Check this machine and a running server; exit status 1 when something is wrong."""
    checks = [*_machine(Path(data)), *_server(client)]
    rows = [("ok" if check.fine else "WRONG", check.name, check.detail) for check in checks]
    show([check._asdict() for check in checks], as_json, ["", "what", "detail"], rows, "Doctor")
    sys.exit(0 if all(check.fine for check in checks) else 1)


def _machine(data: Path) -> Iterator[Check]:
    version = sys.version_info
    yield Check("Python", version >= (3, 11), f"{version.major}.{version.minor}; 3.11 or newer is needed")
    nearest = next(folder for folder in (data.resolve(), *data.resolve().parents) if folder.exists())
    free_gib = shutil.disk_usage(nearest).free / 2**30
    yield Check("disk", free_gib > 1, f"{free_gib:.1f} GiB free at {nearest}; 1 GiB or more is needed")


def _server(client: Any) -> Iterator[Check]:
    try:
        about = client.get("/api/v1/server")
    except TenureError as problem:
        yield Check("server", False, problem.message)
        return
    yield Check("server", True, f"version {about['version']} at {client.url}")
    verified = client.get("/api/v1/audit/verify")
    yield Check("audit log", verified["first_bad"] is None, f"{verified['events']} events")
    kept_out = [one["name"] for one in client.get("/api/v1/inbox")["lock_outs"]]
    told = f"kept out after too many failures: {', '.join(kept_out)}" if kept_out else "nobody is kept out"
    yield Check("sign-in", not kept_out, told)
    for endpoint in client.get("/api/v1/endpoints"):
        for health in client.get(f"/api/v1/endpoints/{endpoint['name']}")["health"]:
            name = f"{endpoint['name']}, version {health['version']}"
            yield Check(name, health["state"] != "failed", f"{health['role']} {health['state']} {health['detail']}")
