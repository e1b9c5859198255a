"""Exceptions: something that a policy forbids, allowed for one model, by somebody else than who asked, until a day."""

from __future__ import annotations

import msgspec

from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tenure.manage import in_force, people, published, voiding
from tenure.manage.eligibility import held_since
from tenure.manage.passwords import Reauthenticated
from tenure.manage.roles import ADMIN
from tenure.records import parsing
from tenure.records.base import Instant, iso, moment_of, new_id
from tenure.records.people import Person
from tenure.records.policies import Decision, NewException, PolicyException, PublishedPolicy
from tenure.store import audit, exceptions, model_files
from tenure.store import policies as kept
from tenure.store.database import Transaction

MARKS = ("semantic:", "source:")


def request(tx: Transaction, new: NewException, *, by: str, now: Instant) -> PolicyException:
    """Ask for an exception; nothing is allowed until somebody else approves it. Writes one audit event.

    Raises InvalidInput for a subject that no policy in force knows, and for a day that is over.
    """
    if new.expires < moment_of(now).date():
        raise InvalidInput(f"An exception must expire today or later. Got {new.expires}.", where="expires")
    _policies_of(tx, new.model, new.subject, now)
    one = PolicyException(
        exception_id=new_id(now),
        model=new.model,
        subject=new.subject,
        owner=new.owner,
        reason=new.reason,
        expires=new.expires,
        state="requested",
        requested_by=by,
        requested_at=now,
    )
    exceptions.add(tx, one)
    _tell(tx, "exception.requested", one, one.reason, by=by, now=now)
    return one


def decide(
    tx: Transaction, exception_id: str, decision: Decision, *, proof: Reauthenticated, now: Instant
) -> PolicyException:
    """Approve or refuse a request, in the name of the person whose password `proof` shows.

    Raises NotAllowed for who asked for it, answers for it, or has not held the role since before it was asked; Conflict
    when it is decided already.
    """
    one = _get(tx, exception_id, to_change=True)
    if one.state != "requested":
        raise Conflict(f"Only a request can be decided. This exception is {one.state}.")
    person = people.get(tx, decision.person).person
    if proof.account.person.name != person.name:
        raise NotAllowed("The password was another person's. Give your own.", where="person")
    if person.name in (one.requested_by, one.owner):
        raise NotAllowed(
            f"{person.name!r} asked for this exception or owns it. Somebody else must decide.", where="person"
        )
    for role in _roles(_policies_of(tx, one.model, one.subject, now)):
        _require_role(person, role, one)
    decided = msgspec.structs.replace(
        one,
        state="approved" if decision.decision == "approve" else "refused",
        decided_by=person.name,
        decided_at=now,
        decided_because=decision.reason,
    )
    exceptions.update(tx, decided)
    action = "exception.approved" if decided.state == "approved" else "exception.refused"
    _tell(tx, action, decided, decision.reason, by=person.name, now=now)
    if decided.state == "approved":
        what = f"the exception for {one.subject}"
        voiding.void_stale(tx, one.model, None, what=what, by=person.name, now=now)
    return shown(decided, now)


def revoke(tx: Transaction, exception_id: str, *, reason: str, by: str, now: Instant) -> PolicyException:
    """End an exception before its day. Open approvals of the model are voided. Writes one audit event."""
    one = _get(tx, exception_id, to_change=True)
    if one.state not in ("requested", "approved"):
        raise Conflict(f"Only an exception that is requested or approved can be revoked. This one is {one.state}.")
    ended = msgspec.structs.replace(one, state="revoked", ended_by=by, ended_at=now, ended_because=reason)
    exceptions.update(tx, ended)
    _tell(tx, "exception.revoked", ended, reason, by=by, now=now)
    if one.state == "approved":
        voiding.void_stale(tx, one.model, None, what=f"the exception for {one.subject}", by=by, now=now)
    return shown(ended, now)


def search(
    tx: Transaction, *, model: str | None = None, state: str | None = None, now: Instant
) -> list[PolicyException]:
    """Exceptions, newest first, each with whether it has expired by now."""
    return [shown(one, now) for one in exceptions.search(tx, model=model, state=state)]


def get(tx: Transaction, exception_id: str, now: Instant) -> PolicyException:
    """An exception as it stands now. Raises NotFound."""
    return shown(_get(tx, exception_id), now)


def shown(one: PolicyException, now: Instant) -> PolicyException:
    """An exception with whether it has expired."""
    over = one.state == "approved" and not in_force.allows(one, now)
    return msgspec.structs.replace(one, expired=over)


def subjects(tx: Transaction, now: Instant) -> list[str]:
    """What an exception can be asked for, by name: rules and bans of every policy that counts or is yet to."""
    bodies = [one.body for one in _that_may_count(tx, now)]
    rules = {f"{body.policy}/{rule.name}" for body in bodies for rule in body.rules}
    return sorted(rules | {ban.mark for body in bodies for ban in body.forbid})


def roles_for(tx: Transaction, one: PolicyException, now: Instant) -> list[str]:
    """The roles that must be held, all of them, by whoever decides on a request."""
    return _roles(_policies_of(tx, one.model, one.subject, now))


def _get(tx: Transaction, exception_id: str, *, to_change: bool = False) -> PolicyException:
    one = exceptions.get(tx, exception_id, to_change=to_change)
    if one is None:
        raise NotFound(f"There is no exception {exception_id!r}. List them with `tenure policy exceptions`.")
    return one


def _policies_of(tx: Transaction, model: str, subject: str, now: Instant) -> list[PublishedPolicy]:
    """The policies that say what the subject names. A mark may also be forbidden by the model's file alone."""
    counting = _that_may_count(tx, now)
    if subject.startswith(MARKS):
        found = [one for one in counting if any(ban.mark == subject for ban in one.body.forbid)]
        if found or _forbidden_by_file(tx, model, subject):
            return found
        raise InvalidInput(f"Nothing forbids {subject!r}: no policy, and not the file of {model!r}.", where="subject")
    rules = {f"{one.name}/{rule.name}": one for one in counting for rule in one.body.rules}
    if subject.partition("/")[0] == published.BUILT_IN:
        raise InvalidInput(
            f"The rules of {published.BUILT_IN!r} have no exceptions. A ban that the model's file declares has, by "
            "what is forbidden, such as semantic:age.",
            where="subject",
        )
    if subject not in rules:
        raise InvalidInput(
            f"The subject must be <policy>/<rule>, semantic:<type> or source:<name>. Got {subject!r}. "
            f"{parsing.suggestion(subject, list(rules))}",
            where="subject",
        )
    return [rules[subject]]


def _that_may_count(tx: Transaction, now: Instant) -> list[PublishedPolicy]:
    """What counts, and the newest version of each policy: an exception may be wanted from its first day on."""
    every = kept.published(tx)
    newest = {one.name: one for one in reversed(every)}
    return list({one.title: one for one in [*newest.values(), *in_force.counting(every, now)]}.values())


def _forbidden_by_file(tx: Transaction, model: str, subject: str) -> bool:
    applied = model_files.current(tx, model)
    features = applied.file.features.values() if applied else ()
    return any(one.forbidden and f"semantic:{one.semantic}" == subject for one in features)


def _roles(found: list[PublishedPolicy]) -> list[str]:
    """Every role that must be held: of each policy the one that it names, else the administrator's."""
    return sorted({one.body.exceptions_by for one in found}) or [ADMIN]


def _require_role(person: Person, role: str, one: PolicyException) -> None:
    since = held_since(person, role, one.model)
    if since is None:
        raise NotAllowed(
            f"{person.name!r} does not hold the role {role!r}, which decides on {one.subject}.", where="person"
        )
    if since >= one.requested_at:
        raise NotAllowed(
            f"{person.name!r} has held the role {role!r} since {iso(since)}, after this was asked for. "
            "Somebody who held it before must decide.",
            where="person",
        )


def _tell(tx: Transaction, action: str, one: PolicyException, reason: str, *, by: str, now: Instant) -> None:
    detail = {
        "model": one.model,
        "subject": one.subject,
        "owner": one.owner,
        "expires": one.expires.isoformat(),
        "reason": reason,
    }
    audit.append(tx, action, subject=one.exception_id, by=by, at=now, detail=detail)
