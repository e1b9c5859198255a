"""What a model's history is put together from: its events, and the rows that are never changed."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.changes import AuditEvent, GateEvaluation
from tenure.records.histories import Rows
from tenure.store import audit, changes, releases, tables
from tenure.store.database import Transaction

NAMING = ["model.renamed"]
ROLES = ["person.created", "person.roles_changed", "grant.given", "grant.revoked"]
FOREVER = 2**62


def names(tx: Transaction, name: str) -> list[str]:
    """Every name that a model of this name ever had, or that was given on to another by it; this one among them."""
    pairs = [(event.detail["from"], event.subject) for event in audit.of_actions(tx, NAMING, FOREVER)]
    known, grown = {name}, True
    while grown:
        more = {other for pair in pairs if known & set(pair) for other in pair} - known
        known, grown = known | more, bool(more)
    return sorted(known)


def events(tx: Transaction, known: list[str], change_ids: list[str]) -> list[AuditEvent]:
    """Every event about models of these names, their versions and their changes, in the order of the chain."""
    return audit.of_subjects(tx, [*known, *change_ids], known, FOREVER)


def roles(tx: Transaction, until_at: int) -> list[AuditEvent]:
    """Every event that gave people roles, up to and at an instant, in the order of the chain."""
    return audit.of_actions(tx, ROLES, until_at)


def rows(tx: Transaction, known: list[str]) -> Rows:
    """Releases, changes and gate evaluations under these names."""
    gates = tables.gate_evaluations.c
    found = tx.execute(sa.select(gates.body).where(gates.model.in_(known)).order_by(gates.evaluated_at)).scalars()
    return Rows(
        releases=releases.of_models(tx, known),
        changes=[one.change for name in known for one in changes.search(tx, model=name, limit=100_000)],
        gates=[msgspec.json.decode(body, type=GateEvaluation) for body in found],
    )
