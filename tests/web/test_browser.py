"""Pages in a real browser: no complaint, no sideways scroll on a phone, charts drawn under the strict policy."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tenure.build import model_versions
from tenure.deploy import endpoints
from tenure.manage import people
from tenure.records.base import Instant
from tenure.records.endpoints import NewEndpoint
from tenure.records.people import NewPerson
from tenure.store import releases
from tenure.store.ground import Ground

from ..conftest import free_port, make_ground, missing, wait_until
from ..deploy.makers import NOW, approve, govern, make_model, make_validator, make_version
from . import hooks, town
from .conftest import pages_of

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATHS = [
    "/",
    "/models",
    "/models/flight-delay",
    "/models/flight-delay/file",
    "/models/flight-delay/versions/1",
    "/models/flight-delay/versions/2/lineage",
    "/impact?kind=version&id=flight-delay/2",
    "/runs",
    "/endpoints/flight-delay",
    "/endpoints/flight-delay/accuracy",
    "/endpoints/flight-delay/outcomes",
    "/endpoints/flight-delay/drift",
    "/endpoints/flight-delay/service",
    "/endpoints/flight-delay/releases",
    "/alerts",
    "/alerts/0190b5a0-0000-7000-8000-000000000001",
    "/audit",
    "/audit/7",
    "/models/flight-delay/as-of?at=2100-01-01",
    "/changes",
    f"/retraining/{town.RETRAINING}",
    "/policies",
    "/policies/punctual/1?since=2025-01-01",
    "/policy-editor?name=punctual",
    "/policy-exceptions",
    "/models/flight-delay/versions/2/move?kind=retire",
    "/models/flight-delay/deploy?version=1&to=challenger",
    "/models/flight-delay/promote?version=1",
    "/webhooks",
    f"/webhooks/{hooks.BUSY}",
    "/people",
    "/sign-in",
]
ALL_DRAWN = "[...document.querySelectorAll('[data-chart]')].every(one => one.dataset.state === 'drawn')"


@contextmanager
def served(ground: Ground) -> Iterator[str]:
    """The pages on a port of this machine, as long as it is needed."""
    port = free_port()
    config = uvicorn.Config(pages_of(ground, port), port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 10, "the pages are served")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def url(filled: Ground) -> Iterator[str]:
    with served(filled) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright")
    if not CHROMIUM.exists():
        missing("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


class Tab:
    """A page of the browser that writes down what it complains about."""

    def __init__(self, browser: Any, width: int, theme: str, **more: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, **more)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, address: str) -> None:
        self.page.goto(address)

    def read_down(self) -> None:
        """Scroll to the end, as a reader does, so that every chart is asked for."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for y in range(0, height, 600):
            self.page.evaluate(f"scrollTo(0, {y})")
            self.page.wait_for_timeout(20)

    def is_drawn(self) -> bool:
        self.page.wait_for_timeout(50)  # lets the browser work: playwright's pages stand still between calls
        return bool(self.page.evaluate(ALL_DRAWN))


@pytest.fixture
def tab(browser: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    width, theme = getattr(request, "param", (1280, "light"))
    opened = Tab(browser, width, theme)
    yield opened
    opened.context.close()


@pytest.fixture(scope="module")
def kept_tab(browser: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """One tab for all pages that are only looked at: to make one takes longer than to read a page."""
    opened = Tab(browser, *request.param)
    yield opened
    opened.context.close()


@pytest.mark.parametrize("kept_tab", [(375, "dark"), (1280, "light")], indirect=True)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_fits_and_the_browser_has_no_complaint(url: str, kept_tab: Tab, path: str) -> None:
    tab = kept_tab
    tab.open("about:blank")
    tab.complaints.clear()
    tab.open(url + path)
    tab.read_down()
    wait_until(tab.is_drawn, 60, "every chart is drawn by the browser")
    room, needed = tab.page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert needed <= room
    assert tab.complaints == []


def test_charts_answer_to_the_pointer(url: str, tab: Tab) -> None:
    tab.open(f"{url}/endpoints/flight-delay")
    points = ".drawn svg .mark-symbol path"
    wait_until(
        lambda: tab.page.wait_for_timeout(50) or tab.page.query_selector(points), 60, "a chart of points is drawn"
    )
    point = tab.page.query_selector(points)
    assert point is not None
    point.hover(force=True)
    wait_until(
        lambda: tab.page.wait_for_timeout(50) or tab.page.query_selector("#vg-tooltip-element.visible"), 5, "told"
    )
    assert "AUC" in tab.page.inner_text("#vg-tooltip-element")
    assert tab.complaints == []


@pytest.mark.parametrize(
    ("held", "tab_of_it"),
    [("harm", "outcomes"), ("stop", "releases"), ("drift", "drift"), ("weakest", "accuracy"), ("service", "service")],
)
def test_an_old_address_of_a_section_leads_to_its_tab(url: str, tab: Tab, held: str, tab_of_it: str) -> None:
    tab.open(f"{url}/endpoints/flight-delay#{held}")
    tab.page.wait_for_url(f"**/endpoints/flight-delay/{tab_of_it}#{held}")
    assert tab.page.get_attribute("nav.tabs a[aria-current]", "href") == f"/endpoints/flight-delay/{tab_of_it}"
    tab.open(f"{url}/endpoints/flight-delay#nowhere")
    assert tab.page.url.endswith("/endpoints/flight-delay#nowhere")


def test_a_tab_of_an_endpoint_fits_on_two_screens_and_a_half(url: str, tab: Tab) -> None:
    for path in PATHS:
        if path.startswith("/endpoints/"):
            tab.open(url + path)
            wait_until(lambda: tab.read_down() or tab.is_drawn(), 60, "every chart is drawn by the browser")
            assert tab.page.evaluate("document.documentElement.scrollHeight") < 2700, path


@pytest.mark.parametrize("tab", [(375, "dark")], indirect=True)
def test_runs_are_ticked_and_compared_and_their_charts_are_drawn(url: str, tab: Tab) -> None:
    tab.open(f"{url}/runs")
    boxes = tab.page.query_selector_all("input[name=run]")
    assert tab.page.is_disabled("button[data-needs='2']")
    boxes[0].click()
    boxes[2].click(modifiers=["Shift"])
    assert tab.page.inner_text("[data-chosen-count]") == "3 ticked"
    tab.page.click("button[data-needs='2']")
    one_run = tab.page.get_attribute(".run-chips a", "href")
    for _ in range(2):
        wait_until(lambda: tab.read_down() or tab.is_drawn(), 60, "every chart is drawn by the browser")
        room, needed = tab.page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert needed <= room
        tab.open(f"{url}{one_run}")
    assert tab.complaints == []


def test_the_theme_is_switched_and_remembered(url: str, tab: Tab) -> None:
    tab.open(url)
    tab.page.click("[data-theme-toggle]")
    tab.open(f"{url}/models")
    assert tab.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 23)"


def test_pages_work_without_javascript(url: str, browser: Any) -> None:
    tab = Tab(browser, 1280, "dark", java_script_enabled=False)
    tab.open(f"{url}/endpoints/flight-delay")
    picture = tab.page.query_selector(".chart img")
    picture.scroll_into_view_if_needed()

    def is_loaded() -> bool:
        tab.page.wait_for_timeout(100)
        return bool(picture.bounding_box()["height"] > 100)

    wait_until(is_loaded, 30, "the picture of the chart is there")
    assert tab.page.query_selector("[data-theme-toggle]").is_hidden()
    tab.context.close()


def test_a_change_is_signed_with_the_keyboard_alone(url: str, tab: Tab) -> None:
    tab.open(f"{url}/changes?state=open")
    path = re.search(r'href="(/changes/[0-9a-f-]{36})"', tab.page.content())
    assert path is not None
    tab.open(url + path[1])
    tab.page.focus("input[name=person]")
    tab.page.keyboard.type("vera")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("v")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Space")
    tab.page.keyboard.press("Tab")
    for text in ("I read it", "not the password"):
        tab.page.keyboard.type(text)
        tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(".notice.bad")
    assert "do not belong together" in tab.page.inner_text(".notice.bad")


COLOURS = """() => {
  const style = getComputedStyle(document.documentElement);
  return ['paper', 'surface', 'ink', 'muted', 'accent', 'ok', 'ok-soft', 'warn', 'warn-soft', 'bad', 'bad-soft']
    .map(name => [name, style.getPropertyValue('--' + name).trim()]);
}"""


@pytest.mark.parametrize("tab", [(1280, "dark"), (1280, "light")], indirect=True)
def test_text_stands_out_from_its_ground(url: str, tab: Tab) -> None:
    tab.open(url)
    colours = dict(tab.page.evaluate(COLOURS))
    for text in ("ink", "muted", "accent", "bad", "ok", "warn"):
        for ground in ("paper", "surface"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for tone in ("ok", "warn", "bad"):
        assert _contrast(colours[tone], colours[f"{tone}-soft"]) >= 4.5, tone


def _contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2.2, 1–21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.fixture(scope="module")
def placing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Ground]]:
    """Two models with an endpoint each: one that nobody governs, and one where people sign for deployments."""
    ground = make_ground(tmp_path_factory.mktemp("placing"))
    for name in ("delay", "signed"):
        make_model(ground, name)
        make_version(ground, name)
        make_version(ground, name)
        place = NewEndpoint(name=f"{name}-eu", model=name)
        ground.database.write(lambda tx, place=place: endpoints.create(tx, place, by="ann", now=NOW))
    make_validator(ground)
    govern(ground, "signed", deployment={"steps": [{"role": "validator"}]})
    approve(ground, ground.database.read(lambda tx: model_versions.get(tx, "signed", 2)))
    new = NewPerson(name="max", printed_name="Max", password=town.PASSWORD, roles=["engineer"])
    ground.database.write(lambda tx: people.create(tx, new, people.hashed(town.PASSWORD), by="ann", now=NOW))
    with served(replace(ground, clock=lambda: Instant(NOW + 3_600_000_000))) as address:
        yield address, ground
    ground.database.close()


def test_versions_are_deployed_by_hand_at_once_or_by_a_change_that_people_sign(
    placing: tuple[str, Ground], tab: Tab
) -> None:
    url, ground = placing
    tab.open(f"{url}/sign-in")
    tab.page.fill("input[name=name]", "max")
    tab.page.fill("input[name=password]", town.PASSWORD)
    tab.page.press("input[name=password]", "Enter")
    tab.page.wait_for_url(f"{url}/")
    tab.open(f"{url}/endpoints/delay-eu/releases")
    tab.page.click("text=Deploy…")
    tab.page.check("input[value=shadow]")  # the rehearsal follows by itself
    tab.page.wait_for_selector("#effect >> text=scores copies of everything")
    tab.page.fill("input[name=mirrored]", "0")
    tab.page.press("input[name=mirrored]", "Tab")
    tab.page.wait_for_selector("#wrong-mirrored >> text=What is copied must be more than 0")
    assert [one for one in tab.complaints if "400" not in one] == []  # the browser notes each form that is refused
    tab.complaints.clear()
    tab.page.fill("input[name=mirrored]", "50")
    tab.page.press("input[name=mirrored]", "Tab")
    tab.page.wait_for_selector("#effect >> text=scores copies of 50 %")
    assert tab.page.query_selector(".wrong, [aria-invalid]") is None
    tab.page.select_option("select[name=version]", "1")
    tab.page.check("input[value=champion]")
    tab.page.wait_for_selector("#effect >> text=Let version 1 answer now")
    tab.page.fill("textarea[name=reason]", "the first of its kind")
    tab.page.click("button[value=go]")
    tab.page.wait_for_url(f"{url}/endpoints/delay-eu/releases")
    assert "Version 1 answers 100 %" in " ".join(tab.page.inner_text("#in-service").split())
    tab.open(f"{url}/models/signed/versions/2")
    tab.page.click("text=Deploy…")
    tab.page.wait_for_selector("#effect >> text=Ask for the signatures")
    tab.page.focus("textarea[name=reason]")
    tab.page.keyboard.type("approved in spring")
    tab.page.keyboard.press("Tab")
    while tab.page.evaluate("document.activeElement.value") != "go":
        tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"{url}/changes/*")
    assert "approved in spring" in tab.page.inner_text("main")
    held = ground.database.read(releases.open_ones)
    assert [(one.endpoint, one.version) for one in held] == [("delay-eu", 1)]
    assert tab.complaints == []


def test_a_version_is_deployed_without_javascript(placing: tuple[str, Ground], browser: Any) -> None:
    url, ground = placing
    tab = Tab(browser, 390, "dark", java_script_enabled=False)
    tab.open(f"{url}/sign-in")
    tab.page.fill("input[name=name]", "max")
    tab.page.fill("input[name=password]", town.PASSWORD)
    tab.page.press("input[name=password]", "Enter")
    tab.open(f"{url}/models/delay/deploy?version=2&endpoint=delay-eu&to=shadow")
    tab.page.fill("input[name=mirrored]", "25")
    tab.page.fill("textarea[name=reason]", "a quarter is enough")
    tab.page.click("button[value=go]")
    tab.page.wait_for_selector("text=is not what was shown")
    assert tab.page.input_value("textarea[name=reason]") == "a quarter is enough"
    tab.page.click("button[value=go]")
    tab.page.wait_for_url(f"{url}/endpoints/delay-eu/releases")
    held = ground.database.read(lambda tx: releases.open_ones(tx, endpoint="delay-eu"))
    assert [(one.version, one.share) for one in held if one.role == "shadow"] == [(2, 0.25)]
    tab.context.close()
