"""What gates said, kept for ever: expression, facts, result and engine."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.changes import GateEvaluation
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.gate_evaluations.c


def add(tx: Transaction, evaluation: GateEvaluation) -> None:
    """Store an evaluation."""
    tx.execute(
        sa.insert(tables.gate_evaluations).values(
            evaluation_id=evaluation.evaluation_id,
            gate=evaluation.gate,
            model=evaluation.model,
            version=evaluation.version,
            policy_version=evaluation.policy_version,
            facts_digest=evaluation.facts_digest,
            body=msgspec.json.encode(evaluation).decode(),
            passed=evaluation.passed,
            evaluated_at=evaluation.evaluated_at,
        )
    )


def get(tx: Transaction, evaluation_id: str) -> GateEvaluation | None:
    """A stored evaluation; None when there is none of that id."""
    body = tx.execute(sa.select(_column.body).where(_column.evaluation_id == evaluation_id)).scalar()
    return msgspec.json.decode(body, type=GateEvaluation) if body else None


def of_version(tx: Transaction, model: str, version: int) -> list[GateEvaluation]:
    """Every evaluation of a version, newest first."""
    query = (
        sa.select(_column.body)
        .where(_column.model == model, _column.version == version)
        .order_by(_column.evaluated_at.desc(), _column.evaluation_id.desc())
    )
    return [msgspec.json.decode(body, type=GateEvaluation) for body in tx.execute(query).scalars()]


def since(tx: Transaction, since: Instant, until: Instant, *, limit: int) -> list[GateEvaluation]:
    """Evaluations from an instant on and before another, newest first."""
    query = (
        sa.select(_column.body)
        .where(_column.evaluated_at >= since, _column.evaluated_at < until)
        .order_by(_column.evaluated_at.desc(), _column.evaluation_id.desc())
        .limit(limit)
    )
    return [msgspec.json.decode(body, type=GateEvaluation) for body in tx.execute(query).scalars()]
