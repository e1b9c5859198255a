"""The vault's routes: for stewards alone, and none of them gives a value out."""

from __future__ import annotations

import base64

import pytest

from tenure.api import vault

from .conftest import Asker

CSV = {"content-type": "text/csv"}
ROLES = ("admin", "reader", "scorer", "data-scientist", "engineer", "auditor", "validator", "business-owner")
ROUTES = (
    ("PUT", "/api/v1/vault/race?key=id"),
    ("GET", "/api/v1/vault"),
    ("POST", "/api/v1/models/m/versions/1/proxy-tests?key=id&purpose=curiosity"),
    ("GET", "/api/v1/models/m/versions/1/proxy-tests"),
)


def person(ask: Asker, role: str) -> dict[str, str]:
    name, password = role.replace("-", ""), "a password of enough length"
    body = {"name": name, "printed_name": name, "password": password, "roles": [role]}
    ask.ok("POST", "/api/v1/people", json=body)
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"authorization": f"Basic {encoded}"}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_but_the_steward_is_refused(ask: Asker, role: str):
    headers = {**CSV, **person(ask, role)}
    for method, path in ROUTES:
        ask.refused(method, path, 403, headers=headers, content=b"id,race\n1,a\n")


def test_a_visitor_is_refused(ask: Asker):
    for method, path in ROUTES:
        ask.refused(method, path, 403, headers={**CSV, "sec-fetch-site": "same-origin"}, content=b"id,race\n1,a\n")


def test_a_steward_puts_an_attribute_in_and_no_route_gives_it_out(ask: Asker):
    headers = person(ask, "steward")
    entry = ask.ok("PUT", "/api/v1/vault/race?key=id", headers={**CSV, **headers}, content=b"id,race\n1,purple\n")
    assert entry["rows"] == 1
    listed = ask("GET", "/api/v1/vault", headers=headers)
    assert [one["attribute"] for one in listed.json()] == ["race"]
    assert "purple" not in listed.text
    ask.refused("GET", "/api/v1/vault/race", 405, headers=headers)
    reading = [handler for handler in vault.handlers if handler.http_methods & {"GET", "HEAD"}]
    assert {path for handler in reading for path in handler.paths} == {
        "/api/v1/vault",
        "/api/v1/models/{name:str}/versions/{version:int}/proxy-tests",
    }


def test_what_is_sent_must_be_a_table(ask: Asker):
    headers = {**CSV, **person(ask, "steward")}
    for path in ("/api/v1/vault/race", "/api/v1/vault/Race?key=id"):
        ask.refused("PUT", path, 400, headers=headers, content=b"id,race\n1,a\n")
    ask.refused("PUT", "/api/v1/vault/race?key=id", 400, headers=headers, content=b"id\n1\n")
