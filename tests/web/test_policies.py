"""Policies and exceptions by their pages: written, tried, published, withdrawn; asked for, decided, revoked."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.build import registered_models
from tenure.manage import people
from tenure.records.base import DAY_US, Instant
from tenure.records.people import NewPerson
from tenure.store import audit
from tenure.store.ground import Ground

from ..conftest import NOON, make_ground
from ..manage import rules
from .conftest import Client

BEFORE = Instant(NOON - DAY_US)
PASSWORD = "correct horse battery"
SEND = "/policy-editor/send"
TEXT = """\
policy: lending
purpose: Lend fairly
rules:
- name: good
  gates: [approve]
  require: baseline.roc_auc >= 0.75
  explain: Train better than that.
"""
ASKED = {
    "model": "loans",
    "subject": "lending/good",
    "owner": "vera",
    "reason": "until there is more data",
    "expires": "2100-01-01",
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Ground]:
    made = make_ground(tmp_path)
    for name, roles in (("ada", ["admin"]), ("max", ["engineer"]), ("vera", ["reader"])):
        new = NewPerson(name=name, printed_name=name.title(), password=PASSWORD, roles=roles)
        made.database.write(lambda tx, new=new: people.create(tx, new, people.hashed(PASSWORD), by="o", now=BEFORE))
    made.database.write(lambda tx: registered_models.create(tx, "loans", description=None, tags=[], by="v", now=NOON))
    yield made
    made.database.close()


class Person:
    """Somebody in front of a browser, signed in."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.client = Client(ground)
        assert self.client.post("/sessions", data={"name": name, "password": PASSWORD}).status_code == 303
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get("/account").text)
        assert found is not None
        self.csrf = found[1]

    def get(self, path: str) -> str:
        return html.unescape(self.client.get(path).text)

    def send(self, path: str, **form: str) -> tuple[int, str]:
        answer = self.client.post(path, data={"csrf": self.csrf, **form})
        return answer.status_code, answer.headers.get("location", "") or html.unescape(answer.text)


@pytest.fixture
def ada(own: Ground) -> Person:
    return Person(own, "ada")


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(seen|tried)" value="([^"]*)">', page))


def publish(ada: Person, text: str = TEXT, **more: str) -> tuple[int, str]:
    _, tried = ada.send(SEND, text=text, act="try")
    return ada.send(SEND, **{"text": text, "act": "publish", "reason": "the board agreed", **hidden(tried), **more})


def test_a_policy_is_tried_drafted_published_superseded_and_withdrawn(own: Ground, ada: Person) -> None:
    assert "Write a policy" in ada.get("/policies")
    status, tried = ada.send(SEND, text=TEXT, act="try", since="2020-01-01")
    assert status == 200
    assert "A new policy" in tried
    assert "baseline.roc_auc</span>" in tried
    assert "What it would have refused" in tried
    assert ada.send(SEND, text=TEXT, act="draft") == (303, "/policy-editor?name=lending&saved=yes")
    assert "The draft is kept" in ada.get("/policy-editor?name=lending&saved=yes")
    assert "a draft by ada" in ada.get("/policies")
    assert publish(ada) == (303, "/policies/lending/1")
    assert "in force" in ada.get("/policies/lending/1")
    better = TEXT.replace("0.75", "0.8")
    _, tried = ada.send(SEND, text=better, act="try")
    assert "rules[0].require: 'baseline.roc_auc >= 0.75' → 'baseline.roc_auc >= 0.8'" in tried
    assert publish(ada, better) == (303, "/policies/lending/2")
    status, refused = ada.send("/policies/lending/2/withdraw", from_date="2020-01-01", reason="repealed")
    assert (status, 'id="wrong-from_date"' in refused) == (400, True)
    assert ada.send("/policies/lending/2/withdraw", from_date="2100-01-01", reason="repealed")[0] == 303
    page = ada.get("/policies/lending/2")
    assert "by ada: repealed" in page
    assert 'id="withdraw"' not in page
    [told] = own.database.read(lambda tx: audit.search(tx, action="policy.published", subject="lending@1"))
    assert (told.actor, told.detail["reason"]) == ("ada", "the board agreed")


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        (TEXT.replace("roc_auc", "roc_aucc"), "Did you mean 'roc_auc'? At rules[0].require (line 6).", "roc_aucc"),
        (TEXT.replace("gates:", "gate:"), "Did you mean 'gates'? At rules[0].gate (line 5).", "gate: [approve]"),
        (TEXT + "x: [", "At line 8", "x: ["),
    ],
)
def test_what_is_wrong_is_said_at_the_text_with_its_line(ada: Person, text: str, told: str, line: str) -> None:
    for act in ("try", "draft", "publish"):
        status, page = ada.send(SEND, text=text, act=act)
        assert status == 400
        assert told in page
        shown = re.search(r'<code class="wrong-line">(.*?)</code>', page, re.DOTALL)
        assert shown is not None
        assert line in shown[1]
        assert text in page


def test_only_what_was_tried_is_published_with_a_reason(ada: Person) -> None:
    status, page = publish(ada, reason=" ")
    assert (status, 'id="wrong-reason"' in page) == (400, True)
    status, page = publish(ada, tried="sha256:of another text")
    assert (status, "has changed since it was tried" in page) == (409, True)
    _, tried = ada.send(SEND, text=TEXT, act="try")
    assert publish(ada, TEXT.replace("0.75", "0.7"))[0] == 303
    status, page = ada.send(SEND, text=TEXT, act="publish", reason="the board agreed", **hidden(tried))
    assert status == 409
    assert "The newest version of 'lending' is 1, published by ada" in page
    assert hidden(page)["seen"] == "1"


def test_who_does_not_administer_reads_and_writes_nothing(own: Ground, ada: Person) -> None:
    assert publish(ada)[0] == 303
    for person in (Person(own, "max"), Person(own, "vera")):
        assert "readonly" in person.get("/policy-editor?name=lending")
        assert 'href="#withdraw"' not in person.get("/policies/lending/1")
        for path in (SEND, "/policies/lending/1/withdraw"):
            assert person.send(path, text=TEXT, act="draft", from_date="2100-01-01", reason="why not")[0] == 403


def test_forms_without_the_token_of_the_session_are_refused(ada: Person) -> None:
    for path in (SEND, "/policies/lending/1/withdraw", "/policy-exceptions/ask", "/policy-exceptions/x/revoke"):
        for csrf in ("", "x" * 64):
            assert ada.send(path, csrf=csrf, text=TEXT, act="draft")[0] == 403


def test_an_exception_is_asked_for_decided_by_somebody_else_and_revoked(own: Ground, ada: Person) -> None:
    rules.publish(own, now=NOON)
    person = Person(own, "max")
    assert "No exception was ever asked for" in person.get("/policy-exceptions")
    status, path = person.send("/policy-exceptions/ask", **ASKED)
    assert status == 303
    assert "Somebody else must decide" in person.get(path)
    word = {"person": "ada", "decision": "approve", "reason": "for the trial"}
    status, page = ada.send(f"{path}/decide", **word, password="not hers at all")
    assert status in (401, 403)
    assert "for the trial" in page
    assert "not hers at all" not in page
    assert ada.send(f"{path}/decide", **word, password=PASSWORD) == (303, path)
    assert "ada approved it" in ada.get(path)
    assert person.send(f"{path}/revoke", reason="")[0] == 400
    assert person.send(f"{path}/revoke", reason="the trial is over")[0] == 303
    page = person.get(path)
    assert "max revoked it" in page
    assert f'action="{path}/revoke"' not in page
    assert "the trial is over" in person.get("/policy-exceptions")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("subject", "lending/goood", "Did you mean 'lending/good'?"),
        ("expires", "2001-01-01", "must expire today or later"),
        ("expires", "soon", "does not fit"),
        ("reason", "", "must be filled"),
        ("owner", " ", "must be filled"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_at_its_field(own: Ground, field: str, value: str, told: str) -> None:
    rules.publish(own, now=NOON)
    status, page = Person(own, "max").send("/policy-exceptions/ask", **{**ASKED, field: value})
    assert status == 400
    shown = re.search(rf'<span class="wrong" id="wrong-{field}" role="alert">(.*?)</span>', page, re.DOTALL)
    assert shown is not None
    assert told in shown[1]
    assert 'value="loans"' in page


def test_who_may_not_ask_is_refused_and_sees_no_form(own: Ground) -> None:
    rules.publish(own, now=NOON)
    person = Person(own, "vera")
    assert "/policy-exceptions/ask" not in person.get("/policy-exceptions")
    assert person.send("/policy-exceptions/ask", **ASKED)[0] == 403
    assert "Sign in</a> to ask here" in Client(own).get("/policy-exceptions").text
    assert Client(own).get("/policy-exceptions/none").status_code == 404
