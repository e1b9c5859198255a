"""The set-up link: one new administrator, once, within an hour, while there is none."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from tenure.errors import NotAllowed
from tenure.manage import people, set_up
from tenure.records.base import HOUR_US, Instant
from tenure.records.people import FirstPerson

from .conftest import HOST, NOW, PASSWORD, URL, Answer, Server


@pytest.fixture
def secret(server: Server) -> str:
    made = server.ground.database.write(lambda tx: set_up.offer(tx, NOW))
    assert made is not None
    return made


def complete(server: Server, secret: str, name: str = "root") -> Answer:
    body: dict[str, Any] = {"token": secret, "name": name, "printed_name": "Root", "password": PASSWORD}
    return server.ask("POST", "/api/v1/set-up", json=body)


def test_the_link_makes_the_first_administrator_once(server: Server, secret: str):
    answer = complete(server, secret)
    assert answer.status == 201, answer.text
    assert "secure" in answer.header("set-cookie").lower()
    cookie = {"cookie": answer.header("set-cookie").partition(";")[0]}
    assert "administer" in server.ask("GET", "/api/v1/account", cookie).json()["permissions"]
    assert complete(server, secret, "second").status == 403
    assert server.ground.database.write(lambda tx: set_up.offer(tx, NOW)) is None
    assert "server.set_up" in server.ask("GET", "/api/v1/audit", cookie).text


def test_an_account_that_exists_is_not_touched(server: Server, secret: str):
    server.person("ada", "validator")
    assert complete(server, secret, "ada").status == 409
    assert server.session("ada")  # with the password as it was
    assert complete(server, secret, "root").status == 201


def test_each_start_makes_the_link_before_worthless(server: Server, secret: str):
    newer = server.ground.database.write(lambda tx: set_up.offer(tx, NOW))
    assert newer is not None
    assert complete(server, secret).status == 403
    assert complete(server, newer).status == 201


@pytest.mark.parametrize("given", ["", "x", "tnr_x"])
def test_a_guess_makes_nobody(server: Server, secret: str, given: str):
    assert complete(server, given).status == 403


def test_the_link_expires(server: Server, secret: str):
    first = FirstPerson(token=secret, name="root", printed_name="Root", password=PASSWORD)
    late = Instant(NOW + HOUR_US)
    with pytest.raises(NotAllowed, match="expired"):
        server.ground.database.write(lambda tx: set_up.complete(tx, first, people.hashed(PASSWORD), now=late))


def test_an_administrator_from_elsewhere_ends_it(server: Server, secret: str):
    server.person("boss", "admin")
    assert complete(server, secret).status == 403


def test_the_page_makes_the_administrator_and_signs_them_in(server: Server, secret: str):
    page = server.ask("GET", "/set-up", query=f"token={secret}")
    assert page.status == 200
    assert re.search(r'name="token" value="([^"]+)"', page.text)[1] == secret  # type: ignore[index]
    form = {"host": HOST, "origin": URL, "content-type": "application/x-www-form-urlencoded"}
    short = f"token={secret}&name=root&printed_name=Root&password=short".encode()
    assert server.ask("POST", "/set-up/done", form, body=short).status == 400
    whole = f"token={secret}&name=root&printed_name=Root&password=correct+horse+battery".encode()
    done = server.ask("POST", "/set-up/done", form, body=whole)
    assert (done.status, done.header("location")) == (303, "/people")
    cookie = {"cookie": done.header("set-cookie").partition(";")[0]}
    assert "Root" in server.ask("GET", "/people", cookie).text
    assert server.ask("GET", "/set-up", query=f"token={secret}").status == 403


@pytest.mark.parametrize("name", ["admin", "root", "owner", "user", "tenure", "tenure-worker", "mlflow", "guest", ""])
def test_a_new_server_knows_nobody(server: Server, name: str):
    assert server.ground.database.read(lambda tx: people.list_all(tx, NOW)) == []
    for password in ("admin", "password", "password1234", "tenure", "changeme", "secret", ""):
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        for given in (f"Basic {basic}", f"Bearer {password}", f"Bearer tnr_{password}"):
            assert server.ask("GET", "/api/v1/models", {"authorization": given}).status in (401, 429), given
