"""Tokens for machines: what a person or a service shows instead of a password."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.people import Name, Permission

PREFIX = "tnr_"
"""What every token begins with, so that scanners for leaked secrets know one."""
LONGEST_DAYS = 366


class NewToken(Record, forbid_unknown_fields=True):
    """A token may do what its principal may, as far as `permissions` and `models` let it; signing never.

    `principal`: the service it is for; None for oneself. `models`: only these; empty means all that the principal has.
    """

    label: Annotated[str, Meta(min_length=1, max_length=100)]
    permissions: Annotated[list[Permission], Meta(min_length=1, max_length=20)]
    principal: Name | None = None
    models: Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=100)] = []
    days: Annotated[float, Meta(gt=0, le=LONGEST_DAYS)] = 90


class Token(Record):
    """What is known of a token; itself it is kept nowhere. `last_used_at` is right to the hour."""

    token_id: str
    principal: str
    label: str
    permissions: list[Permission]
    models: list[str]
    created_by: str
    created_at: int
    expires_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None


class IssuedToken(Record):
    """A token on the one occasion that it is shown."""

    secret: str
    token: Token
