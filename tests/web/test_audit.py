"""The audit log's page: every event says what it is about in words, whatever it is filtered by."""

from __future__ import annotations

import re

import pytest

from tenure.records.changes import AuditEvent
from tenure.web.audit_subjects import About, without_looking

from . import town
from .conftest import Client

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def abouts(page: str) -> list[tuple[str, str, str]]:
    """Of each row: where it leads, what it is called, and its kind."""
    named = r'data-label="About" class="wrap"><div>(?:<a href="([^"]+)">)?([^<]+)(?:</a>)?'
    return re.findall(named + r'<span class="under"><a [^>]+>([^<]+)<', page)


def make_event(action: str, subject: str) -> AuditEvent:
    return AuditEvent(sequence=1, at=0, actor="a", action=action, subject=subject, detail={}, previous_hash="", hash="")


@pytest.mark.parametrize("asked", ["", "?action=change.", "?actor=vera", "?reason=evidence", "?last=2100-01-01"])
def test_a_change_is_named_by_kind_model_and_version_whatever_is_asked(pages: Client, asked: str) -> None:
    found = abouts(pages.get(f"/audit{asked}").text)
    named = [(path, name, kind) for path, name, kind in found if kind.startswith("change: ")]
    assert named
    assert all(re.fullmatch(rf"{town.MODEL} \d|the file of {town.MODEL}", name) for _, name, _ in named)
    assert all(ID.search(path) for path, _, _ in named)
    assert not any(ID.search(name) for _, name, _ in found)
    assert pages.get(named[0][0]).status_code == 200


def test_a_link_narrows_what_is_asked_already(pages: Client) -> None:
    text = pages.get("/audit?actor=vera").text
    assert 'href="/audit?actor=vera&amp;action=change.signed"' in text
    assert re.search(r'href="/audit\?actor=vera&amp;subject=[^"]+"', text)


def test_an_event_and_an_exception_are_named_on_their_own_pages(pages: Client) -> None:
    text = pages.get("/audit?action=exception.").text
    [(path, name, kind), *_] = abouts(text)
    assert (name, kind) == (f"punctual/very-accurate for {town.MODEL}", "exception")
    assert pages.get(path).status_code == 200
    number = re.search(r'href="(/audit/\d+)"', text)
    assert number is not None
    assert name in pages.get(number[1]).text


def test_nothing_that_fits_says_what_to_do(pages: Client) -> None:
    assert "Widen the dates" in pages.get("/audit?actor=nobody-at-all").text


@pytest.mark.parametrize(
    ("action", "subject", "about"),
    [
        ("card.edited", "a b/2", About(kind="version", name="a b 2", path="/models/a%20b/versions/2")),
        ("policy.published", "p@3", About(kind="policy", name="p@3", path="/policies/p/3")),
        ("policy.drafted", "p", About(kind="policy draft", name="p", path="/policy-editor?name=p")),
        ("run.ended", f"run:{'a' * 32}", About(kind="run", name="a" * 12, path=f"/runs/{'a' * 32}")),
        ("alert.firing", "endpoints/e", About(kind="alert at", name="e", path="/alerts?endpoint=e")),
        ("retraining.held_back", "e", About(kind="endpoint", name="e", path="/endpoints/e")),
        ("segments.recorded", "segments:e", About(kind="endpoint", name="e", path="/endpoints/e")),
        ("key.changed", "f" * 64, About(kind="key", name="f" * 12 + "…")),
    ],
)
def test_what_needs_no_looking_up_is_told_by_the_event(action: str, subject: str, about: About) -> None:
    assert without_looking(make_event(action, subject)) == about
