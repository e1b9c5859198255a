"""Published policies at work: versions, gates, voiding, exceptions, registration, and what they would have done."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from tenure.build import manifests, model_versions
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotAllowed, NotFound
from tenure.manage import changes, dry_runs, exceptions, gates, guards, people, published
from tenure.manage.in_force import About, InForce
from tenure.manage.passwords import Reauthenticated
from tenure.records.base import DAY_US, Instant
from tenure.records.changes import GateEvaluation
from tenure.records.facts import Facts, ProxyFact, UpstreamFact
from tenure.records.people import NewPerson
from tenure.records.policies import Decision, NewException, PolicyException
from tenure.records.registry import NewVersion
from tenure.store import audit
from tenure.store import gates as kept
from tenure.store.ground import Ground

from .makers import (
    BEFORE,
    MODEL,
    NOW,
    apply_file,
    approve,
    ask,
    make_people,
    make_ready,
    make_version,
    sign,
    write_card,
)
from .rules import make_policy, policy_of, publish
from .test_in_force import made
from .test_policies import make_facts, make_feature

DAY = date(2025, 6, 15)  # of NOW
STRICT = {"require": "baseline.roc_auc >= 0.9"}


def evaluate(ground: Ground, version: int, gate: str = "approve", at: int = NOW) -> GateEvaluation:
    from tenure.manage import facts

    checked = facts.check_bytes(ground, MODEL, version)
    return ground.database.read(lambda tx: gates.evaluate(tx, gate, MODEL, version, now=Instant(at), checked=checked))


def judge(facts: Facts, require: str, gate: str = "approve") -> Any:
    force = InForce(About("late"), NOW, (made(rule={"require": require, "gates": [gate]}),))
    return next(one for one in gates.judge(gate, facts, NOW, force).rules if one.policy == "lending@1")


# --- publishing ---


def test_a_policy_is_published_as_the_next_version_and_the_same_again_is_none(each_ground: Ground):
    assert publish(each_ground).policy.title == "lending@1"
    assert publish(each_ground).policy.version == 1
    assert publish(each_ground, rule=STRICT).policy.title == "lending@2"
    assert publish(each_ground).policy.title == "lending@3"
    shown = each_ground.database.read(lambda tx: published.shown(tx, NOW))
    assert [(one.name, one.current, [v.version for v in one.versions]) for one in shown] == [("lending", 3, [3, 2, 1])]
    events = each_ground.database.read(lambda tx: audit.search(tx, action="policy."))
    assert [event.subject for event in events] == ["lending@3", "lending@2", "lending@1"]


@pytest.mark.parametrize(
    ("changed", "where", "says"),
    [
        ({"rule": {"require": "baseline.auc > 0.5"}}, "rules[0].require", "'baseline' has no 'auc'"),
        ({"rule": {"explain": "See {nothing}."}}, "rules[0].explain", "must name a fact"),
        ({"rule": {"gates": ["aprove"]}}, "rules[0].gates[0]", "aprove"),
        ({"rule": {"valid_from": "2026-02-01", "valid_to": "2026-01-01"}}, "rules[0]", "must not be before"),
        ({"rule": {"valid_from": "soon"}}, "rules[0].valid_from", "date"),
        ({"forbid": [{"reason": "law"}]}, "forbid[0]", "exactly one"),
        ({"forbid": [{"semantic": "age", "reason": "law", "condition": "us == 1"}]}, "forbid[0].condition", "no fact"),
        ({"rules": [], "forbid": []}, "rules", "must have a rule"),
        ({"policy": "tenure-baseline"}, "policy", "built-in"),
        ({"purpos": "x"}, "purpos", "Did you mean 'purpose'"),
        ({"applies_to": {"model": ["x"]}}, "applies_to.model", "Did you mean 'models'"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_its_place(changed: dict[str, Any], where: str, says: str):
    with pytest.raises(InvalidInput) as refusal:
        make_policy(**changed)
    assert refusal.value.where == where
    assert says in refusal.value.message.replace("`", "'")


def test_two_rules_of_one_name_are_refused():
    rules = policy_of()["rules"] * 2
    with pytest.raises(InvalidInput, match="Two rules"):
        make_policy(rules=rules)


def test_a_draft_counts_nowhere_until_it_is_published(ground: Ground):
    version = make_ready(ground)
    ground.database.write(lambda tx: published.save_draft(tx, make_policy(rule=STRICT), by="root", now=NOW))
    assert evaluate(ground, version).passed
    ground.database.write(lambda tx: published.publish_draft(tx, "lending", by="root", now=NOW))
    assert not evaluate(ground, version).passed
    assert ground.database.read(lambda tx: published.shown(tx, NOW))[0].draft is None
    with pytest.raises(NotFound):
        ground.database.write(lambda tx: published.publish_draft(tx, "lending", by="root", now=NOW))


def test_a_version_is_withdrawn_by_a_day_and_stays_to_be_read(ground: Ground):
    version = make_ready(ground)
    publish(ground, rule=STRICT)

    def withdraw(day: date) -> Any:
        return ground.database.write(
            lambda tx: published.withdraw(tx, "lending", 1, day, reason="repealed", by="root", now=NOW)
        )

    with pytest.raises(InvalidInput, match="today on"):
        withdraw(date(2025, 6, 14))
    withdraw(date(2025, 6, 16))
    with pytest.raises(Conflict):
        withdraw(date(2025, 6, 17))
    assert not evaluate(ground, version).passed
    assert evaluate(ground, version, at=NOW + DAY_US).passed
    assert ground.database.read(lambda tx: published.get(tx, "lending", 1)).body.purpose == "Lend fairly"


# --- at the gates ---


def test_a_refusal_says_which_rule_which_fact_and_what_would_satisfy_it(ground: Ground):
    version = make_ready(ground)
    publish(ground, rule={**STRICT, "explain": "The AUC must be at least 0.9; train better."})
    with pytest.raises(GateNotMet) as refusal:
        ask(ground, version)
    assert refusal.value.failures == (
        "lending@1/good: The AUC must be at least 0.9; train better. Found baseline.roc_auc: 0.8.",
    )
    result = evaluate(ground, version)
    assert result.policy_version == "tenure-baseline@1, lending@1"
    failed = [(one.policy, one.rule, one.facts) for one in result.rules if not one.passed]
    assert failed == [("lending@1", "good", {"baseline.roc_auc": 0.8})]


def test_a_warning_is_told_and_stops_nothing(ground: Ground):
    version = make_ready(ground)
    publish(ground, rule={**STRICT, "severity": "warn"})
    result = evaluate(ground, version)
    assert result.passed
    assert [one.rule for one in result.rules if not one.passed] == ["good"]
    assert ask(ground, version).state == "open"


def test_a_rule_counts_at_its_gates_only(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    publish(ground, rule={**STRICT, "gates": ["promote"]})
    assert evaluate(ground, version, "deploy").passed
    assert not evaluate(ground, version, "promote").passed
    ground.database.write(lambda tx: guards.check_release(tx, MODEL, version, now=NOW))


def test_a_policy_that_touches_a_pending_approval_voids_it_and_no_other(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    assert publish(ground, applies_to={"models": ["other"]}).invalidated == []
    assert publish(ground, policy="later", valid_from="2025-07-01").invalidated == []
    assert publish(ground, policy="warm").invalidated == [change.change_id]
    ended = ground.database.read(lambda tx: changes.get(tx, change.change_id))
    assert (ended.state, ended.signatures[0].voided) == ("invalidated", True)
    assert "the policy warm@1" in ended.ended_because


def test_a_signature_is_bound_to_the_policies_that_counted(ground: Ground):
    version = make_ready(ground)
    publish(ground)
    change = ask(ground, version)
    assert change.subject.policy.startswith("tenure-baseline@1, lending@1 sha256:")
    assert sign(ground, change, "vera", "validator").state == "open"


def test_a_rule_whose_first_day_comes_between_asking_and_signing_voids(ground: Ground):
    version = make_ready(ground)
    midnight = Instant(NOW - NOW % DAY_US + DAY_US)
    publish(ground, rule={"valid_from": "2025-06-16"})
    change = ask(ground, version, at=Instant(midnight - 1))
    assert change.state == "open"
    force = ground.database.read(lambda tx: published.for_model(tx, MODEL, midnight))
    assert force.bound() != change.subject.policy


def test_who_published_a_policy_does_not_sign_under_it(ground: Ground):
    version = make_ready(ground)
    publish(ground, by="vera")
    change = ask(ground, version)
    with pytest.raises(NotAllowed, match="made this version or its evidence"):
        sign(ground, change, "vera", "validator")


# --- every fact of every rule ---

COMPLETE = make_facts(
    features=[
        make_feature("a", semantics=[], sources=["x"], scores_of=[], semantic="fare", source="x", kind="numeric")
    ],
    proxies=[ProxyFact(attribute="race", auc=0.5, low=0.4, high=0.6, rows=900, strongest="a", digest="d")],
    purposes=["pricing"],
    scoring="online",
    tier="high",
    governed=True,
    upstream=[UpstreamFact(model="up", governed=True, champion=1, champion_state="approved")],
)
REQUIRES = [
    "proxies.exists(p, p.attribute == 'race') && proxies.all(p, p.high < 0.7)",
    "baseline.roc_auc >= 0.6 && baseline.judged_rows > 1",
    "features.all(f, f.forbidden == false && f.semantic != 'race' && !('race' in f.semantics))",
    "features.all(f, f.source != 'bureau' && f.available == 'at_scoring')",
    "tier != 'low' && scoring == 'online' && governed",
    "!('credit' in purposes) && purpose != ''",
    "upstream.all(u, u.governed)",
    "size(card.missing) == 0 && card.revision > 0",
    "artifact.intact && artifact.file_count > 0",
    "jurisdictions.all(j, j != 'DE')",
]


def _without(value: Any, path: list[str]) -> Any:
    """The same record with one fact set to None, as plain values."""
    if not path:
        return None
    first, *rest = path
    if first == "[]":
        return [_without(item, rest) for item in value]
    return {**value, first: _without(value[first], rest)}


@pytest.mark.parametrize("require", REQUIRES)
def test_each_fact_that_a_rule_reads_denies_when_it_is_dropped(require: str):
    from tenure.manage import cel

    plain = msgspec.to_builtins(COMPLETE)
    assert cel.ask(require, plain).held, "it holds on complete facts"
    for fact in cel.check(require):
        dropped = _without(plain, fact.replace("[]", ".[]").split("."))
        assert not cel.ask(require, dropped).held, fact
        top = fact.split(".")[0].removesuffix("[]")
        assert not cel.ask(require, {name: value for name, value in plain.items() if name != top}).held


def test_a_refusal_for_a_fact_that_is_not_known_says_so():
    result = judge(make_facts(proxies=None), REQUIRES[0])
    assert not result.passed
    assert "proxies: not known" in result.explanation


# --- forbidden by policy ---

AGE = {"semantic": "carrier", "reason": "law 7"}


def carriers(ground: Ground, **changed: Any) -> int:
    make_people(ground)
    version = make_version(ground)
    features = {"wind": {"kind": "numeric"}, "carrier": {"semantic": "carrier"}, **changed}
    apply_file(ground, features=features)
    write_card(ground, version)
    return version


def test_a_ban_of_a_policy_refuses_at_every_gate_by_meaning(ground: Ground):
    version = carriers(ground)
    publish(ground, forbid=[AGE])
    failed = {one.rule: one.explanation for one in evaluate(ground, version).rules if one.stops}
    assert set(failed) == {"not-forbidden"}
    assert "Feature 'carrier' is forbidden in US: law 7 (lending@1)" in failed["not-forbidden"]


def test_a_ban_reaches_a_column_through_what_it_is_derived_from(ground: Ground):
    version = carriers(ground, wind={"derived_from": ["gusts"]}, gusts={"semantic": "carrier"}, carrier={})
    publish(ground, forbid=[AGE])
    assert [one.forbidden for one in features_of(ground, version)] == [True, False]


def features_of(ground: Ground, version: int) -> list[Any]:
    return msgspec.convert(evaluate(ground, version).facts, Facts).features or []


@pytest.mark.parametrize(
    ("condition", "forbidden"),
    [("baseline.roc_auc > 0.5", True), ("baseline.roc_auc > 0.9", False), ("proxies.exists(p, p.auc > 0.1)", True)],
)
def test_a_ban_may_have_a_condition_which_counts_as_true_when_nobody_knows(
    ground: Ground, condition: str, forbidden: bool
):
    version = carriers(ground)
    publish(ground, forbid=[{**AGE, "condition": condition}])
    assert features_of(ground, version)[1].forbidden is forbidden


def test_a_ban_for_other_places_purposes_and_days_does_not_count(ground: Ground):
    version = carriers(ground)
    use = {"jurisdictions": ["US"], "purposes": ["pricing"]}
    apply_file(ground, features={"wind": {}, "carrier": {"semantic": "carrier"}}, use=use)
    for told in ({"jurisdictions": ["DE"]}, {"purposes": ["credit"]}, {"valid_to": "2025-06-14"}):
        publish(ground, forbid=[{**AGE, **told}])
        assert features_of(ground, version)[1].forbidden is False
    publish(ground, forbid=[{**AGE, "jurisdictions": ["US"], "purposes": ["pricing"], "valid_to": "2025-06-15"}])
    assert features_of(ground, version)[1].forbidden is True


# --- exceptions ---


def chiefs(ground: Ground) -> None:
    for name, roles in (("root", ["admin"]), ("cara", ["risk-chief"]), ("late", [])):
        new = NewPerson(name=name, printed_name=name.title(), password="not needed here", roles=roles)
        ground.database.write(lambda tx, new=new: people.create(tx, new, "no hash", by="owner", now=BEFORE))


def wanted(ground: Ground, subject: str = "lending/good", *, by: str = "ann", **told: Any) -> PolicyException:
    new = NewException(
        **{
            "model": MODEL,
            "subject": subject,
            "owner": "bo",
            "reason": "until the spring release",
            "expires": DAY,
            **told,
        }
    )
    return ground.database.write(lambda tx: exceptions.request(tx, new, by=by, now=NOW))


def decided(ground: Ground, one: PolicyException, person: str, decision: Any = "approve") -> PolicyException:
    account = ground.database.read(lambda tx: people.get(tx, person))
    proof = Reauthenticated(account, "password (argon2id)", NOW)
    word = Decision(person=person, password="-", decision=decision, reason="looked at it")
    return ground.database.write(
        lambda tx: exceptions.decide(tx, one.exception_id, word, proof=proof, now=Instant(NOW + 1))
    )


def test_an_approved_exception_lets_pass_until_its_day_is_over_and_is_shown(ground: Ground):
    version = make_ready(ground)
    chiefs(ground)
    publish(ground, rule=STRICT)
    one = wanted(ground)
    assert not evaluate(ground, version).passed
    decided(ground, one, "root")
    result = evaluate(ground, version)
    used = next(rule for rule in result.rules if rule.exception)
    assert (result.passed, used.rule, used.exception) == (True, "good", one.exception_id)
    assert (
        f"Allowed until 2025-06-15 by exception {one.exception_id} (bo: until the spring release)" in used.explanation
    )
    assert not evaluate(ground, version, at=NOW + DAY_US).passed
    listed = ground.database.read(lambda tx: exceptions.search(tx, now=Instant(NOW + DAY_US)))
    assert [(item.state, item.expired) for item in listed] == [("approved", True)]
    assert [event.action for event in ground.database.read(lambda tx: audit.search(tx, action="exception."))] == [
        "exception.approved",
        "exception.requested",
    ]


def test_who_may_decide_is_named_by_the_policy_and_is_somebody_else(ground: Ground):
    make_ready(ground)
    chiefs(ground)
    publish(ground, rule=STRICT, exceptions_by="risk-chief")
    one = wanted(ground)
    with pytest.raises(NotAllowed, match="does not hold the role 'risk-chief'"):
        decided(ground, one, "root")
    asked_by_chief = wanted(ground, by="cara")
    with pytest.raises(NotAllowed, match="Somebody else must decide"):
        decided(ground, asked_by_chief, "cara")
    with pytest.raises(NotAllowed, match="Somebody else must decide"):
        decided(ground, wanted(ground, owner="cara"), "cara")
    ground.database.write(lambda tx: people.set_roles(tx, "late", ["risk-chief"], by="owner", now=Instant(NOW + 1)))
    with pytest.raises(NotAllowed, match="after this was asked for"):
        decided(ground, one, "late")
    assert decided(ground, one, "cara", "refuse").state == "refused"
    with pytest.raises(Conflict):
        decided(ground, one, "cara")


def test_an_exception_and_its_end_void_what_is_pending(ground: Ground):
    version = carriers(ground)
    chiefs(ground)
    publish(ground, forbid=[AGE])
    with pytest.raises(GateNotMet):
        ask(ground, version)
    one = wanted(ground, "semantic:carrier")
    decided(ground, one, "root")
    feature = features_of(ground, version)[1]
    assert (feature.forbidden, feature.excepted_by) == (False, [one.exception_id])
    change = ask(ground, version)
    ground.database.write(lambda tx: exceptions.revoke(tx, one.exception_id, reason="enough", by="root", now=NOW))
    assert ground.database.read(lambda tx: changes.get(tx, change.change_id)).state == "invalidated"
    assert features_of(ground, version)[1].forbidden is True
    with pytest.raises(Conflict):
        ground.database.write(lambda tx: exceptions.revoke(tx, one.exception_id, reason="again", by="root", now=NOW))


def test_a_ban_of_the_models_file_may_be_excepted_by_what_it_means(ground: Ground):
    make_people(ground)
    chiefs(ground)
    version = make_version(ground, ("wind", "age"))
    apply_file(ground)
    assert features_of(ground, version)[1].forbidden is True
    decided(ground, wanted(ground, "semantic:age"), "root")
    assert features_of(ground, version)[1].forbidden is False


@pytest.mark.parametrize(
    ("subject", "told", "says"),
    [
        ("lending/goood", {}, "Did you mean 'lending/good'"),
        ("tenure-baseline/card-complete", {}, "have no exceptions"),
        ("semantic:shoe", {}, "Nothing forbids"),
        ("lending/good", {"expires": date(2025, 6, 14)}, "must expire today or later"),
    ],
)
def test_an_exception_must_be_about_something(ground: Ground, subject: str, told: dict[str, Any], says: str):
    make_ready(ground)
    publish(ground)
    with pytest.raises(InvalidInput, match=says):
        wanted(ground, subject, **told)


# --- at registration ---


def test_a_governed_version_is_not_registered_when_a_rule_says_no_and_nothing_is_stored(ground: Ground):
    version = make_ready(ground)
    publish(ground, rule={"gates": ["register"], "require": "has(environment.locked) && environment.locked"})

    def register(tx: Any) -> None:
        new = NewVersion(name=MODEL, source="mlflow-artifacts:/1/x", storage_location="mlflow-artifacts:/1/x")
        made = model_versions.register(tx, new, manifests.NOTHING, by="ann", now=NOW)
        guards.check_registered(tx, made.name, made.version, now=NOW)

    with pytest.raises(InvalidInput, match="lending@1/good"):
        ground.database.write(register)
    assert [one.version for one in ground.database.read(lambda tx: model_versions.of_model(tx, MODEL))] == [version]
    publish(ground, rule={"gates": ["register"], "require": "governed"})
    ground.database.write(register)
    assert ground.database.read(lambda tx: kept.of_version(tx, MODEL, version + 1))[0].gate == "register"


# --- what it would have done ---


def test_a_dry_run_asks_past_evaluations(ground: Ground):
    version = make_ready(ground)
    ask(ground, version)
    assert run(ground, rule={"require": "baseline.roc_auc > 0.5"}).refused == 0
    found = run(ground, rule=STRICT, valid_from="2030-01-01")
    assert (found.evaluations, found.refused, found.lacking, found.by_rule) == (1, 1, 0, {"good": 1})
    assert found.lines[0].rules[0].explanation.startswith("The AUC is 0.8")
    assert run(ground, rule={**STRICT, "severity": "warn"}).refused == 0
    lacking = run(ground, rule={"require": "proxies.all(p, p.high < 0.7)"})
    assert (lacking.refused, lacking.lacking, lacking.lines[0].rules[0].lacking) == (
        1,
        1,
        ["proxies", "proxies[].high"],
    )
    assert run(ground, applies_to={"jurisdictions": ["DE"]}).not_about == 1
    assert run(ground, since=NOW + 1).evaluations == 0


def test_a_dry_run_asks_of_bans_too(ground: Ground):
    ask(ground, carriers(ground))
    found = run(ground, rules=[], forbid=[AGE])
    assert (found.refused, found.by_rule) == (1, {"forbid semantic:carrier": 1})
    assert run(ground, rules=[], forbid=[{**AGE, "jurisdictions": ["DE"]}]).refused == 0
    assert run(ground, rules=[], forbid=[{**AGE, "condition": "baseline.roc_auc > 0.9"}]).refused == 0


def test_a_dry_run_says_what_older_evaluations_did_not_record(ground: Ground):
    ask(ground, carriers(ground))
    stored = ground.database.read(lambda tx: kept.since(tx, NOW, Instant(NOW + 1), limit=9))
    old = [{**one, "semantics": None} for one in stored[0].facts["features"]]
    older = msgspec.structs.replace(stored[0], facts={**stored[0].facts, "features": old})
    found = dry_runs.judge(make_policy(rules=[], forbid=[AGE]), [older], since=NOW, until=NOW)
    assert (found.refused, found.lacking) == (1, 1)


def run(ground: Ground, *, since: int = NOW, **told: Any) -> Any:
    policy = make_policy(**told)
    return ground.database.read(lambda tx: dry_runs.run(tx, policy, since=Instant(since), until=Instant(NOW + DAY_US)))
