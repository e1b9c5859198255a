"""The pages about people and one's own account, by their forms."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from .conftest import PASSWORD, Answer, Server

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Visitor:
    """A person in a browser: their session, and forms with its token."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._cookie = server.session(name)
        self._csrf = server.gate.sessions.csrf(self._cookie["cookie"].partition("=")[2])

    def get(self, path: str) -> Answer:
        return self._server.ask("GET", path, self._cookie)

    def send(self, path: str, **form: str) -> Answer:
        body = urlencode({"csrf": self._csrf, **form}).encode()
        return self._server.ask("POST", path, {**self._cookie, **FORM}, body=body)


@pytest.fixture
def root(server: Server) -> Visitor:
    server.person("root", "admin")
    return Visitor(server, "root")


def test_an_administrator_adds_people_and_gives_and_takes_roles(server: Server, root: Visitor):
    ada = {"name": "ada", "printed_name": "<b>Ada</b>", "password": PASSWORD, "roles": "reader, validator"}
    assert root.send("/people/add", **ada).header("location") == "/people/ada"
    assert root.send("/people/add", **ada).status == 409
    assert "does not fit" in root.send("/people/add", **{**ada, "name": "Ada!"}).text
    assert root.send("/grants/give", of="ada", role="engineer", model="late").status == 303
    page = root.get("/people/ada").text
    assert "<b>Ada</b>" not in page
    assert "&lt;b&gt;Ada" in page
    grant = re.search(r"/grants/([^/]+)/revoke", page)
    assert grant is not None
    assert root.send(f"/grants/{grant[1]}/revoke", of="ada").header("location") == "/people/ada"
    assert "by root" in root.get("/people/ada").text
    assert root.send("/people/ada/password", password="short").status == 400
    assert root.send("/people/ada/password", password="another long one").status == 303
    assert root.get("/people/nobody").status == 404


def test_a_service_gets_a_token_that_is_shown_once(server: Server, root: Visitor):
    assert root.send("/services/add", service="ci", purpose="trains", service_roles="data-scientist").status == 303
    made = root.send("/services/ci/tokens", label="nightly", days="7", may_track="on")
    secret = re.search(r"tnr_[\w-]{43}", made.text)
    assert secret is not None
    assert secret[0] not in root.get("/people/ci").text
    header = {"authorization": f"Bearer {secret[0]}"}
    assert server.ask("GET", "/api/v1/account", header).json()["name"] == "ci"
    token = re.search(r"/tokens/([^/]+)/revoke", root.get("/people/ci").text)
    assert token is not None
    assert root.send(f"/tokens/{token[1]}/revoke", back="//evil.example").header("location") == "/"
    assert server.ask("GET", "/api/v1/account", header).status == 401
    assert "at least one thing" in root.send("/services/ci/tokens", label="x").text


def test_who_does_not_administer_sees_no_forms_and_no_tokens(server: Server, root: Visitor):
    server.person("eve", "reader")
    eve = Visitor(server, "eve")
    for path in ("/people", "/people/root"):
        page = eve.get(path)
        assert page.status == 200
        assert 'method="post"' not in page.text
    assert eve.send("/people/add", name="x").status == 403
    assert eve.send("/grants/give", of="eve", role="admin").status == 403


def test_ones_own_account(server: Server):
    server.person("ada", "reader", "engineer")
    ada = Visitor(server, "ada")
    assert "engineer" in ada.get("/account").text
    assert re.search(r"tnr_[\w-]{43}", ada.send("/account/tokens", label="laptop", days="1", may_read="on").text)
    assert ada.send("/account/tokens", label="laptop", days="many", may_read="on").status == 400
    assert ada.send("/account/tokens", label="laptop", may_administer="on").status == 400
    assert ada.send("/account/password", current="wrong", password="another long one").status == 401
    assert ada.send("/account/password", current=PASSWORD, password="another long one").status == 303
    assert ada.get("/account").status == 401


def test_signing_in_goes_on_to_where_one_wanted(server: Server):
    server.person("ada", "reader")
    asked = {"name": "ada", "password": PASSWORD}
    for wanted, reached in (("/models?x=1", "/models?x=1"), ("https://evil.example", "/"), ("/\\evil.example", "/")):
        body = urlencode({**asked, "next": wanted}).encode()
        answer = server.ask("POST", "/sessions", FORM, body=body)
        assert (answer.status, answer.header("location")) == (303, reached)
        assert "secure" in answer.header("set-cookie").lower()
