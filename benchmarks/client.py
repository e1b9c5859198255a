"""A client that costs as little as Python can: requests are encoded beforehand, sockets are kept alive."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

API = "/api/2.0/mlflow/"


class Rate(NamedTuple):
    """What several connections reached together, and how long the slowest of a hundred requests took."""

    per_second: float
    p99_ms: float


class Connection:
    """One keep-alive connection that does no more than it must."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, path: str, fields: dict[str, Any]) -> bytes:
        body = json.dumps(fields).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def exchange(self, request: bytes) -> bytes:
        self.socket.sendall(request)
        received = [self._more()]
        while (body := _body(received[0])) is None:
            received[0] += self._more()
        length, have = body
        size = len(have)
        while size < length:
            received.append(self._more())
            size += len(received[-1])
        return b"".join([have, *received[1:]])

    def ask(self, path: str, **fields: Any) -> Any:
        return json.loads(self.exchange(self.request(API + path, fields)))

    def get(self, path: str) -> bytes:
        return self.exchange(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n\r\n".encode())

    def per_second(self, requests: list[bytes]) -> float:
        """Requests a second, one after the other."""
        start = time.perf_counter()
        for request in requests:
            self.exchange(request)
        return len(requests) / (time.perf_counter() - start)

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bytes:
        received = self.socket.recv(1 << 20)
        if not received:
            raise RuntimeError("the server closed the connection")
        return received


def flood(port: int, requests: Iterable[bytes], connections: int) -> Rate:
    """Send requests over several connections at once: each sends its next when it has its answer."""
    waiting, took_ms = deque(requests), []
    sent_at: dict[socket.socket, float] = {}
    with selectors.DefaultSelector() as selector:
        begun = time.perf_counter()
        for _ in range(min(connections, len(waiting))):
            opened = Connection(port).socket
            selector.register(opened, selectors.EVENT_READ)
            sent_at[opened] = time.perf_counter()
            opened.sendall(waiting.popleft())
        while sent_at:
            for ready, _ in selector.select():
                one = ready.fileobj
                assert isinstance(one, socket.socket)
                answer = one.recv(1 << 16)
                while (body := _body(answer)) is None or len(body[1]) < body[0]:
                    answer += one.recv(1 << 16)
                now = time.perf_counter()
                took_ms.append((now - sent_at[one]) * 1000)
                if waiting:
                    sent_at[one] = now
                    one.sendall(waiting.popleft())
                else:
                    selector.unregister(one)
                    one.close()
                    del sent_at[one]
        seconds = time.perf_counter() - begun
    took_ms.sort()
    return Rate(len(took_ms) / seconds, took_ms[int(len(took_ms) * 0.99)])


def _body(answer: bytes) -> tuple[int, bytes] | None:
    """An answer's announced length and what of its body is here; None while its head is not complete."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:500].decode(errors="replace"))
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]), body
