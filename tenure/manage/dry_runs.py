"""What a policy would have done: asked of the facts that past evaluations of gates were decided on.

The policy's own dates are left aside, since the question is what it would have refused had it been in force. What was
not recorded then, or not known, counts as missing, as it would at a gate; such evaluations are counted apart.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tenure.manage import cel, in_force, reasons
from tenure.manage.in_force import About
from tenure.records.base import Instant
from tenure.records.changes import GateEvaluation
from tenure.records.policies import Ban, DryRun, DryRunLine, Policy, PolicyRule, RuleOutcome
from tenure.store import gates
from tenure.store.database import Transaction

MOST_EVALUATIONS = 20_000
MOST_LINES = 1000


def run(tx: Transaction, policy: Policy, *, since: Instant, until: Instant) -> DryRun:
    """Ask a checked policy of every evaluation since an instant, newest first, at most MOST_EVALUATIONS."""
    evaluations = gates.since(tx, since, until, limit=MOST_EVALUATIONS)
    return judge(policy, evaluations, since=since, until=until)


def judge(policy: Policy, evaluations: list[GateEvaluation], *, since: Instant, until: Instant) -> DryRun:
    """The same of evaluations at hand."""
    asked = [(one, _line(policy, one)) for one in evaluations]
    lines = [line for _, line in asked if line is not None]
    by_rule = Counter(rule.rule for line in lines for rule in line.rules if not rule.held)
    return DryRun(
        policy=policy.policy,
        since_at=since,
        until_at=until,
        evaluations=len(evaluations),
        not_about=len(evaluations) - len(lines),
        refused=sum(1 for line in lines if line.passed_then and not line.would_pass),
        lacking=sum(1 for line in lines if any(rule.lacking for rule in line.rules)),
        by_rule=dict(sorted(by_rule.items())),
        lines=lines[:MOST_LINES],
        cut=len(lines) > MOST_LINES or len(evaluations) >= MOST_EVALUATIONS,
    )


def _line(policy: Policy, one: GateEvaluation) -> DryRunLine | None:
    """What the policy would have said of one evaluation; None when it is not about it."""
    about = About(one.model, one.facts.get("jurisdictions") or (), one.facts.get("purposes") or ())
    if not in_force.reaches(policy, about):
        return None
    counting = [
        rule
        for rule in policy.rules
        if one.gate in rule.gates and in_force.meet(rule.jurisdictions, about.jurisdictions)
    ]
    asked = cel.Asked(one.facts)
    rules = [_outcome(rule, asked, one.facts) for rule in counting]
    if one.gate != "register":  # the built-in rule that asks for bans is not asked there
        rules += [_ban(ban, asked, one.facts) for ban in policy.forbid if _counts(ban, about)]
    if not rules:
        return None
    stopping = {rule.name for rule in policy.rules if rule.severity == "warn"}
    return DryRunLine(
        evaluation_id=one.evaluation_id,
        gate=one.gate,
        model=one.model,
        version=one.version,
        evaluated_at=one.evaluated_at,
        passed_then=one.passed,
        would_pass=one.passed and all(rule.held or rule.rule in stopping for rule in rules),
        rules=rules,
    )


def _outcome(rule: PolicyRule, asked: cel.Asked, facts: dict[str, Any]) -> RuleOutcome:
    held = asked.ask(rule.require).held
    lacking = [] if held else reasons.lacking(rule.require, facts)
    explanation = "" if held else reasons.explanation(rule.explain, facts)
    return RuleOutcome(rule=rule.name, held=held, explanation=explanation, lacking=lacking)


def _ban(ban: Ban, asked: cel.Asked, facts: dict[str, Any]) -> RuleOutcome:
    """Whether no feature carries a ban's mark. Features of which nobody recorded the marks are told as lacking."""
    field, mark = ("semantics", ban.semantic) if ban.semantic else ("sources", ban.source)
    own = field.removesuffix("s")
    features = facts.get("features") or []
    carrying = [one["name"] for one in features if mark in (one.get(field) or []) or one.get(own) == mark]
    unknown = [f"features[].{field}"] if any(one.get(field) is None for one in features) else []
    if carrying and ban.condition:
        answer = asked.ask(ban.condition)
        if not answer.held and not answer.problem:
            carrying, unknown = [], []
    told = f"Feature {', '.join(map(repr, carrying))} is forbidden: {ban.reason}." if carrying else ""
    return RuleOutcome(rule=f"forbid {ban.mark}", held=not carrying, explanation=told, lacking=unknown)


def _counts(ban: Ban, about: About) -> bool:
    return in_force.meet(ban.jurisdictions, about.jurisdictions) and in_force.meet(ban.purposes, about.purposes)
