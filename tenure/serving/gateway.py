"""The gateway: a row in, an answer out. What stands at which address, and the life of the process.

No SQL and no framework on the way. Each protocol reads and tells in its own form (`serving/protocols/`); what lies
between is the same for all (`serving/scoring.py`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tenure.errors import CannotStart, NotFound, TenureError
from tenure.records.base import Instant
from tenure.records.people import Permission
from tenure.records.routing import RoutedToken, ServiceFigures
from tenure.serving import admission, answers, docs_page, exposition, figures, metrics, openapi, routing
from tenure.serving.admissions import Admissions
from tenure.serving.answers import (
    JSON,
    TEXT,
    ASGIApp,
    Headers,
    Pending,
    Receive,
    Reply,
    Scope,
    Send,
    answer,
    hide,
    refuse,
    refuse_method,
)
from tenure.serving.arms import Arms, Endpoint
from tenure.serving.journal import Journal
from tenure.serving.lookups import Lookups, Tables, asked_for
from tenure.serving.protocols import mlflow, v2, v2_rest
from tenure.serving.quotas import Quotas
from tenure.serving.samples import Sampler
from tenure.serving.scorers import Fetch, Scorer
from tenure.serving.scoring import PrincipalOf, Scoring, headers_of
from tenure.settings import Settings

if TYPE_CHECKING:
    from tenure.serving.protocols.grpc_calls import Calls

log = logging.getLogger("tenure.gateway")

NAME = "gateway"
LOOK_S = 0.1
KEEP_S = 1.0
PREFIX = "/endpoints/"
PLAIN_PREFIX, INVOCATIONS = PREFIX.encode(), b"/invocations"
V2 = "/v2"
SAID = {"/health": b"OK\n", "/ping": b"OK\n", "/version": version("tenure").encode()}
"""What the gateway says of itself to whoever asks."""
TOLD = ("docs", "openapi.json", "ping", "health", "version")
"""What is told of an endpoint below its address; the last three are what MLflow's own server has at its root."""

TakeUp = Callable[[Mapping[str, RoutedToken]], None]


def make_app(
    settings: Settings,
    folder: Path,
    fetch: Fetch,
    principal_of: PrincipalOf,
    take_up: TakeUp = lambda _: None,
    tables: Tables | None = None,
    name: str = NAME,
) -> ASGIApp:
    """The gateway as an ASGI app; its lifespan opens and seals the journal and starts and stops the scorers.

    `folder` is the data folder, `fetch` gives a release's local folder, `principal_of` names who is asking by the
    lower-case headers, `take_up` is told the tokens of every new routing table, `tables` is where features are looked
    up. `name` tells the gateways of one folder apart: each has its own part of the journal.
    """
    return Gateway(settings, folder, fetch, principal_of, take_up, tables, name)


def run(
    settings: Settings,
    fetch: Fetch,
    principal_of: PrincipalOf,
    take_up: TakeUp = lambda _: None,
    tables: Tables | None = None,
    name: str = NAME,
) -> None:
    """Serve until SIGTERM or Ctrl-C: then finish what is in flight, stop the scorers and seal the journal."""
    import uvicorn

    from tenure.serving.shortcut import Shortcut

    listening = _listen(settings) if settings.gateways > 1 else None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises what it caught once more when it is done
    config = uvicorn.Config(
        make_app(settings, settings.folder, fetch, principal_of, take_up, tables, name),
        host=settings.host,
        port=settings.gateway_port,
        loop="uvloop",
        http=Shortcut,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.scoring_timeout_s),
    )
    uvicorn.Server(config).run(sockets=[listening] if listening is not None else None)


def _listen(settings: Settings) -> socket.socket:
    """A socket on the scoring port that other gateways share: the kernel hands each its part of the connections.

    Raises CannotStart when somebody has the port alone.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            listening.setsockopt(socket.SOL_SOCKET, option, 1)
        listening.bind((settings.host, settings.gateway_port))
    except OSError as problem:
        listening.close()
        raise CannotStart(
            f"The gateway cannot listen on port {settings.gateway_port}: {problem.strerror}. Choose another with "
            "--scoring-port."
        ) from None
    return listening


class Gateway:
    def __init__(
        self,
        settings: Settings,
        folder: Path,
        fetch: Fetch,
        principal_of: PrincipalOf,
        take_up: TakeUp,
        tables: Tables | None,
        name: str,
    ) -> None:
        self._name = name
        self._settings = settings
        self._folder = folder
        self._principal_of = principal_of
        self._take_up = take_up
        self._arms = Arms(settings, fetch, self._tell)
        self._admissions = Admissions(Quotas(folder, name))
        self._lookups = Lookups(tables, settings.lookup_timeout_s)
        self._told: object = None
        self._kept_at = 0.0
        self._applied = -1
        self._scoring: Scoring | None = None
        self._sampler = Sampler(folder, name, _now())
        self._journal: Journal
        self._epochs: routing.EpochReader
        self._watch: asyncio.Task[None]
        self._calls: Calls | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        error_body = v2.error_body if path.startswith(V2) else answers.error_body
        try:
            await self._route(path, scope, receive, send)
        except TenureError as error:
            await refuse(send, error, error_body)
        except admission.Disconnected:
            pass
        except Exception:
            log.exception("unforeseen failure at %s", path)
            await hide(send, error_body)

    def wants(self, url: bytes) -> bool:
        """Whether a POST to this address may be answered at once."""
        return url.startswith(PLAIN_PREFIX) and url.endswith(INVOCATIONS)

    def at_once(self, url: bytes, headers: Headers, body: bytes) -> Reply | Pending | None:
        """The answer to MLflow's scoring client where nothing has to be waited for, else None."""
        if self._scoring is None:
            return None
        name = url[len(PLAIN_PREFIX) : -len(INVOCATIONS)].decode("latin-1")
        try:
            return self._scoring.at_once(mlflow, name, headers, body)
        except Exception as problem:
            return self.failed(problem)

    def failed(self, problem: BaseException) -> Reply:
        """What to say to a request that was not answered, for this reason."""
        if isinstance(problem, TenureError):
            return answers.refusal(problem)
        log.error("unforeseen failure of a scoring request", exc_info=problem)
        return answers.hidden()

    async def _route(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        scoring = self._scoring
        assert scoring is not None
        if path.startswith(PREFIX):
            name, _, action = path[len(PREFIX) :].partition("/")
            allowed = ("POST",) if action == "invocations" else ("GET", "HEAD")
            if action in ("invocations", *TOLD) and scope["method"] not in allowed:
                return await refuse_method(send, allowed[0])
            if action == "invocations":
                return await scoring.answer(mlflow, name, "", scope, receive, send)
            if action in TOLD:
                return await self._describe(scoring, name, action, scope, send)
        elif path.startswith(V2):
            return await v2_rest.answer(scoring, path, scope, receive, send)
        elif path in SAID:
            return await answer(send, 200, TEXT, SAID[path])
        if path == "/metrics":
            return await self._measure(scoring, scope, send)
        raise NotFound(
            "The gateway has nothing at this address. It answers POST /endpoints/{name}/invocations and "
            "/v2/models/{name}/infer, and GET /endpoints/{name}/docs, /endpoints/{name}/openapi.json, /v2, /health and "
            "/version. Pages are on the other port."
        )

    async def _measure(self, scoring: Scoring, scope: Scope, send: Send) -> None:
        """The gateway's figures, to who may read everywhere."""
        admission.require(scoring.known(headers_of(scope)), Permission.READ)
        told = metrics.page(
            self._name,
            scoring.figures,
            self._arms,
            self._journal.figures,
            scoring.shadows.dropped,
            self._admissions.counts(),
            scoring.unjournaled,
        )
        await answer(send, 200, [(b"content-type", exposition.CONTENT_TYPE.encode())], told)

    async def _describe(self, scoring: Scoring, name: str, action: str, scope: Scope, send: Send) -> None:
        """What is told of an endpoint, to who may read of it or score there."""
        scoring.asking(headers_of(scope), name, Permission.SCORE, Permission.READ)
        endpoint = self._arms.endpoint(name)
        if action == "version":
            return await answer(send, 200, TEXT, mlflow.server_version().encode())
        if action in ("ping", "health"):
            endpoint.arm("")
            return await answer(send, 200, TEXT, b"\n")
        described = self._described(endpoint)
        if action == "openapi.json":
            return await answer(send, 200, JSON, msgspec.json.encode(openapi.document(described)))
        return await answer(send, 200, docs_page.HEADERS, docs_page.page(described))

    def _described(self, endpoint: Endpoint) -> openapi.Described:
        """What the pages tell of an endpoint. Raises Unavailable without a champion: its columns are not known then."""
        arm = endpoint.champion
        release, lookups = arm.release, self._lookups.at(endpoint.name)
        if lookups is not None:
            release = msgspec.structs.replace(release, inputs=asked_for(release.inputs, lookups.rules))
        return openapi.describe(
            endpoint.name,
            release,
            url=self._settings.shown_scoring_url,
            max_rows=self._settings.max_rows,
            example=arm.scorer.example,
            answer=arm.scorer.answer,
        )

    def _follow(self) -> None:
        """Take up the routing table when its epoch has changed. A table that cannot be read leaves the old one."""
        epoch = self._epochs.epoch()
        if epoch == self._applied:
            return
        try:
            table = routing.read_table(self._folder)
        except (OSError, msgspec.DecodeError):
            log.exception("the routing table cannot be read; the one before it stays")
            return
        self._applied = epoch
        self._take_up(table.tokens)
        self._admissions.take_up(table)
        self._lookups.take_up(table)
        self._promise({name: route.slow_us for name, route in table.routes.items()})
        self._arms.apply(table)

    def _promise(self, objectives: Mapping[str, int]) -> None:
        """Count by other objectives from now on; what was counted by those before is a sample of its own."""
        if self._scoring is not None and objectives != self._scoring.figures.objectives:
            self._sampler.cut(self._scoring.figures, self._pids())
            self._scoring.figures.promise(objectives)

    def _pids(self) -> dict[tuple[str, str], int]:
        """The processes of versions that the gateway does not compute itself, by endpoint and release."""
        return {
            (endpoint.name, arm.release.release_id): arm.scorer.pid
            for endpoint in self._arms.endpoints()
            for arm in endpoint.answering
            if isinstance(arm.scorer, Scorer) and arm.scorer.pid
        }

    def _tell(self) -> None:
        """Write how this gateway is, for control to read. A full disk must not stop it from answering."""
        scoring = self._scoring
        dropped = scoring.shadows.dropped if scoring is not None else Counter[str]()
        notes = {release_id: f"{count} requests were not scored in the shadow" for release_id, count in dropped.items()}
        self._told = self._to_tell()
        status = msgspec.structs.replace(
            self._arms.status(self._name, os.getpid(), _now(), notes),
            admissions=self._admissions.counts(),
            unjournaled={name: dict(each) for name, each in scoring.unjournaled.items()} if scoring else {},
            service=self._service(scoring) if scoring else [],
        )
        try:
            routing.write_status(self._folder, status)
        except TenureError as problem:
            log.warning("the gateway's status is not written: %s", problem.message)

    async def _look(self) -> None:
        """What must happen without a request: new tables, sealing, requests that waited too long."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._follow()
                self._arms.look()
                self._journal.seal_due()
                self._keep_due()
            except Exception:
                log.exception("the gateway's look at what is due failed; it is tried again")

    def _keep_due(self) -> None:
        """Once a second at most: what was counted, for control to read and for the gateway after this one."""
        if time.monotonic() < self._kept_at + KEEP_S:
            return
        self._kept_at = time.monotonic()
        self._admissions.quotas.keep(_now())
        if self._scoring is not None:
            self._scoring.figures.remember()
            self._sampler.keep(self._scoring.figures, self._pids(), _now())
        if self._to_tell() != self._told:
            self._tell()

    def _to_tell(self) -> object:
        scoring = self._scoring
        if scoring is None:
            return None
        counted, dropped = scoring.figures, scoring.shadows.dropped.total()
        answered = sum(one.rows for one in counted.served.values())
        unjournaled = sum(each.total() for each in scoring.unjournaled.values())
        return dropped, self._admissions.counts(), answered, counted.refusals(), unjournaled

    def _service(self, scoring: Scoring) -> list[ServiceFigures]:
        """How each release that is routed served lately."""
        found = []
        for endpoint in self._arms.endpoints():
            for arm in endpoint.answering:
                served = scoring.figures.served.get((endpoint.name, arm.release.release_id))
                if served is not None:
                    scorer = arm.scorer if isinstance(arm.scorer, Scorer) else None
                    queue = (scorer.queue_s, scorer.batched) if scorer else (0.0, 0)
                    found.append(figures.lately(served, scorer.pid if scorer else None, queue))
        return found

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except TenureError as problem:
            await send({"type": "lifespan.startup.failed", "message": problem.message})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        settings = self._settings
        self._journal = Journal(
            self._folder / "journal",
            self._name,
            settings.segment_seal_s,
            settings.segment_max_mib,
            settings.journal_fsync,
        )
        self._epochs = routing.EpochReader(self._folder)
        self._admissions.quotas.load()
        self._scoring = Scoring(
            settings, self._arms, self._journal, self._admissions, self._lookups, self._principal_of, self._follow
        )
        self._follow()
        if settings.grpc_port:
            self._calls = await _listen_to_calls(self._scoring, settings)
        self._watch = asyncio.get_running_loop().create_task(self._look())
        gc.freeze()  # what was imported lives as long as the process: no collection need look at it

    async def _stop(self) -> None:
        self._watch.cancel()
        if self._calls is not None:
            await self._calls.stop(self._settings.scoring_timeout_s)
        if self._scoring is not None:
            await self._scoring.shadows.finish()
            self._sampler.cut(self._scoring.figures, self._pids())
            self._sampler.write()
        await self._arms.stop()
        self._lookups.close()
        self._admissions.quotas.keep(_now())
        self._journal.close()
        self._epochs.close()


async def _listen_to_calls(scoring: Scoring, settings: Settings) -> Calls:
    """Answer gRPC on its own port. Raises CannotStart."""
    try:
        from tenure.serving.protocols import grpc_calls
    except ModuleNotFoundError as problem:
        raise CannotStart(
            f"--grpc-port needs {problem.name}, which is not installed. Install it with: pip install 'tenure[grpc]'"
        ) from None
    return await grpc_calls.listen(scoring, settings)


def _now() -> Instant:
    return Instant(time.time_ns() // 1000)
