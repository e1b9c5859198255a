"""People over HTTP: signing in, the session's cookie, CSRF, and who may administer."""

from __future__ import annotations

import base64
import re

import pytest

from tenure.api.rooms import ROOMS
from tenure.records.people import Permission

from .conftest import URL, Asker

PASSWORD = "correct horse battery"
ADA = {"name": "ada", "printed_name": "Ada Lovelace", "password": PASSWORD, "roles": ["validator"]}


@pytest.fixture
def session(ask: Asker) -> dict[str, str]:
    """Cookie and CSRF header of ada, who is signed in."""
    ask.ok("POST", "/api/v1/people", json=ADA)
    answer = ask("POST", "/api/v1/sign-in", json={"name": "ada", "password": PASSWORD}, headers={"origin": URL})
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    return {"cookie": cookie.split(";")[0], "x-csrf-token": answer.json()["csrf"], "origin": URL}


def test_a_person_is_added_and_listed_without_their_password(ask: Asker):
    made = ask.ok("POST", "/api/v1/people", json=ADA)
    listed = ask("GET", "/api/v1/people")
    assert listed.json() == [made]
    assert made["roles"][0]["role"] == "validator"
    assert PASSWORD not in listed.text
    assert "argon2" not in listed.text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"password": "short"}, 400),
        ({"name": "Ada!"}, 400),
        ({"name": "owner"}, 400),
        ({"nickname": "x"}, 400),
        ({"roles": ["Validator"]}, 400),
        ({"printed_name": ""}, 400),
    ],
)
def test_a_person_that_cannot_be_is_refused(ask: Asker, changed: dict[str, object], status: int):
    ask.refused("POST", "/api/v1/people", status, json={**ADA, **changed})


def test_a_name_is_taken_once(ask: Asker):
    ask.ok("POST", "/api/v1/people", json=ADA)
    assert ask.refused("POST", "/api/v1/people", 409, json=ADA)["code"] == "already_exists"


def test_the_sessions_cookie_is_out_of_reach_of_scripts_and_other_sites(ask: Asker):
    ask.ok("POST", "/api/v1/people", json=ADA)
    answer = ask("POST", "/api/v1/sign-in", json={"name": "ada", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert PASSWORD not in answer.text


def test_a_wrong_password_gets_no_cookie(ask: Asker):
    ask.ok("POST", "/api/v1/people", json=ADA)
    error = ask.refused("POST", "/api/v1/sign-in", 401, json={"name": "ada", "password": "wrong"})
    assert error["code"] == "not_signed_in"
    for _ in range(4):
        ask("POST", "/api/v1/sign-in", json={"name": "ada", "password": "wrong"})
    assert ask.refused("POST", "/api/v1/sign-in", 429, json={"name": "ada", "password": PASSWORD})["code"] == "too_many"


def test_a_session_writes_only_with_its_csrf_token(ask: Asker, session: dict[str, str]):
    path, file = "/api/v1/models/late/file", {"model": "late", "purpose": "warn", "owner": "ops"}
    without = {name: value for name, value in session.items() if name != "x-csrf-token"}
    assert "X-CSRF-Token" in ask.refused("PUT", path, 403, json=file, headers=without)["message"]
    assert ask.ok("PUT", path, json=file, headers=session)["revision"] == 1
    assert ask.ok("GET", path, headers=without)["applied_by"] == "ada"


def test_a_form_may_carry_the_csrf_token(ask: Asker, session: dict[str, str]):
    """The form's body reaches the application whole, after the front has looked into it."""
    without = {name: value for name, value in session.items() if name != "x-csrf-token"}
    path = "/api/v1/changes/none/withdraw"
    assert "X-CSRF-Token" in ask.refused("POST", path, 403, data={"csrf": "wrong"}, headers=without)["message"]
    assert (
        ask.refused("POST", path, 404, data={"csrf": session["x-csrf-token"]}, headers=without)["code"] == "not_found"
    )


def test_a_form_that_is_too_large_is_refused(ask: Asker, session: dict[str, str]):
    without = {name: value for name, value in session.items() if name != "x-csrf-token"}
    ask.refused("POST", "/api/v1/sign-out", 413, data={"x": "y" * 2_000_000}, headers=without)


def test_signing_out_ends_every_session(ask: Asker, session: dict[str, str]):
    answer = ask("POST", "/api/v1/sign-out", headers=session)
    assert answer.json() == {"signed_out": "ada"}
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    path, file = "/api/v1/models/late/file", {"model": "late", "purpose": "warn", "owner": "ops"}
    assert ask.refused("PUT", path, 403, json=file, headers=session)["code"] == "not_allowed"


def test_only_who_administers_changes_people(ask: Asker, session: dict[str, str]):
    for method, path, body in (
        ("POST", "/api/v1/people", {**ADA, "name": "eve"}),
        ("PUT", "/api/v1/people/ada/roles", {"roles": ["admin"]}),
        ("PUT", "/api/v1/people/ada/password", {"password": "x" * 12}),
    ):
        assert "'administer'" in ask.refused(method, path, 403, json=body, headers=session)["message"]
    ask.ok("PUT", "/api/v1/people/ada/roles", json={"roles": ["admin"]})
    basic = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    ask.ok("POST", "/api/v1/people", json={**ADA, "name": "eve"}, headers={"authorization": f"Basic {basic}"})
    ask.refused("PUT", "/api/v1/people/nobody/roles", 404, json={"roles": []})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}]
)
def test_another_sites_page_reaches_nothing_that_writes(ask: Asker, method: str, headers: dict[str, str]):
    answer = ask(method, "/api/v1/people", json=ADA, headers=headers)
    assert answer.status_code in (403, 405)
    assert ask.ok("GET", "/api/v1/people") == []


def test_every_unsafe_route_refuses_a_visitor(ask: Asker):
    """A browser without a session reads; only signing in and out is open to it."""
    routes = [
        (method, re.sub(r"{\w+:(\w+)}", lambda part: "1" if part[1] == "int" else "x", path))
        for room in ROOMS
        for handler in room.handlers
        for path in handler.paths
        for method in handler.http_methods - {"GET", "HEAD", "OPTIONS"}
        if handler.opt["permission"] not in (Permission.PUBLIC, Permission.READ)
    ]
    assert len(routes) > 12
    for method, path in routes:
        answer = ask(method, path, headers={"sec-fetch-site": "same-origin"})
        assert answer.status_code in (401, 403), (method, path, answer.text)


def test_an_address_with_a_slash_at_its_end_reaches_the_same_routes(ask: Asker):
    assert ask.ok("GET", f"{URL}//api/v1/people") == []
    assert ask("GET", f"{URL}//api/2.0/mlflow/experiments/search").status_code == 204  # as the stand-in answers
    ask.refused("GET", f"{URL}//api/v1/people", 401, headers={"authorization": "Bearer wrong"})


def test_few_unsafe_routes_are_open_to_a_visitor():
    """Signing in, one's own account, signatures and decisions, whose password is in the body, comments, which need
    a name, and questions that change nothing."""
    routes = {
        path
        for room in ROOMS
        for handler in room.handlers
        for path in handler.paths
        if handler.http_methods - {"GET", "HEAD", "OPTIONS"}
        and handler.opt["permission"] in (Permission.PUBLIC, Permission.READ)
    }
    assert routes == {
        "/api/v1/sign-in",
        "/api/v1/sign-out",
        "/api/v1/set-up",
        "/api/v1/account/password",
        "/api/v1/tokens",
        "/api/v1/tokens/{token_id:str}/revoke",
        "/api/v1/changes/{change_id:str}/signatures",
        "/api/v1/changes/{change_id:str}/comments",
        "/api/v1/policies/check",
        "/api/v1/policies/dry-run",
        "/api/v1/policy-exceptions/{exception_id:str}/decision",
    }


def test_an_unknown_credential_is_refused_before_any_route(ask: Asker):
    for given in ("Bearer wrong", "Basic !!!", "Digest x"):
        ask.refused("GET", "/api/v1/people", 401, headers={"authorization": given})
        ask.refused("GET", "/api/2.0/mlflow/experiments/list", 401, headers={"authorization": given})
