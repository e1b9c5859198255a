"""The model card: what a reader must know before trusting a version."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.changes import SignatureBlock


class Card(Record, forbid_unknown_fields=True):
    """The required fields of a card. Those left empty are filled from facts where facts can tell."""

    purpose: str = ""
    how_to_call: str = ""
    input_limits: str = ""
    expected_output: str = ""
    scope: str = ""
    accuracy: str = ""
    data_dependencies: str = ""
    owner: str = ""


class CardInfo(Record):
    """A card as stored: which fields a person wrote, which were filled from facts, which are missing."""

    model: str
    version: int
    revision: int
    digest: str
    card: Card
    from_facts: list[str]
    missing: list[str]
    edited_by: str
    edited_at: int
    signatures: list[SignatureBlock] = []
    """Those of the version, where a card is shown; they are no part of its digest."""
