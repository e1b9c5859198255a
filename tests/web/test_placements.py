"""Deploying, promoting and ending from pages: what comes of it is shown first, and what was shown is what is done."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest

from tenure.deploy import endpoints, placements, promotions
from tenure.deploy import releases as deployed
from tenure.manage import people
from tenure.records.base import Instant
from tenure.records.endpoints import NewEndpoint, NewRelease
from tenure.records.facts import BytesChecked
from tenure.records.people import NewPerson
from tenure.records.placements import NewPlacement
from tenure.serving import routing as published
from tenure.store import audit, changes, releases
from tenure.store import endpoints as kept
from tenure.store.ground import Ground

from ..deploy.makers import NOW, approve, govern, make_model, make_validator, make_version
from . import town
from .conftest import Client

DEPLOY, PROMOTE, RELEASES = "/models/delay/deploy", "/models/delay/promote", "/endpoints/delay-eu/releases"
SIGNED = {"steps": [{"role": "validator"}]}


@pytest.fixture
def own(ground: Ground) -> Ground:
    """Version 1 answers at `delay-eu`; versions 2 and 3 are there. Nobody governs the model."""
    make_model(ground)
    for _ in range(3):
        make_version(ground)
    place = NewEndpoint(name="delay-eu", model="delay")
    ground.database.write(lambda tx: endpoints.create(tx, place, by="ann", now=NOW))
    ground.database.write(
        lambda tx: promotions.promote(tx, "delay", 1, to="champion", reason="the first", by="ann", now=NOW)
    )
    for name, role in (("max", "engineer"), ("rita", "reader"), ("val", "validator")):
        new = NewPerson(name=name, printed_name=name.title(), password=town.PASSWORD, roles=[role])
        kept = people.hashed(town.PASSWORD)
        ground.database.write(lambda tx, new=new, kept=kept: people.create(tx, new, kept, by="ann", now=NOW))
    return replace(ground, clock=lambda: Instant(NOW + 3_600_000_000))


def signed_in(ground: Ground, name: str) -> tuple[Client, str]:
    """A browser with a session, and the token that its forms carry."""
    client = Client(ground)
    assert client.post("/sessions", {"name": name, "password": town.PASSWORD}).status_code == 303
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account").text)
    assert found is not None
    return client, found[1]


class Engineer:
    """Fills in forms as a browser would: with the token, and with what the page said it showed."""

    def __init__(self, ground: Ground, name: str = "max") -> None:
        self.client, self.csrf = signed_in(ground, name)

    def send(self, path: str, act: str = "go", **fields: str) -> Any:
        form = {"version": "2", "endpoint": "delay-eu", "share": "10", "mirrored": "100", "reason": "to compare"}
        form |= {"csrf": self.csrf, "act": act, **fields}
        if act == "go" and "seen" not in fields:
            form["seen"] = seen(self.client.post(f"{path}/ask", {**form, "act": "look"}).text)
        return self.client.post(f"{path}/ask", form)


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    return found[1] if found else ""


def serving(ground: Ground, endpoint: str | None = None) -> list[tuple[int, str, float]]:
    return [
        (one.version, one.role, one.share)
        for one in ground.database.read(lambda tx: releases.open_ones(tx, endpoint=endpoint))
    ]


def told(ground: Ground) -> list[str]:
    return [one.action for one in ground.database.read(lambda tx: audit.search(tx, limit=100))]


def govern_and_approve(ground: Ground, *versions: int, **file: Any) -> None:
    from tenure.build import model_versions

    make_validator(ground)
    govern(ground, **file)
    for number in versions:
        approve(ground, ground.database.read(lambda tx, number=number: model_versions.get(tx, "delay", number)))


def test_a_version_of_a_model_without_rules_is_released_and_routed_at_once(own: Ground) -> None:
    engineer = Engineer(own)
    begun = html.unescape(engineer.client.get(f"{DEPLOY}?version=2&endpoint=delay-eu").text)
    assert "Now: version 1 answers 100 %" in begun
    assert "After: version 1 answers 90 %, version 2 answers 10 %" in begun
    assert "the model is not governed" in begun
    assert "faster form is prepared" in begun
    done = engineer.send(DEPLOY, to="challenger", share="25")
    assert (done.status_code, done.headers["location"]) == (303, RELEASES)
    assert serving(own) == [(1, "champion", 1.0), (2, "challenger", 0.25)]
    route = published.read_table(own.settings.folder).routes["delay-eu"]
    assert [(one.version, one.share) for one in route.releases] == [(1, 0.75), (2, 0.25)]
    newest = own.database.read(lambda tx: audit.search(tx, limit=1))[0]
    assert (newest.action, newest.actor, newest.detail["reason"]) == ("release.started", "max", "to compare")
    page = engineer.client.get(RELEASES).text
    assert "until a worker has compiled it" in page
    assert "Requests: version 1 answers 75 %, version 2 answers 25 %" in page


def test_to_look_leaves_nothing_behind(own: Ground) -> None:
    engineer = Engineer(own)
    before, epoch = told(own), published.read_table(own.settings.folder).epoch
    shown = engineer.send(DEPLOY, act="look", to="shadow", endpoint="", named="delay-us")
    assert shown.status_code == 200
    assert "scores copies of everything" in shown.text
    assert '<span class="tag">new</span>' in shown.text
    assert engineer.client.get(f"{PROMOTE}?version=3").status_code == 200
    assert (told(own), serving(own)) == (before, [(1, "champion", 1.0)])
    assert [one.name for one in own.database.read(kept.list_all)] == ["delay-eu"]
    assert published.read_table(own.settings.folder).epoch == epoch


def test_a_new_endpoint_is_made_with_what_answers_there(own: Ground) -> None:
    engineer = Engineer(own)
    done = engineer.send(DEPLOY, to="shadow", endpoint="", named="delay-us", mirrored="12,5")
    assert done.headers["location"] == "/endpoints/delay-us/releases"
    assert serving(own, "delay-us") == [(1, "champion", 1.0), (2, "shadow", 0.125)]
    refused = engineer.send(DEPLOY, act="look", to="shadow", endpoint="", named="delay-us")
    assert 'id="wrong-named"' in refused.text
    assert "answers for the model" in refused.text


def test_a_champion_without_rules_is_a_promotion_at_every_endpoint(own: Ground) -> None:
    engineer = Engineer(own)
    engineer.send(DEPLOY, to="shadow", endpoint="", named="delay-us")
    shown = engineer.send(PROMOTE, act="look", to="champion").text
    assert shown.count("After: version 2 answers 100 %") == 2
    assert engineer.send(PROMOTE, to="champion").status_code == 303
    assert serving(own) == [(2, "champion", 1.0), (2, "champion", 1.0)]
    page = engineer.client.get(RELEASES).text
    assert "Back to version 1" in page
    back = engineer.client.get("/models/delay/promote?version=1&to=champion").text
    assert "Promote version 1 now" in back


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"to": "challenger", "share": "100"}, "share", "more than 0 and less than 100 %"),
        ({"to": "challenger", "share": "a lot"}, "share", "Write 10 for 10 %"),
        ({"to": "shadow", "mirrored": "0"}, "mirrored", "at most 100 %"),
        ({"to": "shadow", "endpoint": "", "named": "Not a name"}, "named", "small letters"),
        ({"to": "shadow", "reason": " "}, "reason", "must be filled"),
        ({"to": "shadow", "version": "x"}, "version", "Choose a version"),
        ({"to": "boss"}, "to", "Choose what"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_entries_are_kept(
    own: Ground, fields: dict[str, str], field: str, words: str
) -> None:
    refused = Engineer(own).send(DEPLOY, seen="x", **{"reason": "because of spring", **fields})
    assert refused.status_code == 400
    page = html.unescape(refused.text)
    assert f'id="wrong-{field}"' in page
    assert words in page
    assert fields.get("reason", "because of spring") in page
    for name, value in fields.items():
        if name in ("share", "mirrored", "named"):
            assert f'value="{value}"' in page
    assert serving(own) == [(1, "champion", 1.0)]


def test_nothing_is_done_but_what_was_shown(own: Ground) -> None:
    engineer = Engineer(own)
    shown = seen(engineer.send(DEPLOY, act="look", to="challenger").text)
    other = engineer.send(DEPLOY, to="challenger", share="50", seen=shown)
    assert other.status_code == 409
    assert "is not what was shown" in other.text
    assert "version 2 answers 50 %" in other.text
    engineer.send(DEPLOY, to="shadow", version="3")
    assert engineer.send(DEPLOY, to="challenger", seen=shown).status_code == 409
    assert (2, "challenger", 0.1) not in serving(own)


def test_what_changes_while_the_files_are_read_is_not_written_over(
    own: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    engineer, prepare = Engineer(own), placements.prepare
    new = NewRelease(version=3, role="challenger", reason="in between", share=0.5)

    def slow(ground: Ground, asked: NewPlacement, *, now: Instant) -> BytesChecked:
        ground.database.write(lambda tx: deployed.add(tx, "delay-eu", new, by="ann", now=now))
        return prepare(ground, asked, now=now)

    monkeypatch.setattr(placements, "prepare", slow)
    refused = engineer.send(DEPLOY, to="challenger")
    assert (refused.status_code, "is not what was shown" in refused.text) == (409, True)
    assert "Now: version 1 answers 50 %, version 3 answers 50 %" in refused.text
    assert serving(own) == [(1, "champion", 1.0), (3, "challenger", 0.5)]


def test_a_gate_that_says_no_is_shown_with_what_would_satisfy_it(own: Ground) -> None:
    govern_and_approve(own)
    engineer = Engineer(own)
    assert ">Ask for approval</a>" in engineer.client.get(f"{PROMOTE}?version=2").text
    for path, to in ((DEPLOY, "challenger"), (PROMOTE, "champion")):
        shown = engineer.send(path, act="look", to=to)
        assert (shown.status_code, "The gate says no" in shown.text) == (200, True)
        assert "Stays: version 1 answers 100 %" in shown.text
        assert "is registered, not approved" in shown.text
        assert 'value="go"' not in shown.text
        refused = engineer.send(path, to=to)
        assert refused.status_code == 403
        assert "to compare" in refused.text
    assert engineer.send(DEPLOY, to="shadow").status_code == 303  # answers nobody, so no gate is asked
    assert "change.approved" in told(own)
    assert serving(own)[-1] == (2, "shadow", 1.0)


def test_where_people_sign_a_change_is_opened_that_waits_in_their_inbox(own: Ground) -> None:
    govern_and_approve(own, 1, 2, deployment=SIGNED, promotion=SIGNED)
    engineer = Engineer(own)
    shown = engineer.send(DEPLOY, act="look", to="champion").text
    assert "After: version 2 answers 100 %" in shown
    assert "1 as validator, by Val or Vera V." in shown
    assert "Ask for the signatures" in shown
    done = engineer.send(DEPLOY, to="champion")
    assert done.headers["location"].startswith("/changes/")
    [stored] = own.database.read(lambda tx: changes.search(tx, state="open"))
    assert stored.change.target is not None
    assert (stored.change.kind, stored.change.opened_by, stored.change.target.endpoint) == ("deploy", "max", "delay-eu")
    assert serving(own) == [(1, "champion", 1.0)]
    signer, token = signed_in(own, "val")
    assert done.headers["location"] in signer.get("/inbox").text
    signature = {"csrf": token, "person": "val", "password": town.PASSWORD, "role": "validator"}
    signature |= {"meaning": "release", "reason": "so it is"}
    assert signer.post(f"{done.headers['location']}/sign", signature).status_code == 303
    assert serving(own) == [(2, "champion", 1.0)]
    again = engineer.send(PROMOTE, to="challenger", version="1", share="20")
    assert again.headers["location"].startswith("/changes/")


def test_an_approved_version_of_a_governed_model_moves_at_once_where_nobody_signs_again(own: Ground) -> None:
    govern_and_approve(own, 2)
    engineer = Engineer(own)
    assert "the approval of the version allows it" in engineer.send(PROMOTE, act="look", to="champion").text
    assert engineer.send(PROMOTE, to="champion").headers["location"] == RELEASES
    assert serving(own) == [(2, "champion", 1.0)]
    [change] = [one.change for one in own.database.read(changes.search) if one.change.kind == "promote"]
    assert (change.state, change.reason) == ("approved", "to compare")


def test_nobody_who_may_sign_is_said_before_it_is_asked(own: Ground) -> None:
    govern_and_approve(own, 2, promotion={"steps": [{"role": "release-manager"}]})
    shown = Engineer(own).send(PROMOTE, act="look", to="champion").text
    assert "which nobody may give now" in shown


def test_a_challenger_is_ended_with_a_reason(own: Ground) -> None:
    engineer = Engineer(own)
    engineer.send(DEPLOY, to="challenger")
    found = re.search(rf'href="({RELEASES}/[^"]+/end)"', engineer.client.get(RELEASES).text)
    assert found is not None
    page = engineer.client.get(found[1]).text
    assert "After: version 1 answers 100 %" in page
    refused = engineer.client.post(f"{found[1]}/do", {"csrf": engineer.csrf, "reason": "no"})
    assert (refused.status_code, 'id="wrong-reason"' in refused.text) == (400, True)
    assert ">no</textarea>" in refused.text
    done = engineer.client.post(f"{found[1]}/do", {"csrf": engineer.csrf, "reason": "seen enough"})
    assert done.headers["location"] == f"{RELEASES}#in-service"
    assert serving(own) == [(1, "champion", 1.0)]
    assert [one.version for one in published.read_table(own.settings.folder).routes["delay-eu"].releases] == [1]
    assert "has ended already" in engineer.client.get(found[1]).text
    champion = own.database.read(releases.open_ones)[0].release_id
    assert "is not ended by itself" in html.unescape(engineer.client.get(f"{RELEASES}/{champion}/end").text)
    assert engineer.client.get("/endpoints/delay-eu/releases/none/end").status_code == 404


def test_who_may_not_sees_no_button_and_is_refused(own: Ground) -> None:
    reader = Engineer(own, "rita")
    release = own.database.read(releases.open_ones)[0].release_id
    for path in (DEPLOY, PROMOTE, f"{RELEASES}/{release}/end"):
        page = reader.client.get(path)
        assert (page.status_code, "None of your roles may" in page.text) == (200, True)
        assert 'method="post" action="/models' not in page.text
        assert 'name="reason"' not in page.text
    for path in ("/models/delay/versions/2", RELEASES):
        page = reader.client.get(path).text
        assert not re.search(r'href="/models/delay/(deploy|promote)', page)
        assert '/end"' not in page
    assert reader.send(DEPLOY, seen="x", to="shadow").status_code == 403
    assert reader.send(PROMOTE, seen="x", to="champion").status_code == 403
    ended = reader.client.post(f"{RELEASES}/{release}/end/do", {"csrf": reader.csrf, "reason": "because"})
    assert ended.status_code == 403
    without = Engineer(own)
    without.csrf = ""
    assert without.send(DEPLOY, seen="x", to="shadow").status_code == 403
    assert serving(own) == [(1, "champion", 1.0)]


def test_pages_of_what_is_not_there(own: Ground) -> None:
    engineer = Engineer(own)
    assert engineer.client.get("/models/none/deploy").status_code == 404
    assert engineer.client.get(f"{DEPLOY}?to=boss").status_code == 400
    assert engineer.client.get(f"{PROMOTE}?to=shadow").status_code == 400
    assert engineer.send(DEPLOY, to="shadow", endpoint="elsewhere", seen="x").status_code == 404
    assert engineer.send(DEPLOY, to="shadow", version="99", seen="x").status_code == 404
    make_model(own, "bare")
    assert "No version could go into service" in engineer.client.get("/models/bare/deploy").text
