"""What all protocols share: authenticate, admit, route, score, journal, answer; then the shadows.

What is answered is in the journal first; what is not journaled is not answered, unless the endpoint journals a sample,
or whatever the disk takes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import msgspec

from tenure.errors import NotFound, OverQuota, TenureError, TooMany, Unavailable
from tenure.records.admission import HEADERS as NAMED
from tenure.records.admission import Admitted
from tenure.records.base import Instant, new_id
from tenure.records.frames import PredictionFrame
from tenure.records.people import Permission, Principal
from tenure.serving import admission
from tenure.serving.admissions import Admissions, Asking, Refused
from tenure.serving.answers import Headers, Pending, Receive, Reply, Scope, Send, answer, refusal, status_of
from tenure.serving.arms import Arm, Arms, Endpoint
from tenure.serving.columns import Inputs, packed, packed_values, scores_of
from tenure.serving.decoding import Answer, Asked, Columns, Request
from tenure.serving.figures import Figures
from tenure.serving.idempotence import IDEMPOTENT, id_of_first, is_idempotent
from tenure.serving.journal import Journal
from tenure.serving.lookups import Filled, Lookups
from tenure.serving.routing import place_of
from tenure.serving.shadows import Shadows
from tenure.settings import Settings

ROUTING_KEY = "tenure-routing-key"
VERSION = "tenure-version"
"""A header that names the version which must answer, for whoever tries one out."""
HEADERS = {
    name.encode(): name
    for name in (
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "inference-header-content-length",
        "origin",
        "sec-fetch-site",
        *NAMED.values(),
        IDEMPOTENT,
        ROUTING_KEY,
        VERSION,
    )
}
"""What is looked at of a request's headers; others are not even decoded."""

AT_ONCE = ("application/json", "application/json; charset=utf-8")
"""What may be answered at once: what is read without waiting, by the commonest ways to write it."""

PrincipalOf = Callable[[Mapping[str, str]], Principal]


Read = Callable[[Request], Asked | Awaitable[Asked]]
"""Reads a request; what takes long is awaited. Raises InvalidInput or TooLarge."""


class Speaks(Protocol):
    """A protocol over HTTP: how a request with such headers is read, and how an answer is told."""

    def reader(self, headers: Mapping[str, str], /) -> Read: ...

    def encode(self, asked: Asked, answer: Answer, /) -> tuple[Headers, bytes]: ...


class Scored(msgspec.Struct):
    """An answer with what shadows need to score the same rows; `frame` once it is journaled."""

    answer: Answer
    endpoint: Endpoint
    arm: Arm
    asked: Asked
    columns: Columns
    admitted: Admitted | None
    propensity: float = 1.0
    idempotent: bool = False
    filled: Filled | None = None
    frame: PredictionFrame | None = None


class Routed(msgspec.Struct, gc=False):
    arm: Arm
    prediction_id: str
    idempotent: bool
    propensity: float


class Scoring:
    """Scores requests of every protocol. `unjournaled` counts by endpoint what was answered and is not in the journal.

    `principal_of` names who is asking by the lower-case headers; `follow` takes up a new routing
    table, if there is one.
    """

    def __init__(
        self,
        settings: Settings,
        arms: Arms,
        journal: Journal,
        admissions: Admissions,
        lookups: Lookups,
        principal_of: PrincipalOf,
        follow: Callable[[], None],
    ) -> None:
        self.arms = arms
        self.figures = Figures()
        self.shadows = Shadows(settings, journal, lookups)
        self.max_bytes = settings.max_body_mib * admission.MIB
        self.max_rows = settings.max_rows
        self._journal = journal
        self._admissions = admissions
        self._lookups = lookups
        self._principal_of = principal_of
        self._follow = follow
        self.unjournaled: dict[str, Counter[str]] = {}
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def at_once(self, speaks: Speaks, name: str, sent: Headers, body: bytes) -> Reply | Pending | None:
        """Answer a scoring request at an endpoint where nothing has to be waited for but the journal.

        None, before anything was counted or written, for what `answer` must do. Raises as that does.
        """
        headers = headers_in(sent)
        if headers.get("content-type") not in AT_ONCE or VERSION in headers:
            return None
        try:
            return self._at_once(speaks, name, headers, body, time.perf_counter_ns())
        except Exception as problem:
            self.count_refusal(name, problem)
            raise

    def _at_once(
        self, speaks: Speaks, name: str, headers: Mapping[str, str], body: bytes, started: int
    ) -> Reply | Pending | None:
        principal = self.asking(headers, name, Permission.SCORE)
        endpoint = self.arms.endpoint(name)
        if not endpoint.is_prompt or self._lookups.at(name) is not None:
            return None
        read = speaks.reader(headers)
        admission.check_headers(headers, self.max_bytes)
        request = self.request(endpoint, headers, body)
        asked = read(request)
        assert isinstance(asked, Asked)
        routed = self._routed(endpoint, asked, request, "")
        if not routed.arm.answers_now(asked.rows, asked.params):
            return None
        asking = Asking(endpoint.name, headers, principal, request.now)
        columns = routed.arm.scorer.inputs.columns_of(asked)
        try:
            columns, admitted = self._admissions.check(asking, routed.arm.release, columns, asked.rows)
        except Refused as problem:
            written = self._journal.append(self._admissions.refusal(asking, asked.rows, problem))
            return self._pending(written, refusal(problem), name, self.count_refusal, name, problem)
        try:
            outputs = routed.arm.outputs_now(columns, asked.rows, asked.params)
        except TenureError as problem:
            self._failed(endpoint, routed.arm, problem)
            raise
        scored = self._scored(endpoint, routed, asked, columns, admitted, outputs)
        told, said = speaks.encode(asked, scored.answer)
        reply = Reply(200, named(told, scored), said)
        written = cast("asyncio.Future[None]", self.keep(scored, request, principal, started))
        return self._pending(written, reply, name, self._left, scored, started, len(body), len(said))

    def _pending(
        self, written: asyncio.Future[None], reply: Reply, name: str, left: Callable[..., None], *about: Any
    ) -> Reply | Pending:
        """A reply that may leave once the journal has its frame: mostly it has it already, and then raises what that
        raised. `left(*about)` is called when it has left."""
        if written.done():
            written.result()
            left(*about)
            return reply
        self.figures.in_flight += 1

        def done(_: object) -> None:
            self.figures.in_flight -= 1
            problem = written.exception()
            if isinstance(problem, Exception):
                self.count_refusal(name, problem)
            else:
                left(*about)

        written.add_done_callback(done)
        return Pending(written, reply)

    async def answer(self, speaks: Speaks, name: str, version: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a scoring request at an endpoint. `version`: the one that must, when the request names one."""
        started = time.perf_counter_ns()
        self.figures.in_flight += 1  # not by a context manager, which costs as much as all counting
        try:
            await self._answer(speaks, name, version, scope, receive, send, started)
        except Exception as problem:
            self.count_refusal(name, problem)
            raise
        finally:
            self.figures.in_flight -= 1

    def count_refusal(self, name: str, problem: Exception) -> None:
        """Count a request that was not answered by its status; a name that no route has is none of ours."""
        if not isinstance(problem, admission.Disconnected):
            status = status_of(problem) if isinstance(problem, TenureError) else 500
            known = name if self.arms.model_of(name) else ""
            overloaded = isinstance(problem, TooMany) and not isinstance(problem, OverQuota)
            self.figures.refuse(known, status, getattr(problem, "release_id", ""), overloaded=overloaded)

    async def _answer(
        self, speaks: Speaks, name: str, version: str, scope: Scope, receive: Receive, send: Send, started: int
    ) -> None:
        headers = headers_of(scope)
        principal = self.asking(headers, name, Permission.SCORE)
        read = speaks.reader(headers)
        admission.check_headers(headers, self.max_bytes)
        body = await admission.read_body(receive, self.max_bytes)
        endpoint = self.arms.endpoint(name)
        request = self.request(endpoint, headers, body)
        asked = read(request)
        if not isinstance(asked, Asked):
            asked = await asked
        scored = await self.score(endpoint, asked, request, principal, version or headers.get(VERSION, ""))
        told, said = speaks.encode(asked, scored.answer)
        await self.keep(scored, request, principal, started)
        await answer(send, 200, named(told, scored), said)
        self._left(scored, started, len(body), len(said))

    def _left(self, scored: Scored, started_ns: int, sent_bytes: int, said_bytes: int) -> None:
        """An answer has left: count it, and have the shadows score."""
        self.count(scored, started_ns, sent_bytes, said_bytes)
        if scored.endpoint.shadows:
            self.shadows.mirror(scored)

    def count(self, scored: Scored, started_ns: int, sent_bytes: int, said_bytes: int) -> None:
        """Count what was answered, now that it has left."""
        release = scored.arm.release
        served = self.figures.of(scored.endpoint.name, release.release_id, release.version, release.role)
        latency_us = (time.perf_counter_ns() - started_ns) // 1000
        served.answered(latency_us, scored.asked.rows, sent_bytes, said_bytes)

    def _failed(self, endpoint: Endpoint, arm: Arm, problem: TenureError) -> None:
        """Note which release was asked and did not answer."""
        release = arm.release
        self.figures.of(endpoint.name, release.release_id, release.version, release.role)
        problem.release_id = release.release_id

    def asking(self, headers: Mapping[str, str], name: str, *permissions: Permission) -> Principal:
        """Who is asking about an endpoint, with one of two permissions for its model. Raises without either."""
        principal = self.known(headers)
        model = self.arms.model_of(name)
        if len(permissions) == 1 or not principal.may(permissions[1], model):
            admission.require(principal, permissions[0], model)
        self.arms.endpoint(name)
        return principal

    def known(self, headers: Mapping[str, str]) -> Principal:
        """Who is asking, by the newest routing table."""
        self._follow()
        return self._principal_of(headers)

    def request(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Request:
        inputs = self.asked_for(endpoint, endpoint.answering[0]) if endpoint.answering else None
        return Request(headers, body, Instant(time.time_ns() // 1000), self.max_rows, inputs)

    def asked_for(self, endpoint: Endpoint, arm: Arm) -> Inputs:
        """What a request brings to an arm: what it takes, but for what is looked up."""
        lookups = self._lookups.at(endpoint.name)
        return arm.scorer.inputs if lookups is None else lookups.asked_for(arm.scorer.inputs)

    async def score(
        self, endpoint: Endpoint, asked: Asked, request: Request, principal: Principal, version: str = ""
    ) -> Scored:
        """Have an arm of the endpoint score what is asked; nothing is journaled yet but a refusal.

        Raises what the model's file refuses, and what the arm's scorer raises.
        """
        routed = self._routed(endpoint, asked, request, version)
        arm = routed.arm
        lookups, filled = self._lookups.at(endpoint.name), None
        if lookups is None:
            columns = arm.scorer.inputs.columns_of(asked)
        else:
            lenient = arm.release.role == "fallback"
            columns, filled = await lookups.fill(arm.scorer.inputs, asked, request.now, lenient=lenient)
        asking = Asking(endpoint.name, request.headers, principal, request.now)
        try:
            columns, admitted = self._admissions.check(asking, arm.release, columns, asked.rows)
        except Refused as problem:
            await self._journal.append(self._admissions.refusal(asking, asked.rows, problem))
            raise
        try:
            outputs = arm.outputs_now(columns, asked.rows, asked.params)
            if outputs is None:
                outputs = await arm.scorer.outputs(columns, asked.rows, asked.params)
        except TenureError as problem:
            self._failed(endpoint, arm, problem)
            raise
        return self._scored(endpoint, routed, asked, columns, admitted, outputs, filled)

    def _routed(self, endpoint: Endpoint, asked: Asked, request: Request, version: str) -> Routed:
        """Which arm answers, and under which id."""
        idempotent = is_idempotent(request.headers, asked)
        prediction_id = id_of_first(endpoint.name, asked) if idempotent else new_id(request.now)
        key = request.headers.get(ROUTING_KEY) or (asked.reference[0] if asked.reference else prediction_id)
        arm = arm_of(endpoint, version) if version else endpoint.arm(key)
        return Routed(arm, prediction_id, idempotent, 1.0 if version else endpoint.propensity(arm))

    def _scored(
        self,
        endpoint: Endpoint,
        routed: Routed,
        asked: Asked,
        columns: Columns,
        admitted: Admitted | None,
        outputs: Any,
        filled: Filled | None = None,
    ) -> Scored:
        arm = routed.arm
        answer = Answer(endpoint.name, arm.release.version, routed.prediction_id, outputs)
        return Scored(answer, endpoint, arm, asked, columns, admitted, routed.propensity, routed.idempotent, filled)

    def keep(self, scored: Scored, request: Request, principal: Principal, started_ns: int) -> Awaitable[None]:
        """Journal an answer as its endpoint journals, so that it may leave when this is done.

        Raises Unavailable when it must be written and cannot be.
        """
        mode = scored.endpoint.journal
        if mode.mode == "sample" and place_of("sample", scored.answer.prediction_id) >= mode.fraction:
            self._count_unjournaled(scored, "not sampled")
            return self._done
        release, asked, outputs = scored.arm.release, scored.asked, scored.answer.outputs
        scored.frame = PredictionFrame(
            prediction_id=scored.answer.prediction_id,
            at=request.now,
            endpoint=scored.endpoint.name,
            release_id=release.release_id,
            model=release.model,
            version=release.version,
            role=release.role,
            rows=asked.rows,
            event_at=asked.event_at,
            reference=asked.reference,
            columns=packed(scored.columns),
            output=packed_values(outputs),
            score=scores_of(outputs),
            latency_us=(time.perf_counter_ns() - started_ns) // 1000,
            caller=principal.name,
            admitted=scored.admitted,
            propensity=scored.propensity,
            sampled=mode.fraction,
            idempotent=scored.idempotent,
            looked_up=scored.filled.told if scored.filled is not None else None,
        )
        return self._journal.append(scored.frame) if mode.mode != "drop-and-count" else self._keep_or_count(scored)

    async def _keep_or_count(self, scored: Scored) -> None:
        assert scored.frame is not None
        try:
            await self._journal.append(scored.frame)
        except Unavailable:
            scored.frame = None
            self._count_unjournaled(scored, "dropped")

    def _count_unjournaled(self, scored: Scored, why: str) -> None:
        self.unjournaled.setdefault(scored.endpoint.name, Counter())[why] += 1


def arm_of(endpoint: Endpoint, version: str) -> Arm:
    """The arm of a version that answers at the endpoint now. Raises NotFound, or Unavailable without a champion."""
    champion = endpoint.champion
    for arm in (champion, *endpoint.answering[1:]):
        if str(arm.release.version) == version:
            return arm
    answering = ", ".join(str(arm.release.version) for arm in endpoint.answering)
    raise NotFound(f"Version {version[:20]!r} does not answer at {endpoint.name!r}. Versions that do: {answering}.")


def named(told: Headers, scored: Scored) -> Headers:
    """An answer's headers, with those that say which prediction it is, and of which version."""
    answer = scored.answer
    headers = [
        *told,
        (b"tenure-prediction-id", answer.prediction_id.encode()),
        (b"tenure-model-version", b"%d" % answer.version),
    ]
    if scored.arm.release.role == "fallback":
        headers.append((b"tenure-fallback", b"true"))
    return headers


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers that are looked at, by their lower-case name."""
    return headers_in(scope["headers"])


def headers_in(sent: Headers) -> dict[str, str]:
    return {HEADERS[name]: value.decode("latin-1") for name, value in sent if name in HEADERS}
