"""Four eyes on the rules themselves: nobody alone loosens the file of a governed model that has an approved version."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tenure.manage import (
    changes,
    comments,
    evidence,
    grants,
    histories,
    inbox,
    model_files,
    signatures,
    verification,
)
from tenure.manage.model_files import Applied
from tenure.records.base import Instant
from tenure.records.changes import Change, NewComment
from tenure.records.digests import digest_of
from tenure.records.endpoints import ReleaseInfo
from tenure.records.people import NewGrant, Principal
from tenure.store import audit, endpoints, releases
from tenure.store import signatures as kept
from tenure.store.ground import Ground

from .makers import FILE, MODEL, NOW, approve, ask, make_ready, make_version, sign, state_of, write_card

WIDER: dict[str, Any] = {"use": {"jurisdictions": ["US", "EU"]}}
FEWER: dict[str, Any] = {"approval": {"steps": [{"role": "validator"}]}}
REASON = "Flights from Europe are answered, too"
LATER = Instant(NOW + 6)
AFTER = Instant(NOW + 50)


def apply(
    ground: Ground, *, by: str = "ann", reason: str | None = REASON, at: Instant = LATER, dry: bool = False, **new: Any
) -> Applied:
    file = model_files.parse({**FILE, **new})
    return ground.database.write(lambda tx: model_files.apply(tx, file, by=by, now=at, reason=reason, dry_run=dry))


def loosen(ground: Ground, *, by: str = "ann", at: Instant = LATER, **new: Any) -> Change:
    change = apply(ground, by=by, at=at, **new).change
    assert change is not None
    return change


def revision(ground: Ground) -> int:
    applied = ground.database.read(lambda tx: model_files.current(tx, MODEL))
    assert applied is not None
    return applied.revision


def told(ground: Ground, action: str) -> list[Any]:
    return ground.database.read(lambda tx: audit.search(tx, action=action, limit=100))


def state(ground: Ground, change: Change) -> tuple[str, str]:
    now = ground.database.read(lambda tx: changes.get(tx, change.change_id))
    return now.state, now.ended_because


@pytest.fixture
def approved(each_ground: Ground) -> Ground:
    """A governed model with one approved version, on both databases."""
    approve(each_ground, make_ready(each_ground))
    return each_ground


@pytest.fixture
def bound(ground: Ground) -> Ground:
    """The same on SQLite alone."""
    approve(ground, make_ready(ground))
    return ground


def test_a_loosening_waits_for_those_whom_the_standing_file_names(approved: Ground) -> None:
    asked = apply(approved, **WIDER)
    assert (asked.revision, asked.invalidated, revision(approved)) == (1, [], 1)
    assert [(one.path, one.words) for one in asked.looser] == [("use.jurisdictions", "also allows EU")]
    assert [(step.role, step.needed) for step in asked.needs] == [("validator", 1), ("business-owner", 1)]
    change = asked.change
    assert change is not None
    assert (change.kind, change.state, change.opened_by, change.reason) == ("revise", "open", "ann", REASON)
    assert change.about == "the file of late"
    assert change.subject.revised == asked.digest
    assert sign(approved, change, "vera", "validator").state == "open"
    assert revision(approved) == 1
    assert sign(approved, change, "bo", "business-owner").state == "approved"
    stands = approved.database.read(lambda tx: model_files.current(tx, MODEL))
    assert stands is not None
    assert (stands.revision, stands.file.use.jurisdictions, stands.applied_by) == (2, ["US", "EU"], "ann")
    assert told(approved, "model_file.applied")[0].detail["change"] == change.change_id
    assert told(approved, "change.approved")[0].detail["model_file"] == MODEL
    history = approved.database.read(lambda tx: model_files.history(tx, MODEL))
    assert [one.change_id for one in history] == [change.change_id, None]
    assert approved.database.read(audit.verify).first_bad is None


def test_what_is_tighter_or_plain_stands_at_once(bound: Ground) -> None:
    assert apply(bound, owner="you@example.com", reason=None).revision == 2
    tighter = apply(bound, owner="you@example.com", protected=["sex"], reason=None)
    assert (tighter.revision, tighter.change, tighter.looser) == (3, None, [])


def test_a_draft_is_changed_by_one_person_until_a_version_is_approved(ground: Ground) -> None:
    version = make_ready(ground)
    assert apply(ground, **WIDER).revision == 2
    assert apply(ground).revision == 3
    approve(ground, version)
    assert apply(ground, **WIDER).change is not None


def test_a_release_binds_as_an_approval_does_even_when_it_has_ended(ground: Ground) -> None:
    make_ready(ground)
    release = ReleaseInfo(
        release_id="r", endpoint="e", model=MODEL, version=1, role="shadow", share=0.0, from_at=NOW, until_at=NOW + 1,
        released_by="ann", reason="first trial",
    )  # fmt: skip
    ground.database.write(lambda tx: endpoints.add(tx, "e", MODEL, by="ann", now=NOW))
    ground.database.write(lambda tx: releases.add(tx, release))
    assert apply(ground, **WIDER).change is not None


def test_a_model_that_is_not_governed_is_not_held_up(ground: Ground) -> None:
    file = {name: value for name, value in FILE.items() if name != "approval"}
    for jurisdictions in (["US"], ["US", "EU"]):
        parsed = model_files.parse({**file, "use": {"jurisdictions": jurisdictions}})
        applied = ground.database.write(lambda tx, one=parsed: model_files.apply(tx, one, by="ann", now=NOW))
        assert applied.change is None


def test_a_loosening_needs_a_reason_and_a_dry_run_none(bound: Ground) -> None:
    for reason in (None, " ", "no"):
        with pytest.raises(
            InvalidInput, match=r"loosens rules of 'late'.*use\.jurisdictions: also allows EU"
        ) as caught:
            apply(bound, reason=reason, **WIDER)
        assert caught.value.where == "reason"
    would = apply(bound, reason=None, dry=True, **WIDER)
    assert (would.change, [step.role for step in would.needs]) == (None, ["validator", "business-owner"])
    assert not bound.database.read(lambda tx: changes.search(tx, state="open"))


def test_asking_for_the_same_again_opens_no_second_change(bound: Ground) -> None:
    first, again = loosen(bound, **WIDER), loosen(bound, by="bo", **WIDER)
    assert (again.change_id, again.opened_by) == (first.change_id, "ann")
    assert len(told(bound, "change.opened")) == 2, "the approval of the version, and this one"


@pytest.mark.parametrize("asker", ["ann", "vera"])
def test_who_asked_does_not_sign(bound: Ground, asker: str) -> None:
    change = loosen(bound, by=asker, **FEWER)
    with pytest.raises(NotAllowed, match="asked for this change"):
        sign(bound, change, asker, "validator")
    as_author = sign(bound, change, asker, "author", "author")
    assert [step.signed for step in as_author.steps] == [0, 0]


def test_a_role_that_was_given_after_it_was_asked_does_not_sign(bound: Ground) -> None:
    change = loosen(bound, at=NOW, **WIDER)
    given = NewGrant(principal="bo", role="validator")
    bound.database.write(lambda tx: grants.give(tx, given, by="owner", now=Instant(NOW + 1)))
    with pytest.raises(NotAllowed, match="after this change was opened"):
        sign(bound, change, "bo", "validator")


def test_the_steps_of_the_standing_file_count_not_those_of_the_new_one(bound: Ground) -> None:
    change = loosen(bound, **FEWER)
    assert sign(bound, change, "vera", "validator").state == "open"
    assert sign(bound, change, "bo", "business-owner").state == "approved"
    version = make_version(bound)
    write_card(bound, version)
    assert [step.role for step in ask(bound, version, at=LATER).steps] == ["validator"]


def test_who_signs_for_a_part_is_asked_when_that_part_is_loosened(bound: Ground) -> None:
    deployment = {"steps": [{"role": "operator", "signatures": 2}]}
    apply(bound, deployment=deployment)
    less = {"steps": [{"role": "operator"}]}
    assert [step.role for step in loosen(bound, deployment=less).steps] == ["validator", "business-owner", "operator"]
    other = loosen(bound, deployment=deployment, **WIDER)
    assert [step.role for step in other.steps] == ["validator", "business-owner"]


def test_a_rejection_and_a_withdrawal_leave_the_file_as_it_is(approved: Ground) -> None:
    first = loosen(approved, **WIDER)
    assert sign(approved, first, "vera", "validator", "rejection").state == "rejected"
    second = loosen(approved, at=Instant(LATER + 1), **WIDER)
    sign(approved, second, "vera", "validator")
    back = approved.database.write(lambda tx: changes.withdraw(tx, second.change_id, by="ann", now=LATER))
    assert (back.state, [one.voided for one in back.signatures]) == ("withdrawn", [True])
    assert revision(approved) == 1
    assert state_of(approved, 1) == "approved", "a change of the file moves no version"


def test_what_stands_meanwhile_voids_what_was_asked(approved: Ground) -> None:
    change = loosen(approved, **WIDER)
    sign(approved, change, "vera", "validator")
    assert apply(approved, owner="you@example.com").invalidated == [change.change_id]
    assert state(approved, change) == ("invalidated", "the model's file changed; open a new change request on it")
    with pytest.raises(Conflict, match="Only an open change can be signed"):
        sign(approved, change, "bo", "business-owner")


def test_of_two_that_compete_the_first_that_is_signed_ends_the_other(approved: Ground) -> None:
    one, two = loosen(approved, **WIDER), loosen(approved, by="vic", **FEWER)
    version = make_version(approved)
    write_card(approved, version)
    waiting = ask(approved, version, at=LATER)
    for person, role in (("vera", "validator"), ("bo", "business-owner")):
        sign(approved, two, person, role)
    assert state(approved, one) == ("invalidated", f"change {two.change_id} was approved first")
    assert state(approved, waiting)[0] == "invalidated", "what is signed for a version covers the model's file"
    assert revision(approved) == 2


def test_two_people_who_race_make_one_revision(approved: Ground) -> None:
    """One tightens while the other asks to loosen: whoever comes second is held against what stands by then."""
    start, done = threading.Barrier(2), list[Any]()

    def run(by: str, new: dict[str, Any]) -> None:
        start.wait()
        done.append(apply(approved, by=by, **new))

    both = [
        threading.Thread(target=run, args=("ann", WIDER)),
        threading.Thread(target=run, args=("vic", {"protected": ["sex"]})),
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(done) == 2
    assert revision(approved) == 2
    stands = approved.database.read(lambda tx: model_files.current(tx, MODEL))
    assert stands is not None
    assert (stands.file.protected, stands.file.use.jurisdictions) == (["sex"], ["US"])
    for change in approved.database.read(lambda tx: changes.search(tx, state="open")):
        assert change.revising is not None
        assert change.revising.standing == 2, "what was asked of the first revision is void"
        assert [one.path for one in change.revising.looser] == ["use.jurisdictions", "protected"]


HALVES: list[tuple[str, list[dict[str, Any]]]] = [
    ("an older revision", [{"protected": ["sex"]}, {}]),
    (
        "a second step that seems to keep the first",
        [
            {"approval": {"steps": [*FILE["approval"]["steps"], {"role": "clerk"}]}},
            {"approval": {"steps": [{"role": "clerk"}]}},
        ],
    ),
    (
        "another column that takes the place of a forbidden one",
        [
            {"features": {**FILE["features"], "alder": {"kind": "numeric"}}},
            {"features": {**{name: one for name, one in FILE["features"].items() if name != "age"}, "alder": {}}},
        ],
    ),
    ("an empty list, which allows everything", [{"use": {"jurisdictions": ["US"], "callers": ["app"]}}, {"use": {}}]),
]  # fmt: skip


@pytest.mark.parametrize(("way", "files"), HALVES, ids=[way for way, _ in HALVES])
def test_no_row_of_harmless_looking_files_leads_around_the_signatures(
    bound: Ground, way: str, files: list[dict[str, Any]]
) -> None:
    for declared in files[:-1]:
        assert apply(bound, **declared).change is None
    stood = revision(bound)
    assert apply(bound, **files[-1]).change is not None, way
    assert revision(bound) == stood


def test_retiring_the_only_version_sets_nobody_free(bound: Ground) -> None:
    sign(bound, ask(bound, 1, "retire", at=Instant(NOW + 50)), "vera", "validator")
    assert state_of(bound, 1) == "retired"
    assert apply(bound, **WIDER).change is not None


def test_a_signature_covers_both_files_and_says_what_is_looser(bound: Ground) -> None:
    change = loosen(bound, **WIDER)
    sign(bound, change, "vera", "validator")
    [envelope] = bound.database.read(lambda tx: kept.envelopes(tx, change.change_id))
    said = signatures.verify(envelope, bound.key.public_pem)
    file = bound.database.read(lambda tx: changes.file_of(tx, change.change_id))
    assert (said.kind, said.version, said.meaning) == ("revise", 0, "approval")
    assert said.subject.model_file == digest_of(model_files.parse(FILE))
    assert said.subject.revised == digest_of(file)
    words = dict(signatures.in_words(said))
    assert words["of"].endswith("revise the file of late, in place of revision 1")
    assert words["looser"] == "use.jurisdictions: also allows EU"
    with pytest.raises(NotFound, match="is about a version"):
        bound.database.read(lambda tx: changes.file_of(tx, changes.search(tx, state="approved")[0].change_id))


def test_a_pinned_file_that_was_changed_in_the_database_is_not_signed(bound: Ground) -> None:
    """What stands in the row is held against the digest that was asked for."""
    change = loosen(bound, **WIDER)

    def tamper(tx: Any) -> None:
        tx.execute(sa.text("UPDATE changes SET body = replace(body, '\"EU\"', '\"XX\"') WHERE kind = 'revise'"))

    bound.database.write(tamper)
    assert sign(bound, change, "vera", "validator").state == "invalidated"
    assert revision(bound) == 1


def test_the_change_is_told_in_inbox_timeline_history_and_evidence(approved: Ground) -> None:
    change = loosen(approved, **WIDER)
    vera = Principal(name="vera", kind="person", permissions=frozenset())
    waiting = approved.database.read(lambda tx: inbox.of(tx, vera, LATER)).to_sign
    assert [(one.change.about, one.roles) for one in waiting] == [("the file of late", ["validator"])]
    approved.database.write(
        lambda tx: comments.add(tx, change.change_id, NewComment(text="why Europe?"), by=vera, now=LATER)
    )
    sign(approved, change, "vera", "validator")
    half = Instant(NOW + 5)
    done = sign(approved, change, "bo", "business-owner")
    moments = approved.database.read(lambda tx: comments.timeline(tx, change.change_id))
    assert sorted(one.what for one in moments) == ["comment", "ended", "opened", "signature", "signature"]
    assert done.closed_at is not None
    then = approved.database.read(lambda tx: histories.look(tx, MODEL, AFTER))
    assert [(one.kind, one.revising is not None) for one in then.revisions] == [("revise", True)]
    assert approved.database.read(lambda tx: histories.look(tx, MODEL, half)).revisions == []
    assert then.model_file is not None
    found = approved.database.read(lambda tx: evidence.of_version(tx, MODEL, 1, approved.key, now=AFTER))
    assert [one.change_id for one in found.revisions] == [change.change_id]
    raw = msgspec.json.encode(found)
    verdict = verification.verify(raw, [approved.key.public_pem], quorum=True)
    wrong = [one for one in verdict.findings if not one.holds]
    assert [one.what for one in wrong] == ["model's file"], "the version was approved under the file before"
    assert any(one.what.startswith("revision of the file") and one.holds for one in verdict.findings)
    forged = msgspec.structs.replace(
        found, model_file=msgspec.structs.replace(found.model_file, file=model_files.parse({**FILE, **FEWER}))
    )
    verdict = verification.verify(msgspec.json.encode(forged), [approved.key.public_pem])
    assert any(one.what.startswith("revision of the file") and not one.holds for one in verdict.findings)
