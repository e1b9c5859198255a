"""Prompts: what MLflow's clients keep among the registered models, told apart by a mark.

Whoever searches models or versions does not mean them, unless a comparison asks about the mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tenure.records.search import Comparison
from tenure.store import conditions, driver, tables
from tenure.store.database import Transaction

MARK = "mlflow.prompt.is_prompt"


def is_prompt(tx: Transaction, name: str) -> bool:
    """Whether the registered model of this name is a prompt."""
    statement = "SELECT value FROM registered_model_tags WHERE name = ? AND key = ?"
    found = driver.execute(tx, statement, (name, MARK)).fetchone()
    return found is not None and str(found[0]).lower() == "true"


def left_out(name: sa.ColumnElement[Any]) -> conditions.Condition:
    """Whether the model of this name is no prompt."""
    tags = tables.registered_model_tags.alias()
    marked = sa.select(sa.literal(1)).where(
        tags.c.name == name, tags.c.key == MARK, sa.func.lower(tags.c.value) == "true"
    )
    return ~marked.exists()


def read(comparisons: Sequence[Comparison]) -> tuple[list[Comparison], bool]:
    """The comparisons to be made, and whether prompts are left out.

    Clients ask for models by `!= 'true'` or `= 'false'`, and models do not have the mark: both mean "no prompts".
    """
    plain = [
        one for one in comparisons if _is_about(one) and (one.op, _lowered(one)) in (("!=", "true"), ("=", "false"))
    ]
    others = [one for one in comparisons if one not in plain]
    return others, bool(plain) or not any(_is_about(one) for one in others)


def _is_about(one: Comparison) -> bool:
    return one.entity == "tag" and one.key == MARK


def _lowered(one: Comparison) -> str:
    return one.value.lower() if isinstance(one.value, str) else ""
