"""Change requests: who may sign, what ends them, and what a signature covers."""

import threading
from collections.abc import Callable

import pytest

from tenure.build import model_versions
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotAllowed, NotFound
from tenure.manage import cards, changes, grants, guards, model_files, people, profiles, signatures
from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.records.endpoints import ReleaseInfo
from tenure.records.people import NewGrant
from tenure.store import audit, endpoints, releases
from tenure.store.ground import Ground

from .makers import (
    CARD,
    FILE,
    MODEL,
    NOW,
    apply_file,
    approve,
    ask,
    make_people,
    make_profile,
    make_ready,
    make_version,
    sign,
    state_of,
    write_card,
)


def actions(ground: Ground) -> list[str]:
    return [event.action for event in reversed(ground.database.read(lambda tx: audit.search(tx, limit=1000)))]


def test_two_people_approve_a_version(each_ground: Ground):
    version = make_ready(each_ground)
    change = ask(each_ground, version)
    assert state_of(each_ground, version) == "in_review"
    half = sign(each_ground, change, "vera", "validator")
    assert (half.state, [step.signed for step in half.steps]) == ("open", [1, 0])
    done = sign(each_ground, half, "bo", "business-owner")
    assert (done.state, done.closed_at, [step.signed for step in done.steps]) == ("approved", NOW + 11, [1, 1])
    assert state_of(each_ground, version) == "approved"
    assert actions(each_ground)[-5:] == [
        "change.opened",
        "change.signed",
        "change.signed",
        "change.approved",
        "version.approved",
    ]
    assert each_ground.database.read(audit.verify).first_bad is None


def test_a_signature_covers_the_digests_and_says_who_why_and_how(ground: Ground):
    version = make_ready(ground)
    change = approve(ground, version)
    envelopes = ground.database.read(lambda tx: changes.envelopes_of(tx, change.change_id))
    first, second = (signatures.verify(envelope, ground.key.public_pem) for envelope in envelopes)
    info = ground.database.read(lambda tx: model_versions.get(tx, MODEL, version))
    assert first.subject == change.subject
    assert first.subject.artifact == info.digest
    assert [part for part in first.subject.__struct_fields__ if not getattr(first.subject, part)] == [
        "decisions",
        "revised",
    ]
    assert (first.person, first.printed_name, first.role) == ("vera", "Vera Person", "validator")
    assert (first.meaning, first.reason) == ("approval", "looked at it")
    assert first.signed_at == "2025-06-15T15:06:41.000010Z"
    assert first.reauthenticated_at == "2025-06-15T15:06:41.000005Z"
    assert first.reauthenticated_by == "password (argon2id)"
    assert second.person == "bo"


def test_an_approval_whose_gate_fails_is_refused_with_every_failure(ground: Ground):
    make_people(ground)
    version = make_version(ground, ("wind", "dep_delay", "years", "gust"))
    apply_file(ground)
    with pytest.raises(GateNotMet) as caught:
        ask(ground, version)
    failures = caught.value.failures
    assert [failure.split(":")[0] for failure in failures] == ["card-complete", "known-at-scoring", "not-forbidden"]
    assert "lacks scope, data_dependencies" in failures[0]
    assert "'dep_delay' is known only 'after_departure'" in failures[1]
    assert "does not declare 'gust'" in failures[1]
    assert "'years' is forbidden in US: policy P-12" in failures[2]
    assert state_of(ground, version) == "registered"
    assert not ground.database.read(changes.search)


def test_bytes_that_are_gone_or_changed_refuse_the_approval(ground: Ground):
    version = make_ready(ground)
    info = ground.database.read(lambda tx: model_versions.get(tx, MODEL, version))
    ground.artifacts.write(f"{info.storage_location.removeprefix('mlflow-artifacts:/')}/model.pkl", [b"other weights"])
    ground.artifacts.delete([f"{info.storage_location.removeprefix('mlflow-artifacts:/')}/MLmodel"])
    with pytest.raises(GateNotMet, match=r"MLmodel is not there; model\.pkl has other content"):
        ask(ground, version)


@pytest.mark.parametrize(
    ("person", "role", "problem"),
    [
        ("ann", "validator", "made this version or its evidence"),
        ("bo", "validator", "does not hold the role 'validator'"),
        ("vera", "business-owner", "does not hold the role 'business-owner'"),
    ],
)
def test_who_may_not_sign_is_told_why(ground: Ground, person: str, role: str, problem: str):
    change = ask(ground, make_ready(ground), by="owner")
    with pytest.raises(NotAllowed, match=problem):
        sign(ground, change, person, role)


def test_who_opened_the_change_may_not_sign_it(ground: Ground):
    change = ask(ground, make_ready(ground), by="vera")
    with pytest.raises(NotAllowed, match="asked for this change"):
        sign(ground, change, "vera", "validator")
    assert sign(ground, change, "vic", "validator").steps[0].signed == 1


def test_who_edited_the_card_may_not_sign(ground: Ground):
    version = make_ready(ground)
    card = Card(scope="All flights", data_dependencies="Weather")
    ground.database.write(lambda tx: cards.edit(tx, MODEL, version, card, by="vera", now=NOW))
    with pytest.raises(NotAllowed, match="made this version or its evidence"):
        sign(ground, ask(ground, version), "vera", "validator")


def test_one_person_fills_one_step_only(ground: Ground):
    change = ask(ground, make_ready(ground))
    sign(ground, change, "both", "validator")
    with pytest.raises(Conflict, match="has signed this change already"):
        sign(ground, change, "both", "business-owner")


def test_a_full_step_takes_no_more(ground: Ground):
    change = ask(ground, make_ready(ground))
    sign(ground, change, "vera", "validator")
    with pytest.raises(Conflict, match="has all its 1 signatures"):
        sign(ground, change, "vic", "validator")


def test_a_role_that_was_given_after_the_change_was_opened_does_not_sign(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    ground.database.write(
        lambda tx: people.set_roles(tx, "bo", ["business-owner", "validator"], by="owner", now=Instant(NOW + 1))
    )
    with pytest.raises(NotAllowed, match="after this change was opened"):
        sign(ground, change, "bo", "validator")
    assert sign(ground, change, "bo", "business-owner").steps[1].signed == 1


@pytest.mark.parametrize(("model", "signs"), [(MODEL, True), ("another", False)])
def test_a_role_for_one_model_signs_there_alone(ground: Ground, model: str, signs: bool):
    version = make_ready(ground)
    before = Instant(NOW - 1)
    given = NewGrant(principal="bo", role="validator", model=model)
    ground.database.write(lambda tx: grants.give(tx, given, by="owner", now=before))
    change = ask(ground, version)
    if signs:
        assert sign(ground, change, "bo", "validator").steps[0].signed == 1
    else:
        with pytest.raises(NotAllowed, match="does not hold the role 'validator' for 'late'"):
            sign(ground, change, "bo", "validator")


def test_a_role_that_nobody_asked_for_does_not_sign(ground: Ground):
    version = make_ready(ground)
    ground.database.write(lambda tx: people.set_roles(tx, "vic", ["auditor"], by="owner", now=Instant(NOW - 1)))
    with pytest.raises(NotAllowed, match="asks for signatures as validator, business-owner"):
        sign(ground, ask(ground, version), "vic", "auditor")


def test_a_proof_ends_when_the_password_changes(ground: Ground):
    from tenure.manage import facts
    from tenure.manage.passwords import Reauthenticated
    from tenure.records.changes import NewSignature

    version = make_ready(ground)
    change = ask(ground, version)
    account = ground.database.read(lambda tx: people.get(tx, "vera"))
    ground.database.write(lambda tx: people.set_password(tx, "vera", "x", by="owner", now=NOW))
    proof = Reauthenticated(account, "password", NOW)
    new = NewSignature(person="vera", password="-", role="validator", meaning="approval", reason="looked")
    checked = facts.check_bytes(ground, MODEL, version)
    with pytest.raises(NotAllowed, match="changed meanwhile"):
        ground.database.write(
            lambda tx: changes.sign(tx, change.change_id, new, proof=proof, key=ground.key, now=NOW, checked=checked)
        )


def test_one_rejection_ends_the_change(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    done = sign(ground, change, "bo", "business-owner", "rejection")
    assert (done.state, done.ended_because) == ("rejected", "rejected by bo")
    assert state_of(ground, version) == "rejected"
    with pytest.raises(Conflict, match="is rejected: rejected by bo"):
        sign(ground, done, "vic", "validator")


def test_a_rejected_version_may_be_asked_for_again(ground: Ground):
    version = make_ready(ground)
    sign(ground, ask(ground, version), "vera", "validator", "rejection")
    again = ask(ground, version, at=Instant(NOW + 20))
    assert (again.state, state_of(ground, version)) == ("open", "in_review")


@pytest.mark.parametrize("evidence", ["card", "profile", "model file"])
def test_evidence_that_changes_voids_what_was_signed(each_ground: Ground, evidence: str):
    version = make_ready(each_ground)
    change = ask(each_ground, version)
    sign(each_ground, change, "vera", "validator")
    if evidence == "card":
        write_card(each_ground, version, Card(scope="Other flights", data_dependencies="Weather"))
    elif evidence == "profile":
        profile = make_profile(rows=101)
        each_ground.database.write(lambda tx: profiles.record(tx, MODEL, version, profile, by="ann", now=NOW))
    else:
        apply_file(each_ground, purpose="Something else")
    after = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert after.state == "invalidated"
    assert evidence.rsplit(maxsplit=1)[-1] in after.ended_because
    assert [signature.voided for signature in after.signatures] == [True]
    assert state_of(each_ground, version) == "registered"
    assert each_ground.database.read(lambda tx: changes.envelopes_of(tx, change.change_id)) == []
    with pytest.raises(Conflict, match="open a new change request"):
        sign(each_ground, change, "bo", "business-owner")


def test_evidence_that_stays_the_same_voids_nothing(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    write_card(ground, version, CARD)
    apply_file(ground)
    same = make_profile()
    ground.database.write(lambda tx: profiles.record(tx, MODEL, version, same, by="ann", now=NOW))
    assert ground.database.read(lambda tx: changes.get(tx, change.change_id)).state == "open"


def test_bytes_that_change_in_review_void_the_change_at_the_next_signature(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    info = ground.database.read(lambda tx: model_versions.get(tx, MODEL, version))
    ground.artifacts.write(f"{info.storage_location.removeprefix('mlflow-artifacts:/')}/model.pkl", [b"other weights"])
    after = sign(ground, change, "bo", "business-owner")
    assert after.state == "invalidated"
    assert "has changed (facts)" in after.ended_because
    assert all(signature.voided for signature in after.signatures)
    assert state_of(ground, version) == "registered"


def test_the_first_approval_invalidates_the_others(ground: Ground):
    version = make_ready(ground)
    rival = ask(ground, version, at=Instant(NOW - 1))
    sign(ground, rival, "vic", "validator")
    approved = approve(ground, version)
    after = ground.database.read(lambda tx: changes.get(tx, rival.change_id))
    assert (after.state, after.ended_because) == ("invalidated", f"change {approved.change_id} was approved first")
    assert state_of(ground, version) == "approved"


def test_a_change_is_withdrawn_once(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    after = ground.database.write(lambda tx: changes.withdraw(tx, change.change_id, by="ann", now=NOW))
    assert (after.state, after.signatures[0].voided, state_of(ground, version)) == ("withdrawn", True, "registered")
    with pytest.raises(Conflict, match="is withdrawn"):
        ground.database.write(lambda tx: changes.withdraw(tx, change.change_id, by="ann", now=NOW))


def test_withdrawing_one_of_two_leaves_the_version_in_review(ground: Ground):
    version = make_ready(ground)
    first, _ = ask(ground, version), ask(ground, version, by="vic")
    ground.database.write(lambda tx: changes.withdraw(tx, first.change_id, by="ann", now=NOW))
    assert state_of(ground, version) == "in_review"


def test_an_approved_version_is_suspended_comes_back_and_is_retired(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    suspension = ask(ground, version, "suspend", at=Instant(NOW + 20))
    assert [step.role for step in suspension.steps] == ["validator or business-owner"]
    assert sign(ground, suspension, "bo", "business-owner").state == "approved"
    assert state_of(ground, version) == "suspended"
    with pytest.raises(GateNotMet, match="is suspended, not approved"):
        ground.database.write(lambda tx: guards.check_release(tx, MODEL, version, now=NOW))
    again = ask(ground, version, at=Instant(NOW + 30))
    sign(ground, again, "vera", "validator")
    sign(ground, again, "bo", "business-owner")
    assert state_of(ground, version) == "approved"
    retirement = ask(ground, version, "retire", at=Instant(NOW + 40))
    sign(ground, retirement, "vera", "validator")
    assert state_of(ground, version) == "retired"
    with pytest.raises(Conflict, match="is retired"):
        ask(ground, version)


def test_what_cannot_be_asked_says_why(ground: Ground):
    version = make_version(ground)
    with pytest.raises(Conflict, match="not under governance"):
        ask(ground, version)
    apply_file(ground)
    with pytest.raises(GateNotMet, match="may not become champion"):
        ask(ground, version, "promote")
    with pytest.raises(InvalidInput, match="asks for no signed registration"):
        ask(ground, version, "register")
    with pytest.raises(InvalidInput, match="endpoint must be one of 'late'"):
        ask(ground, version, "deploy")
    with pytest.raises(Conflict, match="must be approved"):
        ask(ground, version, "suspend")
    with pytest.raises(NotFound):
        ask(ground, 99)
    with pytest.raises(NotFound):
        ground.database.read(lambda tx: changes.get(tx, "no-such-change"))


def test_an_approved_baseline_stays(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    other = make_profile(rows=5)
    with pytest.raises(Conflict, match="was approved with it and stays"):
        ground.database.write(lambda tx: profiles.record(tx, MODEL, version, other, by="ann", now=NOW))


def test_only_approved_versions_of_a_governed_model_are_released(ground: Ground):
    version = make_ready(ground)
    with pytest.raises(GateNotMet) as caught:
        ground.database.write(lambda tx: guards.check_alias(tx, MODEL, "champion", version, now=NOW))
    assert "tenure version approve" in caught.value.message
    assert "POST /api/v1/changes" in caught.value.message
    ground.database.write(lambda tx: guards.check_alias(tx, MODEL, "latest-tested", version, now=NOW))
    approve(ground, version)
    ground.database.write(lambda tx: guards.check_alias(tx, MODEL, "champion", version, now=NOW))


def test_a_feature_that_is_forbidden_later_stops_the_release_of_an_approved_version(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    features = {**FILE["features"], "wind": {"kind": "numeric", "forbidden": {"reason": "sensor recalled"}}}
    apply_file(ground, features=features)
    with pytest.raises(GateNotMet, match="'wind' is forbidden in US: sensor recalled"):
        ground.database.write(lambda tx: guards.check_release(tx, MODEL, version, now=NOW))


def test_a_model_without_rules_is_not_held_up(ground: Ground):
    version = make_version(ground)
    ground.database.write(lambda tx: guards.check_release(tx, MODEL, version, now=NOW))
    ground.database.read(lambda tx: guards.check_registry_write(tx, "delete_version", MODEL, version))


@pytest.mark.parametrize("action", ["rename", "delete_model", "delete_version"])
def test_a_governed_model_is_not_renamed_or_deleted(ground: Ground, action: str):
    version = make_ready(ground)
    with pytest.raises(NotAllowed, match="under governance"):
        ground.database.read(lambda tx: guards.check_registry_write(tx, action, MODEL, version))
    ground.database.read(lambda tx: guards.check_registry_write(tx, "stage", MODEL, version))


def test_applying_the_same_file_again_does_nothing(ground: Ground):
    file = model_files.parse(FILE)

    def apply(dry_run: bool = False) -> model_files.Applied:
        return ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=NOW, dry_run=dry_run))

    dry = apply(dry_run=True)
    assert (dry.revision, bool(dry.changes)) == (0, True)
    assert ground.database.read(lambda tx: model_files.current(tx, MODEL)) is None
    first, second = apply(), apply()
    assert (first.revision, second.revision, second.changes) == (1, 1, [])
    assert first.changes == dry.changes
    assert actions(ground).count("model_file.applied") == 1
    other = model_files.parse({**FILE, "owner": "you@example.com", "use": {"jurisdictions": ["US", "CA"]}})
    third = ground.database.write(lambda tx: model_files.apply(tx, other, by="ann", now=NOW))
    assert (third.revision, third.changes) == (
        2,
        ["owner: 'pricing@example.com' → 'you@example.com'", "use.jurisdictions: ['US'] → ['US', 'CA']"],
    )


def test_a_file_does_not_take_governance_off(ground: Ground):
    make_ready(ground)
    with pytest.raises(NotAllowed, match="under governance"):
        apply_file(ground, approval=None)
    apply_file(ground, approval={"steps": [{"role": "validator"}]})


def test_a_version_in_service_is_not_retired_unless_it_was_decided(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    release = ReleaseInfo(
        release_id="r-1",
        endpoint="late",
        model=MODEL,
        version=version,
        role="champion",
        share=1.0,
        reason="first",
        released_by="ann",
        from_at=NOW,
        until_at=None,
    )
    ground.database.write(lambda tx: endpoints.add(tx, "late", MODEL, by="ann", now=NOW))
    ground.database.write(lambda tx: releases.add(tx, release))
    with pytest.raises(Conflict, match=r"endpoint:late \(in service as champion → serves endpoint late\)"):
        ask(ground, version, "retire", at=Instant(NOW + 20))
    ground.database.write(lambda tx: releases.end(tx, "r-1", NOW))
    assert ask(ground, version, "retire", at=Instant(NOW + 20)).state == "open"


def test_two_signatures_at_once_are_counted_one_by_one(each_ground: Ground):
    """Both want the last place of one step; one of them is told that it is taken."""
    version = make_ready(each_ground)
    change = ask(each_ground, version)
    answers: list[object] = []

    def put(person: str) -> None:
        try:
            answers.append(sign(each_ground, change, person, "validator"))
        except Conflict as refusal:
            answers.append(refusal)

    threads = [threading.Thread(target=put, args=(person,)) for person in ("vera", "vic")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]
    after = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert len(after.signatures) == 1
    assert each_ground.database.read(audit.verify).first_bad is None


def test_two_people_at_once_fill_a_step_each(each_ground: Ground):
    version = make_ready(each_ground)
    change = ask(each_ground, version)
    at_once(
        lambda: sign(each_ground, change, "vera", "validator"),
        lambda: sign(each_ground, change, "bo", "business-owner"),
    )
    after = each_ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert (after.state, len(after.signatures), state_of(each_ground, version)) == ("approved", 2, "approved")


def test_rivals_and_evidence_that_move_at_once_leave_one_story(each_ground: Ground):
    """Two last signatures of rival changes and an edit of the card, at the same moment: nobody waits for each other."""
    version = make_ready(each_ground)
    first, second = ask(each_ground, version), ask(each_ground, version, by="owner")
    for change in (first, second):
        sign(each_ground, change, "vera", "validator")
    at_once(
        lambda: sign(each_ground, first, "bo", "business-owner"),
        lambda: sign(each_ground, second, "both", "business-owner"),
        lambda: write_card(each_ground, version, Card(scope="Other flights", data_dependencies="Weather")),
    )
    found = [each_ground.database.read(lambda tx, one=one: changes.get(tx, one.change_id)) for one in (first, second)]
    states = sorted(change.state for change in found)
    assert states in (["approved", "invalidated"], ["invalidated", "invalidated"])
    assert state_of(each_ground, version) == ("approved" if "approved" in states else "registered")
    for change in found:
        assert all(one.voided for one in change.signatures) == (change.state == "invalidated")
        assert change.state != "approved" or {one.subject for one in change.signatures} == {change.subject}
    assert each_ground.database.read(audit.verify).first_bad is None


def at_once(*works: Callable[[], object]) -> None:
    """Do all of these at the same moment. A Conflict is an answer; any other failure is raised."""
    ready, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        ready.wait(30)
        try:
            work()
        except Conflict:
            pass
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
