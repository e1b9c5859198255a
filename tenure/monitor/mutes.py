"""Mutes: for a while nobody is told of some alerts of an endpoint. They are judged, kept and shown all the same.

A mute follows the real clock, since it is about people: for how long they want no word.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from tenure.deploy import endpoints
from tenure.errors import Conflict, NotFound
from tenure.records.base import Instant, iso, new_id
from tenure.records.incidents import Mute, NewMute
from tenure.records.model_files import span_us
from tenure.store import audit
from tenure.store import endpoints as kept
from tenure.store import mutes as stored
from tenure.store.database import Transaction


def mute(tx: Transaction, endpoint: str, new: NewMute, *, by: str, now: Instant) -> Mute:
    """Have nobody told of some alerts of an endpoint for a while. Writes one audit event. Raises NotFound."""
    endpoints.get(tx, endpoint)
    made = Mute(
        mute_id=new_id(now),
        endpoint=endpoint,
        monitor=new.monitor,
        subject=new.subject,
        reason=new.reason,
        until_at=now + span_us(new.lasts),
        muted_by=by,
        muted_at=now,
    )
    stored.insert(tx, made)
    _tell(tx, "alert.muted", made, new.reason, by, now)
    return made


def unmute(tx: Transaction, endpoint: str, mute_id: str, *, reason: str, by: str, now: Instant) -> Mute:
    """End a mute before its time; what fires still is told of then. Writes one audit event.

    Raises NotFound for a mute of another endpoint, Conflict for one that has ended.
    """
    found = stored.get(tx, mute_id)
    if found is None or found.endpoint != endpoint:
        raise NotFound(f"Endpoint {endpoint!r} has no mute {mute_id!r}.")
    if not found.holds(now):
        raise Conflict(f"The mute {mute_id!r} has ended already.")
    stored.end(tx, mute_id, by=by, now=now)
    _tell(tx, "alert.unmuted", found, reason, by, now)
    return msgspec.structs.replace(found, ended_at=now, ended_by=by)


def in_force(tx: Transaction, *, models: Collection[str] | None = None, now: Instant) -> list[Mute]:
    """The mutes that hold now, of endpoints of these models or of all."""
    names = [one.name for one in kept.list_all(tx) if models is None or one.model in models]
    return [mute for name in names for mute in stored.in_force(tx, name, now)]


def history(tx: Transaction, endpoint: str, *, limit: int = 100) -> list[Mute]:
    """All mutes of an endpoint, the newest first. Raises NotFound."""
    endpoints.get(tx, endpoint)
    return stored.history(tx, endpoint, limit=limit)


def _tell(tx: Transaction, action: str, about: Mute, reason: str, by: str, now: Instant) -> None:
    detail = {
        "mute_id": about.mute_id,
        "monitor": about.monitor,
        "subject": about.subject,
        "until": iso(about.until_at),
        "reason": reason,
    }
    audit.append(tx, action, subject=f"endpoints/{about.endpoint}", by=by, at=now, detail=detail)
