"""A version that is to go: what depends on it is shown, decided about one by one, and asked for."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import httpx
import pytest

from tenure.manage import people
from tenure.records.base import DAY_US, Instant
from tenure.records.changes import Change
from tenure.records.people import NewPerson
from tenure.store import changes
from tenure.store.ground import Ground

from . import town
from .conftest import Client
from .test_changes import signed_in
from .test_pages import own as as_filled

__all__ = ["as_filled"]
BASE = f"/models/{town.MODEL}/versions"


@pytest.fixture
def own(as_filled: Ground) -> Ground:
    """The town a month later, so that its people have held their roles for a while."""
    return replace(as_filled, clock=lambda: Instant(town.NOW + 30 * DAY_US))


@pytest.fixture
def engineer(own: Ground) -> tuple[Client, str]:
    new = NewPerson(name="max", printed_name="Max M.", password=town.PASSWORD, roles=["engineer"])
    now = Instant(town.NOW + 1)
    own.database.write(lambda tx: people.create(tx, new, people.hashed(town.PASSWORD), by="owner", now=now))
    return signed_in(own, "max")


def opened(ground: Ground, answer: httpx.Response) -> Change:
    """The change that a form has asked for."""
    assert answer.status_code == 303, answer.text
    stored = ground.database.read(lambda tx: changes.get(tx, answer.headers["location"].removeprefix("/changes/")))
    assert stored is not None
    return stored.change


def count(ground: Ground) -> int:
    return len(ground.database.read(lambda tx: changes.search(tx, model=town.MODEL)))


def dependents(page: str) -> list[str]:
    return re.findall(r'name="dependent_\d+" value="([^"]+)"', page)


def test_retiring_what_answers_takes_a_decision_for_each_dependent(own: Ground, engineer: tuple[Client, str]) -> None:
    client, csrf = engineer
    assert f'href="{BASE}/2/move?kind=retire"' in client.get(f"{BASE}/2").text
    page = client.get(f"{BASE}/2/move?kind=retire").text
    assert page.index("What depends on it") < page.index("The request")
    assert "in service as champion → serves endpoint flight-delay" in page
    named = dependents(page)
    assert "endpoint:flight-delay" in named
    form = {"csrf": csrf, "kind": "retire", "reason": "the winter has changed"}
    form |= {f"dependent_{at}": name for at, name in enumerate(named)}
    undecided = client.post(f"{BASE}/2/move/ask", form)
    assert undecided.status_code == 409
    assert "decide about everything that depends on it" in undecided.text
    assert "the winter has changed" in undecided.text
    unsaid = client.post(f"{BASE}/2/move/ask", {**form, "decide_0": "replace"})
    assert unsaid.status_code == 400
    assert 'id="wrong-note_0"' in unsaid.text
    decided = {f"decide_{at}": "accept" for at in range(len(named))}
    decided |= {"decide_0": "replace", "note_0": "version 3"}
    change = opened(own, client.post(f"{BASE}/2/move/ask", {**form, **decided}))
    assert (change.kind, change.state, change.opened_by) == ("retire", "open", "max")
    assert [(one.dependent, one.decide) for one in change.decisions] == [
        (name, "accept" if at else "replace") for at, name in enumerate(named)
    ]
    waits = html.unescape(client.get(f"{BASE}/2/move?kind=retire").text)
    assert "To retire this version was asked already, by max" in waits
    assert "kind=retire" not in client.get(f"{BASE}/2").text


def test_in_an_emergency_all_is_accepted_at_once_to_suspend_and_only_to_suspend(
    own: Ground, engineer: tuple[Client, str]
) -> None:
    client, csrf = engineer
    assert 'name="accept"' in client.get(f"{BASE}/2/move?kind=suspend").text
    assert 'name="accept"' not in client.get(f"{BASE}/2/move?kind=retire").text
    form = {"csrf": csrf, "reason": "it scores nonsense", "accept": "all"}
    assert client.post(f"{BASE}/2/move/ask", {**form, "kind": "retire"}).status_code == 409
    change = opened(own, client.post(f"{BASE}/2/move/ask", {**form, "kind": "suspend"}))
    assert (change.kind, change.accepted) == ("suspend", "all")


def test_a_suspended_version_is_offered_to_be_reinstated(own: Ground, engineer: tuple[Client, str]) -> None:
    client, csrf = engineer
    form = {"csrf": csrf, "kind": "suspend", "reason": "to look at it"}
    change = opened(own, client.post(f"{BASE}/1/move/ask", form))
    signer, token = signed_in(own, "vera")
    signature = {"csrf": token, "person": "vera", "password": town.PASSWORD, "role": "validator"}
    signature |= {"meaning": "suspension", "reason": "so it is"}
    assert signer.post(f"/changes/{change.change_id}/sign", signature).status_code == 303
    page = client.get(f"{BASE}/1").text
    assert "Reinstate</a>" in page
    assert "kind=suspend" not in page
    assert "Reinstate flight-delay 1" in client.get(f"{BASE}/1/move?kind=approve").text
    assert "Not as it stands" in client.get(f"{BASE}/1/move?kind=suspend").text


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"kind": "retire", "reason": ""}, 400, 'id="wrong-reason"'),
        (
            {"kind": "retire", "reason": "why", "dependent_0": "endpoint:none", "decide_0": "accept"},
            400,
            "does not depend",
        ),
        ({"kind": "approve", "reason": "once more"}, 409, "it must be"),
        ({"kind": "retire", "reason": "why", "dependent_0": "x", "decide_0": "burn"}, 400, "does not fit"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked(
    own: Ground, engineer: tuple[Client, str], form: dict[str, str], status: int, told: str
) -> None:
    client, csrf = engineer
    before = count(own)
    refused = client.post(f"{BASE}/1/move/ask", {"csrf": csrf, **form})
    assert refused.status_code == status
    assert told in refused.text
    assert count(own) == before


def test_who_may_not_ask_is_refused_and_sees_no_form(own: Ground, engineer: tuple[Client, str]) -> None:
    form = {"kind": "suspend", "reason": "why not", "accept": "all"}
    visitor = Client(own)
    assert "/move?" not in visitor.get(f"{BASE}/2").text
    page = visitor.get(f"{BASE}/2/move?kind=suspend").text
    assert "What depends on it" in page
    assert "/move/ask" not in page
    assert visitor.post(f"{BASE}/2/move/ask", form).status_code == 403
    assert engineer[0].post(f"{BASE}/2/move/ask", form).status_code == 403  # without the token of the session
    assert visitor.get(f"{BASE}/99/move").status_code == 404
    assert visitor.get(f"{BASE}/2/move?kind=explode").status_code == 400


def test_each_signer_of_a_version_is_shown_once_with_the_evidence(pages: Client) -> None:
    text = pages.get(f"{BASE}/1").text
    for name in ("Vera Valdés", "Bo Owens"):
        assert text.count(name) == 1
    assert text.count("The evidence that was signed") == 1
    path = re.search(r'href="(/changes/[^"#]+)#evidence"', text)
    assert path is not None
    assert 'id="evidence"' in pages.get(path[1]).text
