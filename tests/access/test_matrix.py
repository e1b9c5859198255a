"""Every route of both applications, made from their tables: without credentials, with each role, in a session."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from tenure import access
from tenure.access.declared import ABOUT_ONE_MODEL
from tenure.api import rooms
from tenure.api.mlflow import app as mlflow_app
from tenure.errors import CannotStart
from tenure.manage import roles
from tenure.records.people import Permission
from tenure.web import site

from .conftest import MODELS, Answer, Server

SLOW = {"/static/vega.js"}


class Case(NamedTuple):
    method: str
    path: str
    permission: Permission
    subject: access.Subject | None

    def filled(self, value: str) -> str:
        """Its path with a value in every place; a number where one is asked for."""
        path = re.sub(r"{\w+:int}", "1", self.path)
        return re.sub(r"{\w+(:\w+)?}", value, path)


def cases() -> list[Case]:
    ours = [
        Case(method, path, handler.opt["permission"], handler.opt.get("subject"))
        for handler in [*(one for room in rooms.ROOMS for one in room.handlers), *site.handlers]
        for path in handler.paths
        for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"})
    ]
    theirs = [Case(route.method, route.path, route.permission, route.subject) for route in mlflow_app.ROUTES]
    return [case for case in [*ours, *theirs] if case.path not in SLOW]


CASES = cases()


def refused(answer: Answer, permission: Permission) -> bool:
    """Whether the gate refused, and not the thing behind it."""
    return answer.status == 403 and f"'{permission.value}'" in answer.text.replace("&#39;", "'")


def test_the_tables_hold_every_kind_of_route():
    assert len(CASES) > 150
    assert {case.permission for case in CASES} >= set(Permission) - {
        Permission.SIGN,
        Permission.PROTECT,
        Permission.SCORE,
    }
    assert {case.method for case in CASES} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_nobody_gets_anything_but_public_routes(filled: Server):
    wrong = []
    for case in CASES:
        answer = filled.ask(case.method, case.filled("late"))
        if (answer.status == 401) != (case.permission is not Permission.PUBLIC) and not _asks_who(case, answer):
            wrong.append((case.method, case.path, answer.status, answer.text[:100]))
    assert wrong == []


def _asks_who(case: Case, answer: Answer) -> bool:
    """Whether a public route turned nobody away by itself: one's own account is nobody's."""
    return case.permission is Permission.PUBLIC and answer.status in (400, 401)


def test_a_401_says_how_to_come_in(filled: Server):
    for path in ("/api/v1/models", "/api/2.0/mlflow/experiments/search", "/api/2.0/mlflow/registered-models/search"):
        answer = filled.ask("GET", path)
        assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
    page = filled.ask("GET", "/models", query="a=b")
    assert page.status == 401
    assert 'name="next" value="/models?a=b"' in page.text


@pytest.mark.parametrize("role", [*roles.WORKING, "validator"])
def test_each_role_gets_what_it_permits_and_no_more(filled: Server, role: str):
    permitted, header, wrong = roles.permissions_of([role]) - {Permission.SIGN}, filled.bearer(role), []
    for case in CASES:
        answer = filled.ask(case.method, case.filled("nothing"), header)
        public = case.permission is Permission.PUBLIC
        if (answer.status == 401) > public or refused(answer, case.permission) == (case.permission in permitted):
            wrong.append((case.method, case.path, answer.status, answer.text[:100]))
    assert wrong == []


def test_in_a_session_every_unsafe_method_needs_its_csrf_token(filled: Server):
    filled.person("root", *roles.WORKING)
    cookie = filled.session("root")
    unsafe = [case for case in CASES if case.method not in access.SAFE_METHODS]
    for case in unsafe:
        for more in ({}, {"x-csrf-token": "wrong"}):
            answer = filled.ask(case.method, case.filled("late"), cookie | more)
            assert (answer.status, "X-CSRF-Token" in answer.text) == (403, True), case


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "tenure.example.com:81"},
        {"origin": "https://evil.example"},
        {"origin": "http://tenure.example.com"},
    ],
)
def test_no_route_answers_another_host_or_origin(filled: Server, headers: dict[str, str]):
    for case in CASES:
        assert filled.ask(case.method, case.filled("late"), headers).status == 403, case


def about(kind: str) -> list[Case]:
    return [case for case in CASES if case.subject is not None and case.subject.kind == kind]


@pytest.mark.parametrize("kind", ["model", "endpoint", "change", "alert", "retraining"])
def test_a_role_for_one_model_reaches_what_belongs_to_it_and_nothing_else(filled: Server, kind: str):
    header, found = filled.bearer("engineer@late"), about(kind)
    assert found
    for case in found:
        assert case.subject is not None
        for model, in_scope in (("late", True), ("fraud", False), ("absent", False)):
            given = {"key": "k", "value": "v", **dict.fromkeys(case.subject.fields, model)}
            body = given if case.subject.place == "body" and case.method != "GET" else None
            query = "&".join(f"{name}={value}" for name, value in given.items()) if body is None else ""
            answer = filled.ask(case.method, case.filled(model), header, json=body, query=query)
            if case.permission not in roles.WORKING["engineer"] or case.path.endswith("model-versions/create"):
                continue  # a source may be anybody's: to register needs to read everywhere
            assert refused(answer, case.permission) is not in_scope, (case, model, answer.status, answer.text[:200])


def test_what_belongs_to_no_model_wants_a_role_for_all(filled: Server):
    header = filled.bearer("engineer@late")
    plain = [case for case in CASES if case.subject is None and case.permission is not Permission.PUBLIC]
    assert len(plain) > 60
    for case in plain:
        assert refused(filled.ask(case.method, case.filled("late"), header), case.permission), case


def test_lists_show_what_may_be_read(filled: Server):
    one, both = filled.bearer("reader@late"), filled.bearer("reader")
    listed = about("listed")
    assert len(listed) >= 10
    for case in listed:
        seen = filled.ask(case.method, case.path, one)
        assert seen.status == 200, (case, seen.text)
        assert "fraud" not in seen.text, case
    for path in ("/api/v1/models", "/api/v1/endpoints", "/api/v1/changes", "/api/v1/alerts", "/api/v1/retraining"):
        assert all(model in filled.ask("GET", path, both).text for model in MODELS) or path == "/api/v1/models"
        assert "late" in filled.ask("GET", path, one).text or path == "/api/v1/models"


def test_registered_models_are_chosen_too(filled: Server):
    for name in MODELS:
        filled.ask(
            "POST", "/api/2.0/mlflow/registered-models/create", filled.bearer("engineer"), json={"name": f"{name}-r"}
        )
    one = filled.bearer("engineer@late-r")
    found = filled.ask("GET", "/api/2.0/mlflow/registered-models/search", one).json()["registered_models"]
    assert [model["name"] for model in found] == ["late-r"]
    rename = {"name": "late-r", "new_name": "fraud-s"}
    assert filled.ask("POST", "/api/2.0/mlflow/registered-models/rename", one, json=rename).status == 403
    source = {"name": "late-r", "source": "models:/fraud-r/1"}
    answer = filled.ask("POST", "/api/2.0/mlflow/model-versions/create", one, json=source)
    assert (answer.status, "'read'" in answer.text) == (403, True)


def test_a_route_about_one_model_without_a_subject_stops_the_start():
    good: dict[str, Any] = {"GET /api/v1/models/{name:str}": access.Declared(Permission.READ, access.MODEL)}
    access.check_declared(good)
    for path in ("GET /endpoints/{name:str}/months", "POST /api/2.0/mlflow/model-versions/set-tag"):
        assert ABOUT_ONE_MODEL.search(path)
        with pytest.raises(CannotStart, match="subject"):
            access.check_declared({**good, path: access.Declared(Permission.READ)})
    assert not ABOUT_ONE_MODEL.search("GET /logged-models/{model_id:str}")
