"""Policies: which count, one version with its rules in words, its exceptions, and what it would have refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.errors import InvalidInput, TenureError
from tenure.manage import dry_runs, exceptions, in_force, policies, published
from tenure.records import policy_yaml
from tenure.records.base import DAY_US, Instant, instant_of, moment_of
from tenure.records.people import Permission, Principal
from tenure.records.policies import NewWithdrawal, PolicyException, PublishedPolicy, Span
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, record, text
from tenure.web.page import part, show
from tenure.web.wording import day

Asked = Request[Any, Any, Any]
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
            "may_write": principal.may(Permission.ADMINISTER),
        }

    return show(ground, principal, "policies.html", load, current="policies")


@get("/policies/{name:str}/{version:int}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def policy_page(
    request: Asked, ground: Ground, principal: Principal, name: str, version: int, since: str = ""
) -> Response[str]:
    """One version; with `since` what it would have refused from that day on."""
    return _policy(request, ground, principal, name, version, since)


@post(
    "/policies/{name:str}/{version:int}/withdraw",
    permission=Permission.ADMINISTER,
    sync_to_thread=True,
    include_in_schema=False,
)
def withdraw(
    request: Asked, ground: Ground, principal: Principal, name: str, version: int, data: Form
) -> Response[str] | Redirect:
    """Let a version count no more from a day on; what is wrong with the form is said beside its field."""
    try:
        asked = record(NewWithdrawal, from_date=text(data, "from_date"), reason=text(data, "reason"))
        ground.database.write(
            lambda tx: published.withdraw(
                tx, name, version, asked.from_date, reason=asked.reason, by=principal.name, now=ground.clock()
            )
        )
    except TenureError as refusal:
        return _policy(request, ground, principal, name, version, refusal=refusal, given=data)
    return Redirect(f"/policies/{part(name)}/{version}", status_code=303)


def _policy(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    version: int,
    since: str = "",
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
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
            "today": moment_of(now).date().isoformat(),
            "dry": dry_runs.run(tx, found.body, since=beginning_of(since), until=END) if since else None,
            "shown_lines": SHOWN_LINES,
            "text": policy_yaml.written(found.body),
            "may_write": principal.may(Permission.ADMINISTER),
            **answered(request, refusal, given),
        }

    return show(ground, principal, "policy.html", load, current="policies", refusal=refusal)


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


def beginning_of(text: str) -> Instant:
    """The first instant of a day that somebody wrote into a form."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"The day must be written as 2026-05-31. Got {text[:40]!r}.", where="since") from None
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


handlers = [policies_page, policy_page, withdraw]
