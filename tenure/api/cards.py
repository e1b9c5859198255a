"""Routes about cards."""

from __future__ import annotations

import msgspec
from litestar import get, put

from tenure.access import MODEL
from tenure.manage import cards, evidence
from tenure.records import parsing
from tenure.records.cards import Card, CardInfo
from tenure.records.people import Permission, Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@put(
    "/api/v1/models/{name:str}/versions/{version:int}/card",
    permission=Permission.MANAGE,
    subject=MODEL,
    sync_to_thread=True,
)
def edit_card(name: str, version: int, body: bytes, ground: Ground, principal: Principal) -> CardInfo:
    """Write a version's card. Fields left empty are filled from facts where facts can tell."""
    card = parsing.parse(body, Card, named="The card")
    return ground.database.write(lambda tx: cards.edit(tx, name, version, card, by=principal.name, now=ground.clock()))


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/card",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def get_card(name: str, version: int, ground: Ground) -> CardInfo:
    """A version's card: what a person wrote, what was filled from facts, what is missing, and who signed for it."""

    def read(tx: Transaction) -> CardInfo:
        card = cards.current(tx, name, version)
        return msgspec.structs.replace(card, signatures=evidence.blocks(tx, name, version))

    return ground.database.read(read)


handlers = [edit_card, get_card]
