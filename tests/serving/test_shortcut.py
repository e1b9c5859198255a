"""The short way of HTTP: what takes it, what does not, and that nobody can tell which way an answer came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tenure.serving.answers import TEXT, Headers, Pending, Reply, answer
from tenure.serving.shortcut import MOST_HELD, SHORT_BYTES, Shortcut


class App:
    """Says which way a request came, and its body."""

    def __init__(self) -> None:
        self.pending: list[asyncio.Future[None]] = []
        self.scopes: list[Any] = []

    def wants(self, url: bytes) -> bool:
        return url.startswith(b"/short")

    def at_once(self, url: bytes, _headers: Headers, body: bytes) -> Reply | Pending | None:
        if url == b"/short/not":
            return None
        reply = Reply(200, TEXT, b"short " + body)
        if url == b"/short/later":
            self.pending.append(asyncio.get_running_loop().create_future())
            return Pending(self.pending[-1], reply)
        return reply

    def failed(self, problem: BaseException) -> Reply:
        return Reply(503, TEXT, str(problem).encode())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await answer(send, 200, TEXT, b"long " + body)


class Line:
    """A connection to the application, and what is done with it by hand."""

    def __init__(
        self, app: App, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: ServerState
    ) -> None:
        self.app, self.reader, self.writer, self.state = app, reader, writer, state

    @property
    def served(self) -> Shortcut:
        [protocol] = self.state.connections
        assert isinstance(protocol, Shortcut)
        return protocol

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        return await self.reader.readexactly(int(length.partition(b":")[2]))

    async def ended(self) -> bytes:
        return await self.reader.read()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0)


@asynccontextmanager
async def lines() -> AsyncIterator[Line]:
    app, state = App(), ServerState()
    config = uvicorn.Config(app, lifespan="off", log_level="error", access_log=False, proxy_headers=False)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Shortcut(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    try:
        yield Line(app, reader, writer, state)
    finally:
        writer.close()
        server.close()


def request(path: str, body: bytes = b"hello", *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(path: str, *parts: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


LONG = b"x" * (SHORT_BYTES + 1)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (request("/short"), b"short hello"),
        (request("/short", b""), b"short "),
        (request("/short", LONG[1:]), b"short " + LONG[1:]),
        (chunked("/short", b"he", b"llo"), b"short hello"),
        (request("/short/not"), b"long hello"),
        (request("/short", LONG), b"long " + LONG),
        (chunked("/short", LONG, b"!"), b"long " + LONG + b"!"),
        (request("/other"), b"long hello"),
        (request("/short", method="PUT"), b"long hello"),
        (request("/short", b"hello", "Connection: close"), b"long hello"),
        (request("/short", b"hello", "Connection: keep-alive", version="1.0"), b"long hello"),
        (request("/short", b"hello", "Connection: upgrade", "Upgrade: h2c"), b"long "),  # it is the other protocol's
    ],
)
def test_each_request_takes_its_way_with_its_whole_body(sent: bytes, said: bytes) -> None:
    async def ask() -> None:
        async with lines() as line:
            for at in range(0, len(sent), 1000):  # as it may come over a network
                line.send(sent[at : at + 1000])
                await line.writer.drain()
            assert await line.answer() == said

    asyncio.run(ask())


def test_a_body_that_is_announced_as_long_is_not_waited_for() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
            await line.until(lambda: bool(line.state.connections) and line.served.cycle is not None)

    asyncio.run(ask())


def test_a_client_that_waits_to_be_told_to_go_on_is_told() -> None:
    async def ask() -> None:
        async with lines() as line:
            head, _, body = request("/short", b"hello", "Expect: 100-continue").partition(b"\r\n\r\n")
            line.send(head, b"\r\n\r\n")
            assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            line.send(body)
            assert await line.answer() == b"long hello"

    asyncio.run(ask())


def test_answers_come_in_the_order_of_the_requests() -> None:
    async def ask() -> None:
        async with lines() as line:
            bodies = [b"%d" % number for number in range(6)]
            paths = ["/short", "/short/later", "/short", "/other", "/short/later", "/short"]
            line.send(*(request(path, body) for path, body in zip(paths, bodies, strict=True)))
            said = [await line.answer()]
            await line.until(lambda: len(line.app.pending) == 1)
            line.app.pending[0].set_result(None)
            said += [await line.answer() for _ in range(3)]
            said += [await line.answer() for _ in range(2)]
            assert [one.rpartition(b" ")[2] for one in said] == bodies

    asyncio.run(ask())


def test_a_client_that_does_not_wait_for_its_answers_has_them_in_its_order() -> None:
    async def ask() -> None:
        async with lines() as line:
            paths = [*["/short/later"] * 3, *["/short"] * 2, "/other", "/short"]
            bodies = [b"%d" % number for number in range(len(paths))]
            line.send(*(request(path, body) for path, body in zip(paths, bodies, strict=True)))
            await line.until(lambda: len(line.app.pending) == 3)
            for place in (2, 0, 1):
                line.app.pending[place].set_result(None)
            said = [await line.answer() for _ in paths]
            assert [one.rpartition(b" ")[2] for one in said] == bodies
            assert {one.partition(b" ")[0] for one in said[:5]} == {b"short"}

    asyncio.run(ask())


def test_who_sends_too_much_at_once_waits_for_the_answers() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(*(request("/short/later", b"%d" % number) for number in range(MOST_HELD + 9)))
            await line.until(lambda: len(line.app.pending) == MOST_HELD)
            for one in line.app.pending:
                one.set_result(None)
            said = [await line.answer() for _ in range(MOST_HELD + 9)]
            assert said[MOST_HELD - 1 : MOST_HELD + 1] == [b"short %d" % (MOST_HELD - 1), b"long %d" % MOST_HELD]

    asyncio.run(ask())


def test_what_a_reply_waited_for_may_fail() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(request("/short/later"))
            await line.until(lambda: bool(line.app.pending))
            line.app.pending[0].set_exception(OSError("the disk is full"))
            assert await line.answer() == b"the disk is full"
            line.send(request("/short"))
            assert await line.answer() == b"short hello"

    asyncio.run(ask())


def test_a_client_that_has_gone_is_told_nothing() -> None:
    async def ask() -> None:
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))
        async with lines() as line:
            line.send(request("/short/later"))
            await line.until(lambda: bool(line.app.pending))
            line.writer.close()
            await line.until(lambda: not line.state.connections)
            line.app.pending[0].set_result(None)
            await asyncio.sleep(0)
        assert problems == []

    asyncio.run(ask())


def test_a_shutdown_lets_a_reply_leave_first() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(request("/short/later"))
            await line.until(lambda: bool(line.app.pending))
            line.served.shutdown()
            line.app.pending[0].set_result(None)
            assert await line.answer() == b"short hello"
            assert await line.ended() == b""

    asyncio.run(ask())


def test_a_client_that_does_not_read_is_not_written_to_without_end() -> None:
    async def ask() -> None:
        async with lines() as line:
            await line.until(lambda: bool(line.state.connections))
            line.served.pause_writing()
            line.send(request("/short"))
            await line.until(lambda: line.served.cycle is not None)
            line.served.resume_writing()
            assert await line.answer() == b"long hello"

    asyncio.run(ask())


def test_the_long_way_knows_all_of_a_request() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(request("/short"), request("/elsewhere?a=b", b"hello", "X-Mine: 1"))
            assert [await line.answer(), await line.answer()] == [b"short hello", b"long hello"]
            [scope] = line.app.scopes
            assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/elsewhere", b"a=b")
            assert scope["headers"] == [(b"host", b"x"), (b"content-length", b"5"), (b"x-mine", b"1")]
            assert scope["client"] == line.writer.get_extra_info("sockname")

    asyncio.run(ask())


def test_who_asks_nothing_for_long_is_let_go() -> None:
    async def ask() -> None:
        async with lines() as line:
            await line.until(lambda: len(line.state.connections) == 1)
            line.served.timeout_keep_alive = 0.01  # type: ignore[assignment]  # seconds, whole ones in uvicorn's options
            line.send(request("/short"))
            assert await line.answer() == b"short hello"
            async with asyncio.timeout(10):
                assert await line.ended() == b""

    asyncio.run(ask())


def test_who_asks_again_in_time_is_not_let_go() -> None:
    async def ask() -> None:
        async with lines() as line:
            line.send(request("/short"))
            assert await line.answer() == b"short hello"
            served, watch = line.served, line.served._watch
            assert watch is not None
            served._look()  # as when its time has come, while the client rests since less than that
            assert served._watch is not None
            begun, rest = request("/short")[:20], request("/short")[20:]
            line.send(begun)
            await line.until(lambda: served._rests_since is None)
            served._look()  # a request is under way, however slowly it comes
            assert served._watch is None
            line.send(rest)
            assert await line.answer() == b"short hello"
            assert served._watch is not None
            watch.cancel()

    asyncio.run(ask())
