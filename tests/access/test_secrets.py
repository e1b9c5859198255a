"""What was told in confidence is told to nobody: not by a log, the audit trail, an answer or a page, nor the disk."""

from __future__ import annotations

import base64
import logging
from collections.abc import Collection, Iterator

import pytest
import sqlalchemy as sa

from tenure.access.provider import Provider
from tenure.manage import roles, set_up
from tenure.store import tables
from tenure.web import site

from .conftest import NOW, PASSWORD, URL, Server
from .test_matrix import CASES

SECRETS = {
    "password": PASSWORD,
    "new password": "a new horse of battery",
    "wrong password": "nearly the right horse",
    "webhook secret": "webhook-signing-secret-1",
    "webhook address": "a-path-that-is-a-secret",
    "protected value": "purple-people",
    "client secret": "provider-client-secret",
}
ADDRESS = f"https://hooks.example/services/{SECRETS['webhook address']}"
SHOWN_WITH_RIGHT = {"webhook address"}
"""Who may read webhooks sees where they go; logs and the audit trail tell the host alone."""


@pytest.fixture
def told(server: Server, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[Server, dict[str, str], dict[str, str]]]:
    """A server to which every kind of secret was told, rightly and wrongly; with the secrets that it made itself."""
    caplog.set_level(logging.DEBUG)
    ground = server.ground
    made = {"set-up link": ground.database.write(lambda tx: set_up.offer(tx, NOW))}
    server.gate.provider = Provider("http://127.0.0.1:9", "tenure", SECRETS["client secret"], f"{URL}/sso/callback")
    first = {"token": made["set-up link"], "name": "root", "printed_name": "Root", "password": PASSWORD}
    assert server.ask("POST", "/api/v1/set-up", json=first).status == 201
    insider = server.bearer(*roles.WORKING)
    made["token"] = insider["authorization"].partition(" ")[2]
    server.person("ada", "steward", "reader")
    cookie = server.session("ada")
    made["session"] = cookie["cookie"].partition("=")[2]
    for name, secret in (("ada", SECRETS["wrong password"]), ("nobody", SECRETS["wrong password"])):
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        assert server.ask("GET", "/api/v1/models", {"authorization": f"Basic {basic}"}).status == 401
        assert server.ask("POST", "/api/v1/sign-in", json={"name": name, "password": secret}).status == 401
        made[f"credentials of {name}"] = basic
    assert server.ask("GET", "/api/v1/models", {"authorization": f"Bearer {made['token']}x"}).status == 401
    hook = {"name": "chat", "url": ADDRESS, "events": ["registered_model.created"], "secret": SECRETS["webhook secret"]}
    assert server.ask("POST", "/api/v1/webhooks", insider, json=hook).status == 201
    assert server.ask("POST", "/api/v1/webhooks", insider, json={**hook, "events": ["no.event"]}).status == 400
    assert server.ask("GET", "/sso").status != 200  # nobody answers there
    session = {**cookie, "x-csrf-token": server.gate.sessions.csrf(made["session"]), "content-type": "text/csv"}
    put = server.ask("PUT", "/api/v1/vault/race", session, body=b"id,race\n1,purple-people\n", query="key=id")
    assert put.status == 200, put.text
    bad = server.ask("PUT", "/api/v1/vault/race", session, body=b"id,race\n1,purple-people\n1,a\n", query="key=id")
    assert (bad.status, "purple" in bad.text) == (400, False)
    change = {"current": PASSWORD, "password": SECRETS["new password"]}
    session["content-type"] = "application/json"
    assert server.ask("PUT", "/api/v1/account/password", session, json=change).status == 200
    yield server, made, insider
    site.close_all()


def where_told(text: str, secrets: dict[str, str], *, but: Collection[str] = ()) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text and name not in but]


def test_no_log_tells_a_secret(
    told: tuple[Server, dict[str, str], dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    _, made, _ = told
    records = [*caplog.get_records("setup"), *caplog.records]
    lines = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in records)
    assert "127.0.0.1" in lines, "that the provider was asked is logged"
    assert where_told(lines, SECRETS | made) == []


def test_no_answer_and_no_page_tells_a_secret(told: tuple[Server, dict[str, str], dict[str, str]]) -> None:
    server, made, insider = told
    found = []
    listed = server.ask("GET", "/api/v1/webhooks", insider).json()
    webhook = listed[0].get("webhook", listed[0])["webhook_id"]
    for case in CASES:
        if case.method == "GET":
            for value in ("late", "ada", "root", webhook):
                answer = server.ask("GET", case.filled(value), insider)
                but = SHOWN_WITH_RIGHT if "webhooks" in case.path else set()
                found += [(case.path, name) for name in where_told(answer.text, SECRETS | made, but=but)]
                if "{" not in case.path:
                    break
    assert found == []


def test_no_event_and_no_row_keeps_a_secret(told: tuple[Server, dict[str, str], dict[str, str]]) -> None:
    """The address of a webhook is needed to call it; everything else is kept as a digest, or sealed."""
    server, made, _ = told
    with server.ground.database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                text = " ".join(
                    bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                    for value in row
                )
                but = SHOWN_WITH_RIGHT if table.name == "webhooks" else set()
                assert where_told(text, SECRETS | made, but=but) == [], table.name


def test_no_file_keeps_a_secret(told: tuple[Server, dict[str, str], dict[str, str]]) -> None:
    server, made, _ = told
    seen = 0
    for path in server.ground.settings.folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("latin-1")
            assert where_told(text, SECRETS | made, but=SHOWN_WITH_RIGHT) == [], path.name
            seen += 1
    assert seen > 1
