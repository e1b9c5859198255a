"""A light client: records and HTTP.

The server is found by `TENURE_URL` (default http://127.0.0.1:5000); `TENURE_TOKEN`, else `MLFLOW_TRACKING_TOKEN`, is
sent as a bearer token when set.
Whatever the server refuses is raised as the error of ours that it named.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote, urlsplit

import msgspec

from tenure import errors
from tenure.records.admission import HEADERS
from tenure.records.base import Record, id_of_reference, instant_of
from tenure.records.endpoints import EndpointInfo
from tenure.records.outcomes import OutcomesAccepted
from tenure.sdk import frames

DEFAULT_URL = "http://127.0.0.1:5000"
OUTCOMES_A_REQUEST = 20_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ScoreAnswer(Record):
    """What an endpoint answered: one prediction for each row, and the id by which outcomes find them."""

    predictions: list[Any]
    prediction_id: str
    version: int
    ids_of_references: list[str] = []

    @property
    def prediction_ids(self) -> list[str]:
        """The id of each row's prediction."""
        return self.ids_of_references or [f"{self.prediction_id}:{row}" for row in range(len(self.predictions))]


class Client:
    """Talks to one server. May be used by several threads, and in a `with` statement.

    Parameters
    ----------
    url
        The server's address; default `TENURE_URL`, else http://127.0.0.1:5000.
    scoring_url
        The gateway's address; asked from the server when not given.
    token
        A token to show; default `TENURE_TOKEN`, else what mlflow's client goes by: `MLFLOW_TRACKING_TOKEN`, or
        `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
    timeout_s
        How long one request may take.
    """

    def __init__(
        self,
        url: str | None = None,
        scoring_url: str | None = None,
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        import httpx

        self.url = _checked(url or os.environ.get("TENURE_URL") or DEFAULT_URL)
        self._scoring_url = _checked(scoring_url) if scoring_url else None
        headers = _credentials(token, os.environ)
        # A server on this machine is never behind a proxy, whatever the environment says.
        here = urlsplit(self.url).hostname in _LOOPBACK
        self._http = httpx.Client(headers=headers, timeout=timeout_s, trust_env=not here)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @property
    def scoring_url(self) -> str:
        """The gateway's address, asked from the server once."""
        if self._scoring_url is None:
            self._scoring_url = _checked(self.get("/api/v1/server")["scoring_url"])
        return self._scoring_url

    @scoring_url.setter
    def scoring_url(self, url: str) -> None:
        self._scoring_url = _checked(url)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON that `path` (such as `/api/v1/models`) answers, None when it answers nothing."""
        return _content(self._send("GET", self.url + path, params=params))

    def post(self, path: str, data: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Send a record, or anything that is JSON, and return the JSON that is answered."""
        return _content(self._send("POST", self.url + path, data, params))

    def put(self, path: str, data: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """As `post`."""
        return _content(self._send("PUT", self.url + path, data, params))

    def upload(self, path: str, chunks: Iterable[bytes]) -> None:
        """Send bytes as they come, as to one of MLflow's artifact paths."""
        _content(self._send("PUT", self.url + path, content=chunks))

    def send_file(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes],
        content_type: str,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send a table of rows, such as CSV, and return the JSON that is answered."""
        kept = {name: value for name, value in (params or {}).items() if value not in (None, [])}
        return _content(self._send(method, self.url + path, params=kept, content=body, content_type=content_type))

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """As `get`."""
        return _content(self._send("DELETE", self.url + path, params=params))

    def download(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """The bytes that a path answers, as they come."""
        import httpx

        url = self.url + path
        try:
            with self._http.stream("GET", url, params=params) as answer:
                if answer.status_code >= 400:
                    raise _error_of(answer.status_code, answer.read(), url)
                yield from answer.iter_bytes()
        except httpx.TransportError as failure:
            raise errors.Unavailable(f"{url} broke off, or does not answer: {failure}. Try again.") from None

    def score(
        self,
        endpoint: str,
        frame: Any,
        *,
        event_time: Any = None,
        reference: Any = None,
        jurisdiction: str | None = None,
        purpose: str | None = None,
        channel: str | None = None,
        routing_key: str | None = None,
        idempotent: bool = False,
    ) -> ScoreAnswer:
        """Have an endpoint score rows.

        Parameters
        ----------
        frame
            A DataFrame, a dict of columns, or a dict of plain values for one row; NaN is sent as null. A list of rows,
            each a dict of what is JSON already, is sent as it is.
        event_time
            When it happened: a datetime (naive is UTC), an ISO text or microseconds, for all rows or a list; default
            now.
        reference
            Your own name for each row, by which outcomes can find it later: a list, or a text for a single row.
        jurisdiction, purpose, channel
            Where the answer is used, what for and by which way it was asked, where the model's file wants to know.
        routing_key
            The same key is answered by the same version while shares stand.
        idempotent
            A row that is sent again, with the same reference and event time, is the same prediction. Both must be
            given, one for each row.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As the gateway says: the message names the column and the row.
        NotAdmitted, ValuesRefused, OverQuota
            What the model's file does not allow.
        """
        is_rows = isinstance(frame, list) and all(isinstance(row, Mapping) for row in frame)
        body: dict[str, Any] = {"dataframe_records": frame} if is_rows else {"dataframe_split": frames.split_of(frame)}
        if event_time is not None:
            body["event_time"] = frames.event_time_of(event_time)
        if reference is not None:
            body["reference"] = frames.texts_of(reference)
        said = {"jurisdiction": jurisdiction, "purpose": purpose, "channel": channel}
        headers = {HEADERS[name]: told for name, told in said.items() if told is not None}  # type: ignore[index]
        if routing_key is not None:
            headers["Tenure-Routing-Key"] = routing_key
        if idempotent:
            if event_time is None or reference is None:
                raise errors.InvalidInput("Idempotent rows need a reference and an event time: the same are one row.")
            headers["Tenure-Idempotent"] = "true"
        place = f"{self.scoring_url}/endpoints/{quote(endpoint, safe='')}/invocations"
        answer = self._send("POST", place, body, headers=headers)
        return ScoreAnswer(
            predictions=_content(answer)["predictions"],
            prediction_id=answer.headers["Tenure-Prediction-Id"],
            version=int(answer.headers["Tenure-Model-Version"]),
            ids_of_references=_ids_of(endpoint, body["reference"], body["event_time"]) if idempotent else [],
        )

    def outcomes(
        self,
        endpoint: str,
        values: Any,
        *,
        prediction_ids: Any = None,
        references: Any = None,
        event_time: Any = None,
    ) -> OutcomesAccepted:
        """Tell what really happened, at any later time.

        Many outcomes leave in several requests. What was accepted stays so when a later request fails; sending the
        same outcome again does no harm.

        Parameters
        ----------
        values
            One for each row: 0 or 1, or a number.
        prediction_ids, references
            Exactly one of them: which prediction each value is about.
        event_time
            When it became known: one for all rows or a list; default now.
        """
        if (prediction_ids is None) == (references is None):
            raise errors.InvalidInput("Give exactly one of prediction_ids and references: it says whose outcome it is.")
        name = "prediction_id" if references is None else "reference"
        keys = frames.texts_of(prediction_ids if references is None else references)
        told = frames.json_values(values, "values")
        moments = frames.event_time_of(event_time)
        moments = moments if isinstance(moments, list) else [moments] * len(keys)
        if not len(keys) == len(told) == len(moments):
            raise errors.InvalidInput(
                f"Every outcome needs one value and one {name}. "
                f"Got {len(told)} values, {len(keys)} of {name} and {len(moments)} event times."
            )
        rows = [
            {"value": value, name: key} | ({} if moment is None else {"event_time": moment})
            for value, key, moment in zip(told, keys, moments, strict=True)
        ]
        path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/outcomes"
        accepted = sum(
            self.post(path, {"outcomes": rows[start : start + OUTCOMES_A_REQUEST]})["accepted"]
            for start in range(0, len(rows), OUTCOMES_A_REQUEST)
        )
        return OutcomesAccepted(accepted=accepted)

    def apply(
        self, file: Mapping[str, Any], *, dry_run: bool = False, seen: int | None = None, reason: str | None = None
    ) -> Any:
        """Declare a model by its file (as a dict, key `model` names it); with `dry_run` only say what would change.

        `seen` is the revision that the change was made to: when another one stands, errors.Conflict is raised. A file
        that loosens rules that bind already opens a change request, which needs a `reason`: the answer's `change`.
        """
        if not isinstance(file.get("model"), str):
            raise errors.InvalidInput("A model's file must name its model: model: <name>.", where="model")
        params = {"dry_run": "true"} if dry_run else {}
        if seen is not None:
            params["seen"] = str(seen)
        if reason is not None:
            params["reason"] = reason
        return self.put(f"/api/v1/models/{quote(file['model'], safe='')}/file", dict(file), params or None)

    def endpoint(self, name: str, *, model: str | None = None) -> EndpointInfo:
        """An endpoint as it stands. With `model` it is made first when there is none of that name."""
        path = f"/api/v1/endpoints/{quote(name, safe='')}"
        try:
            return msgspec.convert(self.get(path), EndpointInfo)
        except errors.NotFound:
            if model is None:
                raise
        self.post("/api/v1/endpoints", {"name": name, "model": model})
        return msgspec.convert(self.get(path), EndpointInfo)

    def _send(
        self,
        method: str,
        url: str,
        data: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        content: Iterable[bytes] | bytes | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        import httpx

        if data is not None:
            content, content_type = msgspec.json.encode(data), "application/json"
        headers = {**(headers or {}), **({"Content-Type": content_type} if content_type else {})}
        try:
            answer = self._http.request(method, url, content=content, headers=headers, params=params)
        except httpx.TimeoutException:
            raise errors.Unavailable(f"{url} did not answer in time. The server may still be at it.") from None
        except httpx.TransportError as failure:
            raise errors.Unavailable(
                f"Nothing answers at {url} ({failure}). Start it with `tenure serve`, or set TENURE_URL."
            ) from None
        if answer.status_code >= 400:
            refusal = _error_of(answer.status_code, answer.content, url)
            if isinstance(refusal, errors.OverQuota):
                refusal.retry_after_s = int(answer.headers.get("Retry-After", "1"))
            raise refusal
        return answer


def _ids_of(endpoint: str, references: list[str], event_times: Any) -> list[str]:
    """The ids that the gateway gives to idempotent rows."""
    moments = event_times if isinstance(event_times, list) else [event_times] * len(references)
    instants = [instant_of(datetime.fromisoformat(one)) if isinstance(one, str) else one for one in moments]
    rows = zip(references, instants, strict=True)
    return [f"{id_of_reference(endpoint, reference, instant)}:0" for reference, instant in rows]


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise errors.InvalidInput(f"A server's address must look like {DEFAULT_URL}. Got {url!r}.", where="url")
    return url.rstrip("/")


def _content(answer: Any) -> Any:
    if not answer.content:
        return None
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        raise errors.TenureError(
            f"{answer.url} answered {answer.status_code} with something that is not JSON. Is it a Tenure server?"
        ) from None


class _Problem(msgspec.Struct):
    code: str
    message: str
    where: str | None = None
    failures: list[str] = []
    problems: list[dict[str, str]] = []


class _Answer(msgspec.Struct):
    error: _Problem


def _error_of(status: int, content: bytes, url: str) -> errors.TenureError:
    """The error that the server named; one of the root when it named none that is known."""
    try:
        problem = msgspec.json.decode(content, type=_Answer).error
    except msgspec.DecodeError:
        return _mlflow_error_of(status, content, url)
    kind = next((kind for kind in _tree(errors.TenureError) if kind.code == problem.code), errors.TenureError)
    if issubclass(kind, errors.GateNotMet):
        return kind(problem.message, failures=problem.failures, where=problem.where)
    if issubclass(kind, errors.ValuesRefused):
        reason = problem.problems[0]["reason"] if problem.problems else ""
        return kind(problem.message, reason=reason, where=problem.where, problems=problem.problems)
    return kind(problem.message, where=problem.where)


def _mlflow_error_of(status: int, content: bytes, url: str) -> errors.TenureError:
    """What MLflow's protocol says at its own paths: a code and a message, flat."""
    try:
        message = msgspec.json.decode(content, type=dict[str, Any])["message"]
    except (msgspec.DecodeError, KeyError):
        return errors.TenureError(f"{url} answered {status} without saying why. Is it a Tenure server?")
    kinds = {400: errors.InvalidInput, 403: errors.NotAllowed, 404: errors.NotFound, 409: errors.Conflict}
    return kinds.get(status, errors.Unavailable if status >= 500 else errors.TenureError)(str(message))


def _tree(kind: type[errors.TenureError]) -> Iterator[type[errors.TenureError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _credentials(token: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """The header that says who asks.

    >>> _credentials(None, {"MLFLOW_TRACKING_TOKEN": "tnr_x"})
    {'Authorization': 'Bearer tnr_x'}
    """
    token = token or environment.get("TENURE_TOKEN") or environment.get("MLFLOW_TRACKING_TOKEN")
    if token:
        return {"Authorization": f"Bearer {token}"}
    name, password = (environment.get(f"MLFLOW_TRACKING_{what}") for what in ("USERNAME", "PASSWORD"))
    if not (name and password):
        return {}
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}
