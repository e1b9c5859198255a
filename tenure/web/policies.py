"""Policies: which count, one version with its rules in words, its exceptions, and what it would have refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from litestar import Response, get

from tenure.errors import InvalidInput
from tenure.manage import dry_runs, exceptions, in_force, policies, published
from tenure.records.base import DAY_US, Instant, instant_of
from tenure.records.people import Permission, Principal
from tenure.records.policies import PolicyException, PublishedPolicy, Span
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.page import show
from tenure.web.wording import day

SHOWN_LINES = 100
END = Instant(2**62)


@get("/policies", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def policies_page(ground: Ground, principal: Principal) -> Response[str]:
    now = ground.clock()

    def load(tx: Transaction) -> dict[str, Any]:
        return {
            "policies": published.shown(tx, now),
            "exceptions": exceptions.search(tx, now=now),
            "built_in": policies.VERSION,
            "built_in_rules": policies.RULES,
        }

    return show(ground, principal, "policies.html", load, current="policies")


@get("/policies/{name:str}/{version:int}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def policy_page(ground: Ground, principal: Principal, name: str, version: int, since: str = "") -> Response[str]:
    """One version; with `since` what it would have refused from that day on."""
    now = ground.clock()

    def load(tx: Transaction) -> dict[str, Any]:
        found = published.get(tx, name, version)
        every = [one for one in published.shown(tx, now) if one.name == name]
        return {
            "policy": found,
            "body": found.body,
            "standing": _standing(found, every[0].current, now),
            "span": span,
            "versions": every[0].versions,
            "exceptions": [one for one in exceptions.search(tx, now=now) if _is_about(one, found)],
            "since": since,
            "today": datetime.fromtimestamp(now // 1_000_000, UTC).date().isoformat(),
            "dry": dry_runs.run(tx, found.body, since=_day(since), until=END) if since else None,
            "shown_lines": SHOWN_LINES,
        }

    return show(ground, principal, "policy.html", load, current="policies")


def span(one: Span) -> str:
    """When something counts, in words.

    >>> span(Span(valid_from=date(2026, 1, 1)))
    'from 1 Jan 2026 on'
    """
    first, last = (day(date) if date else "" for date in (one.valid_from, one.valid_to))
    if first and last:
        return f"{first} to {last}"
    return f"from {first} on" if first else f"until {last}" if last else "always"


def _standing(found: PublishedPolicy, current: int | None, now: Instant) -> str:
    """How a version stands: in force, yet to begin, superseded, withdrawn or over."""
    if found.version == current:
        return "in force"
    if in_force.begins(found) > now:
        return "yet to begin"
    if found.withdrawn is not None and in_force.midnight(found.withdrawn.from_date) <= now:
        return "withdrawn"
    if found.body.valid_to is not None and in_force.midnight(found.body.valid_to) + DAY_US <= now:
        return "over"
    return "superseded"


def _is_about(one: PolicyException, policy: PublishedPolicy) -> bool:
    return one.subject.startswith(f"{policy.name}/") or any(ban.mark == one.subject for ban in policy.body.forbid)


def _day(text: str) -> Instant:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"The day must be written as 2026-05-31. Got {text[:40]!r}.", where="since") from None
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


handlers = [policies_page, policy_page]
