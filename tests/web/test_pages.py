"""Every page, filled and empty: it comes, it says what it must, it is safe."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from tenure.stats.latency_counts import count_latencies
from tenure.store import changes as stored_changes
from tenure.store.ground import Ground
from tenure.web import service_levels, site
from tenure.web.page import POLICY

from ..conftest import make_ground
from . import hooks, samples, town
from .conftest import Client

PAGES = [
    "/",
    "/models",
    "/models/flight-delay",
    "/models/churn-2026%20%28trial%29",
    "/models/flight-delay/versions/1",
    "/models/flight-delay/versions/3",
    "/models/flight-delay/versions/2/lineage",
    "/lineage/endpoint/flight-delay",
    "/impact",
    "/impact?kind=version&id=flight-delay/2",
    "/runs",
    "/endpoints/flight-delay",
    "/endpoints/flight-delay/accuracy",
    "/endpoints/flight-delay/outcomes",
    "/endpoints/flight-delay/outcomes?all=true",
    "/endpoints/flight-delay/drift",
    "/endpoints/flight-delay/drift?all=true",
    "/endpoints/flight-delay/service",
    "/endpoints/flight-delay/releases",
    "/endpoints/flight-delay/releases?all=true",
    "/endpoints/flight-delay/months",
    "/alerts",
    "/alerts?state=firing",
    "/alerts/0190b5a0-0000-7000-8000-000000000001",
    "/audit",
    "/audit?verify=true",
    "/audit?reason=approved&first=2025-06-01&last=2030-01-01",
    "/audit/1",
    "/models/flight-delay/as-of",
    "/models/flight-delay/as-of?at=2001-01-01",
    "/models/flight-delay/as-of?at=2100-01-01",
    "/changes",
    "/changes?state=open",
    "/inbox",
    f"/retraining/{town.RETRAINING}",
    "/policies",
    "/policies/punctual/1",
    "/policies/punctual/1?since=2025-01-01",
    "/policies/later/1",
    "/webhooks",
    f"/webhooks/{hooks.BUSY}",
    f"/webhooks/{hooks.QUIET}",
    "/people",
    "/sign-in",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_comes_with_its_headers(pages: Client, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_well_made(pages: Client, path: str) -> None:
    text = pages.get(path).text
    assert text.count("<h1>") == 1
    assert "<title>" in text
    assert not re.search(r"<[^>]+\sstyle=", text), "an inline style is refused by the policy"
    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "an inline script is refused by the policy"
    assert not re.search(r"<(img|svg)(?![^>]*(alt=|aria-))[^>]*>", text), "a picture without words"
    if not path.startswith("/audit"):  # whose details are quoted as they were written
        assert "None" not in re.sub(r"<[^>]+>", " ", text)


@pytest.mark.parametrize("path", ["/", "/models", "/runs", "/alerts", "/audit", "/changes", "/sign-in"])
def test_an_empty_server_says_what_to_do_next(empty_pages: Client, path: str) -> None:
    answer = empty_pages.get(path)
    assert answer.status_code == 200
    if path in ("/", "/models", "/runs"):
        assert "mlflow.set_tracking_uri(" in answer.text
        assert "http://127.0.0.1:5000" in answer.text


def test_the_overview_shows_each_models_life_health_and_value(pages: Client) -> None:
    text = pages.get("/").text
    assert text.index("flight-delay") < text.index("churn-2026"), "what fires comes first"
    assert 'aria-current="step">Retrain' in text
    assert "1 firing" in text
    assert "Value realised so far" in text
    assert 'class="spark"' in text


def test_every_room_is_found_from_the_first_page(pages: Client) -> None:
    text = pages.get("/").text
    for path in ("models", "runs", "changes", "alerts", "policies", "people", "audit", "impact", "webhooks", "sign-in"):
        assert f'href="/{path}"' in text, path


def test_a_version_shows_card_signatures_and_lineage(pages: Client) -> None:
    text = pages.get("/models/flight-delay/versions/1").text
    assert "Vera Valdés" in text
    assert "Flights that leave the three New York airports" in text
    assert "(from facts)" in text
    assert "flights-january" in text
    assert "charts/columns?theme=dark" in text


def test_runs_are_found_by_the_filter_and_sorted_by_links(pages: Client) -> None:
    found = pages.get("/runs", params={"q": "metrics.roc_auc > 0.745"}).text
    assert "forest-7" in found
    assert "forest-1<" not in found
    rising = pages.get("/runs", params={"sort": "metrics.`roc_auc`", "down": "false"}).text
    assert rising.index("forest-1<") < rising.index("forest-7<")
    assert 'aria-sort="ascending"' in rising


def test_a_filter_that_cannot_be_read_is_told_and_stays_to_be_corrected(pages: Client) -> None:
    answer = pages.get("/runs", params={"q": "metrics.roc_auc >"})
    assert answer.status_code == 200
    assert 'class="notice bad"' in answer.text
    assert 'value="metrics.roc_auc &gt;"' in answer.text


def test_a_run_shows_what_was_logged(pages: Client) -> None:
    path = re.search(r'href="(/runs/[0-9a-f]{32})"', pages.get("/runs").text)
    assert path is not None
    text = pages.get(path[1]).text
    for told in ("log_loss", "max_depth", "flights-january", "NaN", "charts/metric?key=log_loss", "train.py"):
        assert told in text


def test_the_months_of_an_endpoint_without_predictions_are_empty(pages: Client) -> None:
    assert "No prediction has been taken in yet" in pages.get("/endpoints/flight-delay/months").text


def test_an_endpoint_shows_its_segments_its_latency_and_what_was_not_admitted(pages: Client) -> None:
    text = pages.get("/endpoints/flight-delay/accuracy").text
    assert "carrier: UA" in text
    assert "carier: no group with 50 outcomes" in text
    assert "at most 7.5 ms allowed" in pages.get("/endpoints/flight-delay").text
    assert "What was not admitted" in pages.get("/endpoints/flight-delay/service").text


def test_an_endpoint_shows_its_error_budgets_and_what_it_carries(pages: Client) -> None:
    text = pages.get("/endpoints/flight-delay/service").text
    panel = text[text.index('id="service"') : text.index('id="versions"')]
    assert "99.9 % answered, over 30 days" in panel
    assert "99 % answered within 50 ms, over 30 days" in panel
    assert "requests a second in one gateway" in panel
    assert "is extrapolated and no promise" in panel
    for chart in ("load", "served", "budget"):
        assert f"/endpoints/flight-delay/service/charts/{chart}" in panel
    drawn = pages.get("/endpoints/flight-delay/service/charts/budget?form=spec")
    assert drawn.status_code == 200
    assert "availability" in drawn.text
    assert pages.get("/endpoints/flight-delay/service/charts/nothing").status_code == 404
    assert pages.get("/endpoints/nobody/service/charts/load").status_code == 404


def test_a_window_tells_percentiles_from_its_counts_or_as_they_were_kept() -> None:
    window = samples.make_year(1)[0]
    assert service_levels.latency_of(window).p95 == "–"
    counted = msgspec.structs.replace(window, latency_counts=count_latencies(range(1000, 101_000, 1000)))
    told = [float(one.removesuffix(" ms")) for one in service_levels.latency_of(counted)]
    assert told == pytest.approx([50, 95, 99], rel=0.008)


def test_an_endpoint_shows_what_is_estimated_and_how_estimates_fared(pages: Client) -> None:
    text = pages.get("/endpoints/flight-delay/outcomes").text
    panel = text[text.index('id="estimates"') :]
    assert "10,000 outcomes of earlier windows" in panel
    assert "they count as 7,200, 72% of them" in panel or "they count as 7,200, 72 % of them" in panel
    assert "of 10 estimates that could be checked, 10 held the truth within their interval" in panel
    assert "past estimates missed what came true too often" in panel


def test_an_endpoint_shows_where_its_answers_go_and_how_many_went(pages: Client) -> None:
    text = pages.get("/endpoints/flight-delay/releases").text
    panel = text[text.index('id="export"') :]
    assert "https://events.example/" in panel
    assert "request and response of 25" in panel
    for count in ("3,456", "12", "89"):
        assert f"<dd>{count}</dd>" in panel
    assert "sealed" not in panel


def test_the_chain_is_verified_on_demand(pages: Client) -> None:
    assert "the chain holds" in pages.get("/audit?verify=true").text
    assert "the chain holds" not in pages.get("/audit").text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/nothing", 404, "No page has this address"),
        ("/models/nope", 404, "There is no model named"),
        ("/models/flight-delay/versions/99", 404, "There is nothing here"),
        ("/models/flight-delay/versions/x", 404, "There is nothing here"),
        ("/endpoints/nope", 404, "nope"),
        ("/runs/nope", 404, "nope"),
        ("/changes/nope", 404, "nope"),
        ("/retraining/nope", 404, "nope"),
        ("/alerts?state=loud", 400, "must be one of"),
        ("/audit?before=x", 400, "cannot be read"),
        ("/audit?first=yesterday", 400, "must be a date"),
        ("/audit/999999", 404, "no event 999999"),
        ("/models/nothing/as-of", 404, "no model"),
    ],
)
def test_what_is_not_there_is_said_calmly(pages: Client, path: str, status: int, told: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == status
    assert told in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_a_failure_that_nobody_foresaw_shows_no_trace(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("tenure.web.lives.all_of", fail)
    answer = pages.get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "the server" in answer.text.lower()


def test_every_page_declares_a_permission() -> None:
    assert len(site.declared()) == len({(path, tuple(one.http_methods)) for one in site.handlers for path in one.paths})


def test_statics_are_kept_for_good_under_addresses_that_change(pages: Client) -> None:
    style = re.search(r'href="(/static/site\.[0-9a-f]{12}\.css)"', pages.get("/").text)
    assert style is not None
    answer = pages.get(style[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert pages.get("/static/site.000000000000.css").status_code == 404


# --- forms ---


@pytest.fixture
def own(filled: Ground, tmp_path: Path) -> Iterator[Ground]:
    """The town once more, for tests that write: a copy, since to build it takes ten times as long."""
    with filled.database.engine.connect() as connection:
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    shutil.copytree(filled.settings.folder, tmp_path / "own")
    made = make_ground(tmp_path / "own")
    yield made
    made.database.close()


def test_two_people_sign_a_change_on_its_page(own: Ground) -> None:
    client, change_id = Client(own), _open_change(own)
    for person, role in (("vera", "validator"), ("bo", "business-owner")):
        answer = client.post(f"/changes/{change_id}/sign", data=_signature(person, role))
        assert answer.status_code == 303, answer.text
    text = client.get(f"/changes/{change_id}").text
    assert "every step is signed" in text
    assert "Bo Owens" in text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"password": "wrong"}, "do not belong together"),
        ({"role": "business-owner"}, "does not hold the role"),
        ({"reason": ""}, "must be filled"),
        ({"reason": "x"}, "cannot be read"),
        ({"meaning": "perhaps"}, "cannot be read"),
    ],
)
def test_a_signature_that_is_refused_says_why_above_the_form(own: Ground, changed: dict[str, str], told: str) -> None:
    change_id = _open_change(own)
    answer = Client(own).post(f"/changes/{change_id}/sign", data={**_signature("vera", "validator"), **changed})
    assert answer.status_code in (400, 401, 403)
    assert told in answer.text
    assert 'value="vera"' in answer.text
    assert town.PASSWORD not in answer.text


def test_somebody_signs_in_acknowledges_an_alert_and_signs_out(own: Ground) -> None:
    client = Client(own)
    assert client.post("/sessions", data={"name": "vera", "password": "wrong"}).status_code == 401
    began = client.post("/sessions", data={"name": "vera", "password": town.PASSWORD})
    assert began.status_code == 303
    assert "HttpOnly" in began.headers["set-cookie"]
    page = client.get("/alerts?state=firing").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    path = re.search(r'action="(/alerts/[^"]+/acknowledge)"', page)
    assert csrf is not None
    assert path is not None
    assert client.post(path[1], data={"reason": "looking", "csrf": csrf[1]}).status_code == 303
    assert "No alert is firing" in client.get("/alerts?state=firing").text
    assert client.post("/sign-out", data={"csrf": csrf[1]}).status_code == 303
    assert "Sign in" in client.get("/sign-in").text


def test_an_alert_is_muted_and_unmuted_by_forms(own: Ground) -> None:
    client = Client(own)
    client.post("/sessions", data={"name": "vera", "password": town.PASSWORD})
    page = client.get("/alerts?state=firing").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    form = {
        "csrf": csrf[1],
        "lasts": "30d",
        "monitor": "accuracy",
        "subject": "roc_auc",
        "reason": "the airport is shut",
    }
    path = "/endpoints/flight-delay/mutes"
    assert client.post(path, data={**form, "lasts": "for ever"}).status_code == 400
    assert client.post(path, data=form).status_code == 303
    muted = client.get("/alerts").text
    assert "the airport is shut" in muted
    end = re.search(r'action="(/endpoints/flight-delay/mutes/[^"]+/end)"', muted)
    assert end is not None
    assert client.post(end[1], data={"csrf": csrf[1], "reason": "it opened"}).status_code == 303
    assert "No mute holds now" in client.get("/alerts").text


def test_a_visitor_may_not_acknowledge(own: Ground) -> None:
    answer = Client(own).post("/alerts/0190b5a0-0000-7000-8000-000000000001/acknowledge", data={"reason": "x"})
    assert answer.status_code == 403
    assert "permission" in answer.text


def _open_change(ground: Ground) -> str:
    return ground.database.read(lambda tx: stored_changes.search(tx, state="open"))[0].change.change_id


def _signature(person: str, role: str) -> dict[str, str]:
    reason = "I read the card and the baseline."
    return {"person": person, "password": town.PASSWORD, "role": role, "meaning": "approval", "reason": reason}


def test_a_model_as_of_a_date_tells_who_approved_what_answered(pages: Client) -> None:
    text = pages.get("/models/flight-delay/as-of?at=2100-01-01").text
    for told in ("Vera Valdés", "business-owner", "champion", "revision 1", "tenure-baseline@1"):
        assert told in text
    assert "There was no model" in pages.get("/models/flight-delay/as-of?at=2001-01-01").text


def test_the_filtered_log_leaves_as_csv_and_as_json_lines(pages: Client) -> None:
    chosen = "?action=person.&actor=owner"
    rows = list(csv.reader(pages.get(f"/audit.csv{chosen}").text.splitlines()))
    assert rows[0][:5] == ["number", "at", "who", "what", "about"]
    lines = [json.loads(line) for line in pages.get(f"/audit.jsonl{chosen}").text.splitlines()]
    assert [one["action"] for one in lines] == ["person.created"] * 4
    assert [row[3] for row in rows[1:]] == ["person.created"] * 4


def test_an_event_links_to_what_it_is_about(pages: Client) -> None:
    [event] = [json.loads(one) for one in pages.get("/audit.jsonl?action=version.registered").text.splitlines()][-1:]
    text = pages.get(f"/audit/{event['sequence']}").text
    assert f'href="/models/flight-delay/versions/{event["subject"].rpartition("/")[2]}"' in text
    assert event["hash"] in text


def test_policies_are_told_in_words_with_their_exceptions(pages: Client) -> None:
    text = pages.get("/policies").text
    for words in ("punctual", "version 1", "tenure-baseline@1", "punctual/very-accurate", "watched every week"):
        assert words in text
    text = pages.get("/policies/punctual/1").text
    for words in ("in force", "very-accurate", "must be at least 0.95", "warns only", "semantic type"):
        assert words in text
    assert "yet to begin" in pages.get("/policies/later/1").text
    text = pages.get("/policies/punctual/1?since=2025-01-01").text
    assert "Would be refused" in text
    assert "flight-delay 1" in text
    assert pages.get("/policies/punctual/1?since=soon").status_code == 400
    assert pages.get("/policies/punctual/9").status_code == 404


def test_a_versions_gate_shows_policy_rule_and_exception(pages: Client) -> None:
    text = pages.get("/models/flight-delay/versions/3").text
    assert 'href="/policies/punctual/1"' in text
    assert "Allowed until 2040-01-01 by exception" in text
    assert "Run a proxy test for age." in text


def test_an_endpoints_page_says_what_its_detectors_of_harm_found(filled: Ground) -> None:
    told = Client(filled).get("/endpoints/flight-delay/outcomes").text
    section = told.partition('id="harm"')[2].partition("</section>")[0]
    for text in (
        "Brier loss",
        "version 1",
        "baseline, 6,000 rows",
        "4,321 rows",
        "was 0.131",
        "adwin: 2 alarms lately",
    ):
        assert text in section, text
    assert "pip install" in section
    assert "Value per prediction" in section
    assert "learning" in section
