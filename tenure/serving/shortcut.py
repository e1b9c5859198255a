"""uvicorn's protocol for HTTP, with a shorter way for requests that can be answered without waiting.

Through ASGI a request costs a task, an event, three messages and two regular expressions for each header of the answer:
more than most models do. What an application wants to see first is collected here as it comes, and handed over in one
call. What it cannot answer at once goes the long way from its beginning, and so does all that is unusual: long bodies,
clients that do not read their answers, old versions of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tenure.serving.answers import Headers, Pending, Reply

SHORT_BYTES = 16 * 1024
"""Bodies above go the long way: what takes its time to read should not hold up the other connections here."""


class Prompt(Protocol):
    """An application that answers some requests at once."""

    def wants(self, url: bytes) -> bool:
        """Whether to be handed a POST to this address, as it came."""
        ...

    def at_once(self, url: bytes, headers: Headers, body: bytes) -> Reply | Pending | None:
        """The reply; None, before anything was done, when the request must go the long way. Raises nothing."""
        ...

    def failed(self, problem: BaseException) -> Reply:
        """What to say when that for which a reply was pending has failed; asked only of who has replies pending."""
        ...


MOST_HELD = 64
"""Replies that one connection may wait for; whoever sends more before it has them goes the long way, and waits."""


class _Now:
    """What a reply waits for that only waits for its turn."""

    def done(self) -> bool:
        return True

    def exception(self) -> None:
        return None


_DONE = cast("asyncio.Future[None]", _Now())


class _Held:
    """Stands where uvicorn has the request that is being answered, until the replies before it have left."""

    def __init__(self) -> None:
        self.pending: deque[Pending] = deque()
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True

    message_event = asyncio.Event()  # which uvicorn sets at a disconnection; nobody waits for it here


class Shortcut(HttpToolsProtocol):
    """One connection. The application is a `Prompt`."""

    _parts: list[bytes] | None = None
    _size = 0
    _rests_since: float | None = None
    _watch: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._rests_since = None
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """What uvicorn does but for the scope, which only the long way needs."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        parser, cycle = self.parser, cast(Any, self.cycle)
        if (
            (cycle is None or cycle.response_complete or (type(cycle) is _Held and self._may_follow(cycle)))
            and not self.flow.write_paused
            and not self.expect_100_continue
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and self._prompt.wants(self.url)
            and not _announce_long(self.headers)
        ):
            self._parts, self._size = [], 0
        else:
            self._begin_the_long_way()

    def on_body(self, body: bytes) -> None:
        if self._parts is None:
            super().on_body(body)
            return
        self._parts.append(body)
        self._size += len(body)
        if self._size > SHORT_BYTES:
            self._go_the_long_way()

    def on_message_complete(self) -> None:
        if self._parts is not None:
            reply = self._prompt.at_once(self.url, self.headers, b"".join(self._parts))
            if reply is not None:
                self._parts = None
                self._take(reply)
                return
            self._go_the_long_way()
        super().on_message_complete()

    @property
    def _prompt(self) -> Prompt:
        return cast(Prompt, self.app)

    def _go_the_long_way(self) -> None:
        parts, self._parts = self._parts or [], None
        self._begin_the_long_way()
        for part in parts:
            super().on_body(part)

    def _begin_the_long_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # the very list that the scope has by now
        super().on_headers_complete()

    def _may_follow(self, held: _Held) -> bool:
        """Whether one more request of a client that does not wait for its answers may take the short way."""
        return len(held.pending) < MOST_HELD and not self.pipeline and not held.disconnected

    def _take(self, reply: Reply | Pending) -> None:
        """Say a reply once it may leave and all those before it have left."""
        cycle = cast(Any, self.cycle)
        held: _Held | None = cycle if type(cycle) is _Held and not cycle.response_complete else None
        if held is None and type(reply) is Reply:
            self._say(reply)
            self._rest()
            return
        if held is None:
            held = _Held()
            self.cycle = cast(Any, held)  # what goes the long way waits for it, and a shutdown does too
        pending = reply if isinstance(reply, Pending) else Pending(_DONE, reply)
        held.pending.append(pending)
        if pending.done is not _DONE:
            pending.done.add_done_callback(partial(self._say_held, held))

    def _say_held(self, held: _Held, _done: asyncio.Future[None]) -> None:
        """Say what may leave by now, in the order of the requests."""
        while held.pending and held.pending[0].done.done():
            done, reply = held.pending.popleft()
            problem = done.exception()
            if not held.disconnected:
                self._say(reply if problem is None else self._prompt.failed(problem))
        if held.pending or held.response_complete:
            return
        held.response_complete = True
        if held.disconnected:
            return
        if not held.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _rest(self) -> None:
        """Wait for the next request as uvicorn does, for as long as it does, but not by a new timer each time: that and
        its end would take a fifth of what a request costs here."""
        self.server_state.total_requests += 1
        self._rests_since = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._rests_since is None:
            return  # a request is under way
        left = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
        else:
            self.timeout_keep_alive_handler()

    def _say(self, reply: Reply) -> None:
        said = [STATUS_LINE[reply.status]]
        for name, value in (*self.server_state.default_headers, *reply.headers):
            said += (name, b": ", value, b"\r\n")
        said.append(b"content-length: %d\r\n\r\n" % len(reply.body))
        said.append(reply.body)
        self.transport.write(b"".join(said))


def _announce_long(headers: Headers) -> bool:
    """Whether a body is announced that goes the long way, where one that is too long is refused before it is read."""
    for name, value in headers:
        if name == b"content-length" and (len(value) > 5 or not value.isdigit() or int(value) > SHORT_BYTES):
            return True
    return False
