"""Routes about policies, their exceptions, and what a policy would have refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from litestar import Request, get, post, put
from litestar.params import QueryParameter

from tenure.api.people import gate_of
from tenure.errors import NotAllowed
from tenure.manage import dry_runs, exceptions, published
from tenure.records.base import Instant, Record, instant_of
from tenure.records.changes import Reason
from tenure.records.people import Permission, Principal
from tenure.records.policies import (
    Decision,
    DryRun,
    NewException,
    NewWithdrawal,
    PolicyChecked,
    PolicyDraft,
    PolicyException,
    PolicyShown,
    Published,
    PublishedPolicy,
)
from tenure.store.ground import Ground

Why = Annotated[str, QueryParameter(description="Why; the audit log keeps it.", max_length=2000)]


class Revocation(Record, forbid_unknown_fields=True):
    reason: Reason


@get("/api/v1/policies", permission=Permission.READ, sync_to_thread=True)
def list_policies(ground: Ground) -> list[PolicyShown]:
    """Every published policy with its versions, its draft, and which version counts now."""
    return ground.database.read(lambda tx: published.shown(tx, ground.clock()))


@get("/api/v1/policies/{name:str}/{version:int}", permission=Permission.READ, sync_to_thread=True)
def get_policy(name: str, version: int, ground: Ground) -> PublishedPolicy:
    """One published version."""
    return ground.database.read(lambda tx: published.get(tx, name, version))


@post("/api/v1/policies", permission=Permission.ADMINISTER, sync_to_thread=True)
def publish(body: bytes, ground: Ground, principal: Principal, reason: Why = "") -> Published:
    """Publish a policy as its next version, which never changes. Approvals that it touches are voided."""
    policy = published.parse(body)
    return ground.database.write(
        lambda tx: published.publish(tx, policy, by=principal.name, now=ground.clock(), reason=reason)
    )


@post("/api/v1/policies/check", permission=Permission.READ, sync_to_thread=True, status_code=200)
def check(body: bytes) -> PolicyChecked:
    """Read a policy and hold it against the typed facts; nothing is stored."""
    return published.check(published.parse(body))


@put("/api/v1/policies/draft", permission=Permission.ADMINISTER, sync_to_thread=True)
def save_draft(body: bytes, ground: Ground, principal: Principal) -> PolicyDraft:
    """Keep a policy as the draft of its name, in place of the one before; it counts nowhere."""
    policy = published.parse(body)
    return ground.database.write(lambda tx: published.save_draft(tx, policy, by=principal.name, now=ground.clock()))


@post("/api/v1/policies/{name:str}/publish", permission=Permission.ADMINISTER, sync_to_thread=True)
def publish_draft(name: str, ground: Ground, principal: Principal, reason: Why = "") -> Published:
    """Publish a policy's draft."""
    return ground.database.write(
        lambda tx: published.publish_draft(tx, name, by=principal.name, now=ground.clock(), reason=reason)
    )


@post(
    "/api/v1/policies/{name:str}/{version:int}/withdraw",
    permission=Permission.ADMINISTER,
    sync_to_thread=True,
    status_code=200,
)
def withdraw(name: str, version: int, data: NewWithdrawal, ground: Ground, principal: Principal) -> Published:
    """Let a version count no more from a day on; it stays to be read."""
    return ground.database.write(
        lambda tx: published.withdraw(
            tx, name, version, data.from_date, reason=data.reason, by=principal.name, now=ground.clock()
        )
    )


@post("/api/v1/policies/dry-run", permission=Permission.READ, sync_to_thread=True, status_code=200)
def dry_run(
    body: bytes,
    ground: Ground,
    since: Annotated[date, QueryParameter(description="First day, UTC.")],
    until: date | None = None,
) -> DryRun:
    """What a policy would have refused: asked of the facts of past gate evaluations. Nothing is stored."""
    policy = published.parse(body)
    end = ground.clock() if until is None else Instant(_midnight(until))
    return ground.database.read(lambda tx: dry_runs.run(tx, policy, since=_midnight(since), until=end))


@post("/api/v1/policy-exceptions", permission=Permission.MANAGE, sync_to_thread=True)
def request_exception(data: NewException, ground: Ground, principal: Principal) -> PolicyException:
    """Ask that something be allowed for one model until a day. Somebody else decides."""
    return ground.database.write(lambda tx: exceptions.request(tx, data, by=principal.name, now=ground.clock()))


@get("/api/v1/policy-exceptions", permission=Permission.READ, sync_to_thread=True)
def list_exceptions(
    ground: Ground, model: str | None = None, in_state: Annotated[str | None, QueryParameter(name="state")] = None
) -> list[PolicyException]:
    """Exceptions, newest first, with who asked, who decided, and whether they have expired."""
    return ground.database.read(lambda tx: exceptions.search(tx, model=model, state=in_state, now=ground.clock()))


# Who decides is the person whose password is in the body, not who sends the request: `decide` checks the role.
@post(
    "/api/v1/policy-exceptions/{exception_id:str}/decision",
    permission=Permission.READ,
    sync_to_thread=True,
    status_code=200,
)
def decide(
    exception_id: str, data: Decision, ground: Ground, principal: Principal, request: Request[Any, Any, Any]
) -> PolicyException:
    """Approve or refuse an exception, as a person who holds the role that the policy names."""
    if principal.kind == "person" and principal.name != data.person:
        raise NotAllowed(f"You are signed in as {principal.name!r}. Decide as yourself.", where="person")
    now = ground.clock()
    proof = gate_of(request).passwords.check(data.person, data.password, purpose=f"deciding {exception_id}", now=now)
    return ground.database.write(lambda tx: exceptions.decide(tx, exception_id, data, proof=proof, now=now))


@post(
    "/api/v1/policy-exceptions/{exception_id:str}/revoke",
    permission=Permission.MANAGE,
    sync_to_thread=True,
    status_code=200,
)
def revoke(exception_id: str, data: Revocation, ground: Ground, principal: Principal) -> PolicyException:
    """End an exception before its day."""
    return ground.database.write(
        lambda tx: exceptions.revoke(tx, exception_id, reason=data.reason, by=principal.name, now=ground.clock())
    )


def _midnight(day: date) -> Instant:
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


handlers = [
    list_policies,
    get_policy,
    publish,
    check,
    save_draft,
    publish_draft,
    withdraw,
    dry_run,
    request_exception,
    list_exceptions,
    decide,
    revoke,
]
