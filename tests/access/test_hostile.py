"""What strangers and insiders send to every route: paths that climb, code that was packed, nesting, length, SQL.

Each is made from the tables of routes, so a new route is tried too. Nothing fails, nothing runs, nothing gets out.
"""

from __future__ import annotations

import inspect
import itertools
import os
import pickle
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenure import access
from tenure.api import rooms
from tenure.manage import roles
from tenure.records.people import Permission
from tenure.web import site

from .conftest import Answer, Server
from .test_matrix import CASES, Case

MARK = "tenure-was-here"
CANARY = "the secret of the folder beside"
CLIMBING = (
    "../../../beside.txt",
    "..\\..\\..\\beside.txt",
    "%2e%2e/%2e%2e/%2e%2e/beside.txt",
    "%252e%252e%252f%252e%252e%252fbeside.txt",
    "x/../../../../beside.txt",
    "x%00/../../beside.txt",
    "file:///etc/passwd",
    "//etc/passwd",
)
SQL = ("' OR 1=1 --", "x'; DROP TABLE runs; --", '") UNION SELECT * FROM people --', "\x00", "%' ESCAPE '", "\ud800")
UNSAFE = [case for case in CASES if case.method not in access.SAFE_METHODS]
PLACED = [case for case in CASES if "{" in case.path]


class Evil:
    """Unpickled, it would leave a mark."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {MARK}",)


@pytest.fixture(scope="module")
def insider(filled: Server) -> dict[str, str]:
    """Somebody who may do everything that any role but a signer's may."""
    (filled.ground.settings.folder.parent / "beside.txt").write_text(CANARY)
    return filled.bearer(*roles.WORKING)


@pytest.fixture(autouse=True, scope="module")
def _helpers_end() -> Iterator[None]:
    yield
    site.close_all()


def failed(answer: Answer) -> bool:
    """Whether a server broke; transfers by signed URL are refused with 501 where files lie in a folder."""
    return answer.status >= 500 and answer.status != 501


def outside(server: Server) -> set[Path]:
    """What lies beside the server's folder."""
    folder = server.ground.settings.folder
    return {path for path in folder.parent.iterdir() if path != folder}


def asked(server: Server, headers: dict[str, str], case: Case, value: str, *, body: bytes = b"{}") -> Answer:
    """An answer to a case with a value in every place of its path, decoded once as a server does it."""
    given = {**headers, "content-type": "application/json"}
    path = unquote(case.filled(value), errors="replace")
    return server.ask(case.method, path, given, body=b"" if case.method == "GET" else body)


@pytest.mark.parametrize("climbing", CLIMBING)
def test_no_path_of_any_route_climbs(filled: Server, insider: dict[str, str], climbing: str):
    before, wrong = outside(filled), []
    for case in PLACED:
        for value in {climbing, quote(climbing, safe="")} if "%" in climbing else {climbing}:
            answer = asked(filled, insider, case, value)
            if failed(answer) or CANARY in answer.text or "root:x:" in answer.text:
                wrong.append((case.method, case.path, answer.status, answer.text[:100]))
    assert wrong == []
    assert outside(filled) == before
    assert (filled.ground.settings.folder.parent / "beside.txt").read_text() == CANARY


@pytest.mark.parametrize("climbing", CLIMBING)
def test_no_path_in_a_query_or_a_body_climbs(filled: Server, insider: dict[str, str], climbing: str):
    run_id = filled.ask("POST", "/api/2.0/mlflow/runs/create", insider, json={"experiment_id": "0"}).json()["run"][
        "info"
    ]["run_id"]
    about = {"run_id": run_id, "name": "late", "version": "1"}
    tried = 0
    for case in CASES:
        if "artifact" not in case.path:
            continue
        given = {**about, "path": climbing, "artifact_file_path": climbing, "artifact_directory_path": climbing}
        answer = filled.ask(
            case.method, case.filled(run_id), insider, body=b"x", query=urlencode({**given, "artifact": climbing})
        )
        assert CANARY not in answer.text, case
        assert "root:x:" not in answer.text, case
        assert not failed(answer), (case, answer.text)
        tried += 1
    assert tried > 12


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-pickle",
        "application/octet-stream",
        "application/x-yaml",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ],
)
def test_no_route_runs_what_is_sent(
    filled: Server, insider: dict[str, str], content_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    packed = pickle.dumps(Evil(), 0)
    yaml = f"!!python/object/apply:os.system ['touch {MARK}']".encode()
    for case in UNSAFE:
        for body in (yaml if "yaml" in content_type else packed, b"--x\r\n\r\n" + packed):
            answer = filled.ask(case.method, case.filled("late"), {**insider, "content-type": content_type}, body=body)
            assert not failed(answer), (case, answer.text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_no_nesting_fails_a_route(filled: Server, insider: dict[str, str], body: bytes):
    for case in UNSAFE:
        answer = asked(filled, insider, case, "late", body=body)
        assert not failed(answer), (case, answer.text)


def test_no_route_answers_a_method_that_it_does_not_declare(filled: Server, insider: dict[str, str]):
    """Nor does a header or a field turn one method into another."""
    declared: dict[str, set[str]] = {}
    for case in CASES:
        declared.setdefault(case.filled("late"), set()).add(case.method)
    override = {**insider, "x-http-method-override": "DELETE", "x-http-method": "DELETE", "x-method-override": "DELETE"}
    for path, methods in declared.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "PURGE", "TRACE", "post"} - methods:
            answer = filled.ask(method, path, override, query="_method=GET", body=b"{}")
            other = [one for one in CASES if one.method == method and matches(one.path, path)]
            assert other or answer.status in (404, 405), (method, path, answer.status, answer.text[:100])


def matches(pattern: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"{\w+:path}", ".+", re.sub(r"{\w+(:str|:int)?}", "[^/]+", pattern)), path))


def test_a_form_of_many_parts_takes_no_time(filled: Server, insider: dict[str, str]):
    """Each page that takes a form, sent one of twenty thousand parts, and one with as many fields."""
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    pages = [case for case in UNSAFE if not case.path.startswith("/api/")]
    assert len(pages) > 15
    for kind, body in (
        ("multipart/form-data; boundary=x", part * 20_000 + b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 20_000),
        ("application/x-www-form-urlencoded", b"a=1&" * 20_000),
    ):
        for case in pages:
            began = time.perf_counter()
            answer = filled.ask(case.method, case.filled("late"), {**insider, "content-type": kind}, body=body)
            assert not failed(answer), (case, answer.text[:200])
            assert time.perf_counter() - began < 2.0, case


def test_no_length_fails_a_route(filled: Server, insider: dict[str, str]):
    long = "n" * 70_000
    for case in CASES:
        answer = asked(filled, insider, case, long, body=b'{"name": "%s", "reason": "%s"}' % (2 * (long.encode(),)))
        assert not failed(answer), (case, answer.text[:200])


@pytest.fixture(scope="module")
def questions() -> dict[str, list[str]]:
    """Every address of ours that reads, with the names that its query may have."""
    handlers = [*(one for room in rooms.ROOMS for one in room.handlers), *site.handlers]
    taken = {"ground", "principal", "request", "state", "headers", "body", "data"}
    return {
        path: [
            name for name in inspect.signature(handler.fn).parameters if name not in taken and f"{{{name}:" not in path
        ]
        for handler in handlers
        for path in handler.paths
        if "GET" in handler.http_methods and path not in ("/static/{name:str}", "/sso", "/sso/callback")
    }


def test_no_query_of_ours_is_sql(filled: Server, insider: dict[str, str], questions: dict[str, list[str]]):
    """Each name of each address with one of the tricks, in turn."""
    tricks, asked_of = itertools.cycle(SQL), 0
    for path, names in questions.items():
        case = Case("GET", path, Permission.READ, None)
        for name in [*names, "q", "sort"]:
            query = urlencode({name: next(tricks).encode(errors="surrogatepass")})
            answer = filled.ask("GET", case.filled("late"), insider, query=query)
            assert not failed(answer), (path, query, answer.text[:300])
            asked_of += 1
    assert asked_of > 300


MLFLOWS = [
    ("POST", "experiments/search", ("filter",)),
    ("POST", "runs/search", ("filter",)),
    ("POST", "logged-models/search", ("filter",)),
    ("GET", "registered-models/search", ("filter",)),
    ("GET", "model-versions/search", ("filter",)),
    ("POST", "experiments/search-datasets", ()),
]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([*SQL[:3], "name", "=", "'", '"', "`", " AND ", "metrics.", "LIKE", "DESC", ",", "(", "é"])
    ),
    st.text(max_size=12),
)
def test_no_filter_and_no_order_fails_a_search(filled: Server, insider: dict[str, str], parts: list[str], rest: str):
    told = "".join(parts) + rest
    for method, path, names in MLFLOWS:
        given: dict[str, Any] = {"experiment_ids": ["0"], "order_by": [told], "page_token": rest}
        given |= dict.fromkeys(names, told)
        query = urlencode([*dict.fromkeys(names, told).items(), ("order_by", told)], errors="surrogatepass")
        sent = {"query": query} if method == "GET" else {"json": given}
        answer = filled.ask(method, f"/api/2.0/mlflow/{path}", insider, **sent)  # type: ignore[arg-type]
        assert not failed(answer), (path, told, answer.text)
