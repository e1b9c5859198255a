"""Gates: the rules in force asked of a version's facts, the built-in policy's first."""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.errors import GateNotMet, InvalidInput
from tenure.manage import cel, facts, policies, published, reasons
from tenure.manage.in_force import About, InForce
from tenure.records.base import Instant, new_id
from tenure.records.changes import GateEvaluation, RuleResult
from tenure.records.digests import digest_of
from tenure.records.facts import BytesChecked, Facts
from tenure.records.policies import PolicyRule, PublishedPolicy
from tenure.store import gates
from tenure.store.database import Transaction


def evaluate(
    tx: Transaction, gate: str, model: str, version: int, *, now: Instant, checked: BytesChecked | None = None
) -> GateEvaluation:
    """What a gate says about a version now; nothing is stored.

    The gate `approve` needs `checked` from `facts.check_bytes`: without it nobody knows whether the bytes are there,
    and the gate says no. Raises InvalidInput for a gate that does not exist, NotFound for a version that does not.
    """
    if gate not in policies.ALL_GATES:
        raise InvalidInput(f"The gate must be one of {', '.join(policies.ALL_GATES)}. Got {gate!r}.", where="gate")
    force = published.for_model(tx, model, now)
    released = gate in ("deploy", "promote")
    return judge(gate, facts.gather(tx, model, version, checked, force, released=released), now, force)


def judge(gate: str, found: Facts, now: Instant, force: InForce | None = None) -> GateEvaluation:
    """Every rule of a gate asked of the facts, with what would satisfy those that failed. Without `force` the built-in
    policy alone is asked."""
    force = force or InForce(About(found.model), now)
    plain: dict[str, Any] = msgspec.to_builtins(found)
    results = ask(gate, found, plain, force)
    return GateEvaluation(
        evaluation_id=new_id(now),
        gate=gate,
        model=found.model,
        version=found.version,
        policy_version=force.title,
        engine=cel.ENGINE,
        facts=plain,
        facts_digest=digest_of(found),
        rules=results,
        passed=not any(result.stops for result in results),
        evaluated_at=now,
    )


def ask(gate: str, found: Facts, plain: dict[str, Any], force: InForce) -> list[RuleResult]:
    """Every rule of a gate asked of the facts, which `plain` holds as data: the built-in ones, then those of the
    published policies in force."""
    asked = cel.Asked(plain)
    results = []
    for rule in policies.rules(gate):
        held = asked.ask(rule.expression).held
        explanation = "" if held else f"{rule.name}: {rule.explain(found)}"
        results.append(RuleResult(rule=rule.name, expression=rule.expression, passed=held, explanation=explanation))
    return [*results, *(outcome(policy, rule, asked, plain, force) for policy, rule in force.rules(gate))]


def outcome(
    policy: PublishedPolicy, rule: PolicyRule, asked: cel.Asked, plain: dict[str, Any], force: InForce
) -> RuleResult:
    """What a published rule says of facts, and whether an exception lets pass what it does not hold for."""
    answer = asked.ask(rule.require)
    if answer.held:
        return _told(policy, rule, passed=True)
    failing = reasons.read_by_failing(rule.require, asked, plain)
    values = "; ".join(f"{path}: {reasons.told(value)}" for path, value in failing.items())
    said = [reasons.explanation(rule.explain, plain), f"Found {values}." if values else "", _cut_short(answer)]
    sentence = f"{policy.title}/{rule.name}: {' '.join(filter(None, said))}"
    allowed = force.exception(f"{policy.name}/{rule.name}")
    if allowed is None:
        return _told(policy, rule, passed=False, explanation=sentence, facts=failing)
    until = f"Allowed until {allowed.expires} by exception {allowed.exception_id} ({allowed.owner}: {allowed.reason})."
    return _told(
        policy,
        rule,
        passed=True,
        explanation=f"{sentence} {until}",
        facts=failing,
        exception=allowed.exception_id,
    )


def require(results: list[RuleResult], refusal: str) -> None:
    """Raise GateNotMet, `refusal` first and then a sentence for each rule that failed, unless all held."""
    failed = [result.explanation for result in results if result.stops]
    if failed:
        raise GateNotMet(f"{refusal}: {' '.join(failed)}", failures=failed)


def keep(tx: Transaction, evaluation: GateEvaluation) -> None:
    """Store an evaluation that something was decided on."""
    gates.add(tx, evaluation)


def _told(policy: PublishedPolicy, rule: PolicyRule, *, passed: bool, **more: Any) -> RuleResult:
    return RuleResult(
        rule=rule.name,
        expression=rule.require,
        passed=passed,
        policy=policy.title,
        severity=rule.severity,
        **{"explanation": "", **more},
    )


def _cut_short(answer: cel.Answer) -> str:
    """What to know of an expression that was not answered for another reason than a missing fact."""
    return f"It was not asked: {answer.problem}." if "steps" in answer.problem else ""
