"""The gateway: a row in, an answer out. Parse, admit, route, score, journal, answer; then the shadows.

No SQL and no framework on the way. What is answered is in the journal first; what is not journaled is not answered.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

from tenure.errors import NotFound, TenureError
from tenure.records.admission import Admitted
from tenure.records.base import Instant, new_id
from tenure.records.frames import PredictionFrame
from tenure.records.people import Permission, Principal
from tenure.records.routing import Release, RoutedToken
from tenure.serving import admission, docs_page, openapi, routing
from tenure.serving.admissions import Admissions, Asking, Refused, as_admitted
from tenure.serving.answers import JSON, TEXT, ASGIApp, Receive, Scope, Send, answer, hide, refuse, refuse_method
from tenure.serving.arms import Arm, Arms, Endpoint
from tenure.serving.decoding import Asked, Columns, parse, score_of
from tenure.serving.journal import Journal
from tenure.serving.quotas import Quotas
from tenure.serving.scorers import Fetch
from tenure.settings import Settings

log = logging.getLogger("tenure.gateway")

NAME = "gateway"
LOOK_S = 0.1
KEEP_S = 1.0
ROUTING_KEY = "tenure-routing-key"
PREFIX = "/endpoints/"

PrincipalOf = Callable[[Mapping[str, str]], Principal]
TakeUp = Callable[[Mapping[str, RoutedToken]], None]


def make_app(
    settings: Settings, folder: Path, fetch: Fetch, principal_of: PrincipalOf, take_up: TakeUp = lambda _: None
) -> ASGIApp:
    """The gateway as an ASGI app; its lifespan opens and seals the journal and starts and stops the scorers.

    `folder` is the data folder, `fetch` gives a release's local folder, `principal_of` names who is asking by the
    lower-case headers, `take_up` is told the tokens of every new routing table.
    """
    return Gateway(settings, folder, fetch, principal_of, take_up)


def run(settings: Settings, fetch: Fetch, principal_of: PrincipalOf, take_up: TakeUp = lambda _: None) -> None:
    """Serve until SIGTERM or Ctrl-C: then finish what is in flight, stop the scorers and seal the journal."""
    import uvicorn

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises what it caught once more when it is done
    uvicorn.run(
        make_app(settings, settings.folder, fetch, principal_of, take_up),
        host=settings.host,
        port=settings.gateway_port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.scoring_timeout_s),
    )


class Gateway:
    def __init__(
        self, settings: Settings, folder: Path, fetch: Fetch, principal_of: PrincipalOf, take_up: TakeUp
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._principal_of = principal_of
        self._take_up = take_up
        self._max_bytes = settings.max_body_mib * admission.MIB
        self._arms = Arms(settings, fetch, self._tell)
        self._shadowing: set[asyncio.Task[None]] = set()
        self._dropped: Counter[str] = Counter()
        self._admissions = Admissions(Quotas(folder, NAME))
        self._told: object = None
        self._kept_at = 0.0
        self._applied = -1
        self._journal: Journal
        self._epochs: routing.EpochReader
        self._watch: asyncio.Task[None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            await self._route(scope, receive, send)
        except TenureError as error:
            await refuse(send, error)
        except admission.Disconnected:
            pass
        except Exception:
            log.exception("unforeseen failure at %s", scope["path"])
            await hide(send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path.startswith(PREFIX):
            name, _, action = path[len(PREFIX) :].partition("/")
            if action == "invocations":
                if method != "POST":
                    return await refuse_method(send, "POST")
                return await self._score(name, scope, receive, send)
            if action in ("docs", "openapi.json"):
                if method not in ("GET", "HEAD"):
                    return await refuse_method(send, "GET")
                return await self._describe(name, action, scope, send)
        elif path in ("/health", "/ping"):
            return await answer(send, 200, TEXT, b"OK\n")
        elif path == "/version":
            return await answer(send, 200, TEXT, version("tenure").encode())
        raise NotFound(
            "The gateway has nothing at this address. It answers POST /endpoints/{name}/invocations, and GET "
            "/endpoints/{name}/docs, /endpoints/{name}/openapi.json, /health and /version. Pages are on the other port."
        )

    async def _score(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter_ns()
        self._follow()
        headers = _headers(scope)
        principal = self._principal_of(headers)
        admission.require(principal, Permission.SCORE, self._arms.model_of(name))
        self._arms.endpoint(name)
        admission.check_headers(headers, self._max_bytes)
        body = await admission.read_body(receive, self._max_bytes)
        endpoint = self._arms.endpoint(name)
        now = _now()
        asked = parse(body, now=now, max_rows=self._settings.max_rows)
        prediction_id = new_id(now)
        arm = endpoint.arm(headers.get(ROUTING_KEY) or (asked.reference[0] if asked.reference else prediction_id))
        columns = arm.scorer.inputs.columns_of(asked)
        asking = Asking(name, headers, principal, now)
        columns, admitted = await self._admit(asking, arm.release, columns, asked.rows)
        outputs = arm.outputs_now(columns, asked.rows, asked.params)
        if outputs is None:
            outputs = await arm.scorer.outputs(columns, asked.rows, asked.params)
        frame = PredictionFrame(
            prediction_id=prediction_id,
            at=now,
            endpoint=name,
            release_id=arm.release.release_id,
            model=arm.release.model,
            version=arm.release.version,
            role=arm.release.role,
            rows=asked.rows,
            event_at=asked.event_at,
            reference=asked.reference,
            columns=columns,
            output=outputs,
            score=[score_of(output) for output in outputs],
            latency_us=(time.perf_counter_ns() - started) // 1000,
            caller=principal.name,
            admitted=admitted,
        )
        await self._journal.append(frame)
        said = [
            *JSON,
            (b"tenure-prediction-id", prediction_id.encode()),
            (b"tenure-model-version", b"%d" % arm.release.version),
        ]
        await answer(send, 200, said, msgspec.json.encode({"predictions": outputs}))
        for shadow in endpoint.shadows:
            self._score_in_shadow(shadow, frame, asked, arm)

    async def _admit(
        self, asking: Asking, release: Release, columns: Columns, rows: int
    ) -> tuple[Columns, Admitted | None]:
        """Hold a request against the model's file. A refusal is journaled before it is raised."""
        try:
            return self._admissions.check(asking, release, columns, rows)
        except Refused as problem:
            await self._journal.append(self._admissions.refusal(asking, rows, problem))
            raise

    def _score_in_shadow(self, shadow: Arm, frame: PredictionFrame, asked: Asked, answered: Arm) -> None:
        """Have a shadow score what was answered, unless too much waits for it already: then count it as dropped."""
        if shadow.scorer.waiting >= self._settings.queue_limit or len(self._shadowing) >= self._settings.queue_limit:
            self._dropped[shadow.release.release_id] += 1
            return
        same = shadow.scorer.inputs == answered.scorer.inputs
        task = asyncio.get_running_loop().create_task(
            self._shadow(shadow, frame, asked, frame.columns if same else None)
        )
        self._shadowing.add(task)
        task.add_done_callback(self._shadowing.discard)

    async def _shadow(self, shadow: Arm, frame: PredictionFrame, asked: Asked, columns: Columns | None) -> None:
        started = time.perf_counter_ns()
        release = shadow.release
        try:
            if columns is None:
                columns = as_admitted(shadow.scorer.inputs.columns_of(asked), frame)
            outputs = await shadow.scorer.outputs(columns, asked.rows, asked.params)
            await self._journal.append(
                msgspec.structs.replace(
                    frame,
                    release_id=release.release_id,
                    model=release.model,
                    version=release.version,
                    role="shadow",
                    columns={},
                    output=outputs,
                    score=[score_of(output) for output in outputs],
                    latency_us=(time.perf_counter_ns() - started) // 1000,
                )
            )
        except TenureError as problem:
            self._dropped[release.release_id] += 1
            log.warning("version %d was not scored in the shadow: %s", release.version, problem.message)
        except Exception:
            self._dropped[release.release_id] += 1
            log.exception("version %d was not scored in the shadow", release.version)

    async def _describe(self, name: str, action: str, scope: Scope, send: Send) -> None:
        self._follow()
        admission.require(self._principal_of(_headers(scope)), Permission.READ, self._arms.model_of(name))
        described = self._described(self._arms.endpoint(name))
        if action == "openapi.json":
            return await answer(send, 200, JSON, msgspec.json.encode(openapi.document(described)))
        return await answer(send, 200, docs_page.HEADERS, docs_page.page(described))

    def _described(self, endpoint: Endpoint) -> openapi.Described:
        """What the pages tell of an endpoint. Raises Unavailable without a champion: its columns are not known then."""
        arm = endpoint.arm("") if len(endpoint.answering) < 2 else endpoint.answering[0]
        return openapi.describe(
            endpoint.name,
            arm.release,
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
        self._arms.apply(table)

    def _tell(self) -> None:
        """Write how this gateway is, for control to read. A full disk must not stop it from answering."""
        notes = {
            release_id: f"{count} requests were not scored in the shadow" for release_id, count in self._dropped.items()
        }
        self._told = self._to_tell()
        status = self._arms.status(NAME, os.getpid(), _now(), notes)
        try:
            routing.write_status(self._folder, msgspec.structs.replace(status, admissions=self._admissions.counts()))
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
        if self._to_tell() != self._told:
            self._tell()

    def _to_tell(self) -> object:
        return self._dropped.total(), self._admissions.counts()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._start()
        except TenureError as problem:
            await send({"type": "lifespan.startup.failed", "message": problem.message})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _start(self) -> None:
        settings = self._settings
        self._journal = Journal(
            self._folder / "journal", NAME, settings.segment_seal_s, settings.segment_max_mib, settings.journal_fsync
        )
        self._epochs = routing.EpochReader(self._folder)
        self._admissions.quotas.load()
        self._follow()
        self._watch = asyncio.get_running_loop().create_task(self._look())
        gc.freeze()  # what was imported lives as long as the process: no collection need look at it

    async def _stop(self) -> None:
        self._watch.cancel()
        if self._shadowing:
            await asyncio.wait(self._shadowing, timeout=self._settings.scoring_timeout_s)
        await self._arms.stop()
        self._admissions.quotas.keep(_now())
        self._journal.close()
        self._epochs.close()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _now() -> Instant:
    return Instant(time.time_ns() // 1000)
