"""The page of a model's file: shown as YAML, tried, applied, and taken back to an earlier revision."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.build import registered_models
from tenure.manage import people
from tenure.records.endpoints import ReleaseInfo
from tenure.records.people import NewPerson
from tenure.store import endpoints, releases
from tenure.store.ground import Ground

from ..conftest import NOON, make_ground
from .conftest import Client

PASSWORD = "correct horse battery"
PATH = "/models/loans/file"
CHANGE = f"{PATH}/change"
FIRST = "model: loans\npurpose: Say who pays back\nowner: ann@example.com\n"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Ground]:
    made = make_ground(tmp_path)
    new = NewPerson(name="vera", printed_name="Vera V.", password=PASSWORD, roles=[])
    made.database.write(lambda tx: people.create(tx, new, people.hashed(PASSWORD), by="owner", now=NOON))
    made.database.write(lambda tx: registered_models.create(tx, "loans", description=None, tags=[], by="v", now=NOON))
    yield made
    made.database.close()


@pytest.fixture
def client(own: Ground) -> Client:
    signed_in = Client(own)
    assert signed_in.post("/sessions", data={"name": "vera", "password": PASSWORD}).status_code == 303
    return signed_in


def form(client: Client, text: str, act: str) -> dict[str, str]:
    page = client.get(PATH).text
    fields = {name: re.search(f'name="{name}" value="([^"]*)"', page) for name in ("csrf", "seen")}
    return {**{name: found[1] for name, found in fields.items() if found}, "text": text, "act": act}


def shown(page: str) -> str:
    found = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def test_a_file_is_tried_applied_changed_and_taken_back(client: Client) -> None:
    assert "model: loans" in shown(client.get(PATH).text)
    tried = client.post(CHANGE, form(client, FIRST, "preview")).text
    assert "This changes" in tried
    assert "owner: &#39;ann@example.com&#39; added" in tried
    assert "The first one you apply stands here" in tried
    assert client.post(CHANGE, form(client, FIRST, "apply")).status_code == 303
    changed = FIRST.replace("ann@", "bob@")
    assert client.post(CHANGE, form(client, changed, "apply")).status_code == 303
    page = client.get(PATH).text
    assert shown(page) == changed
    assert "revision 2" in page
    old = client.get(f"{PATH}?revision=1").text
    assert "This is revision 1, not the one that stands" in old
    assert client.post(CHANGE, form(client, shown(old), "apply")).status_code == 303
    assert shown(client.get(PATH).text) == FIRST
    assert "Revision 3" in client.get(PATH).text


def test_what_is_wrong_is_said_with_its_line_and_the_text_is_not_lost(client: Client) -> None:
    wrong = FIRST + "features:\n  age: {availble: later}\n"
    refused = client.post(CHANGE, form(client, wrong, "apply"))
    assert refused.status_code == 400
    assert "Did you mean &#39;available&#39;?" in refused.text
    assert "features.age.availble (line 5)" in refused.text
    assert shown(refused.text) == wrong
    other = client.post(CHANGE, form(client, FIRST.replace("loans", "cards"), "apply"))
    assert (other.status_code, "must be about &#39;loans&#39;" in other.text) == (400, True)


def test_a_change_to_what_somebody_else_has_changed_is_refused(client: Client) -> None:
    mine = form(client, FIRST, "apply")
    assert client.post(CHANGE, form(client, FIRST.replace("ann@", "eve@"), "apply")).status_code == 303
    refused = client.post(CHANGE, mine)
    assert refused.status_code == 409
    assert "is at revision 1, applied by vera" in refused.text


def test_a_visitor_reads_and_changes_nothing(own: Ground) -> None:
    visitor = Client(own)
    page = visitor.get(PATH).text
    assert "readonly" in page
    assert "Show what it changes" not in page
    assert visitor.post(CHANGE, {"text": FIRST, "act": "apply", "seen": "0"}).status_code == 403


def test_a_model_that_is_not_there_has_no_file(client: Client) -> None:
    assert client.get("/models/none/file").status_code == 404
    assert client.get(f"{PATH}?revision=7").status_code == 404


def test_a_condition_that_cannot_be_looked_up_is_told_with_its_line(client: Client) -> None:
    text = FIRST + "use:\n  allow: request.channel.startsWith('a')\n"
    refused = client.post(CHANGE, form(client, text, "apply"))
    assert refused.status_code == 400
    assert "use.allow (line 5)" in html.unescape(refused.text)
    assert "request.caller in [" in html.unescape(refused.text)


GOVERNED = FIRST + "use: {jurisdictions: [US]}\napproval: {steps: [{role: validator, signatures: 2}]}\n"
LOOSER = GOVERNED.replace("[US]", "[US, EU]")


@pytest.fixture
def bound(own: Ground, client: Client) -> Client:
    """The model is governed, and was in service once."""
    assert client.post(CHANGE, form(client, GOVERNED, "apply")).status_code == 303
    release = ReleaseInfo(
        release_id="r",
        endpoint="loans",
        model="loans",
        version=1,
        role="shadow",
        share=0.0,
        from_at=NOON,
        until_at=NOON,
        released_by="vera",
        reason="trial",
    )
    own.database.write(lambda tx: endpoints.add(tx, "loans", "loans", by="vera", now=NOON))
    own.database.write(lambda tx: releases.add(tx, release))
    return client


def test_what_is_looser_is_marked_asked_for_with_a_reason_and_shown_on_its_change(bound: Client) -> None:
    tried = html.unescape(bound.post(CHANGE, form(bound, LOOSER, "preview")).text)
    assert "so others must sign: 2 as validator" in tried
    assert re.search(r"""class="looser"><code>use.jurisdictions: \['US'\] → \['US', 'EU'\]""", tried)
    assert "also allows EU" in tried
    assert "Ask for it" in tried
    refused = bound.post(CHANGE, form(bound, LOOSER, "apply"))
    assert (refused.status_code, 'name="reason"' in refused.text) == (400, True)
    assert shown(refused.text) == LOOSER
    asked = bound.post(CHANGE, {**form(bound, LOOSER, "apply"), "reason": "Europe is served, too"})
    assert asked.status_code == 303
    place = asked.headers["location"]
    assert place.startswith("/changes/")
    page = html.unescape(bound.get(place).text)
    assert "Revise the file of loans" in page
    assert "Europe is served, too" in page
    assert "also allows EU" in page
    assert "jurisdictions: [US, EU]" in page, "the whole file that is to stand"
    assert f"{PATH}?revision=1" in page
    file = html.unescape(bound.get(PATH).text)
    assert "Asked for" in file
    assert place in file
    assert "jurisdictions: [US]" in shown(file)
    assert "revise the file of loans" in bound.get("/changes").text
    assert "revise the file of loans" in bound.get("/inbox").text


def test_what_is_tighter_is_applied_from_the_page_at_once(bound: Client) -> None:
    tighter = bound.post(CHANGE, form(bound, GOVERNED + "protected: [sex]\n", "apply"))
    assert tighter.headers["location"] == PATH
