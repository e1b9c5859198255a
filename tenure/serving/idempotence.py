"""A caller that may send a row again says so; then the same reference at the same event time is the same prediction."""

from __future__ import annotations

from collections.abc import Mapping

from tenure.errors import InvalidInput
from tenure.records.base import id_of_reference
from tenure.serving.decoding import Asked

IDEMPOTENT = "tenure-idempotent"


def is_idempotent(headers: Mapping[str, str], asked: Asked) -> bool:
    """Whether rows that are sent again are the same predictions. Raises InvalidInput where they have no references."""
    said = headers.get(IDEMPOTENT, "false")
    if said == "false":
        return False
    if said != "true":
        raise InvalidInput("`Tenure-Idempotent` must be `true` or `false`.", where=IDEMPOTENT)
    if asked.reference is None:
        raise InvalidInput(
            "An idempotent request must give each row its `reference`: the same reference at the same event time is "
            "the same prediction.",
            where="reference",
        )
    return True


def id_of_first(endpoint: str, asked: Asked) -> str:
    """The id of the first row of an idempotent request; the others' ids follow from their references likewise."""
    assert asked.reference is not None
    return id_of_reference(endpoint, asked.reference[0], asked.event_at[0])
