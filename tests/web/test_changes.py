"""A change on its page: discussed, signed in the right role, and its signatures shown wherever its version is."""

from __future__ import annotations

import re

import pytest

from tenure.store import changes as stored_changes
from tenure.store.ground import Ground

from . import town
from .conftest import Client
from .test_pages import own

__all__ = ["own"]
WORDS = "Why is the AUC of May lower than in April?"


def open_change(ground: Ground) -> str:
    return ground.database.read(lambda tx: stored_changes.search(tx, state="open"))[0].change.change_id


def signed_in(ground: Ground, name: str) -> tuple[Client, str]:
    """A browser in which somebody signed in, and the token of its forms."""
    client = Client(ground)
    assert client.post("/sessions", data={"name": name, "password": town.PASSWORD}).status_code == 303
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get(f"/changes/{open_change(ground)}").text)
    return client, csrf[1] if csrf else ""


@pytest.mark.parametrize(
    "path", ["/models/flight-delay", "/models/flight-delay/versions/1", "/endpoints/flight-delay/releases"]
)
def test_every_page_about_a_version_shows_who_signed_what_it_means_and_when(pages: Client, path: str) -> None:
    text = pages.get(path).text
    for printed_name, role in (("Vera Valdés", "validator"), ("Bo Owens", "business-owner")):
        assert printed_name in text
        assert role in text
    assert "approval" in text
    assert re.search(r'<time datetime="20\d\d-[^"]+Z">', text)


def test_a_version_shows_what_its_signatures_are_bound_to_and_gives_its_evidence(pages: Client) -> None:
    text = pages.get("/models/flight-delay/versions/1").text
    assert "password (argon2id)" in text
    assert "tenure-baseline@1" in text
    assert 'href="/api/v1/models/flight-delay/versions/1/evidence"' in text
    told = pages.get("/api/v1/models/flight-delay/versions/1/evidence").json()
    assert len(told["envelopes"]) == 1
    for answer in ("", "/card", "/gates"):
        blocks = pages.get(f"/api/v1/models/flight-delay/versions/1{answer}").json()["signatures"]
        assert {one["printed_name"] for block in blocks for one in block["signatures"]} == {"Vera Valdés", "Bo Owens"}


def test_a_comment_is_said_on_the_page_and_stands_between_the_signatures(own: Ground) -> None:
    change_id = open_change(own)
    client, csrf = signed_in(own, "vera")
    said = client.post(f"/changes/{change_id}/comment", data={"text": f"{WORDS} <b>bold</b>", "csrf": csrf})
    assert said.status_code == 303
    text = client.get(f"/changes/{change_id}").text
    assert WORDS in text
    assert "<b>bold</b>" not in text
    empty = client.post(f"/changes/{change_id}/comment", data={"text": " ", "csrf": csrf})
    assert empty.status_code == 400
    assert "must be filled" in empty.text


def test_a_visitor_in_a_browser_cannot_comment(own: Ground) -> None:
    change_id = open_change(own)
    page = Client(own).get(f"/changes/{change_id}")
    assert f"/changes/{change_id}/comment" not in page.text
    refused = Client(own).post(f"/changes/{change_id}/comment", data={"text": "hello"})
    assert refused.status_code == 403


def test_whoever_signs_in_is_offered_only_roles_that_count(own: Ground) -> None:
    client, _ = signed_in(own, "vera")
    text = client.get(f"/changes/{open_change(own)}").text
    assert re.findall(r"<option>([^<]+)</option>", text) == ["validator"]
    assert "I approve version 3 of flight-delay for use" in text


def test_who_cannot_sign_is_told_why_instead_of_a_form(own: Ground) -> None:
    client, csrf = signed_in(own, "vera")
    change_id = open_change(own)
    signature = {"person": "vera", "password": town.PASSWORD, "role": "validator", "reason": "read it", "csrf": csrf}
    assert client.post(f"/changes/{change_id}/sign", data={**signature, "meaning": "approval"}).status_code == 303
    text = client.get(f"/changes/{change_id}").text
    assert "You cannot sign this change" in text
    assert "has signed this change already" in text
    assert f'action="/changes/{change_id}/sign"' not in text


def test_an_inbox_shows_what_waits_and_the_navigation_counts_it(own: Ground) -> None:
    client, csrf = signed_in(own, "vera")
    text = client.get("/inbox").text
    assert "To sign" in text
    assert 'class="count">2<span class="hidden-text"> to sign' in text
    change_id = open_change(own)
    signature = {"person": "vera", "password": town.PASSWORD, "role": "validator", "reason": "read it", "csrf": csrf}
    client.post(f"/changes/{change_id}/sign", data={**signature, "meaning": "rejection"})
    assert 'class="count">1<span class="hidden-text"> to sign' in client.get("/inbox").text
    loosening = own.database.read(lambda tx: stored_changes.search(tx, state="open"))[0].change.change_id
    client.post(f"/changes/{loosening}/sign", data={**signature, "meaning": "rejection"})
    text = client.get("/inbox").text
    assert "Nothing waits for you" in text
    assert "to sign</span>" not in text
    mine, _ = signed_in_author(own)
    assert "rejected by vera" in mine.get("/inbox").text


def signed_in_author(ground: Ground) -> tuple[Client, str]:
    client = Client(ground)
    assert client.post("/sessions", data={"name": "ann", "password": town.PASSWORD}).status_code == 303
    return client, ""


def test_an_empty_inbox_says_what_would_appear(empty_pages: Client) -> None:
    text = empty_pages.get("/inbox").text
    assert "Here appear changes that you may sign" in text
