"""The one place that puts things together: settings → ground → api, web and worker; and who watches the processes.

`tenure serve` is the supervisor. Its children are `python -m tenure.app control | gateway | worker`: each sees the same
settings through `TENURE_*` variables, and each ends when the supervisor ends.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure import logs
from tenure import settings as settings_
from tenure.errors import CannotStart, TenureError
from tenure.serving import lifeline
from tenure.settings import Settings
from tenure.store import lean

if TYPE_CHECKING:
    from tenure.access import Gate
    from tenure.api.front import App, Front
    from tenure.records.routing import Release
    from tenure.store.ground import Ground

log = logging.getLogger("tenure")

PARENT_VARIABLE = "TENURE_SUPERVISOR_PID"
MLFLOW_PREFIXES = (
    "/health",
    "/version",
    "/api/2.0/mlflow",
    "/api/3.0/mlflow",
    "/ajax-api/",
    "/get-artifact",
    "/model-versions/get-artifact",
)


def open_ground(settings: Settings, *, readers: int = 4) -> Ground:
    """Database, files and key of a data folder; the folder is made when there is none."""
    from tenure.store.artifacts import ArtifactStore
    from tenure.store.database import Database
    from tenure.store.ground import Ground
    from tenure.store.keys import open_key

    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotStart(f"The data folder {settings.folder} cannot be made: {problem.strerror}.") from None
    ground = Ground(
        settings=settings,
        database=Database(settings.database, readers=readers, fsync=settings.database_fsync),
        artifacts=ArtifactStore(settings.artifacts),
        key=open_key(settings.folder),
    )
    ground.roots.check_apart(settings.folder, *ground.database.files)
    return ground


def open_gate(settings: Settings, ground: Ground | None) -> Gate:
    """The gate in front of control (with a ground, so that people can sign in) or of the gateway (without)."""
    from tenure.access import Gate

    gate = Gate(
        [settings.port, settings.gateway_port],
        ground,
        hosts=settings.hosts,
        required=settings.sign_in == "required",
        public_url=settings.public_url,
    )
    if ground is not None and settings.oidc_issuer:
        from tenure.access.provider import Provider

        secret = os.environ.get(settings_.OIDC_SECRET_VARIABLE, "")
        back = f"{settings.shown_url}/sso/callback"
        gate.provider = Provider(settings.oidc_issuer, settings.oidc_client_id, secret, back)
    return gate


def control_app(ground: Ground, gate: Gate, on_failure: Callable[[BaseException], None]) -> Front:
    """MLflow's protocol, and API and pages as soon as they are put together, behind the gate."""
    from tenure.api import front
    from tenure.api.mlflow import app as mlflow_app

    ours = front.Later(lambda: _api_and_pages(ground, gate), on_failure)
    mlflow = mlflow_app.App(ground)
    return front.Front(gate, ours, mlflow, MLFLOW_PREFIXES, mlflow)


def _api_and_pages(ground: Ground, gate: Gate) -> App:
    """Our API and the pages. Raises CannotStart when a route of them or of MLflow's protocol declares no permission."""
    from tenure.api import rooms
    from tenure.api.mlflow import app as mlflow_app
    from tenure.web import site

    ours = rooms.application(ground, gate, site.handlers, site.on_error)
    rooms.check_declared(ours, mlflow_app.declared())
    gc.freeze()
    gc.enable()
    return ours


def run_control(settings: Settings) -> None:
    gc.disable()  # what imports make stays, and looking for rubbish among it takes 0.2 s; enabled when all is there
    from tenure.build import experiments
    from tenure.deploy import routing
    from tenure.manage import channels, keys
    from tenure.store import migrate

    ground = open_ground(settings)
    migrate.to_newest(ground.database)
    ground.artifacts.sweep()
    ground.database.write(lambda tx: experiments.seed(tx, ground.clock(), root=ground.roots.default))
    ground.database.write(lambda tx: keys.note(tx, ground.key, now=ground.clock()))
    dropped = [name.strip() for name in settings.dropped_channels.split(",")]
    ground.database.write(lambda tx: channels.note(tx, settings.alert_channels, dropped, now=ground.clock()))
    ground.database.write(routing.bump)  # this release may put more into the table than the one before it
    routing.publish(ground)
    _offer_set_up(ground)
    _serve(control_app(ground, open_gate(settings, ground), _end), settings.host, settings.port)
    ground.database.close()


def _offer_set_up(ground: Ground) -> None:
    """Print the link that makes the first administrator, while there is none and everybody must sign in.

    On stderr, apart from what the server says of itself; each start makes the one before worthless.
    """
    if ground.settings.sign_in != "required":
        return
    from tenure.manage import set_up

    secret = ground.database.write(lambda tx: set_up.offer(tx, ground.clock()))
    if secret is not None:
        print(
            "tenure: nobody administers this server yet. Whoever opens this link within an hour becomes its first "
            f"administrator:\n  {ground.settings.shown_url}/set-up?token={secret}",
            file=sys.stderr,
            flush=True,
        )


def _end(problem: BaseException) -> None:
    """Say why this process cannot go on, and have it stop as if it were told to."""
    log.error("the API and the pages cannot be put together", exc_info=problem)
    os.kill(os.getpid(), signal.SIGTERM)


def run_gateway(settings: Settings, name: str = "gateway") -> None:
    from tenure.serving import gateway

    gate = open_gate(settings, None)
    tables = _lookup_tables(settings)
    gateway.run(settings, _model_fetcher(settings), gate.principal, gate.published.take_up, tables, name)


def _lookup_tables(settings: Settings) -> Any:
    """Where features are looked up; nothing is imported for it where no source is configured."""
    if not settings.lookups:
        return None
    from tenure.store.lookup_tables import LookupTables

    return LookupTables(settings.lookups, settings.lookup_timeout_s)


def _model_fetcher(settings: Settings) -> Any:
    """Fetches a release's files and makes its environment.

    The store is opened at the first fetch, so that an idle gateway stays small.
    """
    opened: list[Any] = []

    def fetch(release: Release) -> Path:
        from tenure.deploy import building
        from tenure.deploy.fetching import fetch as from_roots
        from tenure.store.artifacts import ArtifactStore
        from tenure.store.roots import Roots

        if not opened:
            roots = Roots(ArtifactStore(settings.artifacts), settings.default_artifact_root)
            opened.append(from_roots(roots, settings.folder / "models"))
        folder: Path = opened[0](release)
        if release.environment:
            building.build(settings, release.environment)
        return folder

    return fetch


WORKERS_GARBAGE = 200_000
"""Objects that the worker makes between two looks for cycles. A bite of the journal becomes 150,000, none in a cycle:
to look among them every 700 took four fifths of the time of reading them."""


def run_worker(settings: Settings) -> None:
    from tenure import worker
    from tenure.store import migrate

    os.nice(settings.worker_niceness)
    ground = open_ground(settings, readers=2)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not migrate.is_newest(ground.database) and not stopping.wait(0.5):
        log.warning("the database waits for control, which brings it to its newest form")
    gc.freeze()
    gc.set_threshold(WORKERS_GARBAGE)
    worker.run(ground, stopping)
    ground.database.close()


def _serve(app: Any, host: str, port: int) -> None:
    import uvicorn

    from tenure.serving.shortcut import Shortcut

    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=Shortcut,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


PROCESSES = {"control": run_control, "worker": run_worker}


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child: this one's and the settings."""
    import msgspec

    given = {f"TENURE_{name.upper()}": value for name, value in msgspec.to_builtins(settings).items()}
    given["TENURE_RECIPES"] = ",".join(f"{name}={target}" for name, target in settings.recipes.items())
    given["TENURE_ALERT_CHANNELS"] = " ".join(f"{name}={url}" for name, url in settings.alert_channels.items())
    given["TENURE_LOOKUPS"] = " ".join(f"{name}={url}" for name, url in settings.lookups.items())
    given["TENURE_DATA"] = str(settings.folder)
    return {
        **os.environ,
        **object_store_names(os.environ),
        **{name: str(value) for name, value in given.items()},
        PARENT_VARIABLE: str(os.getpid()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "ORT_DISABLE_TELEMETRY": "1",
    }


def object_store_names(given: Mapping[str, str]) -> dict[str, str]:
    """Settings of an S3 store under every name that its two libraries look for, and from MLflow's own.

    >>> object_store_names({"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9000"})
    {'AWS_ENDPOINT_URL': 'http://127.0.0.1:9000', 'AWS_ALLOW_HTTP': 'true'}
    """
    endpoint = given.get("AWS_ENDPOINT_URL") or given.get("MLFLOW_S3_ENDPOINT_URL") or ""
    region = given.get("AWS_DEFAULT_REGION") or given.get("AWS_REGION") or ""
    found = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": region}
    if endpoint.startswith("http://"):
        found["AWS_ALLOW_HTTP"] = "true"
    return {name: value for name, value in found.items() if value}


def serve(settings: Settings) -> None:
    """Run a server until it is told to stop. Raises CannotStart when the settings or the machine forbid it."""
    from tenure.build.webhook_addresses import allowed_of
    from tenure.supervisor import Supervisor

    allowed_of(settings.webhook_allow)
    Supervisor(settings, environment(settings)).run()


def main(kind: str) -> None:
    """Entry of a child process."""
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {kind} %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(logs.Recurring())
    lifeline.die_with_parent(int(os.environ[PARENT_VARIABLE]))
    lean.refuse_frameworks()
    try:
        settings = settings_.load({}, os.environ)
        if kind.startswith("gateway"):
            run_gateway(settings, kind)
        else:
            PROCESSES[kind](settings)
    except TenureError as problem:
        sys.exit(f"tenure {kind}: {problem.message}")


if __name__ == "__main__":
    main(sys.argv[1])
