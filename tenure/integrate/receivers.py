"""A receiver out there: one connection to it, opened only to an address that it may have, and what it answers.

A name is looked up once, addresses that may not be reached are left out before anything is sent, and the address that
is connected to in the end is looked at again. There is no second look-up between check and use, so a name that changes
its meaning (DNS rebinding) gains nothing. Redirects are not followed, proxies of the environment are not used, TLS is
verified, and of an answer nothing but its status is kept.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from types import TracebackType
from typing import Self

import httpcore

from tenure.build.webhook_addresses import Allowed, Target, parse_url
from tenure.errors import InvalidInput
from tenure.integrate.answers import Answer

log = logging.getLogger("tenure.webhooks")

MOST_ADDRESSES = 4
READ_BYTES = 64 * 1024
LONGEST_WAIT_S = 6 * 3600.0
AGENT = "Tenure-Webhooks"
SIGNATURE, DELIVERY_ID, TIMESTAMP = "X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"


Headers = list[tuple[bytes | str, bytes | str]]


class Unreachable(Exception):
    """A receiver cannot, or may not, be reached. Its text is for people."""


def headers_of(message_id: str, body: str, secret: str | None, at_s: int) -> Headers:
    """The headers of a message: which one it is, when this attempt is made, and a signature over both and the body."""
    headers: Headers = [("Content-Type", "application/json"), ("User-Agent", AGENT)]
    headers += [(DELIVERY_ID, message_id), (TIMESTAMP, str(at_s))]
    return [*headers, (SIGNATURE, signature(secret, f"{message_id}.{at_s}.{body}"))] if secret else headers


def signature(secret: str, signed: str) -> str:
    """HMAC-SHA256 in the form of the header X-MLflow-Signature.

    >>> signature("s", "1.2.{}")
    'v1,SnYrvqzM9LnSl953cPVWV1AmSWOeDIOs6ZD5pBq4+Ig='
    """
    digest = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


FAILURES: dict[type[Exception], str] = {
    Unreachable: "{why}",
    httpcore.ConnectError: "Nobody answers at {where}.",
    httpcore.NetworkError: "{where} hung up before it had answered.",
    httpcore.ProtocolError: "What {where} answered is not HTTP.",
}


class Line:
    """A connection to one receiver, kept for several messages. `limit_s` is for one of them, from name to answer."""

    def __init__(self, url: str, allowed: Allowed, limit_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._target = _target(url)
        self._limit_s = limit_s
        self._backend = _Backend(allowed, plain=self._target.scheme == "http")
        tls = tls or (_trusted() if self._target.scheme == "https" else None)
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_connections=1, network_backend=self._backend)
        self._host = _host_header(self._target)
        self._url = httpcore.URL(
            scheme=self._target.scheme, host=self._target.host, port=self._target.port, target=self._target.path
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, it: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.close()
        self._backend.let_go()

    def post(self, headers: Headers, body: bytes) -> Answer:
        """Send one message and say what came of it; whatever goes wrong is an answer too."""
        begun = time.monotonic()
        watch = threading.Timer(self._limit_s, self._backend.hang_up)
        watch.daemon = True
        watch.start()
        try:
            status, retry_after_s = self._ask(headers, body)
        except Exception as failure:
            return Answer(None, self._told(failure), _since(begun))
        finally:
            watch.cancel()
        return Answer(status, _remark(status), _since(begun), retry_after_s)

    def _ask(self, headers: Headers, body: bytes) -> tuple[int, float]:
        waits = dict.fromkeys(("connect", "read", "write", "pool"), self._limit_s)
        with self._pool.stream(
            "POST", self._url, headers=[("Host", self._host), *headers], content=body, extensions={"timeout": waits}
        ) as response:
            read = 0
            for chunk in response.iter_stream():  # to its end, so that the connection can be used again
                read += len(chunk)
                if read > READ_BYTES:
                    break
            return response.status, _retry_after_s(response.headers)

    def _told(self, failure: Exception) -> str:
        """A failure as a sentence for people: nothing in it comes from the receiver."""
        where = f"{self._target.host}:{self._target.port}"
        if self._backend.too_late or isinstance(failure, httpcore.TimeoutException):
            return f"{where} did not answer within {self._limit_s:g} s."
        match failure.args[0] if failure.args else failure:  # httpcore keeps what happened as its first argument
            case ssl.SSLCertVerificationError() as refused:
                return f"The certificate of {where} was not accepted: {refused.verify_message}."
            case ssl.SSLError():
                return f"{where} and this server could not agree on TLS."
        for kind, words in FAILURES.items():
            if isinstance(failure, kind):
                return words.format(where=where, why=failure)
        log.error("unforeseen failure while sending to %s", where, exc_info=failure)
        return "The server failed at sending this; its log says why."


class _Backend(httpcore.SyncBackend):
    """Opens connections only to addresses that may be reached, and can hang up from another thread."""

    def __init__(self, allowed: Allowed, *, plain: bool) -> None:
        self.too_late = False
        self._allowed = allowed
        self._plain = plain
        self._socket: socket.socket | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = Unreachable(f"The name {host} means no address.")
        for address in self._addresses(host, port):
            try:
                stream = super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failure = refused
                continue
            self._look_at_peer(host, stream)
            return stream
        raise failure

    def hang_up(self) -> None:
        """End what is under way: reading, writing or the TLS handshake fail at once."""
        self.too_late = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it had ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _addresses(self, host: str, port: int) -> list[str]:
        found = [address for address in resolve(host, port) if self._may(host, address)]
        if not found:
            raise self._refusal(host)
        return found[:MOST_ADDRESSES]

    def _look_at_peer(self, host: str, stream: httpcore.NetworkStream) -> None:
        own: socket.socket = stream.get_extra_info("socket")
        self.let_go()
        self._socket = own.dup()  # TLS takes the other one over
        if not self._may(host, own.getpeername()[0]):
            stream.close()
            raise self._refusal(host)
        if self.too_late:
            stream.close()
            raise httpcore.ConnectTimeout

    def _may(self, host: str, address: str) -> bool:
        return self._allowed.may_reach(host, address, plain=self._plain)

    def _refusal(self, host: str) -> Unreachable:
        if self._plain:
            return Unreachable(
                f"Without TLS a message goes only to hosts that the setting webhook_allow lists; {host} is none. "
                "Use https://, or have the operator list it."
            )
        return Unreachable(
            f"{host} has no public address, so nothing was sent. "
            "If it is meant, the operator can list it in the setting webhook_allow."
        )


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name means now, each once, in the system's order."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"The name {host} cannot be looked up.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _target(url: str) -> Target:
    try:
        return parse_url(url)
    except InvalidInput as problem:
        raise Unreachable(problem.message) from None


def _host_header(target: Target) -> str:
    """
    >>> [_host_header(parse_url(url)) for url in ("https://a.example/x", "http://[::1]:8080/")]
    ['a.example', '[::1]:8080']
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == {"http": 80, "https": 443}[target.scheme] else f"{host}:{target.port}"


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The roots that httpx trusts: certifi's, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    import httpx

    return httpx.create_ssl_context()


def _remark(status: int) -> str | None:
    if 300 <= status < 400:
        return "It points to another address. Redirects are not followed: write the final address instead."
    return None


def _retry_after_s(headers: list[tuple[bytes, bytes]]) -> float:
    """How long a receiver asks to be left alone, when it says so in seconds."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 10:
            return min(float(value), LONGEST_WAIT_S)
    return 0.0


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)
