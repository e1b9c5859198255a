"""What waits for somebody: changes to sign, changes of theirs that came back, alerts of models they own.

Who administers is told here, too, of those whom failures of sign-in keep out: an entry for each lock-out, which goes
when that ends or is taken off. It is read from the failures themselves, so nothing can be told twice or forgotten.
"""

from __future__ import annotations

from tenure.manage import eligibility, lockouts
from tenure.records.base import Instant
from tenure.records.changes import Change
from tenure.records.inbox import Inbox, LockOut, ToSign
from tenure.records.people import Permission, Principal
from tenure.store import alerts, changes, endpoints, model_files, password_failures, people
from tenure.store.changes import StoredChange
from tenure.store.database import Transaction

LOOKED_AT = 500
LATELY = 50
"""Ended changes of one person that are looked at, so that a long past makes no slow page."""


def of(tx: Transaction, who: Principal, now: Instant) -> Inbox:
    """What waits for whoever asks. The local owner signs nothing, but is told what became of what they asked for."""
    opened = changes.search(tx, state="open", limit=LOOKED_AT)
    return Inbox(
        to_sign=_to_sign(tx, who, opened),
        came_back=[] if who.kind == "nobody" else _came_back(tx, who.name),
        waiting=[stored.change for stored in opened if stored.change.opened_by == who.name],
        alerts=[
            alert
            for model in model_files.all_current(tx)
            if model.file.owner == who.name
            for endpoint in endpoints.list_all(tx, model=model.model)
            for alert in alerts.search(tx, endpoint=endpoint.name)
            if alert.state in ("firing", "acknowledged")
        ],
        lock_outs=_lock_outs(tx, now) if who.may(Permission.ADMINISTER) else [],
    )


def _lock_outs(tx: Transaction, now: Instant) -> list[LockOut]:
    return lockouts.open_ones(password_failures.of_all(tx, since=lockouts.since(now)))


def count(tx: Transaction, who: Principal, opened: list[StoredChange]) -> int:
    """How many of the open changes a person may sign now."""
    return len(_to_sign(tx, who, opened))


def _to_sign(tx: Transaction, who: Principal, opened: list[StoredChange]) -> list[ToSign]:
    account = people.get(tx, who.name) if who.kind == "person" and opened else None
    if account is None:
        return []
    asked = [(stored.change, eligibility.roles_open_to(stored, account.person)) for stored in opened]
    return [ToSign(change=change, roles=roles) for change, roles in asked if roles]


def _came_back(tx: Transaction, name: str) -> list[Change]:
    """What somebody asked for and was refused or voided, unless that is settled; newest first."""
    ended = [
        stored.change
        for state in ("rejected", "invalidated")
        for stored in changes.search(tx, state=state, opened_by=name, limit=LATELY)
    ]
    kept = [change for change in ended if not _settled(tx, change)]
    return sorted(kept, key=lambda change: change.opened_at, reverse=True)


def _settled(tx: Transaction, change: Change) -> bool:
    """Whether the same was asked for again, or approved beside it, or the version is retired."""
    for stored in changes.search(tx, model=change.model, version=change.version, limit=LOOKED_AT):
        other = stored.change
        if other.kind == "retire" and other.state == "approved":
            return True
        again = other.opened_at > change.opened_at and other.state != "withdrawn"
        if other.kind == change.kind and other.change_id != change.change_id and (again or other.state == "approved"):
            return True
    return False
