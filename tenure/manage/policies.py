"""The built-in policy: what a version must show at each gate, as CEL over its facts.

A published policy version is immutable: to change a rule, publish the next version. `digest` is bound into signatures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tenure.records.digests import digest_of
from tenure.records.facts import Facts, FeatureFact

VERSION = "tenure-baseline@1"
GATES = ("approve", "deploy", "promote")
ALL_GATES = ("register", *GATES)
"""The built-in policy asks nothing of a version that is only to be registered; a published one may."""
_RELEASE = ("deploy", "promote")
_UNAPPROVED = "!approval.required || approval.state != 'approved'"


class Rule(NamedTuple):
    """`explain` says, of facts that the expression does not hold for, which fact it is and what would satisfy it."""

    name: str
    gates: tuple[str, ...]
    expression: str
    explain: Callable[[Facts], str]


def rules(gate: str) -> list[Rule]:
    """The rules that are asked at a gate."""
    return [rule for rule in RULES if gate in rule.gates]


def digest() -> str:
    """The digest of the whole policy version."""
    return digest_of([VERSION, [[rule.name, list(rule.gates), rule.expression] for rule in RULES]])


def _card(facts: Facts) -> str:
    missing = ", ".join(facts.card.missing) if facts.card else "everything"
    return f"The card lacks {missing}. Write it with PUT {_path(facts)}/card."


def _baseline(facts: Facts) -> str:
    how = "Record one of the training data with tenure.log_baseline(...)."
    if facts.baseline is None:
        return f"There is no baseline profile. {how}"
    if facts.baseline.rows == 0:
        return f"The baseline profile has no rows. {how}"
    return f"The baseline profile lacks {_quoted(facts.baseline.columns_missing)}, which the model takes. {how}"


def _known(facts: Facts) -> str:
    if not facts.features:
        return "The model has no input columns by name. Log it with a signature, so that its features can be checked."
    late = [
        f"Feature {feature.name!r} is known only {feature.available!r}; "
        "train without it, or declare `available: at_scoring` if it is known by then."
        for feature in facts.features
        if feature.available not in (None, "at_scoring")
    ]
    return " ".join([*late, *_undeclared(facts.features)])


def _undeclared(features: list[FeatureFact]) -> list[str]:
    names = [feature.name for feature in features if not feature.declared]
    if not names:
        return []
    return [
        f"The model's file does not declare {_quoted(names)}, so nobody said when they are known; "
        f"add each under `features`, such as `{names[0]}: {{available: at_scoring}}`."
    ]


def _forbidden(facts: Facts) -> str:
    where = ", ".join(facts.jurisdictions) or "every jurisdiction"
    said = [
        f"Feature {feature.name!r} is forbidden in {where}: {feature.forbidden_because}; train without it."
        for feature in facts.features or []
        if feature.forbidden
    ]
    said += [
        f"Whether feature {feature.name!r} is forbidden cannot be told: {feature.forbidden_because}"
        for feature in facts.features or []
        if feature.forbidden is None and feature.declared
    ]
    return " ".join(said) or " ".join(_undeclared(facts.features or [])) or "The model has no input columns by name."


def _bytes(facts: Facts) -> str:
    if facts.artifact is None:
        return "The version's files are not pinned: they lie where this server cannot read them. Register it again."
    if facts.artifact.intact is None:
        return "The version's files have not been read. Ask again with the files at hand."
    return f"The version's files are not what was registered: {'; '.join(facts.artifact.problems) or 'there are none'}."


def _approved(facts: Facts) -> str:
    state = facts.approval.state if facts.approval else "not known"
    return (
        f"Version {facts.version} of {facts.model!r} is {state}, not approved. Ask for approval with "
        "POST /api/v1/changes or `tenure version approve`, and have it signed."
    )


def _same_artifact(_facts: Facts) -> str:
    return "The version's files are not those that were approved. Register a new version and have it approved."


def _same_baseline(_facts: Facts) -> str:
    return "The baseline is not the one that was approved. Have the version approved again with the new one."


def _path(facts: Facts) -> str:
    return f"/api/v1/models/{facts.model}/versions/{facts.version}"


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


RULES = (
    Rule("card-complete", ("approve",), "size(card.missing) == 0", _card),
    Rule("baseline-present", ("approve",), "baseline.rows > 0 && size(baseline.columns_missing) == 0", _baseline),
    Rule(
        "known-at-scoring",
        GATES,
        "size(features) > 0 && features.all(feature, feature.available == 'at_scoring')",
        _known,
    ),
    Rule("not-forbidden", GATES, "features.all(feature, feature.forbidden == false)", _forbidden),
    Rule("bytes-pinned", ("approve",), "artifact.intact && artifact.file_count > 0", _bytes),
    Rule("approved", _RELEASE, "!approval.required || approval.state == 'approved'", _approved),
    # The last two are asked of approved versions only: of others, the rule before has said no already.
    Rule("artifact-as-approved", _RELEASE, f"{_UNAPPROVED} || approval.artifact_unchanged", _same_artifact),
    Rule("baseline-as-approved", _RELEASE, f"{_UNAPPROVED} || approval.baseline_unchanged", _same_baseline),
)
