"""Published policies: read, checked against the typed facts, published as the next version, withdrawn by a date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.manage import cel, in_force, policies, reasons, voiding
from tenure.manage.in_force import About, InForce
from tenure.records import differing, parsing, policy_yaml, yaml_text
from tenure.records.base import Instant, iso, moment_of
from tenure.records.digests import digest_of, told
from tenure.records.policies import (
    Policy,
    PolicyChecked,
    PolicyDraft,
    PolicyShown,
    Published,
    PublishedPolicy,
    RuleChecked,
    Withdrawal,
)
from tenure.store import audit, changes, exceptions, model_files
from tenure.store import policies as kept
from tenure.store.database import Transaction

BUILT_IN = policies.VERSION.partition("@")[0]


def parse(raw: bytes | dict[str, Any]) -> Policy:
    """JSON bytes, or a mapping such as YAML gives, as a policy, checked.

    Raises InvalidInput with the path of what does not fit: an unknown key, a fact that does not exist, an expression
    that may take too long.
    """
    policy = parsing.parse(raw, Policy, named="The policy")
    check(policy)
    return policy


def read(text: str) -> Policy:
    """A policy as a person writes it, YAML, checked. Raises InvalidInput with the path and line of what is wrong."""
    declared = policy_yaml.mapping(text)
    try:
        return parse(declared)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, where=yaml_text.placed(text, problem.where)) from None


def check(policy: Policy) -> PolicyChecked:
    """Hold every expression of a policy against the typed facts; answers which facts each rule reads."""
    if policy.policy == BUILT_IN:
        raise InvalidInput(
            f"{BUILT_IN!r} is the built-in policy and always stays. Choose another name.", where="policy"
        )
    if not policy.rules and not policy.forbid:
        raise InvalidInput("A policy must have a rule or forbid something. This one does neither.", where="rules")
    names = [rule.name for rule in policy.rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"Two rules are named {twice!r}; exceptions could not tell them apart.", where="rules")
    checked = []
    for number, rule in enumerate(policy.rules):
        reads = _at(f"rules[{number}].require", partial(cel.check, rule.require))
        _at(f"rules[{number}].explain", partial(reasons.check_explanation, rule.explain))
        checked.append(RuleChecked(rule=rule.name, reads=reads))
    for number, ban in enumerate(policy.forbid):
        if ban.condition:
            _at(f"forbid[{number}].condition", partial(cel.check, ban.condition))
    return PolicyChecked(policy=policy.policy, digest=digest_of(policy), rules=checked)


def publish(
    tx: Transaction, policy: Policy, *, by: str, now: Instant, reason: str = "", seen: int | None = None
) -> Published:
    """Publish a checked policy as its next version, which never changes. The same again publishes nothing.

    `seen` is the newest version that the author looked at, 0 for none. Open approvals are voided wherever what is in
    force for them is no longer what they were asked under. Writes one audit event, and one for each change request that
    is voided. Raises Conflict when another version is the newest than was seen.
    """
    earlier = kept.published(tx, policy.policy)
    _require_seen(policy.policy, earlier, seen)
    digest = digest_of(policy)
    if earlier and earlier[0].digest == digest and earlier[0].withdrawn is None:
        return Published(policy=earlier[0], invalidated=[])
    made = PublishedPolicy(
        name=policy.policy,
        version=earlier[0].version + 1 if earlier else 1,
        digest=digest,
        body=policy,
        published_by=by,
        published_at=now,
    )
    kept.add(tx, made)
    kept.delete_draft(tx, policy.policy)
    detail = {
        "digest": digest,
        "rules": [rule.name for rule in policy.rules],
        "forbids": [ban.mark for ban in policy.forbid],
        "begins": in_force.begins(made),
        **({"reason": reason} if reason else {}),
    }
    audit.append(tx, "policy.published", subject=made.title, by=by, at=now, detail=detail)
    return Published(policy=made, invalidated=void_touched(tx, what=f"the policy {made.title}", by=by, now=now))


def save_draft(tx: Transaction, policy: Policy, *, by: str, now: Instant) -> PolicyDraft:
    """Keep a checked policy as the draft of its name; nothing is asked of it. Writes one audit event."""
    kept.save_draft(tx, policy.policy, policy, by=by, now=now)
    audit.append(tx, "policy.drafted", subject=policy.policy, by=by, at=now, detail={"digest": digest_of(policy)})
    return PolicyDraft(name=policy.policy, body=policy, saved_by=by, saved_at=now)


def publish_draft(tx: Transaction, name: str, *, by: str, now: Instant, reason: str = "") -> Published:
    """Publish a policy's draft. Raises NotFound without one."""
    draft = next((one for one in kept.drafts(tx) if one.name == name), None)
    if draft is None:
        raise NotFound(f"There is no draft of the policy {name!r}.")
    check(draft.body)
    return publish(tx, draft.body, by=by, now=now, reason=reason)


def withdraw(
    tx: Transaction, name: str, version: int, from_date: date, *, reason: str, by: str, now: Instant
) -> Published:
    """Let a version count no more from a day on, today at the earliest. It is never deleted. Writes one audit event.

    Raises Conflict when it was withdrawn already.
    """
    found = get(tx, name, version)
    if found.withdrawn is not None:
        raise Conflict(f"{found.title} was withdrawn already, from {found.withdrawn.from_date} on.")
    if from_date < moment_of(now).date():
        raise InvalidInput(
            f"A policy is withdrawn from today on or later: what it refused stays refused. Got {from_date}.",
            where="from_date",
        )
    kept.withdraw(tx, name, version, Withdrawal(from_date=from_date, reason=reason, by=by, at=now))
    detail = {"from": from_date.isoformat(), "reason": reason}
    audit.append(tx, "policy.withdrawn", subject=found.title, by=by, at=now, detail=detail)
    voided = void_touched(tx, what=f"the policy {found.title}", by=by, now=now)
    return Published(policy=get(tx, name, version), invalidated=voided)


def get(tx: Transaction, name: str, version: int) -> PublishedPolicy:
    """A published version. Raises NotFound."""
    found = next((one for one in kept.published(tx, name) if one.version == version), None)
    if found is None:
        raise NotFound(f"There is no version {version} of a policy {name!r}. List them with `tenure policy list`.")
    return found


def versions(tx: Transaction, name: str) -> list[PublishedPolicy]:
    """Every published version of a policy, newest first; none when it was never published."""
    return kept.published(tx, name)


def differences(before: Policy | None, after: Policy) -> list[str]:
    """What a policy changes of an earlier version, a line for each path."""
    return differing.lines(told(before) if before else {}, told(after))


def shown(tx: Transaction, now: Instant) -> list[PolicyShown]:
    """Every policy with its versions and its draft, by name."""
    versions, drafts = kept.published(tx), {draft.name: draft for draft in kept.drafts(tx)}
    names = sorted({one.name for one in versions} | set(drafts))
    return [_shown(name, [one for one in versions if one.name == name], drafts.get(name), now) for name in names]


def for_model(tx: Transaction, model: str, now: Instant) -> InForce:
    """What counts for a model now, by the jurisdictions and purposes of its file as it stands."""
    applied = model_files.current(tx, model)
    about = About(model, applied.file.use.jurisdictions, applied.file.use.purposes) if applied else About(model)
    found = in_force.in_force(kept.published(tx), exceptions.approved(tx, model), about, now)
    return found._replace(applied=applied)


def void_touched(tx: Transaction, *, what: str, by: str, now: Instant) -> list[str]:
    """Invalidate the open approvals that were asked for under other policies than those that are in force now."""
    stale = [
        stored.change
        for stored in changes.search(tx, state="open", kind="approve")
        if for_model(tx, stored.change.model, now).bound() != stored.change.subject.policy
    ]
    for change in stale:
        voiding.end(tx, change, "invalidated", f"{what} changed; open a new change request under it", by=by, now=now)
    return [change.change_id for change in stale]


def _require_seen(name: str, earlier: list[PublishedPolicy], seen: int | None) -> None:
    newest = earlier[0].version if earlier else 0
    if seen is not None and seen != newest:
        by = f", published by {earlier[0].published_by} on {iso(earlier[0].published_at)}" if earlier else ""
        raise Conflict(
            f"The newest version of {name!r} is {newest}{by}; this one was written after version {seen}. Look at what "
            "was published since, then write the next version.",
            where="policy",
        )


def _shown(name: str, versions: list[PublishedPolicy], draft: PolicyDraft | None, now: Instant) -> PolicyShown:
    counting = in_force.counting(versions, now)
    return PolicyShown(name=name, current=counting[0].version if counting else None, versions=versions, draft=draft)


def _at(where: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except InvalidInput as problem:
        raise InvalidInput(problem.message, where=where) from None
