"""How a model stood at an instant, put together from what was written down at the time.

The audit log tells of states, aliases, roles, revisions and names; releases, changes with their signatures and gate
evaluations are rows that carry their dates. Nothing is looked up in what stands today, since that may be otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import get_args

import msgspec

from tenure.errors import NotFound
from tenure.records.base import Instant, iso
from tenure.records.changes import AuditEvent, Change, GateEvaluation, VersionState
from tenure.records.endpoints import ReleaseInfo
from tenure.records.histories import AsOf, PersonThen, ProfileThen, RevisionThen, Rows, VersionThen
from tenure.store import endpoints, histories
from tenure.store.database import Transaction

STATES = frozenset(get_args(VersionState))
FOREVER = 2**62


def look(tx: Transaction, name: str, at: Instant, *, version: int | None = None) -> AsOf:
    """How the model stood that has this name, or had it; an endpoint's name stands for its model. Raises NotFound.

    `version`: one to be told of whether it was in service or not.
    """
    known = histories.names(tx, name)
    rows = histories.rows(tx, known)
    events = histories.events(tx, known, [change.change_id for change in rows.changes])
    if not any(event.action.startswith(("model", "version.")) for event in events):
        endpoint = endpoints.get(tx, name)
        if endpoint is not None and endpoint.model != name:
            return look(tx, endpoint.model, at, version=version)
    return as_of([*events, *histories.roles(tx, at)], rows, name, at, version=version)


@dataclass
class _Version:
    registered: AuditEvent
    state: str = "registered"
    state_since_at: int = 0
    card: RevisionThen | None = None
    profile: ProfileThen | None = None


@dataclass
class _Life:
    """One model from its first event to its end, under all its names. `names`: each with [since, until) in µs."""

    names: list[tuple[str, int, int]]
    ended_at: int = FOREVER
    registered: bool = False
    model_file: RevisionThen | None = None
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, _Version] = field(default_factory=dict)
    event: int = 0

    def name_at(self, at: int) -> str | None:
        return next((name for name, since, until in self.names if since <= at < until), None)

    def had(self, name: str, at: int) -> bool:
        """Whether it was what something that was stored under a name at an instant is about."""
        return any(one == name and since <= at < until for one, since, until in self.names)


UNCOUNTED = ("rejection", "author")
"""Meanings of signatures that fill no place of a step."""


def as_of(events: Iterable[AuditEvent], rows: Rows, name: str, at: Instant, *, version: int | None = None) -> AsOf:
    """How the model of this name stood at an instant.

    `events` are in the order of the chain: all about the names that the model ever had (those after `at` still tell of
    names), about its changes, and about people's roles. Raises NotFound when there was no such model then.
    """
    told = list(events)
    life = _chosen(_lives(told, at), name, at)
    then = life.name_at(at)
    assert then is not None
    releases = _in_service([one for one in rows.releases if life.had(one.model, one.from_at)], at)
    changes = [_then(one, at) for one in rows.changes if one.opened_at <= at and life.had(one.model, one.opened_at)]
    gates = [one for one in rows.gates if one.evaluated_at <= at and life.had(one.model, one.evaluated_at)]
    wanted = {one.version for one in releases} | set(life.aliases.values()) | ({version} if version else set())
    if version is not None and version not in life.versions:
        raise NotFound(f"Model {then!r} had no version {version} at {iso(at)}.")
    return AsOf(
        asked=name,
        at=at,
        name=then,
        names=list(dict.fromkeys(one for one, *_ in life.names)),
        model_file=life.model_file,
        releases=releases,
        aliases=dict(sorted(life.aliases.items())),
        states={number: one.state for number, one in sorted(life.versions.items())},
        versions=[
            _version(number, life, changes, gates) for number in sorted(wanted, reverse=True) if number in life.versions
        ],
        people=_people(told, at),
        event=life.event,
        revisions=sorted((one for one in changes if one.kind == "revise"), key=lambda one: -one.opened_at),
    )


def _lives(events: Sequence[AuditEvent], at: int) -> list[_Life]:
    """Every model that these events are about. What happened after `at` tells of names only."""
    lives: list[_Life] = []
    named: dict[str, _Life] = {}
    for event in events:
        about, _, number = event.subject.rpartition("/")
        kind = event.action.partition(".")[0]
        if event.action == "model.renamed":
            life = named.pop(event.detail["from"], None) or _begun(lives, event.detail["from"], event.at)
            old, since, _ = life.names[-1]
            life.names[-1:] = [(old, since, event.at), (event.subject, event.at, FOREVER)]
            named[event.subject] = life
        elif event.action == "model.deleted":
            ended = named.pop(event.subject, None)
            if ended is not None:
                old, since, _ = ended.names[-1]
                ended.names[-1], ended.ended_at = (old, since, event.at), event.at
                continue
        elif kind in ("model", "model_file"):
            life = named.get(event.subject) or named.setdefault(event.subject, _begun(lives, event.subject, event.at))
        elif kind == "change":
            about, _, number = str(event.detail.get("version", "")).rpartition("/")
            about = about or str(event.detail.get("model_file", ""))
        if event.at <= at:
            _fold(named.get(event.subject) or named.get(about), event, number)
    return lives


def _begun(lives: list[_Life], name: str, at: int) -> _Life:
    lives.append(_Life(names=[(name, at, FOREVER)]))
    return lives[-1]


def _fold(life: _Life | None, event: AuditEvent, number: str) -> None:
    """Take one event into what is known of a model."""
    if life is None:
        return
    life.event = max(life.event, event.sequence)
    if event.action == "model_file.applied":
        life.model_file = _revision(event)
    if not number.isascii() or not number.isdigit():
        return
    version = life.versions.get(int(number))
    if version is None:
        if event.action == "version.registered":
            life.versions[int(number)] = _Version(registered=event, state_since_at=event.at)
        return
    _fold_version(life, int(number), version, event)


def _fold_version(life: _Life, number: int, version: _Version, event: AuditEvent) -> None:
    noun, _, verb = event.action.partition(".")
    state = event.detail.get("state") if event.action == "change.opened" else verb if noun == "version" else None
    if state in STATES and state != version.state:
        version.state, version.state_since_at = str(state), event.at
    match event.action:
        case "alias.set":
            life.aliases[event.detail["alias"]] = number
        case "alias.deleted":
            life.aliases.pop(event.detail["alias"], None)
        case "version.promoted":
            life.aliases[event.detail["to"]] = number
            if event.detail["to"] == "champion" and life.aliases.get("challenger") == number:
                del life.aliases["challenger"]
        case "version.deleted":
            del life.versions[number]
            life.aliases = {alias: one for alias, one in life.aliases.items() if one != number}
        case "card.edited":
            version.card = _revision(event)
        case "profile.recorded":
            version.profile = ProfileThen(
                digest=event.detail["digest"], by=event.actor, at=event.at, event=event.sequence
            )


def _revision(event: AuditEvent) -> RevisionThen:
    return RevisionThen(
        revision=event.detail["revision"],
        digest=event.detail.get("digest", ""),
        by=event.actor,
        at=event.at,
        event=event.sequence,
    )


def _chosen(lives: list[_Life], name: str, at: Instant) -> _Life:
    """The model that had the name at that instant; else the latest that was there then and has had it at some time."""
    there = [life for life in lives if life.name_at(at) is not None]
    bearing = [life for life in there if life.name_at(at) == name]
    ever = [life for life in there if any(one == name for one, *_ in life.names)]
    if not bearing and not ever:
        known = f"It came into being at {iso(lives[0].names[0][1])}." if lives else "No event is about one."
        raise NotFound(f"There was no model {name!r} at {iso(at)}. {known}")
    return (bearing or ever)[-1]


def _in_service(releases: Iterable[ReleaseInfo], at: int) -> list[ReleaseInfo]:
    """What was in service, by endpoint and role; a champion's share is what the challengers left."""
    there = [one for one in releases if one.from_at <= at and (one.until_at is None or one.until_at > at)]
    given: dict[str, float] = {}
    for one in there:
        if one.role == "challenger":
            given[one.endpoint] = given.get(one.endpoint, 0.0) + one.share
    order = {"champion": 0, "challenger": 1}
    return [
        msgspec.structs.replace(one, share=max(0.0, 1.0 - given.get(one.endpoint, 0.0)))
        if one.role == "champion"
        else one
        for one in sorted(there, key=lambda one: (one.endpoint, order.get(one.role, 2), one.from_at, one.release_id))
    ]


def _then(change: Change, at: int) -> Change:
    """A change request as it was: what was signed, decided and voided later is left out."""
    over = change.closed_at is not None and change.closed_at <= at
    signed = [
        msgspec.structs.replace(one, voided=one.voided and over) for one in change.signatures if one.signed_at <= at
    ]
    if over:
        return msgspec.structs.replace(change, signatures=signed)
    steps = [
        msgspec.structs.replace(
            step, signed=sum(one.meaning not in UNCOUNTED and one.role in step.role.split(" or ") for one in signed)
        )
        for step in change.steps
    ]
    return msgspec.structs.replace(
        change, state="open", closed_at=None, ended_because="", approved_under=None, signatures=signed, steps=steps
    )


def _version(number: int, life: _Life, changes: list[Change], gates: list[GateEvaluation]) -> VersionThen:
    known = life.versions[number]
    return VersionThen(
        version=number,
        state=known.state,
        state_since_at=known.state_since_at,
        digest=known.registered.detail.get("digest"),
        run_id=known.registered.detail.get("run_id"),
        registered_by=known.registered.actor,
        registered_at=known.registered.at,
        aliases=sorted(alias for alias, one in life.aliases.items() if one == number),
        card=known.card,
        profile=known.profile,
        changes=sorted((one for one in changes if one.version == number), key=lambda one: -one.opened_at),
        gates=sorted((one for one in gates if one.version == number), key=lambda one: -one.evaluated_at),
    )


def _granted(person: PersonThen, event: AuditEvent) -> PersonThen:
    """The person with one role more or less; one that is held for a single model says so."""
    model = event.detail["model"]
    role = f"{event.detail['role']} for {model}" if model else str(event.detail["role"])
    others = [one for one in person.roles if one != role]
    return msgspec.structs.replace(person, roles=[*others, role] if event.action == "grant.given" else others)


def _people(events: Iterable[AuditEvent], at: int) -> list[PersonThen]:
    """Everybody with the roles that they held."""
    people: dict[str, PersonThen] = {}
    for event in events:
        if event.at > at or not event.action.startswith(("person.", "grant.")):
            continue
        if event.action == "person.created":
            printed, roles = event.detail["printed_name"], event.detail["roles"]
            people[event.subject] = PersonThen(person=event.subject, printed_name=printed, roles=roles)
        elif event.action == "person.roles_changed" and event.subject in people:
            people[event.subject] = msgspec.structs.replace(people[event.subject], roles=event.detail["after"])
        elif event.action in ("grant.given", "grant.revoked") and event.subject in people:
            people[event.subject] = _granted(people[event.subject], event)
    return [msgspec.structs.replace(people[name], roles=sorted(people[name].roles)) for name in sorted(people)]
