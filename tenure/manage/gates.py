"""Gates: the policy's rules asked of a version's facts."""

from __future__ import annotations

import msgspec

from tenure.errors import GateNotMet, InvalidInput
from tenure.manage import cel, facts, policies
from tenure.records.base import Instant, new_id
from tenure.records.changes import GateEvaluation, RuleResult
from tenure.records.digests import digest_of
from tenure.records.facts import BytesChecked, Facts
from tenure.store import gates
from tenure.store.database import Transaction


def evaluate(
    tx: Transaction, gate: str, model: str, version: int, *, now: Instant, checked: BytesChecked | None = None
) -> GateEvaluation:
    """What a gate says about a version now; nothing is stored.

    The gate `approve` needs `checked` from `facts.check_bytes`: without it nobody knows whether the bytes are there,
    and the gate says no. Raises InvalidInput for a gate that does not exist, NotFound for a version that does not.
    """
    if gate not in policies.GATES:
        raise InvalidInput(f"The gate must be one of {', '.join(policies.GATES)}. Got {gate!r}.", where="gate")
    if gate == "approve":
        return judge(gate, facts.gather(tx, model, version, checked), now)
    return judge(gate, facts.gather_for_release(tx, model, version), now)


def judge(gate: str, found: Facts, now: Instant) -> GateEvaluation:
    """Every rule of a gate asked of the facts, with what would satisfy those that failed."""
    results = ask(gate, found)
    return GateEvaluation(
        evaluation_id=new_id(now),
        gate=gate,
        model=found.model,
        version=found.version,
        policy_version=policies.VERSION,
        engine=cel.ENGINE,
        facts=msgspec.to_builtins(found),
        facts_digest=digest_of(found),
        rules=results,
        passed=all(result.passed for result in results),
        evaluated_at=now,
    )


def ask(gate: str, found: Facts) -> list[RuleResult]:
    """Every rule of a gate asked of the facts."""
    plain = msgspec.to_builtins(found)
    results = []
    for rule in policies.rules(gate):
        held = cel.ask(rule.expression, plain).held
        explanation = "" if held else f"{rule.name}: {rule.explain(found)}"
        results.append(RuleResult(rule=rule.name, expression=rule.expression, passed=held, explanation=explanation))
    return results


def require(results: list[RuleResult], refusal: str) -> None:
    """Raise GateNotMet, `refusal` first and then a sentence for each rule that failed, unless all held."""
    failed = [result.explanation for result in results if not result.passed]
    if failed:
        raise GateNotMet(f"{refusal}: {' '.join(failed)}", failures=failed)


def keep(tx: Transaction, evaluation: GateEvaluation) -> None:
    """Store an evaluation that something was decided on."""
    gates.add(tx, evaluation)
