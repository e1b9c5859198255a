"""The tabs of an endpoint's page: each has its address, loads what it shows, and is marked when it has trouble."""

from __future__ import annotations

import re
from typing import get_args

import msgspec
import pytest
import sqlalchemy as sa

from tenure.records.alerts import MonitorKind
from tenure.records.endpoints import EndpointInfo
from tenure.records.kills import Kill
from tenure.records.model_files import Monitors
from tenure.records.routing import ReleaseHealth
from tenure.store.ground import Ground
from tenure.web import endpoint_tabs, shown_metric
from tenure.web.alert_places import TAB_OF, place
from tenure.web.endpoint_tabs import TITLES, Known, Tab

from . import samples, town
from .conftest import Client

PATHS = {name: endpoint_tabs.path_of(town.MODEL, name) for name in TITLES}
ENDPOINT = EndpointInfo(
    name="late flights", model="m", created_at=0, created_by="ann", scoring_url="", epoch=1, releases=[], health=[]
)


def known(**changes: object) -> Known:
    told: dict[str, object] = {
        "endpoint": ENDPOINT,
        "monitors": Monitors(),
        "metric": shown_metric.shown(None, []),
        "answered": [],
        "open": [],
        "kills": [],
    }
    return Known(**{**told, **changes})  # type: ignore[arg-type]  # the test names the fields


def tabs(**changes: object) -> dict[str, Tab]:
    return {one.name: one for one in endpoint_tabs.tabs(known(**changes))}


def test_nothing_known_is_no_trouble() -> None:
    assert not any(one.troubled for one in tabs().values())
    assert [one.path for one in tabs().values()][:2] == [
        "/endpoints/late%20flights",
        "/endpoints/late%20flights/accuracy",
    ]


def test_every_alert_has_a_tab() -> None:
    assert set(TAB_OF) == set(get_args(MonitorKind))


@pytest.mark.parametrize("monitor", get_args(MonitorKind))
def test_an_alert_marks_the_tab_where_it_is_shown(monitor: MonitorKind) -> None:
    marked = tabs(open=[samples.make_alert(monitor=monitor)])
    troubled = [one for one in marked.values() if one.troubled]
    assert [one.path for one in troubled] == [f"/endpoints/late%20flights{place(monitor)}"]
    assert (troubled[0].tone, troubled[0].word) == ("bad", "1 alert")
    mild = tabs(open=[samples.make_alert(monitor=monitor, severity="warning")])
    assert [one.tone for one in mild.values() if one.troubled] == ["warn"]


def test_what_failed_or_is_stopped_is_told_before_alerts() -> None:
    health = ReleaseHealth(release_id="r", endpoint="e", version=4, role="champion", state="failed", detail="no memory")
    failed = tabs(
        endpoint=msgspec.structs.replace(ENDPOINT, health=[health]), open=[samples.make_alert(monitor="latency")]
    )
    assert (failed["service"].tone, failed["service"].word) == ("bad", "not serving")
    assert failed["service"].words == "Version 4 failed: no memory"
    kill = Kill(kill_id="k", endpoint="e", version=4, reason="wrong", killed_by="ann", killed_at=0)
    assert (tabs(kills=[kill])["releases"].tone, tabs(kills=[kill])["releases"].word) == ("bad", "stopped")


def test_a_year_is_told_in_a_line_each() -> None:
    year = [one for one in samples.make_year() if one.role != "shadow"]
    told = tabs(answered=year)
    assert re.fullmatch(
        r"ROC AUC 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) on [\d,]+ outcomes, 13 Dec – 19 Dec 2013\.", told["accuracy"].words
    )
    assert told["drift"].words.startswith("0 of 8 columns have drifted, 20 Dec – 26 Dec 2013")
    moved = tabs(answered=year[:30])["drift"]
    assert moved.tone == "warn"
    assert re.search(r"\d of 8 columns have drifted, .+ rows: temp, humid", moved.words)
    assert told["service"].words.startswith("99 of 100 requests took ")


@pytest.mark.parametrize("name", TITLES)
def test_a_tab_names_itself_and_leads_to_the_others(pages: Client, name: str) -> None:
    text = pages.get(PATHS[name]).text  # type: ignore[index]  # a tab's name
    nav = text[text.index('<nav class="tabs"') :].partition("</nav>")[0]
    assert re.findall(r'href="([^"]+)"', nav) == list(PATHS.values())
    assert re.findall(r'href="([^"]+)"[^>]*aria-current="page"', nav) == [PATHS[name]]  # type: ignore[index]
    assert nav.count('class="mark bad"') == 1, "the alert about accuracy"
    assert '<span class="hidden-text">: 1 alert</span>' in nav


def test_every_section_that_a_tab_is_said_to_hold_is_there_or_may_be(pages: Client) -> None:
    """So that an old address with a section leads somewhere: each is on its tab, or has nothing to show here."""
    absent = {"batches"}
    for name, path in PATHS.items():
        text = pages.get(path).text
        assert {one for one in endpoint_tabs.HOLDS[name].split() if f'id="{one}"' not in text} <= absent, name


def test_the_address_of_all_windows_leads_to_their_tab(pages: Client) -> None:
    answer = pages.get("/endpoints/flight-delay?all=true")
    assert (answer.status_code, answer.headers["location"]) == (303, "/endpoints/flight-delay/outcomes?all=true")


def test_an_alert_links_to_its_tab(pages: Client) -> None:
    text = pages.get("/alerts").text
    assert 'href="/endpoints/flight-delay/accuracy"' in text
    assert 'href="/endpoints/flight-delay/drift"' in text


@pytest.mark.parametrize(("name", "most"), [("overview", 24), ("accuracy", 15), ("drift", 17), ("service", 27)])
def test_a_tab_reads_only_what_it_shows(filled: Ground, name: str, most: int) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        Client(filled).get(PATHS[name])  # type: ignore[index]  # a tab's name
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert 5 < len(asked) <= most
