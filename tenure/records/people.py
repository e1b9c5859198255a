"""People, services and what they may do."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.model_files import Role


class Permission(StrEnum):
    """What a route asks for. Every route declares exactly one."""

    PUBLIC = "public"
    READ = "read"
    TRACK = "track"
    SCORE = "score"
    MANAGE = "manage"
    SIGN = "sign"
    ADMINISTER = "administer"
    AUDIT = "audit"
    PROTECT = "protect"
    OUTCOME = "outcome"


class Principal(Record):
    """Who is asking. `owner` is the local owner in solo mode, who may do all but sign."""

    name: str
    kind: Literal["owner", "person", "service", "nobody"]
    permissions: frozenset[Permission]


class NewPerson(Record, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{0,127}$")]
    printed_name: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Annotated[str, Meta(min_length=12, max_length=1024)]
    roles: list[Role] = []


class RoleHeld(Record):
    role: str
    since_at: int


class Person(Record):
    name: str
    printed_name: str
    roles: list[RoleHeld]
    created_at: int
