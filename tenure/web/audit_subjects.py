"""What an audit event is about, for people: its kind, a name instead of an id, and where it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenure.records.base import Record
from tenure.records.changes import AuditEvent
from tenure.store import changes, exceptions, retraining_runs, webhooks
from tenure.store.database import Transaction
from tenure.web.page import link, part

SHOWN_ID = 12
"""How much of an id that nothing here can name is shown."""


class About(Record):
    """`path` is empty where no page shows it."""

    kind: str
    name: str
    path: str = ""


PLACES: dict[str, tuple[str, str]] = {
    "model": ("model", "models"),
    "model_file": ("model's file", "models"),
    "endpoint": ("endpoint", "endpoints"),
    "release": ("endpoint", "endpoints"),
    "segments": ("endpoint", "endpoints"),
    "person": ("person", "people"),
    "service": ("service", "people"),
    "grant": ("rights", "people"),
    "token": ("token", "people"),
    "retraining.held_back": ("endpoint", "endpoints"),
}
"""By the noun of the action, or all of it: what its subject is called, and under which pages it is shown by name."""
OF_VERSIONS = ("version", "alias", "card", "profile", "proxy")


def of(tx: Transaction, events: Sequence[AuditEvent]) -> list[tuple[AuditEvent, About]]:
    """Each event with what it is about. An id is looked up once, however many events are about it."""
    known: dict[tuple[str, str], About | None] = {}
    told = []
    for event in events:
        key = (noun_of(event), event.subject)
        if key[0] in NAMED and key not in known:
            known[key] = NAMED[key[0]](tx, event.subject)
        told.append((event, known.get(key) or without_looking(event)))
    return told


def noun_of(event: AuditEvent) -> str:
    return event.action.partition(".")[0]


def without_looking(event: AuditEvent) -> About:
    """As far as the event itself tells."""
    noun, subject = noun_of(event), event.subject
    name, _, number = subject.rpartition("/")
    if noun in OF_VERSIONS and number.isdigit():
        return About(kind="version", name=f"{name} {number}", path=f"/models/{part(name)}/versions/{number}")
    if noun == "policy":
        return _policy(subject)
    if noun == "alert":
        endpoint = subject.removeprefix("endpoints/")
        return About(kind="alert at", name=endpoint, path=link("/alerts", endpoint=endpoint))
    plain = subject.removeprefix(f"{noun}:")
    if noun == "run":
        return About(kind="run", name=plain[:SHOWN_ID], path=f"/runs/{part(plain)}")
    if event.action in PLACES or noun in PLACES:
        kind, place = PLACES.get(event.action) or PLACES[noun]
        return About(kind=kind, name=plain, path=f"/{place}/{part(plain)}")
    shown = plain if len(plain) <= 3 * SHOWN_ID else f"{plain[:SHOWN_ID]}…"
    return About(kind=noun.replace("_", " "), name=shown)


def _policy(subject: str) -> About:
    name, _, version = subject.partition("@")
    if version:
        return About(kind="policy", name=subject, path=f"/policies/{part(name)}/{part(version)}")
    return About(kind="policy draft", name=subject, path=link("/policy-editor", name=subject))


def _change(tx: Transaction, change_id: str) -> About | None:
    stored = changes.get(tx, change_id)
    if stored is None:
        return None
    one = stored.change
    return About(kind=f"change: {one.kind}", name=one.about, path=f"/changes/{part(change_id)}")


def _exception(tx: Transaction, exception_id: str) -> About | None:
    one = exceptions.get(tx, exception_id)
    if one is None:
        return None
    name = f"{one.subject} for {one.model}"
    return About(kind="exception", name=name, path=f"/policy-exceptions/{part(exception_id)}")


def _retraining(tx: Transaction, retraining_id: str) -> About | None:
    one = retraining_runs.get(tx, retraining_id)
    return About(kind="retraining", name=one.model, path=f"/retraining/{part(retraining_id)}") if one else None


def _webhook(tx: Transaction, webhook_id: str) -> About | None:
    one = webhooks.get(tx, webhook_id)
    return About(kind="webhook", name=one.name, path=f"/webhooks/{part(webhook_id)}") if one else None


NAMED: dict[str, Callable[[Transaction, str], About | None]] = {
    "change": _change,
    "exception": _exception,
    "retraining": _retraining,
    "webhook": _webhook,
}
"""Nouns whose subjects are ids, and how each gets its name."""
