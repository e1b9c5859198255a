"""Signing in with a real provider on this machine: who they are, what they get, and every way that it must not go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from msgspec.structs import replace as changed

from tenure.access.provider import Provider
from tenure.errors import NotSignedIn
from tenure.store import people as accounts
from tenure.store.ground import Ground, system_clock

from ..conftest import free_port, missing, wait_until
from .conftest import PASSWORD, URL, Answer, Server

GRACE = {"sub": "7", "preferred_username": "Grace", "name": "Grace Hopper", "groups": ["engineer", "Domain Users"]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    try:
        import authlib  # noqa: F401
        import joserfc  # noqa: F401
    except ModuleNotFoundError:
        missing("authlib")
    port = free_port()
    command = [sys.executable, str(Path(__file__).parent / "provider.py"), str(port)]
    environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/jwks").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, 30, "the provider answers")
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def sso(ground: Ground, issuer: str) -> Iterator[Server]:
    settings = changed(ground.settings, oidc_roles_claim="groups")
    made = Server(replace(ground, settings=settings, clock=system_clock))
    made.gate.provider = Provider(issuer, "tenure", "provider-secret", f"{URL}/sso/callback")
    yield made
    made.loop.close()


def cookie_of(answer: Answer, name: str) -> str:
    pairs = [value.partition(";")[0] for key, value in answer.headers if key == "set-cookie"]
    return next(pair for pair in pairs if pair.startswith(f"{name}="))


def there(server: Server, who: dict[str, Any], **more: str) -> tuple[str, str]:
    """To the provider and up to its answer: the query that the browser brings back, and the cookie that it keeps."""
    begun = server.ask("GET", "/sso", query="next=/models")
    assert begun.status == 303, begun.text
    asked = urlsplit(begun.header("location"))
    query = urlencode({**dict(parse_qsl(asked.query)), "who": json.dumps(who), **more})
    told = httpx.get(f"{asked.scheme}://{asked.netloc}{asked.path}?{query}")
    assert told.status_code == 302, told.text
    return urlsplit(told.headers["location"]).query, cookie_of(begun, "tenure_sso")


def back(server: Server, query: str, cookie: str) -> Answer:
    return server.ask("GET", "/sso/callback", {"cookie": cookie, "sec-fetch-site": "cross-site"}, query=query)


def sign_in(server: Server, who: dict[str, Any], **more: str) -> Answer:
    return back(server, *there(server, who, **more))


def test_a_person_comes_for_the_first_time_and_again(sso: Server):
    page = sign_in(sso, GRACE)
    assert page.status == 200, page.text
    assert 'content="0; url=/models"' in page.text
    session = {"cookie": cookie_of(page, "tenure_session")}
    account = sso.ask("GET", "/api/v1/account", session).json()
    assert (account["name"], account["kind"]) == ("grace", "person")
    assert {"manage", "track"} <= set(account["permissions"])
    renamed = {**GRACE, "preferred_username": "admiral", "groups": "reader"}
    again = {"cookie": cookie_of(sign_in(sso, renamed), "tenure_session")}
    account = sso.ask("GET", "/api/v1/account", again).json()
    assert (account["name"], sorted(account["permissions"])) == ("grace", ["public", "read"])
    assert sso.ask("GET", "/api/v1/account", session).status == 401  # the roles changed, so it has ended


def test_they_have_no_password_and_so_cannot_sign(sso: Server):
    session = {"cookie": cookie_of(sign_in(sso, GRACE), "tenure_session")}
    assert "You have no password here" in sso.ask("GET", "/account", session).text
    kept = sso.ground.database.read(lambda tx: accounts.get(tx, "grace"))
    assert kept is not None
    assert kept.password_hash == ""
    for password in ("", "nobody has this password", "None"):
        with pytest.raises(NotSignedIn):
            sso.gate.passwords.check("grace", password, purpose="signing x", now=sso.ground.clock())


def test_a_name_that_is_here_already_is_not_taken_over(sso: Server):
    sso.person("grace", "admin")
    assert sign_in(sso, GRACE).status == 409
    assert sso.gate.sign_in("grace", PASSWORD, "")


@pytest.mark.parametrize(
    "who", [{"sub": "1"}, {"sub": "1", "email": "eve@x.example"}, {"sub": "1", "preferred_username": "e ve"}]
)
def test_a_name_that_cannot_be_one_is_refused(sso: Server, who: dict[str, Any]):
    assert sign_in(sso, who).status == 403


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("key", "signature"),
        ("algorithm", "algorithm"),
        *((name, name) for name in ("iss", "aud", "nonce")),
        ("exp", "expired"),
    ],
)
def test_an_id_token_that_is_not_good_signs_nobody_in(sso: Server, wrong: str, why: str):
    answer = sign_in(sso, GRACE, wrong=wrong)
    assert answer.status == 401
    assert "ID token is not good" in answer.text
    assert why in answer.text.lower()
    assert "tenure_session" not in str(answer.headers)
    assert sso.ground.database.read(lambda tx: accounts.get(tx, "grace")) is None


def test_another_browser_and_another_state_are_refused(sso: Server):
    query, cookie = there(sso, GRACE)
    assert back(sso, query, "other=1").status == 401
    assert back(sso, query, cookie[:-1] + "x").status == 401
    other = urlencode({**dict(parse_qsl(query)), "state": "x"})
    assert back(sso, other, cookie).status == 401
    assert back(sso, "error=access_denied", cookie).status == 401


def test_a_code_works_once_and_only_with_its_verifier(sso: Server):
    query, cookie = there(sso, GRACE)
    mixed, _ = there(sso, GRACE)
    state = dict(parse_qsl(query))["state"]
    assert back(sso, urlencode({**dict(parse_qsl(mixed)), "state": state}), cookie).status == 401  # of another PKCE
    assert back(sso, query, cookie).status == 200
    assert back(sso, query, cookie).status == 401


def test_the_way_goes_on_inside_this_server_only(sso: Server):
    begun = sso.ask("GET", "/sso", query="next=https://evil.example/")
    assert begun.status == 303
    query, cookie = there(sso, GRACE)
    assert "evil" not in back(sso, query, cookie).text
    page = sso.ask("GET", "/models")
    assert "Sign in with 127.0.0.1" in page.text
