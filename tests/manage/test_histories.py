"""How a model stood at an instant: the state that is put together again is the state that was there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tenure.build import model_versions, registered_models
from tenure.deploy import changes as deployed
from tenure.deploy import endpoints, promotions, releases, routing
from tenure.errors import NotFound, TenureError
from tenure.manage import cards, changes, facts, histories, model_files, people, profiles
from tenure.manage.passwords import Reauthenticated
from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.records.changes import NewChange, NewSignature
from tenure.records.endpoints import NewEndpoint, NewRelease
from tenure.records.histories import AsOf
from tenure.records.registry import NewVersion, Pinned
from tenure.store import cards as kept_cards
from tenure.store import releases as kept_releases
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from .makers import FILE, MODEL, NOW, approve, make_profile, make_ready

PINNED = Pinned(files=[], digest="", signature=None)


def look(ground: Ground, name: str, at: int, **more: Any) -> AsOf:
    return ground.database.read(lambda tx: histories.look(tx, name, Instant(at), **more))


class World:
    """Does one thing after another, each at its own instant, and remembers how everything stood after it."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground, self.draw, self.now = ground, random.Random(seed), NOW + 1_000_000
        self.names = ["red", "green", "blue", MODEL]
        self.snapshots: list[tuple[int, dict[str, Any]]] = []

    def step(self) -> None:
        """One act, whichever the rules allow."""
        self.now += 1000
        acts: list[Callable[[Transaction], Any]] = [
            self.create,
            self.rename,
            self.delete,
            self.register,
            self.register,
            self.set_alias,
            self.set_alias,
            self.delete_alias,
            self.delete_version,
            self.apply,
            self.edit_card,
            self.profile,
            self.set_roles,
            self.ask,
            self.sign,
            self.withdraw,
            self.promote,
            self.shadow,
            self.end,
            self.suspend,
        ]
        act = self.draw.choice(acts)
        try:
            self.ground.database.write(act)
        except TenureError:
            return
        self.snapshots.append((self.now, self.ground.database.read(self.state)))

    def state(self, tx: Transaction) -> dict[str, Any]:
        """What stands now, read from the tables."""
        found: dict[str, Any] = {}
        for model in registered_models.list_all(tx):
            versions = {one.version: one.state for one in model_versions.of_model(tx, model.name)}
            applied = model_files.current(tx, model.name)
            aliases = registered_models.aliases(tx, model.name)
            open_ones = [one for name in endpoints_of(tx, model.name) for one in routing.in_service(tx, name)]
            told = {one.version for one in open_ones} | set(aliases.values())
            found[model.name] = {
                "states": versions,
                "aliases": aliases,
                "file": (applied.revision, applied.digest) if applied else None,
                "releases": sorted((one.endpoint, one.version, one.role, round(one.share, 6)) for one in open_ones),
                "cards": {n: card.revision if (card := kept_cards.current(tx, model.name, n)) else None for n in told},
                "profiles": {n: kept.digest if (kept := profiles.get(tx, model.name, n)) else None for n in told},
                "changes": {n: changes_of(tx, model.name, n) for n in told},
            }
        found["people"] = {
            one.name: sorted(held.role for held in one.roles) for one in people.list_all(tx, Instant(self.now))
        }
        return found

    def name(self) -> str:
        return self.draw.choice(self.names)

    def create(self, tx: Transaction) -> None:
        registered_models.create(tx, self.name(), description=None, tags=[], by="ann", now=Instant(self.now))

    def rename(self, tx: Transaction) -> None:
        old, new = self.name(), self.name()
        if MODEL in (old, new) or old == new:
            raise NotFound("the governed one keeps its name")
        releases.check_not_in_service(tx, old)
        registered_models.rename(tx, old, new, by="ann", now=Instant(self.now))

    def delete(self, tx: Transaction) -> None:
        name = self.name()
        if name == MODEL or self.draw.random() < 0.5:
            raise NotFound("not this time")
        registered_models.delete(tx, name, by="ann", now=Instant(self.now))

    def register(self, tx: Transaction) -> None:
        name = self.name()
        if name == MODEL:
            raise NotFound("its versions have files")
        new = NewVersion(name=name, source="elsewhere", storage_location="elsewhere")
        model_versions.register(tx, new, PINNED, by="ann", now=Instant(self.now))

    def version(self, tx: Transaction, name: str) -> int:
        known = [one.version for one in model_versions.of_model(tx, name)]
        if not known:
            raise NotFound("none")
        return self.draw.choice(known)

    def set_alias(self, tx: Transaction) -> None:
        name, alias = self.name(), self.draw.choice(["best", "old"])
        number = self.version(tx, name)
        promotions.set_alias(tx, name, alias, number, by="ann", now=Instant(self.now))

    def delete_alias(self, tx: Transaction) -> None:
        promotions.delete_alias(tx, self.name(), "best", by="ann", now=Instant(self.now))

    def delete_version(self, tx: Transaction) -> None:
        name = self.name()
        if name == MODEL:
            raise NotFound("it keeps its versions")
        model_versions.delete(tx, name, self.version(tx, name), by="ann", now=Instant(self.now))

    def apply(self, tx: Transaction) -> None:
        name = self.name()
        registered_models.check_exists(tx, name)
        parts = FILE if name == MODEL else {"owner": "o", "purpose": "p"}
        file = model_files.parse({**parts, "model": name, "purpose": f"purpose {self.now}"})
        model_files.apply(tx, file, by="ann", now=Instant(self.now))

    def edit_card(self, tx: Transaction) -> None:
        name = self.name()
        number = self.version(tx, name)
        card = Card(scope=f"Flights of {self.now}", data_dependencies="Weather")
        cards.edit(tx, name, number, card, by="ann", now=Instant(self.now))

    def profile(self, tx: Transaction) -> None:
        name = self.name()
        number = self.version(tx, name)
        made = make_profile(rows=self.now % 1_000_000 + 1)
        profiles.record(tx, name, number, made, by="ann", now=Instant(self.now))

    def set_roles(self, tx: Transaction) -> None:
        roles = self.draw.sample(["validator", "business-owner", "auditor"], self.draw.randint(0, 3))
        people.set_roles(tx, self.draw.choice(["vera", "vic", "both"]), roles, by="owner", now=Instant(self.now))

    def ask(self, tx: Transaction, kind: Any = "approve") -> None:
        new = NewChange(kind=kind, model=MODEL, version=self.version(tx, MODEL), reason="it is ready")
        checked = facts.check_bytes(self.ground, MODEL, new.version)
        changes.open_change(tx, new, by="ann", now=Instant(self.now), checked=checked)

    def suspend(self, tx: Transaction) -> None:
        self.ask(tx, self.draw.choice(["suspend", "retire"]))

    def sign(self, tx: Transaction) -> None:
        change = self.draw.choice(changes.search(tx, state="open") or [None])
        if change is None:
            raise NotFound("none")
        person, role = self.draw.choice([("vera", "validator"), ("bo", "business-owner"), ("bo", "business-owner")])
        proof = Reauthenticated(people.get(tx, person), "password (argon2id)", Instant(self.now))
        meaning: Any = self.draw.choice(["approval", "approval", "approval", "rejection"])
        new = NewSignature(person=person, password="-", role=role, meaning=meaning, reason="looked at it")
        checked = facts.check_bytes(self.ground, MODEL, change.version)
        key, at = self.ground.key, Instant(self.now)
        signed = changes.sign(tx, change.change_id, new, proof=proof, key=key, now=at, checked=checked)
        deployed.follow(tx, signed, now=Instant(self.now))

    def withdraw(self, tx: Transaction) -> None:
        change = self.draw.choice(changes.search(tx, state="open") or [None])
        if change is None or self.draw.random() < 0.7:
            raise NotFound("none")
        changes.withdraw(tx, change.change_id, by="ann", now=Instant(self.now))

    def promote(self, tx: Transaction) -> None:
        to: Any = self.draw.choice(["champion", "challenger"])
        number = self.version(tx, MODEL)
        promotions.promote(tx, MODEL, number, to=to, reason="better", by="ann", now=Instant(self.now))

    def shadow(self, tx: Transaction) -> None:
        new = NewRelease(version=self.version(tx, MODEL), role="shadow", reason="to compare")
        releases.add(tx, "arrivals", new, by="ann", now=Instant(self.now))

    def end(self, tx: Transaction) -> None:
        running = kept_releases.open_ones(tx, endpoint="arrivals")
        if not running:
            raise NotFound("none")
        release_id = self.draw.choice(running).release_id
        releases.end(tx, "arrivals", release_id, reason="enough", by="ann", now=Instant(self.now))


def endpoints_of(tx: Transaction, model: str) -> list[str]:
    return [one.name for one in endpoints.endpoints.list_all(tx, model=model)]


def changes_of(tx: Transaction, model: str, version: int) -> list[Any]:
    return [msgspec.to_builtins(one) for one in changes.search(tx, model=model, version=version)]


def told_of(found: AsOf) -> dict[str, Any]:
    numbers = [one.version for one in found.versions]
    return {
        "states": found.states,
        "aliases": found.aliases,
        "file": (found.model_file.revision, found.model_file.digest) if found.model_file else None,
        "releases": sorted((one.endpoint, one.version, one.role, round(one.share, 6)) for one in found.releases),
        "cards": {n: one.card.revision if one.card else None for n, one in zip(numbers, found.versions, strict=True)},
        "profiles": {
            n: one.profile.digest if one.profile else None for n, one in zip(numbers, found.versions, strict=True)
        },
        "changes": {one.version: [msgspec.to_builtins(change) for change in one.changes] for one in found.versions},
    }


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_put_together_is_what_was_there(ground: Ground, seed: int) -> None:
    """Random histories of renamed, deleted and governed models: how it stood after each act is how it is told later."""
    make_ready(ground)
    ground.database.write(
        lambda tx: endpoints.create(tx, NewEndpoint(name="arrivals", model=MODEL), by="ann", now=Instant(NOW + 1))
    )
    approve(ground, 1)
    world = World(ground, seed)
    for _ in range(120):
        world.step()
    assert len(world.snapshots) > 20
    for at, stood in world.snapshots:
        for name in world.names:
            if name in stood:
                found = look(ground, name, at)
                assert found.name == name
                assert told_of(found) == stood[name], (at, name)
                assert {one.person: one.roles for one in found.people} == stood["people"]
            else:
                try:
                    assert look(ground, name, at).name != name
                except NotFound:
                    continue


def test_who_approved_what_answered_and_on_what_evidence(each_ground: Ground) -> None:
    ground = each_ground
    version = make_ready(ground)
    change = approve(ground, version)
    ground.database.write(
        lambda tx: endpoints.create(tx, NewEndpoint(name="arrivals", model=MODEL), by="ann", now=Instant(NOW + 20))
    )
    ground.database.write(
        lambda tx: promotions.promote(
            tx, MODEL, version, to="champion", reason="first", by="ann", now=Instant(NOW + 30)
        )
    )
    before = look(ground, MODEL, NOW + 10)
    assert (before.releases, before.states) == ([], {1: "in_review"})
    [asked] = look(ground, MODEL, NOW + 10, version=1).versions
    assert [(one.person, one.voided) for one in asked.changes[0].signatures] == [("vera", False)]
    assert [(step.role, step.signed) for step in asked.changes[0].steps] == [("validator", 1), ("business-owner", 0)]
    assert asked.changes[0].state == "open"

    found = look(ground, MODEL, NOW + 30)
    [release] = found.releases
    assert (release.endpoint, release.version, release.role, release.share) == ("arrivals", 1, "champion", 1.0)
    [told] = found.versions
    assert (told.state, told.aliases) == ("approved", ["champion"])
    assert told.digest == ground.database.read(lambda tx: model_versions.get(tx, MODEL, 1)).digest
    asked_for = {one.kind: one for one in told.changes}
    assert set(asked_for) == {"approve", "promote"}
    assert asked_for["approve"].subject == change.subject
    signed = [(one.printed_name, one.role, one.meaning, one.reason) for one in asked_for["approve"].signatures]
    assert signed == [
        ("Vera Person", "validator", "approval", "looked at it"),
        ("Bo Person", "business-owner", "approval", "looked at it"),
    ]
    assert {(one.gate, one.passed) for one in told.gates} == {("promote", True), ("deploy", True), ("approve", True)}
    assert told.gates[-1].facts_digest == change.subject.facts
    assert told.profile is not None
    assert (told.profile.digest, told.card and told.card.revision) == (change.subject.profile, 1)
    assert found.model_file is not None
    assert found.model_file.digest == change.subject.model_file
    assert ("vera", ["validator"]) in [(one.person, one.roles) for one in found.people]
    by_endpoint = look(ground, "arrivals", NOW + 30)
    assert msgspec.structs.replace(by_endpoint, asked=MODEL) == found


def test_a_renamed_model_is_found_under_either_name(each_ground: Ground) -> None:
    def history(tx: Transaction) -> None:
        def at(moment: int) -> Instant:
            return Instant(NOW + moment)

        registered_models.create(tx, "first", description=None, tags=[], by="ann", now=at(1))
        model_versions.register(
            tx, NewVersion(name="first", source="x", storage_location="x"), PINNED, by="ann", now=at(2)
        )
        registered_models.rename(tx, "first", "second", by="ann", now=at(3))
        registered_models.create(tx, "first", description=None, tags=[], by="eve", now=at(4))

    each_ground.database.write(history)
    for name in ("first", "second"):
        found = look(each_ground, name, NOW + 2)
        assert (found.name, found.states) == ("first", {1: "registered"})
        assert look(each_ground, name, NOW + 3).name == "second"
    assert look(each_ground, "first", NOW + 4).states == {}
    assert look(each_ground, "second", NOW + 4).states == {1: "registered"}
    assert look(each_ground, "second", NOW + 4).names == ["first", "second"]


def test_a_model_that_was_not_there_is_said_so(ground: Ground) -> None:
    with pytest.raises(NotFound, match="No event is about one"):
        look(ground, "nothing", NOW)
    make_ready(ground)
    with pytest.raises(NotFound, match="came into being at 2025-06-15"):
        look(ground, MODEL, 1)
    with pytest.raises(NotFound, match="had no version 7"):
        look(ground, MODEL, NOW, version=7)
