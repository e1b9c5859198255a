import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure import access
from tenure.errors import CannotStart, NotAllowed, NotSignedIn, TooMany
from tenure.manage import people, services, tokens
from tenure.records.base import SECOND_US, Instant
from tenure.records.people import NewPerson, NewService, Permission
from tenure.records.tokens import NewToken
from tenure.store import audit
from tenure.store.ground import Ground

HOST = {"host": "127.0.0.1:5000"}
PASSWORD = "correct horse battery"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = Instant(1_750_000_000_000_000)

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(ground: Ground, clock: Clock) -> access.Gate:
    moving = Ground(ground.settings, ground.database, ground.artifacts, ground.key, clock)
    return access.Gate([5000], moving)


@pytest.fixture
def ada(ground: Ground, clock: Clock) -> str:
    new = NewPerson(name="ada", printed_name="Ada Lovelace", password=PASSWORD, roles=["validator"])
    hashed = people.hashed(PASSWORD)
    ground.database.write(lambda tx: people.create(tx, new, hashed, by="owner", now=clock()))
    return "ada"


def basic(name: str, password: str) -> dict[str, str]:
    return HOST | {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def in_session(gate: access.Gate, name: str, now: Instant) -> tuple[dict[str, str], str]:
    account = gate.passwords.check(name, PASSWORD, purpose="sign-in", now=now).account
    token = gate.sessions.issue(account, now)
    return HOST | {"cookie": f"other=1; {access.COOKIE}={token}"}, gate.sessions.csrf(token)


def test_a_program_on_this_machine_is_the_owner_who_may_not_sign(gate: access.Gate):
    owner = gate.principal(HOST)
    assert owner.kind == "owner"
    assert Permission.SIGN not in owner.permissions
    assert Permission.ADMINISTER in owner.permissions


TOLD = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["127.0.0.1:5000", "localhost:5000", "evil.example", "", "127.0.0.1:5001"]),
        "authorization": st.sampled_from(["", "Bearer x", "Bearer tnr_x", "Bearer tnr_é", "Basic eDp5"]),
        "cookie": st.sampled_from(["", "a=b"]),
        "origin": st.sampled_from(["", "http://127.0.0.1:5000", "http://evil.example"]),
        "sec-fetch-site": st.sampled_from(["", "none"]),
        "user-agent": st.just("x"),
    },
)


@pytest.mark.parametrize("required", [False, True])
@given(headers=TOLD)
def test_a_glance_never_sees_more_than_a_close_look(required: bool, headers: dict[str, str]):
    gate = access.Gate([5000], required=required)
    try:
        seen = gate.at_a_glance({name.encode(): value.encode() for name, value in headers.items()}, gate.now())
    except NotSignedIn:
        with pytest.raises(NotSignedIn):
            gate.principal(headers)
        return
    if seen is not None:
        assert seen is gate.principal(headers)
    elif not required and headers.keys() <= {"host", "user-agent"}:
        with pytest.raises(NotAllowed):
            gate.principal(headers)


def test_a_token_that_was_shown_a_moment_ago_is_known_at_a_glance(gate: access.Gate, ground: Ground, clock: Clock):
    service = NewService(name="ci", purpose="trains", roles=["data-scientist"])
    ground.database.write(lambda tx: services.create(tx, service, by="owner", now=clock()))
    new = NewToken(label="ci", permissions=[Permission.TRACK], principal="ci")
    secret = ground.database.write(lambda tx: tokens.create(tx, new, by=access.OWNER, now=clock())).secret
    glance = {b"host": b"127.0.0.1:5000", b"authorization": f"Bearer {secret}".encode()}
    assert gate.at_a_glance(glance, gate.now()) is None
    principal = gate.principal(HOST | {"authorization": f"Bearer {secret}"})
    assert gate.at_a_glance(glance, gate.now()) is principal
    clock.now = Instant(clock.now + 2 * SECOND_US)
    assert gate.at_a_glance(glance, gate.now()) is None


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1", "127.0.0.1:5001", "127.0.0.1:5000.evil.example"])
def test_another_host_is_refused(gate: access.Gate, host: str):
    with pytest.raises(NotAllowed, match="Host"):
        gate.principal({"host": host})


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://127.0.0.1:5000", "http://127.0.0.1:5001"]
)
def test_a_page_of_another_origin_is_refused(gate: access.Gate, origin: str):
    with pytest.raises(NotAllowed, match="origin"):
        gate.principal(HOST | {"origin": origin})


@pytest.mark.parametrize("header", [{"cookie": "a=b"}, {"origin": "http://127.0.0.1:5000"}, {"sec-fetch-site": "none"}])
def test_a_browser_without_a_session_only_reads(gate: access.Gate, header: dict[str, str]):
    visitor = gate.principal(HOST | header, "POST")
    assert visitor.permissions == {Permission.PUBLIC, Permission.READ, Permission.AUDIT}


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Bearer", "internal-secret", "Digest x", "Bearer é"])
def test_an_unknown_token_is_refused(gate: access.Gate, given: str):
    with pytest.raises(NotSignedIn):
        gate.principal(HOST | {"authorization": given})


def test_a_person_is_known_by_name_and_password(gate: access.Gate, ada: str):
    person = gate.principal(basic(ada, PASSWORD), "POST")
    assert (person.name, person.kind) == ("ada", "person")
    assert Permission.SIGN in person.permissions
    assert Permission.ADMINISTER not in person.permissions


def test_an_admin_administers(gate: access.Gate, ada: str, ground: Ground, clock: Clock):
    ground.database.write(lambda tx: people.set_roles(tx, ada, ["admin"], by="owner", now=clock()))
    assert Permission.ADMINISTER in gate.principal(basic(ada, PASSWORD)).permissions


@pytest.mark.parametrize("given", ["Basic", "Basic !!!", "Basic YWRh", "Basic /w==", "basic YWRhOndyb25n"])
def test_credentials_that_are_wrong_or_unreadable_are_refused(gate: access.Gate, ada: str, given: str):
    with pytest.raises(NotSignedIn):
        gate.principal(HOST | {"authorization": given})


def test_a_remembered_password_ends_with_the_epoch(gate: access.Gate, ada: str, ground: Ground, clock: Clock):
    assert gate.principal(basic(ada, PASSWORD)).name == ada
    hashed = people.hashed("another long password")
    ground.database.write(lambda tx: people.set_password(tx, ada, hashed, by="owner", now=clock()))
    with pytest.raises(NotSignedIn):
        gate.principal(basic(ada, PASSWORD))


def test_a_session_names_the_person(gate: access.Gate, ada: str, clock: Clock):
    headers, _ = in_session(gate, ada, clock())
    assert gate.principal(headers).name == ada


def test_a_session_survives_a_restart(gate: access.Gate, ada: str, ground: Ground, clock: Clock):
    headers, _ = in_session(gate, ada, clock())
    moving = Ground(ground.settings, ground.database, ground.artifacts, ground.key, clock)
    assert access.Gate([5000], moving).principal(headers).name == ada


def test_a_session_expires(gate: access.Gate, ada: str, clock: Clock):
    headers, _ = in_session(gate, ada, clock())
    clock.now = Instant(clock.now + access.SESSION_US)
    assert gate.principal(headers).kind == "nobody"


@pytest.mark.parametrize("ending", ["password", "roles", "sign-out"])
def test_a_session_ends_when_the_epoch_changes(gate: access.Gate, ada: str, ground: Ground, clock: Clock, ending: str):
    headers, _ = in_session(gate, ada, clock())
    acts: dict[str, Callable[..., object]] = {
        "password": lambda tx: people.set_password(tx, ada, people.hashed("x" * 12), by="owner", now=clock()),
        "roles": lambda tx: people.set_roles(tx, ada, [], by="owner", now=clock()),
        "sign-out": lambda tx: people.end_sessions(tx, ada, by=ada, now=clock()),
    }
    ground.database.write(acts[ending])
    assert gate.principal(headers).kind == "nobody"


@pytest.mark.parametrize("token", ["", "x", "a.b.c.d.e", "....", "YWRh.1.9999999999999999.AA.AA", "é.1.2.3.4"])
def test_a_token_that_is_not_ours_is_nobody(gate: access.Gate, ada: str, token: str):
    assert gate.principal(HOST | {"cookie": f"{access.COOKIE}={token}"}).kind == "nobody"


def test_no_character_of_a_token_can_be_changed(gate: access.Gate, ada: str, clock: Clock):
    headers, _ = in_session(gate, ada, clock())
    token = access.session_token(headers) or ""
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert gate.sessions.read(changed, clock()) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_every_unsafe_method_of_a_session_needs_its_csrf_token(gate: access.Gate, ada: str, clock: Clock, method: str):
    headers, csrf = in_session(gate, ada, clock())
    _, of_another = in_session(gate, ada, clock())
    for wrong in ({}, {access.CSRF_HEADER: ""}, {access.CSRF_HEADER: of_another}, {access.CSRF_HEADER: "é"}):
        with pytest.raises(NotAllowed, match="X-CSRF-Token"):
            gate.principal(headers | wrong, method)
    assert gate.principal(headers | {access.CSRF_HEADER: csrf}, method).name == ada
    assert gate.principal(headers, method, form_csrf=csrf).name == ada


def test_a_form_tells_its_csrf_token():
    assert access.csrf_of_form(b"reason=ok&csrf=a%2Bb") == "a+b"
    assert access.csrf_of_form(b"reason=ok") is None
    assert access.csrf_of_form(b"\xff=%") is None
    assert access.csrf_of_form(b"a=1&" * 2000) is None


def test_a_person_is_locked_out_after_five_failures(gate: access.Gate, ada: str, ground: Ground, clock: Clock):
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            gate.principal(basic(ada, "wrong"))
    with pytest.raises(TooMany, match="locked after 5"):
        gate.principal(basic(ada, PASSWORD))
    refused = ground.database.read(lambda tx: audit.search(tx, action="person.password_refused"))
    assert [event.detail["failures"] for event in refused] == [5, 4, 3, 2, 1]
    assert "wrong" not in str(refused)
    clock.now = Instant(clock.now + 15 * 60 * 1_000_000)
    assert gate.principal(basic(ada, PASSWORD)).name == ada


def test_a_right_password_forgives_earlier_failures(gate: access.Gate, ada: str):
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(NotSignedIn):
                gate.principal(basic(ada, "wrong"))
        gate.passwords.check(ada, PASSWORD, purpose="signing", now=Instant(1_750_000_000_000_000))


def test_an_unknown_name_gets_the_same_answer_as_a_wrong_password(gate: access.Gate, ada: str):
    said = []
    for name in (ada, "nobody"):
        with pytest.raises(NotSignedIn) as caught:
            gate.principal(basic(name, "wrong"))
        said.append(caught.value.message)
    assert said[0] == said[1]


def test_a_password_that_is_too_long_is_wrong(gate: access.Gate, ada: str, clock: Clock):
    with pytest.raises(NotSignedIn):
        gate.passwords.check(ada, "x" * 2000, purpose="sign-in", now=clock())


def test_too_many_passwords_in_line_are_refused(gate: access.Gate, ada: str, clock: Clock):
    for _ in range(16):
        gate.passwords._in_line.acquire()
    with pytest.raises(TooMany, match="being checked"):
        gate.passwords.check(ada, PASSWORD, purpose="sign-in", now=clock())


def test_the_gateway_has_no_people(ada: str):
    gateway = access.Gate([5000])
    with pytest.raises(NotSignedIn, match="not taken here"):
        gateway.principal(basic(ada, PASSWORD))
    assert gateway.principal(HOST | {"cookie": f"{access.COOKIE}=x"}).kind == "nobody"
    assert gateway.principal(HOST).kind == "owner"


def test_only_sessions_passwords_and_fresh_tokens_take_long(gate: access.Gate):
    assert gate.at_once(HOST) == access.OWNER
    assert gate.at_once(HOST | {"cookie": "of-another-program=x"}) == access.READER
    for headers in (
        {"authorization": "basic x"},
        {"authorization": "Bearer tnr_x"},
        {"cookie": f"{access.COOKIE}=x"},
    ):
        assert gate.at_once(HOST | headers) is None
    with pytest.raises(NotAllowed, match="Host"):
        gate.at_once({"host": "evil.example"})
    with pytest.raises(NotSignedIn):
        gate.at_once(HOST | {"authorization": "Bearer x"})


def test_a_permission_is_needed():
    access.require(access.OWNER, Permission.MANAGE)
    with pytest.raises(NotAllowed, match="'sign'"):
        access.require(access.OWNER, Permission.SIGN)


def test_a_route_without_permission_stops_the_start():
    access.check_declared({"GET /": Permission.READ})
    with pytest.raises(CannotStart, match="POST /open"):
        access.check_declared({"GET /": Permission.READ, "POST /open": None})
