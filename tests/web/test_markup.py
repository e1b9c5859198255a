"""What clients can set stays text: markup in every field of every noun, on every page that a link leads to."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

import pytest

from tenure.store.ground import Ground
from tenure.web import site

from ..conftest import make_ground
from . import hooks, marked, town
from .conftest import Client

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"' onmouseover='alert(2)"
MOST_PAGES = 400
DRAWN = re.compile(r"/charts/|^/static/|^/runs\.csv|^/audit\.(csv|jsonl)|/artifact$")
"""What is no page: pictures and their data, our own files, exports, and stored files, which leave in a sandbox."""
NO_PAGE = {"/sso", "/sso/callback"}
STARTS = (
    "/",
    "/sign-in",
    "/set-up?token=x",
    "/people",
    "/account",
    "/impact?kind=version&id=flight-delay/2",
    f"/retraining/{town.RETRAINING}",
    f"/webhooks/{hooks.QUIET}",
    "/lineage/endpoint/flight-delay",
    "/models/flight-delay/as-of?at=2100-01-01",
    "/models/flight-delay/versions/2/move?kind=retire",
    "/models/flight-delay/deploy",
    "/models/flight-delay/promote",
)
REPEATS = 4
"""So many pages of one kind are looked at: a list's thousand links lead to pages that are made alike."""
LEADS = {"href", "src", "action", "formaction", "data", "srcdoc", "poster", "background", "xlink:href"}


class Seen(HTMLParser):
    """Every tag of a page as a browser reads it: what would run, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        ours = given.get("src", "").startswith("/static/")
        if tag in ("object", "embed", "base") or (tag == "script" and not ours):
            self.wrong.append(f"<{tag}>")
        if tag == "iframe" and "sandbox" not in given:
            self.wrong.append("a frame without a sandbox")
        for name, value in given.items():
            scheme = urlsplit(re.sub(r"[\x00-\x20]", "", value)).scheme.lower() if name in LEADS else ""
            if name.startswith("on") or name in ("style", "srcdoc") or scheme not in ("", "http", "https"):
                self.wrong.append(f"{name}={value[:60]}")
            if name == "src" and value == "x":
                self.wrong.append("a picture of somebody's")
        if tag == "a":
            self.links.append(given.get("href", ""))


PATTERNS = {
    re.compile(re.sub(r"{\w+:path}", ".+", re.sub(r"{\w+:(str|int)}", "[^/]+", path)) + "$"): path
    for handler in site.handlers
    if "GET" in handler.http_methods
    for path in sorted(handler.paths)
}


def kind_of(path: str) -> str:
    """The route that answers a path; those without a place come first, as in the table."""
    found = [route for pattern, route in PATTERNS.items() if pattern.match(path)]
    return min(found, key=lambda route: route.count("{"), default="")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = make_ground(tmp_path_factory.mktemp("attacked"))
    town.fill(made, marked=EVIL)
    marked.fill(made, EVIL)
    yield made
    made.database.close()


def walk(client: Client) -> dict[str, str]:
    """Every page that a link leads to, from the start on: its address and its text."""
    runs = re.findall(r'href="/runs/([0-9a-f]{32})"', client.get("/runs").text)[::-1]
    compared = f"/runs/compare?{urlencode([('run', one) for one in runs[:3]])}"
    waiting, pages, kinds = (
        [*STARTS, compared, *(f"/runs/{one}" for one in runs[:3])],
        dict[str, str](),
        dict[str, int](),
    )
    while waiting and len(pages) < MOST_PAGES:
        address = waiting.pop(0)
        path = urlsplit(address).path
        kind = kind_of(path)
        shown = f"{kind} {re.findall('[?&]artifact=', address)}"
        if address in pages or DRAWN.search(path) or not kind or kinds.get(shown, 0) >= REPEATS:
            continue
        kinds[shown] = kinds.get(shown, 0) + 1
        answer = client.get(address)
        assert answer.status_code < 500, (address, answer.text)
        pages[address] = answer.text
        waiting += [link.partition("#")[0] for link in Seen(answer.text).links if link.startswith("/")]
    return pages


@pytest.fixture(scope="module")
def walked(attacked: Ground) -> dict[str, str]:
    """As somebody sees the pages who administers: with every form and every list."""
    client = Client(attacked)
    assert client.post("/sessions", data={"name": "ada", "password": town.PASSWORD}).status_code == 303
    return walk(client)


def test_links_lead_to_every_kind_of_page(walked: dict[str, str]) -> None:
    seen = {kind_of(urlsplit(address).path) for address in walked}
    assert {route for route in PATTERNS.values() if not DRAWN.search(route)} - NO_PAGE - seen == set()


def test_markup_in_any_text_stays_text_on_every_page(walked: dict[str, str]) -> None:
    assert {address: Seen(text).wrong for address, text in walked.items() if Seen(text).wrong} == {}


def test_the_markup_is_there_to_be_seen(walked: dict[str, str]) -> None:
    """So that the other test looks at something: each kind of page shows it, but those that show names and digests."""
    showing = {kind_of(urlsplit(address).path) for address, text in walked.items() if "alert(" in html.unescape(text)}
    assert len(showing) >= 22, sorted(showing)


def test_a_filter_cannot_carry_markup(attacked: Ground) -> None:
    """Every name that a page's query may have, at once and one by one."""
    client, tried = Client(attacked), 0
    for handler in site.handlers:
        names = set(inspect.signature(handler.fn).parameters) - {"request", "ground", "principal"}
        for path in sorted(handler.paths):
            if "GET" not in handler.http_methods or "{" in path or DRAWN.search(path) or path in NO_PAGE:
                continue
            for chosen in [names | {"q", "page"}, *({name} for name in names)]:
                text = client.get(path, params=dict.fromkeys(sorted(chosen), EVIL)).text
                assert Seen(text).wrong == [], (path, chosen)
                tried += 1
    assert tried > 30


def test_a_stored_file_never_runs_in_our_origin(attacked: Ground) -> None:
    """Whatever its name and its bytes say it is: a browser gets a sandbox or a download."""
    client = Client(attacked)
    found = re.findall(r'href="(/runs/[0-9a-f]{32})"', client.get("/runs").text)
    served = 0
    for address in found:
        for path in ("page.html", "rows.csv", "MLmodel", "notes.json"):
            answer = client.get(f"{address}/artifact", params={"path": path})
            if answer.status_code == 200:
                assert answer.headers["content-security-policy"].rstrip().endswith("sandbox")
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "text/html" not in answer.headers["content-type"] or path == "page.html"
                served += 1
    assert served >= 4


def test_what_is_built_as_a_page_was_found() -> None:
    """The reader of tags names what would run, so that the tests above can fail."""
    for text in (
        f"<p>{EVIL}</p>",
        f"<p title='{EVIL}'>",
        "<a href='java\nscript:alert(1)'>",
        "<svg onload=alert(1)>",
        "<iframe src='/x'>",
        "<p style='x'>",
    ):
        assert Seen(text).wrong, text
    assert Seen(f"<p title='{html.escape(EVIL)}'>{html.escape(EVIL)}</p>").wrong == []
