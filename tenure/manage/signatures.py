"""Signatures: a statement in a DSSE envelope, signed with the server's Ed25519 key.

The key proves that this server saw the person give their password and say this. Who has the public key can verify an
envelope without the server.
"""

from __future__ import annotations

import msgspec

from tenure.errors import InvalidInput
from tenure.manage import dsse
from tenure.manage.dsse import key_id
from tenure.records.changes import Decision, SignedStatement
from tenure.store.keys import SigningKey

__all__ = ["in_words", "key_id", "seal", "verify"]

PAYLOAD_TYPE = "application/vnd.tenure.signature+json"


def seal(statement: SignedStatement, key: SigningKey) -> bytes:
    """A statement as the JSON bytes of its DSSE envelope, which carries the key's id."""
    return dsse.seal(msgspec.json.encode(statement), PAYLOAD_TYPE, key)


def verify(envelope: bytes, *public_pems: str) -> SignedStatement:
    """The statement of an envelope that one of these keys signed. Raises InvalidInput when none did."""
    try:
        return msgspec.json.decode(dsse.opened(envelope, PAYLOAD_TYPE, *public_pems), type=SignedStatement)
    except msgspec.MsgspecError:
        raise InvalidInput("A signature must be a DSSE envelope in JSON. This one cannot be read.") from None


def in_words(statement: SignedStatement) -> list[tuple[str, str]]:
    """What a statement says, for a reader: each part by name."""
    target = statement.target
    place = f", to {target.to}" + (f" at {target.endpoint}" if target.endpoint else "") if target else ""
    return [
        ("signed by", f"{statement.printed_name} ({statement.person}), as {statement.role}"),
        ("meaning", statement.meaning),
        ("of", f"the change {statement.change_id}: {statement.kind} {_about(statement)}{place}"),
        ("reason", statement.reason),
        ("at", f"{statement.signed_at} (UTC)"),
        ("identity", f"{statement.reauthenticated_by}, at {statement.reauthenticated_at} (UTC)"),
        ("policy", statement.subject.policy or "none"),
        ("artifact", statement.subject.artifact or "none"),
        ("card", statement.subject.card or "none"),
        ("baseline", statement.subject.profile or "none"),
        ("model's file", statement.subject.model_file or "none"),
        ("facts", statement.subject.facts or "none"),
        *([("decisions", statement.subject.decisions)] if statement.subject.decisions else []),
        *(("decided", _decided(one)) for one in statement.decisions),
        *([("accepted", "all at once, in an emergency")] if statement.accepted else []),
        *([("file that is to stand", statement.subject.revised)] if statement.revising else []),
        *(("looser", f"{one.path}: {one.words}") for one in (statement.revising.looser if statement.revising else [])),
    ]


def _about(statement: SignedStatement) -> str:
    if statement.revising is None:
        return f"{statement.model} {statement.version}"
    return f"the file of {statement.model}, in place of revision {statement.revising.standing}"


def _decided(one: Decision) -> str:
    what = "is hit, and that is accepted" if one.decide == "accept" else "is replaced before"
    return f"{one.dependent} {what}" + (f": {one.note}" if one.note else "")
