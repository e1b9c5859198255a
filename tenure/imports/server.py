"""A server that speaks MLflow's protocol, as a source: how it is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from tenure.errors import InvalidInput, NotSignedIn, Unavailable
from tenure.imports.source import Unreadable, plain

V2 = "/api/2.0/mlflow/"
TRIES = 4
BUSY = frozenset({408, 429, 502, 503, 504})
"""Worth asking again; a 500 of MLflow's is its word for what it cannot do at all."""
CHUNK_BYTES = 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Refused(InvalidInput):
    """The source answered that it will not, or does not know how."""

    code = "source_refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """Asks with what MLflow's own variables say: MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN."""

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise InvalidInput(f"A server's address must look like http://host:5000. Got {plain(url)!r}.")
        self.address = plain(url)
        here = parts.hostname in LOOPBACK
        self._http = httpx.Client(
            base_url=self.address,
            auth=_basic(parts.username, parts.password, environment),
            headers=_bearer(environment),
            verify=_verify(environment),
            timeout=httpx.Timeout(120, connect=10),
            trust_env=not here,
            follow_redirects=True,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, /, **params: Any) -> Any:
        return self._json("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._json("POST", path, json={name: value for name, value in body.items() if value is not None})

    def stream(self, path: str, /, **params: Any) -> Iterator[bytes]:
        """A file's bytes. Raises Unreadable."""
        try:
            with self._http.stream("GET", path, params=params) as answer:
                if answer.status_code >= 400:
                    raise Unreadable(f"The source answered {answer.status_code}.")
                yield from answer.iter_bytes(CHUNK_BYTES)
        except httpx.TransportError as problem:
            raise Unavailable(f"The source broke off: {problem}.") from None

    def _json(self, method: str, path: str, **more: Any) -> Any:
        answer = self._patiently(method, path, **more)
        if answer.status_code in (401, 403):
            raise NotSignedIn(
                f"The source at {self.address} answered {answer.status_code}. Set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to somebody who may read everything there."
            )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, f"The source answered {answer.status_code} at {path}: {_said(answer)}")
        try:
            return msgspec.json.decode(answer.content or b"{}")
        except msgspec.DecodeError:
            raise InvalidInput(f"{self.address} answered something that is not JSON. Is it an MLflow server?") from None

    def _patiently(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask again, after a while, when the source is busy or breaks off: all that is asked here are questions."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._http.request(method, path, **more)
                if answer.status_code not in BUSY or attempt == TRIES:
                    return answer
            except httpx.TransportError as problem:
                if attempt == TRIES:
                    raise Unavailable(f"Nothing answers at {self.address}: {problem}.") from None
            time.sleep(0.25 * 2**attempt)
        raise AssertionError  # the last attempt returned or raised


def _said(answer: httpx.Response) -> str:
    try:
        return str(msgspec.json.decode(answer.content)["message"])[:300]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "without saying why"


def _basic(user: str | None, password: str | None, environment: Mapping[str, str]) -> httpx.BasicAuth | None:
    user = user or environment.get("MLFLOW_TRACKING_USERNAME")
    password = password or environment.get("MLFLOW_TRACKING_PASSWORD")
    return httpx.BasicAuth(user, password) if user and password else None


def _bearer(environment: Mapping[str, str]) -> dict[str, str]:
    token, user = environment.get("MLFLOW_TRACKING_TOKEN"), environment.get("MLFLOW_TRACKING_USERNAME")
    return {"Authorization": f"Bearer {token}"} if token and not user else {}


def _verify(environment: Mapping[str, str]) -> Any:
    """How certificates are checked, as MLflow's variables say."""
    import ssl

    if environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"):
        return False
    bundle = environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    return ssl.create_default_context(cafile=bundle) if bundle else True
