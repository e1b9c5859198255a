"""Tokens: shown once, narrowed, expiring, revoked within a second, by header or as a password, at the gateway too."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tenure import access
from tenure.access.gate import Gate
from tenure.deploy import routing
from tenure.errors import NotSignedIn
from tenure.manage import tokens
from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.records.people import Permission
from tenure.store.ground import Ground

from .conftest import HOST, NOW, Server

READS = "/api/v1/models"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(ground: Ground, clock: Clock) -> Iterator[Server]:
    moving = Server(replace(ground, clock=clock))
    yield moving
    moving.loop.close()


def made(server: Server, headers: dict[str, str], **asked: Any) -> Any:
    body = {"label": "nightly", "permissions": ["read"], **asked}
    return server.ask("POST", "/api/v1/tokens", headers, json=body)


def bearer(answer: Any) -> dict[str, str]:
    assert answer.status == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['secret']}"}


def in_session(server: Server, name: str) -> dict[str, str]:
    cookie = server.session(name)
    return cookie | {"x-csrf-token": server.gate.sessions.csrf(cookie["cookie"].partition("=")[2])}


def test_a_token_is_shown_once_and_kept_as_a_digest(timed: Server):
    timed.person("ada", "data-scientist")
    session = in_session(timed, "ada")
    answer = made(timed, session, permissions=["read", "track"])
    secret = answer.json()["secret"]
    assert secret.startswith("tnr_")
    assert len(secret) == 4 + 43
    assert answer.header("cache-control") == "no-store"
    listed = timed.ask("GET", "/api/v1/tokens", session)
    assert secret not in listed.text
    assert [one["label"] for one in listed.json()] == ["nightly"]
    log = timed.ask("GET", "/api/v1/audit", timed.bearer("auditor"))
    assert "token.created" in log.text
    assert secret not in log.text
    assert timed.ground.database.read(lambda tx: tokens.find(tx, tokens.digest_of(secret), NOW, solo=False))


def test_a_token_permits_what_it_says_and_no_more(timed: Server):
    timed.person("ada", "engineer")
    header = bearer(made(timed, in_session(timed, "ada")))
    assert timed.ask("GET", READS, header).status == 200
    create = timed.ask("POST", "/api/2.0/mlflow/experiments/create", header, json={"name": "x"})
    assert (create.status, "'track'" in create.text) == (403, True)
    assert timed.ask("GET", "/api/v1/account", header).json()["token"]


@pytest.mark.parametrize(
    "asked",
    [
        {"permissions": ["sign"]},
        {"permissions": ["administer"]},
        {"permissions": ["public"]},
        {"permissions": []},
        {"permissions": ["fly"]},
        {"days": 367},
        {"days": 0},
        {"label": ""},
    ],
)
def test_a_token_that_may_not_be_is_refused(timed: Server, asked: dict[str, Any]):
    timed.person("ada", "engineer", "validator")
    assert made(timed, in_session(timed, "ada"), **asked).status == 400


def test_who_may_make_tokens_for_whom(timed: Server):
    timed.person("ada", "engineer")
    timed.person("root", "admin")
    ada, root = in_session(timed, "ada"), in_session(timed, "root")
    service = {"name": "ci", "purpose": "trains", "roles": ["data-scientist"]}
    assert timed.ask("POST", "/api/v1/services", root, json=service).status == 201
    assert made(timed, ada, principal="ci").status == 403
    assert made(timed, root, principal="ada").status == 404
    assert made(timed, root, principal="ci", permissions=["score"]).status == 400
    header = bearer(made(timed, root, principal="ci", permissions=["track"]))
    again = made(timed, header)
    assert (again.status, "cannot make tokens" in again.text) == (403, True)
    assert made(timed, {}).status == 401


def test_a_token_expires(timed: Server, clock: Clock):
    timed.person("ada", "reader")
    header = bearer(made(timed, in_session(timed, "ada"), days=1))
    assert timed.ask("GET", READS, header).status == 200
    clock.now = Instant(NOW + DAY_US - 1)
    assert timed.ask("GET", READS, header).status == 200
    clock.now = Instant(NOW + DAY_US)
    assert timed.ask("GET", READS, header).status == 401


def test_a_revoked_token_and_a_revoked_role_count_at_once(timed: Server):
    timed.person("root", "admin")
    root = in_session(timed, "root")
    first, second = timed.bearer("reader"), timed.bearer("reader")
    for header in (first, second):
        assert timed.ask("GET", READS, header).status == 200
    newest = timed.ask("GET", "/api/v1/tokens", root).json()
    one = next(token for token in newest if token["principal"] == "service-1")
    assert timed.ask("POST", f"/api/v1/tokens/{one['token_id']}/revoke", root).status == 200
    assert timed.ask("GET", READS, first).status == 401
    assert timed.ask("POST", f"/api/v1/tokens/{one['token_id']}/revoke", root).status == 409
    held = timed.ask("GET", "/api/v1/grants", root, query="of=service-2").json()
    assert timed.ask("POST", f"/api/v1/grants/{held[0]['grant_id']}/revoke", root).status == 200
    assert timed.ask("GET", READS, second).status == 403


def test_without_the_epoch_a_revoked_token_is_refused_within_a_second(timed: Server, clock: Clock):
    """As on a machine whose routing folder somebody made read-only: what is kept is too old then."""
    header = timed.bearer("reader")
    assert timed.ask("GET", READS, header).status == 200
    token_id = timed.ground.database.read(lambda tx: tokens.search(tx, by=access.OWNER))[0].token_id
    timed.ground.database.write(
        lambda tx: tokens.revoke(tx, token_id, by=access.OWNER, now=NOW)
    )  # nothing is published
    clock.now = Instant(NOW + 1_000_000)
    assert timed.ask("GET", READS, header).status == 401


def test_others_tokens_are_out_of_reach(timed: Server):
    timed.person("ada", "reader")
    timed.person("eve", "engineer")
    header = bearer(made(timed, in_session(timed, "ada")))
    token_id = timed.ask("GET", "/api/v1/tokens", header).json()[0]["token_id"]
    eve = in_session(timed, "eve")
    assert timed.ask("GET", "/api/v1/tokens", eve).json() == []
    assert timed.ask("GET", "/api/v1/tokens", eve, query="of=ada").json() == []
    assert timed.ask("POST", f"/api/v1/tokens/{token_id}/revoke", eve).status == 404


@pytest.mark.parametrize(("name", "status"), [("service-1", 200), ("token", 200), ("eve", 401)])
def test_a_token_may_come_as_a_password(timed: Server, name: str, status: int):
    secret = timed.bearer("reader")["authorization"].partition(" ")[2]
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    for _ in range(2):  # found out, then at hand
        assert timed.ask("GET", READS, {"authorization": f"Basic {basic}"}).status == status


@pytest.mark.parametrize("secret", ["tnr_", "tnr_x", "tnr_" + "A" * 43, "tnr_" + "é" * 43])
def test_a_guessed_token_is_nobodys(timed: Server, secret: str):
    header = {"authorization": f"Bearer {secret}".encode().decode("latin-1")}
    assert timed.ask("GET", READS, header).status == 401


def test_last_use_is_kept_to_the_hour(timed: Server, clock: Clock):
    header = timed.bearer("reader")

    def last() -> int | None:
        return timed.ground.database.read(lambda tx: tokens.search(tx, by=access.OWNER))[0].last_used_at

    assert last() is None
    timed.ask("GET", READS, header)
    clock.now = Instant(NOW + HOUR_US - 1)
    timed.ask("GET", READS, header)
    assert last() == NOW
    clock.now = Instant(NOW + 2 * HOUR_US)
    timed.ask("GET", READS, header)
    assert last() == NOW + 2 * HOUR_US


def test_the_gateway_knows_tokens_from_the_routing_table(timed: Server, clock: Clock):
    scorer, reader, trainer = timed.bearer("scorer@late"), timed.bearer("reader"), timed.bearer("data-scientist")
    gateway = Gate([5001], hosts=[HOST], required=True, clock=clock)

    def publish() -> None:
        gateway.published.take_up(
            timed.ground.database.read(lambda tx: routing.table(tx, clock.now, solo=False)).tokens
        )

    publish()
    found = gateway.principal({"host": HOST, **scorer})
    assert found.may(Permission.SCORE, "late")
    assert not found.may(Permission.SCORE, "fraud")
    assert not gateway.principal({"host": HOST, **reader}).may_somewhere(Permission.SCORE)
    assert gateway.principal({"host": HOST, **trainer}).may(Permission.READ)
    assert gateway.principal({"host": HOST}) == access.ANYBODY
    mine = timed.ground.database.read(lambda tx: tokens.search(tx, by=access.OWNER, principal="service-1"))[0]
    timed.ground.database.write(lambda tx: tokens.revoke(tx, mine.token_id, by=access.OWNER, now=NOW))
    publish()
    with pytest.raises(NotSignedIn):
        gateway.principal({"host": HOST, **scorer})
    clock.now = Instant(NOW + 91 * DAY_US)
    publish()
    with pytest.raises(NotSignedIn):
        gateway.principal({"host": HOST, **reader})


def test_every_change_of_tokens_and_grants_has_the_table_taken_up_anew(timed: Server):
    def epoch() -> int:
        return timed.ground.database.read(routing.epoch)

    before = epoch()
    timed.bearer("reader")  # a grant and a token
    assert epoch() == before + 2
