"""Which policies count for a model at an instant: a pure decision over what was published, withdrawn and excepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from tenure.manage import policies
from tenure.records.base import DAY_US, Instant, instant_of
from tenure.records.digests import digest_of
from tenure.records.model_files import AppliedFile
from tenure.records.policies import Ban, Policy, PolicyException, PolicyRule, PublishedPolicy, Span


class About(NamedTuple):
    """The model that a gate is asked of. No jurisdiction and no purpose mean each of them."""

    model: str
    jurisdictions: Sequence[str] = ()
    purposes: Sequence[str] = ()


class InForce(NamedTuple):
    """What counts for a model at an instant, beside the built-in policy, which always does."""

    about: About
    at: Instant
    policies: tuple[PublishedPolicy, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()
    applied: AppliedFile | None = None
    """The model's file that this was found by, so that it need not be read again."""

    def rules(self, gate: str) -> list[tuple[PublishedPolicy, PolicyRule]]:
        """The published rules that are asked at a gate."""
        return [
            (policy, rule)
            for policy in self.policies
            for rule in policy.body.rules
            if gate in rule.gates and counts(rule, self.at) and meet(rule.jurisdictions, self.about.jurisdictions)
        ]

    def bans(self) -> list[tuple[PublishedPolicy, Ban]]:
        """The bans that count, whatever the gate."""
        return [
            (policy, ban)
            for policy in self.policies
            for ban in policy.body.forbid
            if counts(ban, self.at)
            and meet(ban.jurisdictions, self.about.jurisdictions)
            and meet(ban.purposes, self.about.purposes)
        ]

    def exception(self, subject: str) -> PolicyException | None:
        """The exception that allows a subject, the one that lasts longest if there are several."""
        found = [one for one in self.exceptions if one.subject == subject]
        return max(found, key=lambda one: one.expires, default=None)

    @property
    def title(self) -> str:
        """The policy versions by name, the built-in one first."""
        return ", ".join([policies.VERSION, *(policy.title for policy in self.policies)])

    def bound(self) -> str:
        """Names and one digest of all that counts, as signatures bind to it: policies, rules, bans and exceptions."""
        if not self.policies and not self.exceptions:
            return f"{policies.VERSION} {policies.digest()}"
        gates = {gate: [f"{one.title}/{rule.name}" for one, rule in self.rules(gate)] for gate in policies.ALL_GATES}
        bans = [[policy.title, ban] for policy, ban in self.bans()]
        digests = [[policy.title, policy.digest] for policy in self.policies]
        excepted = [[one.exception_id, one.subject, one.expires] for one in self.exceptions]
        return f"{self.title} {digest_of([policies.digest(), digests, gates, bans, excepted])}"


def in_force(
    published: Iterable[PublishedPolicy], exceptions: Iterable[PolicyException], about: About, at: Instant
) -> InForce:
    """What counts for a model at an instant."""
    reaching = [one for one in counting(published, at) if reaches(one.body, about)]
    allowed = [one for one in exceptions if one.model == about.model and allows(one, at)]
    return InForce(about, at, tuple(reaching), tuple(sorted(allowed, key=lambda one: one.exception_id)))


def counting(published: Iterable[PublishedPolicy], at: Instant) -> list[PublishedPolicy]:
    """The versions that count at an instant, by name, whatever models they are about.

    Of each policy it is the newest whose validity has begun; when that one is over or withdrawn, none counts.
    """
    newest: dict[str, PublishedPolicy] = {}
    for one in sorted(published, key=lambda one: one.version):
        if begins(one) <= at:
            newest[one.name] = one
    return [one for _, one in sorted(newest.items()) if _lasts(one, at)]


def begins(one: PublishedPolicy) -> Instant:
    """When a version begins to count: with its validity, and never before it was published."""
    start = midnight(one.body.valid_from) if one.body.valid_from else one.published_at
    return Instant(max(start, one.published_at))


def counts(span: Span, at: Instant) -> bool:
    """Whether an instant lies within a span of days of UTC."""
    after = span.valid_from is None or at >= midnight(span.valid_from)
    return after and (span.valid_to is None or at < midnight(span.valid_to) + DAY_US)


def allows(one: PolicyException, at: Instant) -> bool:
    """Whether an exception allows something at an instant: approved, not ended, and its last day not over."""
    return one.state == "approved" and at < midnight(one.expires) + DAY_US


def reaches(policy: Policy, about: About) -> bool:
    """Whether a policy is about a model."""
    where = policy.applies_to
    named = not where.models or any(fnmatchcase(about.model, pattern) for pattern in where.models)
    return named and meet(where.jurisdictions, about.jurisdictions) and meet(where.purposes, about.purposes)


def midnight(day: date) -> Instant:
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _lasts(one: PublishedPolicy, at: Instant) -> bool:
    withdrawn = one.withdrawn is not None and at >= midnight(one.withdrawn.from_date)
    return counts(one.body, at) and not withdrawn


def meet(asked: Sequence[str], told: Sequence[str]) -> bool:
    """Whether what a policy names and what a model names have one in common; naming nothing means everything."""
    return not asked or not told or bool(set(asked) & set(told))
