"""uvicorn's protocol for HTTP, with a shorter way for requests that can be answered without waiting.

Through ASGI a request costs a task, an event, three messages and two regular expressions for each header of the answer:
more than most models do. What an application wants to see first is collected here as it comes, and handed over in one
call. What it cannot answer at once goes the long way from its beginning, and so does all that is unusual: long bodies,
clients that do not read their answers, old versions of HTTP.
"""

from __future__ import annotations

import asyncio
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


class _Held:
    """Stands where uvicorn has the request that is being answered, until its reply is there."""

    response_complete = False
    disconnected = False
    keep_alive = True
    message_event = asyncio.Event()  # which uvicorn sets at a disconnection; nobody waits for it here


class Shortcut(HttpToolsProtocol):
    """One connection. The application is a `Prompt`."""

    _parts: list[bytes] | None = None
    _size = 0

    def on_headers_complete(self) -> None:
        parser, cycle = self.parser, self.cycle
        if (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.expect_100_continue
            and parser.get_method() == b"POST"
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and self._prompt.wants(self.url)
            and not any(name == b"content-length" and _is_long(value) for name, value in self.headers)
        ):
            self._parts, self._size = [], 0
        else:
            super().on_headers_complete()

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
            if type(reply) is Reply:
                self._parts = None
                self._say(reply)
                self.on_response_complete()
                return
            if type(reply) is Pending:
                self._parts = None
                self._hold(reply)
                return
            self._go_the_long_way()
        super().on_message_complete()

    @property
    def _prompt(self) -> Prompt:
        return cast(Prompt, self.app)

    def _go_the_long_way(self) -> None:
        parts, self._parts = self._parts or [], None
        super().on_headers_complete()
        for part in parts:
            super().on_body(part)

    def _hold(self, pending: Pending) -> None:
        held = _Held()
        self.cycle = cast(Any, held)  # what comes next on this connection waits for it, and a shutdown does too
        pending.done.add_done_callback(partial(self._say_held, held, pending))

    def _say_held(self, held: _Held, pending: Pending, done: asyncio.Future[None]) -> None:
        held.response_complete = True
        if held.disconnected:
            return
        problem = done.exception()
        self._say(pending.reply if problem is None else self._prompt.failed(problem))
        if not held.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _say(self, reply: Reply) -> None:
        said = [STATUS_LINE[reply.status]]
        for name, value in (*self.server_state.default_headers, *reply.headers):
            said += (name, b": ", value, b"\r\n")
        said.append(b"content-length: %d\r\n\r\n" % len(reply.body))
        said.append(reply.body)
        self.transport.write(b"".join(said))


def _is_long(content_length: bytes) -> bool:
    """Whether a body is announced that goes the long way, where one that is too long is refused before it is read."""
    return len(content_length) > 5 or not content_length.isdigit() or int(content_length) > SHORT_BYTES
