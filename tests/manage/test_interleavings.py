"""Whatever people do in whatever order: what is approved was signed as it stood, by others than its makers.

A random walk over asking, signing, rejecting, withdrawing and changing evidence; after each step every approved change
is held to what it promises.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tenure.errors import TenureError
from tenure.manage import (
    bound,
    changes,
    facts,
    lifecycle,
    loosening,
    model_files,
    people,
    policies,
    profiles,
    signatures,
)
from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.records.changes import Change, SignedStatement, Subject
from tenure.store import audit
from tenure.store import changes as kept
from tenure.store.ground import Ground

from ..conftest import make_ground
from .makers import FILE, MODEL, NOW, apply_file, approve, ask, make_profile, make_ready, sign, write_card

STEPS = 45
SEEDS = (0, 4, 5, 6, 7, 8)
SIGNERS = [
    ("vera", "validator"),
    ("vic", "validator"),
    ("bo", "business-owner"),
    ("both", "validator"),
    ("ann", "validator"),
]
KINDS = ("approve", "approve", "approve", "suspend", "retire", "promote")
PROMOTION = {"steps": [{"role": "validator", "signatures": 2}]}


class World:
    """One version, its people, and a dice."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground, self.dice, self.now = ground, random.Random(seed), int(NOW)
        self.version = make_ready(ground)
        apply_file(ground, promotion=PROMOTION)
        self.approvals = 0

    def step(self) -> None:
        self.now += 1_000
        before = {one.change_id: one.state for one in self.every()}
        acts = self.acts()
        act = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        with contextlib.suppress(TenureError):  # a refusal is an answer
            act()
        for change in self.every():
            if change.state == "approved" and before.get(change.change_id) != "approved":
                self.approvals += 1
            self.hold(change)

    def acts(self) -> list[tuple[int, Callable[[], object]]]:
        return [
            (4, self.ask),
            (12, self.sign),
            (1, self.edit_card),
            (1, self.record_profile),
            (1, self.apply_file),
            (1, self.withdraw),
            (1, self.rewrite_bytes),
            (1, self.change_roles),
        ]

    def every(self) -> list[Change]:
        return self.ground.database.read(lambda tx: changes.search(tx, model=MODEL))

    def subject_now(self, change: Change) -> Subject:
        checked = facts.check_bytes(self.ground, MODEL, self.version)
        stored = self.ground.database.read(lambda tx: kept.get(tx, change.change_id))
        assert stored is not None
        at = Instant(self.now)
        return self.ground.database.read(lambda tx: bound.seen(tx, stored, checked, at)).subject

    def hold(self, change: Change) -> None:
        statements = self.statements(change.change_id)
        counted = [one for one in statements if one.meaning not in ("author", "rejection")]
        names = [one.person for one in statements]
        assert len(names) == len(set(names)), "one person fills one step"
        stored = self.ground.database.read(lambda tx: kept.get(tx, change.change_id))
        assert stored is not None
        assert not {one.person for one in counted} & set(stored.authors), "no author among the signers"
        if change.state in ("invalidated", "withdrawn"):
            assert all(one.voided for one in change.signatures), "what was voided does not count"
        if change.state == "approved":
            assert counted
            for step in stored.steps:
                assert sum(one.role in step.roles for one in counted) == step.signatures, "the quorum, and no more"
            if change.kind == "approve":
                assert {one.subject.facts for one in counted} == {change.subject.facts}
            if change.kind in lifecycle.BOUND_WHEN_OPENED:
                assert all(one.subject == change.subject for one in counted)

    def statements(self, change_id: str) -> list[SignedStatement]:
        envelopes = self.ground.database.read(lambda tx: changes.envelopes_of(tx, change_id))
        return [signatures.verify(envelope, *self.ground.key.public_pems) for envelope in envelopes]

    def ask(self) -> None:
        by = self.dice.choice(["ann", "ann", "vera", "owner"])
        ask(self.ground, self.version, self.dice.choice(KINDS), by=by, at=Instant(self.now))

    def sign(self) -> None:
        opened = [one for one in self.every() if one.state == "open"]
        if not opened:
            return
        change = self.dice.choice(opened)
        person, role = self.dice.choice(SIGNERS)
        before = self.subject_now(change)
        after = sign(self.ground, change, person, role, self.dice.choice(["approval"] * 9 + ["rejection"]))
        if after.state == "approved":
            assert all(one.subject == before for one in after.signatures), "signed as it stood when it was approved"

    def edit_card(self) -> None:
        card = Card(scope=f"Flights {self.dice.randrange(3)}", data_dependencies="Weather")
        write_card(self.ground, self.version, card)

    def record_profile(self) -> None:
        profile = make_profile(rows=100 + self.dice.randrange(3))
        self.ground.database.write(
            lambda tx: profiles.record(tx, MODEL, self.version, profile, by="ann", now=Instant(self.now))
        )

    def apply_file(self) -> None:
        purposes = (FILE["purpose"], "Another purpose")
        apply_file(self.ground, promotion=PROMOTION, purpose=self.dice.choice(purposes))

    def withdraw(self) -> None:
        opened = [one for one in self.every() if one.state == "open"]
        if opened:
            chosen = self.dice.choice(opened).change_id
            self.ground.database.write(lambda tx: changes.withdraw(tx, chosen, by="ann", now=Instant(self.now)))

    def rewrite_bytes(self) -> None:
        place = "1/models/m-" + "0" * 32 + "/artifacts/model.pkl"
        whole = b"weights of " + place.removesuffix("/model.pkl").encode()
        self.ground.artifacts.write(place, [self.dice.choice([whole, b"other weights"])])

    def change_roles(self) -> None:
        name = self.dice.choice(["vic", "both"])
        roles = self.dice.choice([["validator"], ["validator", "business-owner"], []])
        self.ground.database.write(lambda tx: people.set_roles(tx, name, roles, by="owner", now=Instant(self.now)))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_approved_but_as_it_was_signed(tmp_path: Path, seed: int):
    ground = make_ground(tmp_path)
    try:
        world = World(ground, seed)
        for _ in range(STEPS):
            world.step()
        assert world.approvals, "a walk on which nothing is approved shows nothing: take another seed"
        assert ground.database.read(audit.verify).first_bad is None
    finally:
        ground.database.close()


class Rules(World):
    """The same walk, on which people also loosen and tighten the rules, after a version was approved."""

    def __init__(self, ground: Ground, seed: int) -> None:
        super().__init__(ground, seed)
        approve(ground, self.version)
        self.revised = 0

    def acts(self) -> list[tuple[int, Callable[[], object]]]:
        return [*super().acts(), (4, self.revise)]

    def revise(self) -> None:
        used = self.dice.choice([["US"], ["US", "EU"], ["US", "EU", "CA"]])
        apply_file(
            self.ground,
            by=self.dice.choice(["ann", "vera", "vic"]),
            reason="as the dice fell",
            promotion=PROMOTION,
            use={"jurisdictions": used},
            protected=self.dice.choice([[], ["sex"]]),
        )

    def hold_rules(self) -> None:
        """Every revision that is looser than the one before it was signed, for exactly those two files."""
        history = self.ground.database.read(lambda tx: model_files.history(tx, MODEL))[::-1]
        bound_from = 2  # the file of a draft, then that of the promotions, under which the version was approved
        for before, after in pairwise(history[bound_from - 1 :]):
            if not loosening.looser(before.applied.file, after.applied.file):
                continue
            assert after.change_id is not None, "looser, and nobody signed"
            change = self.ground.database.read(lambda tx, one=after: changes.get(tx, str(one.change_id)))
            assert (change.subject.model_file, change.subject.revised) == (before.applied.digest, after.applied.digest)
            self.revised += 1


@pytest.mark.parametrize("seed", [1, 3])
def test_no_rule_is_loosened_but_as_it_was_signed(tmp_path: Path, seed: int):
    ground = make_ground(tmp_path)
    try:
        world = Rules(ground, seed)
        for _ in range(STEPS):
            world.step()
        world.hold_rules()
        assert world.revised, "a walk on which nothing is loosened shows nothing: take another seed"
        assert ground.database.read(audit.verify).first_bad is None
    finally:
        ground.database.close()


def test_a_policy_that_changes_voids_what_was_signed(ground: Ground, monkeypatch: pytest.MonkeyPatch):
    change = ask(ground, make_ready(ground))
    sign(ground, change, "vera", "validator")
    monkeypatch.setattr(policies, "VERSION", "tenure-baseline@2")
    after: Any = sign(ground, change, "bo", "business-owner")
    assert (after.state, [one.voided for one in after.signatures]) == ("invalidated", [True])
    assert "has changed (policy)" in after.ended_because
