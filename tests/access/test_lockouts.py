"""Wrong passwords keep a person out, whichever process counts them; addresses that guess names have to wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tenure.errors import Conflict, NotSignedIn, TooMany
from tenure.manage import addresses, inbox, people
from tenure.manage.passwords import FAILURES, LOCKED_FOR_US, Passwords
from tenure.records.base import Instant
from tenure.records.people import NewPerson, Permission, Principal
from tenure.store import audit, password_failures
from tenure.store.ground import Ground

from .conftest import NOW, PASSWORD, Server

ANOTHER_PROCESS = """
import sys
from tenure.errors import TenureError
from tenure.manage.passwords import Passwords
from tenure.store.database import Database
try:
    Passwords(Database(sys.argv[1])).check("ada", sys.argv[2], purpose="sign-in", now=int(sys.argv[3]))
except TenureError as problem:
    print(problem.code)
"""


def make_ada(ground: Ground) -> None:
    new = NewPerson(name="ada", printed_name="Ada", password=PASSWORD)
    hashed = people.hashed(PASSWORD)
    ground.database.write(lambda tx: people.create(tx, new, hashed, by="owner", now=NOW))


@pytest.fixture
def ada(ground: Ground) -> str:
    make_ada(ground)
    return "ada"


def fail(passwords: Passwords, name: str, now: int = NOW, **more: str) -> None:
    with pytest.raises(NotSignedIn):
        passwords.check(name, "wrong", purpose="sign-in", now=Instant(now), **more)


def actions(ground: Ground) -> list[str]:
    return [event.action for event in ground.database.read(audit.search)]


def test_two_processes_count_together_and_a_restart_forgets_nothing(ground: Ground, ada: str):
    here = Passwords(ground.database)
    for _ in range(FAILURES - 1):
        fail(here, ada)
    command = [sys.executable, "-c", ANOTHER_PROCESS, ground.settings.database]

    def elsewhere(password: str, now: int) -> str:
        asked = [*command, password, str(now)]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    assert elsewhere("wrong", NOW) == "not_signed_in"
    assert actions(ground)[0] == "person.locked"
    assert elsewhere(PASSWORD, NOW + 1) == "too_many"
    for passwords in (here, Passwords(ground.database)):
        with pytest.raises(TooMany, match="locked"):
            passwords.check(ada, PASSWORD, purpose="sign-in", now=NOW)
    later = Instant(NOW + LOCKED_FOR_US)
    assert here.check(ada, PASSWORD, purpose="sign-in", now=later).account.person.name == ada


def test_a_right_password_forgets_the_wrong_ones(ground: Ground, ada: str):
    passwords = Passwords(ground.database)
    for _ in range(2):
        for _ in range(FAILURES - 1):
            fail(passwords, ada)
        passwords.check(ada, PASSWORD, purpose="sign-in", now=NOW)
    assert "person.locked" not in actions(ground)


def test_administrators_see_who_is_locked_and_a_new_password_opens(server: Server):
    server.person("ada")
    server.person("root", "admin", "reader")
    for _ in range(FAILURES):
        fail(server.gate.passwords, "ada")
    root = server.session("root")
    listed = {one["name"]: one["locked_until_at"] for one in server.ask("GET", "/api/v1/people", root).json()}
    assert listed == {"ada": NOW + LOCKED_FOR_US, "root": None}
    assert "Too many wrong passwords were given for Ada" in server.ask("GET", "/", root).text
    assert "locked after too many wrong passwords" in server.ask("GET", "/people", root).text
    assert "wrong passwords" not in server.ask("GET", "/", server.bearer("reader")).text
    hashed = people.hashed(PASSWORD)
    server.ground.database.write(lambda tx: people.set_password(tx, "ada", hashed, by="root", now=NOW))
    assert server.session("ada")


def test_an_address_that_guesses_names_has_to_wait(ground: Ground, ada: str):
    passwords = Passwords(ground.database)
    for number in range(addresses.AT_MOST):
        fail(passwords, f"nobody-{number}", address="192.0.2.1")
    for name, password in (("nobody", "x"), (ada, PASSWORD)):
        with pytest.raises(TooMany, match="this address"):
            passwords.check(name, password, purpose="sign-in", now=NOW, address="192.0.2.1")
    assert passwords.check(ada, PASSWORD, purpose="sign-in", now=NOW, address="192.0.2.2")
    later = Instant(NOW + addresses.WITHIN_US)
    assert passwords.check(ada, PASSWORD, purpose="sign-in", now=later, address="192.0.2.1")


def kept_out(ground: Ground, now: int = NOW, *permissions: Permission) -> list[tuple[str, str]]:
    who = Principal(name="root", kind="person", permissions=frozenset(permissions or (Permission.ADMINISTER,)))
    found = ground.database.read(lambda tx: inbox.of(tx, who, Instant(now)))
    return [(one.kind, one.name) for one in found.lock_outs]


def test_administrators_are_told_once_for_each_lock_out(each_ground: Ground):
    make_ada(each_ground)
    passwords = Passwords(each_ground.database)
    for _ in range(FAILURES - 1):
        fail(passwords, "ada")
    assert kept_out(each_ground) == []
    fail(passwords, "ada", NOW + 1)
    for number in range(addresses.AT_MOST):
        fail(passwords, f"nobody-{number}", NOW, address="2001:db8::7")
    for _ in range(3):
        with pytest.raises(TooMany):
            passwords.check("ada", "wrong", purpose="sign-in", now=Instant(NOW + 2))
        with pytest.raises(TooMany):
            passwords.check("nobody", "x", purpose="sign-in", now=NOW, address="2001:db8::8")
    assert kept_out(each_ground) == [("person", "ada"), ("address", "2001:db8::/64")]
    assert kept_out(each_ground, NOW, Permission.READ) == [], "nobody else is told"
    assert sorted(one for one in actions(each_ground) if one.endswith(".locked")) == ["address.locked", "person.locked"]
    assert kept_out(each_ground, NOW + LOCKED_FOR_US + 1) == [], "both have ended"


def test_an_administrator_takes_a_lock_off(each_ground: Ground):
    make_ada(each_ground)
    passwords = Passwords(each_ground.database)
    for _ in range(FAILURES):
        fail(passwords, "ada")
    each_ground.database.write(lambda tx: people.unlock(tx, "ada", by="root", now=NOW))
    assert kept_out(each_ground) == []
    assert actions(each_ground)[0] == "person.unlocked"
    assert passwords.check("ada", PASSWORD, purpose="sign-in", now=NOW)
    with pytest.raises(Conflict, match="may sign in"):
        each_ground.database.write(lambda tx: people.unlock(tx, "ada", by="root", now=NOW))


def test_lock_outs_of_addresses_that_are_over_are_forgotten(ground: Ground):
    passwords = Passwords(ground.database)
    for hour in range(3):
        for number in range(addresses.AT_MOST):
            fail(passwords, f"nobody-{number}", NOW + hour * 3_600_000_000, address=f"192.0.2.{hour}")
    kept = ground.database.read(lambda tx: password_failures.of_all(tx, since=Instant(0)))
    assert list(kept) == ["from 192.0.2.2"]


def test_the_inbox_and_the_persons_page_show_who_is_kept_out(server: Server):
    server.person("ada")
    server.person("root", "admin", "reader")
    for _ in range(FAILURES):
        fail(server.gate.passwords, "ada")
    root = server.session("root")
    assert "Kept out after failures of sign-in" in server.ask("GET", "/inbox", root).text
    assert "Let them try again" in server.ask("GET", "/people/ada", root).text
    csrf = {"x-csrf-token": server.gate.sessions.csrf(root["cookie"].partition("=")[2])}
    assert server.ask("POST", "/api/v1/people/ada/unlock", {**root, **csrf}).json()["name"] == "ada"
    assert "Kept out" not in server.ask("GET", "/inbox", root).text
    assert "Let them try again" not in server.ask("GET", "/people/ada", root).text
    assert server.session("ada")


def test_the_memory_of_addresses_does_not_grow():
    seen = addresses.Addresses()
    before = len(seen._counts), len(seen._began)
    for number in range(20_000):
        seen.note_failure(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW)
    assert (len(seen._counts), len(seen._began)) == before
    assert addresses.network_of("2001:db8::1") == addresses.network_of("2001:db8::ffff")


@pytest.mark.parametrize("change", ["password", "grant", "revoke", "end"])
def test_a_session_ends_with_a_change_of_what_its_person_is(server: Server, change: str):
    server.person("ada", "reader")
    server.person("root", "admin")
    cookie, root = server.session("ada"), server.session("root")
    root |= {"x-csrf-token": server.gate.sessions.csrf(root["cookie"].partition("=")[2])}
    assert server.ask("GET", "/api/v1/models", cookie).status == 200
    grant = server.ask("GET", "/api/v1/grants", root | {}, query="of=ada")
    acts = {
        "password": ("PUT", "/api/v1/people/ada/password", {"password": "x" * 12}),
        "grant": ("POST", "/api/v1/grants", {"principal": "ada", "role": "engineer", "model": "late"}),
        "revoke": ("POST", f"/api/v1/grants/{grant.json()[0]['grant_id']}/revoke", None),
        "end": ("POST", "/api/v1/people/ada/sign-out", None),
    }
    method, path, body = acts[change]
    assert server.ask(method, path, root, json=body).status in (200, 201)
    assert server.ask("GET", "/api/v1/models", cookie).status == 401
