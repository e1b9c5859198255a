"""What breaks if something goes, and what must be decided before it does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tenure.deploy import changes as deployed
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.manage import changes, decisions, evidence, facts, impact, signatures, verification
from tenure.records.base import Instant
from tenure.records.changes import Change, Decision, NewChange
from tenure.records.lineage import Impact
from tenure.records.provenance import parts_of
from tenure.store import audit, registered_models, releases, runs, tables
from tenure.store.ground import Ground

from . import chain
from .chain import DATASET, NOW, RETRAINING, Chain
from .makers import make_people, sign


def ask(ground: Ground, kind: str, identifier: str) -> Impact:
    return ground.database.read(lambda tx: impact.of(tx, kind, identifier))


def hit(found: Impact) -> set[str]:
    return {f"{one.kind}:{one.id}" for one in found.affected}


def open_(ground: Ground, kind: Any, version: int = 1, at: Instant = NOW, **more: Any) -> Change:
    new = msgspec.convert(
        {"kind": kind, "model": "fraud", "version": version, "reason": "wrong data", **more}, NewChange
    )
    checked = facts.check_bytes(ground, "fraud", version)
    return ground.database.write(lambda tx: changes.open_change(tx, new, by="ann", now=at, checked=checked))


DEPENDENTS = ("endpoint:fraud-live", "version:credit/1", "version:fraud-eu/1", f"retraining:{RETRAINING}")
LATER = Instant(NOW + 1)
ACCEPTED = [{"dependent": name, "decide": "accept"} for name in DEPENDENTS]


def test_a_dataset_that_goes_hits_everything_that_was_made_of_it(each_ground: Ground) -> None:
    Chain(each_ground)
    each_ground.database.write(lambda tx: registered_models.set_alias(tx, "credit", "champion", 1))
    found = ask(each_ground, "dataset", DATASET)
    assert hit(found) == {
        "endpoint:fraud-live",
        "endpoint:credit-live",
        "release:r-fraud-1-champion",
        "release:r-credit-1-champion",
        "version:fraud/1",
        "version:fraud-eu/1",
        "version:credit/1",
        "model:credit",
        f"retraining:{RETRAINING}",
        "alias:credit@champion",
    }, "and not fraud 2, which was refit on newer data"
    why = next(one.why for one in found.affected if one.id == "credit-live")
    assert why == [
        "dataset loans",
        "read by run forest",
        "made logged model forest",
        "registered as version fraud 1",
        "gives its score to (high) version credit 1",
        "in service as champion",
        "serves endpoint credit-live",
    ]


@pytest.mark.parametrize(("kind", "identifier"), [("version", "fraud/1"), ("model", "fraud")])
def test_what_takes_the_score_of_what_goes_is_hit(each_ground: Ground, kind: str, identifier: str) -> None:
    Chain(each_ground)
    found = ask(each_ground, kind, identifier)
    assert {"version:credit/1", "model:credit", "endpoint:credit-live"} <= hit(found)
    assert "version:credit/2" not in hit(found)


def test_what_has_ended_is_not_hit(each_ground: Ground) -> None:
    Chain(each_ground)
    each_ground.database.write(lambda tx: releases.end(tx, "r-fraud-1-champion", Instant(NOW + 10)))
    assert hit(ask(each_ground, "version", "fraud/1")) == {"version:fraud-eu/1", f"retraining:{RETRAINING}"}


def test_a_column_and_a_source_hit_what_is_derived_from_them(each_ground: Ground) -> None:
    Chain(each_ground)
    of_source = hit(ask(each_ground, "source", "bureau"))
    assert {"version:fraud/1", "version:fraud/2", "version:credit/1", "endpoint:credit-live"} <= of_source
    of_column = ask(each_ground, "column", "risk")
    assert {"version:credit/1", "endpoint:credit-live"} <= hit(of_column)
    assert "version:fraud/1" not in hit(of_column)
    assert of_column.affected[-1].why[0] == "column risk"
    assert ask(each_ground, "column", "never-heard-of").affected == []


def test_a_package_hits_what_is_in_service_and_was_made_with_it(each_ground: Ground) -> None:
    made = Chain(each_ground)
    told = parts_of(["numpy==2.0.1", "scikit_learn==1.7.0"], "tenure.environment.packages")
    tags = [(key, value) for key, value in told.items()]
    each_ground.database.write(lambda tx: runs.set_tags(tx, made.run_id, tags))
    found = ask(each_ground, "package", "numpy<2.1")
    assert {"version:fraud/1", "endpoint:fraud-live", "version:credit/1"} <= hit(found)
    assert found.unknown == ["credit/1"], "which does not tell what it was made with"
    assert ask(each_ground, "package", "numpy>=2.1").affected == []
    assert "version:fraud/1" in hit(ask(each_ground, "package", "Scikit-Learn"))


@pytest.mark.parametrize(
    ("kind", "identifier", "problem"),
    [
        ("wheel", "x", "must be one of dataset"),
        ("column", " ", "must not be empty"),
        ("package", "numpy<<2", "must read numpy, numpy<2.1"),
        ("version", "fraud", "must be <model>/<number>"),
    ],
)
def test_what_cannot_be_asked_says_so(ground: Ground, kind: str, identifier: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        ask(ground, kind, identifier)


def test_what_is_not_there_is_not_found(ground: Ground) -> None:
    with pytest.raises(NotFound, match="no version 'fraud/1'"):
        ask(ground, "version", "fraud/1")


@pytest.mark.parametrize("kind", ["suspend", "retire"])
def test_every_dependent_needs_a_decision_and_is_named(each_ground: Ground, kind: str) -> None:
    Chain(each_ground)
    with pytest.raises(Conflict) as caught:
        open_(each_ground, kind, decisions=ACCEPTED[:1])
    assert "endpoint:fraud-live (" not in caught.value.message
    for name in DEPENDENTS[1:]:
        assert name in caught.value.message
    assert '"decide": "accept"' in caught.value.message
    change = open_(each_ground, kind, decisions=ACCEPTED)
    kept = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert [decision.dependent for decision in kept.decisions] == list(DEPENDENTS)
    told = each_ground.database.read(lambda tx: audit.search(tx, action="change.opened"))[0]
    assert told.detail["decisions"][0] == {**ACCEPTED[0], "note": ""}


def test_an_emergency_accepts_all_by_one_word_and_that_is_kept(each_ground: Ground) -> None:
    Chain(each_ground)
    change = open_(each_ground, "suspend", accept="all")
    kept = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert kept.accepted == "all"
    assert f"change:{change.change_id}" in hit(ask(each_ground, "dataset", DATASET))
    assert {(one.dependent, one.decide, one.note) for one in kept.decisions} == {
        (name, "accept", "wrong data") for name in DEPENDENTS
    }
    with pytest.raises(InvalidInput, match="for a suspension in an emergency"):
        open_(each_ground, "retire", accept="all")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([{"dependent": "endpoint:other", "decide": "accept"}], "does not depend on fraud 1"),
        ([ACCEPTED[0], ACCEPTED[0]], "is decided about twice"),
    ],
)
def test_a_decision_about_nothing_is_refused(ground: Ground, given: Any, problem: str) -> None:
    Chain(ground)
    with pytest.raises(InvalidInput, match=problem):
        open_(ground, "retire", decisions=given)


def test_who_replaces_says_by_what() -> None:
    with pytest.raises(msgspec.ValidationError, match="what replaces it"):
        msgspec.convert({"dependent": "endpoint:x", "decide": "replace"}, Decision)


def test_decisions_go_with_what_takes_something_away(ground: Ground) -> None:
    Chain(ground)
    new = NewChange(kind="approve", model="fraud", version=1, reason="good", accept="all")
    with pytest.raises(InvalidInput, match="go with suspend and retire"):
        ground.database.read(lambda tx: decisions.check(tx, new))


def test_what_nothing_depends_on_needs_no_decision(ground: Ground) -> None:
    Chain(ground)
    assert open_(ground, "retire", version=2).decisions == []


def signed(change: Change) -> Change:
    return msgspec.structs.replace(change, state="approved")


def test_a_retirement_ends_what_was_accepted(each_ground: Ground) -> None:
    Chain(each_ground)
    change = open_(each_ground, "retire", decisions=ACCEPTED)
    each_ground.database.write(lambda tx: deployed.follow(tx, signed(change), now=NOW))
    assert [one.model for one in each_ground.database.read(releases.open_ones)] == ["credit"]


def test_a_retirement_waits_for_what_was_to_replace_it(each_ground: Ground) -> None:
    Chain(each_ground)
    replaced = {"dependent": "endpoint:fraud-live", "decide": "replace", "note": "version 2 takes over"}
    change = open_(each_ground, "retire", decisions=[replaced, *ACCEPTED[1:]])
    with pytest.raises(Conflict, match="was to be replaced at endpoint:fraud-live"):
        each_ground.database.write(lambda tx: deployed.follow(tx, signed(change), now=NOW))
    each_ground.database.write(lambda tx: releases.end(tx, "r-fraud-1-champion", NOW))
    each_ground.database.write(lambda tx: deployed.follow(tx, signed(change), now=NOW))


def test_what_came_to_depend_on_it_meanwhile_is_not_passed_over(ground: Ground) -> None:
    Chain(ground)
    change = open_(ground, "retire", decisions=ACCEPTED)
    ground.database.write(lambda tx: chain.release(tx, "second", "fraud", 1, role="challenger"))
    with pytest.raises(Conflict, match="endpoint:second came to depend"):
        ground.database.write(lambda tx: deployed.follow(tx, signed(change), now=NOW))
    suspension = msgspec.structs.replace(signed(change), kind="suspend")
    ground.database.write(lambda tx: deployed.follow(tx, suspension, now=NOW))
    assert [one.model for one in ground.database.read(releases.open_ones)] == ["credit"]


@pytest.mark.parametrize(("kind", "more"), [("retire", {"decisions": ACCEPTED}), ("suspend", {"accept": "all"})])
def test_a_signature_covers_what_was_decided(each_ground: Ground, kind: str, more: Any) -> None:
    Chain(each_ground)
    make_people(each_ground)
    change = sign(each_ground, open_(each_ground, kind, at=LATER, **more), "vera", "validator")
    assert change.state == "approved"
    [envelope] = each_ground.database.read(lambda tx: changes.envelopes_of(tx, change.change_id))
    statement = signatures.verify(envelope, *each_ground.key.public_pems)
    assert statement.decisions == change.decisions
    assert statement.accepted == change.accepted
    assert statement.subject.decisions == change.subject.decisions != ""
    words = [words for name, words in signatures.in_words(statement) if name == "decided"]
    assert [said.split(" ")[0] for said in words] == list(DEPENDENTS)


def tamper(ground: Ground, change: Change, *, digest_too: bool) -> None:
    """As somebody who owns the database would: the first decision says otherwise."""

    def rewrite(tx: Any) -> None:
        where = tables.changes.c.change_id == change.change_id
        body = json.loads(tx.execute(sa.select(tables.changes.c.body).where(where)).scalar_one())
        body["decisions"][0]["note"] = "nobody said so"
        if digest_too:
            forged = msgspec.convert(body["decisions"], list[Decision])
            body["subject"]["decisions"] = decisions.digest(change.kind, forged, None)
        tx.execute(sa.update(tables.changes).where(where).values(body=json.dumps(body)))

    ground.database.write(rewrite)


@pytest.mark.parametrize("digest_too", [False, True])
def test_a_decision_that_changed_after_a_signature_voids_it(each_ground: Ground, digest_too: bool) -> None:
    Chain(each_ground)
    make_people(each_ground)
    change = open_(each_ground, "retire", at=LATER, decisions=ACCEPTED)
    assert sign(each_ground, change, "ann", "author", "author").state == "open"
    tamper(each_ground, change, digest_too=digest_too)
    ended = sign(each_ground, change, "vera", "validator")
    assert ended.state == "invalidated"
    assert "what was to be signed has changed (decisions)" in ended.ended_because
    assert [(one.person, one.voided) for one in ended.signatures] == [("ann", True)]
    assert len(each_ground.database.read(releases.open_ones)) == 2, "and nothing went"


def test_to_decide_otherwise_is_to_withdraw_and_ask_again(each_ground: Ground) -> None:
    Chain(each_ground)
    make_people(each_ground)
    change = open_(each_ground, "suspend", at=LATER, decisions=ACCEPTED)
    sign(each_ground, change, "ann", "author", "author")
    each_ground.database.write(lambda tx: changes.withdraw(tx, change.change_id, by="ann", now=NOW))
    gone = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert [one.voided for one in gone.signatures] == [True]
    other = {**ACCEPTED[0], "note": "known to the desk"}
    again = open_(each_ground, "suspend", at=LATER, decisions=[other, *ACCEPTED[1:]])
    assert again.subject.decisions != change.subject.decisions


def test_verification_offline_shows_the_decisions_and_names_what_is_not_signed(ground: Ground) -> None:
    Chain(ground)
    make_people(ground)
    change = sign(ground, open_(ground, "retire", at=LATER, decisions=ACCEPTED), "vera", "validator")
    found = ground.database.read(lambda tx: evidence.of_version(tx, "fraud", 1, ground.key, now=NOW))
    bundle = json.loads(msgspec.json.encode(found))

    def told(name: str) -> dict[bool, list[str]]:
        findings = verification.verify(json.dumps(bundle).encode(), ground.key.public_pems).findings
        return {
            holds: [one.says for one in findings if one.what == name and one.holds is holds] for holds in (True, False)
        }

    what = f"decisions of retire {change.change_id}"
    assert told(what) == {True: ["4, as vera signed"], False: []}
    bundle["changes"][0]["decisions"][1]["decide"] = "replace"
    bundle["changes"][0]["decisions"][1]["note"] = "by version 9"
    [problem] = told(what)[False]
    assert problem.startswith("is not what was signed, sha256:")
    bundle["changes"][0]["decisions"] = []
    assert told(what)[True] == [], "and none left out"
    statement = signatures.verify(
        json.dumps(bundle["envelopes"][change.change_id][0]).encode(), *ground.key.public_pems
    )
    forged = signatures.seal(msgspec.structs.replace(statement, decisions=[]), ground.key)
    bare = verification.verify(forged, ground.key.public_pems)
    assert not bare.holds, "a statement whose words are not those of its digest"
    older = msgspec.structs.replace(
        statement, decisions=[], subject=msgspec.structs.replace(statement.subject, decisions="")
    )
    assert verification.verify(signatures.seal(older, ground.key), ground.key.public_pems).holds
    bundle["changes"][0]["decisions"] = ACCEPTED
    bundle["envelopes"][change.change_id] = [json.loads(signatures.seal(older, ground.key))]
    assert told(what)[False] == ["what vera signed does not cover them"]
