"""Small builders of policies."""

from __future__ import annotations

from typing import Any

from tenure.manage import published
from tenure.records.base import Instant
from tenure.records.policies import Policy, Published
from tenure.store.ground import Ground

from .makers import NOW

RULE: dict[str, Any] = {
    "name": "good",
    "gates": ["approve"],
    "require": "baseline.roc_auc >= 0.75",
    "explain": "The AUC is {baseline.roc_auc} and must be at least 0.75; train better.",
}


def policy_of(rule: dict[str, Any] | None = None, **told: Any) -> dict[str, Any]:
    """A policy as a person writes it, with one rule."""
    standing = {"policy": "lending", "purpose": "Lend fairly", "rules": [{**RULE, **(rule or {})}]}
    return {**standing, **told}


def make_policy(**told: Any) -> Policy:
    return published.parse(policy_of(**told))


def publish(ground: Ground, *, by: str = "root", now: int = NOW, **told: Any) -> Published:
    policy = make_policy(**told)
    return ground.database.write(lambda tx: published.publish(tx, policy, by=by, now=Instant(now)))
