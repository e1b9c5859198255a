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


NOTHING: frozenset[Permission] = frozenset()


class Principal(Record):
    """Who is asking. `owner` is the local owner in solo mode, who may do all but sign; `job` a training job's process.

    `permissions` hold everywhere; `on` holds what is granted for single models besides. `token`: the id of the token
    that was shown, when one was.
    """

    name: str
    kind: Literal["owner", "person", "service", "job", "nobody"]
    permissions: frozenset[Permission]
    on: dict[str, frozenset[Permission]] = {}
    token: str = ""

    def may(self, permission: Permission, model: str | None = None) -> bool:
        """Whether it has a permission everywhere, or for the model in question."""
        return permission in self.permissions or (model is not None and permission in self.on.get(model, NOTHING))

    def models(self, permission: Permission) -> frozenset[str] | None:
        """The models for which it has a permission; None when it has it everywhere."""
        if permission in self.permissions:
            return None
        return frozenset(model for model, held in self.on.items() if permission in held)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether it has a permission everywhere or for any model."""
        return permission in self.permissions or any(permission in held for held in self.on.values())


Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{0,127}$")]
PrintedName = Annotated[str, Meta(min_length=1, max_length=200)]
Password = Annotated[str, Meta(min_length=12, max_length=1024)]


class NewPerson(Record, forbid_unknown_fields=True):
    name: Name
    printed_name: PrintedName
    password: Password
    roles: list[Role] = []


class FirstPerson(Record, forbid_unknown_fields=True):
    """The first administrator, made with the secret of the set-up link."""

    token: str
    name: Name
    printed_name: PrintedName
    password: Password


class RoleHeld(Record):
    """A role and since when it is held. `model` is None when it is held for all models."""

    role: str
    since_at: int
    model: str | None = None


class Person(Record):
    """`locked_until_at` is there while too many wrong passwords keep the person out."""

    name: str
    printed_name: str
    roles: list[RoleHeld]
    created_at: int
    locked_until_at: int | None = None


class NewService(Record, forbid_unknown_fields=True):
    """A program that asks with a token of its own: a pipeline, an application that scores."""

    name: Name
    purpose: Annotated[str, Meta(min_length=3, max_length=500)]
    roles: list[Role] = []


class Service(Record):
    name: str
    purpose: str
    roles: list[RoleHeld]
    created_by: str
    created_at: int


class NewGrant(Record, forbid_unknown_fields=True):
    """Give a person or a service a role: for one model, or for all when none is named."""

    principal: Name
    role: Role
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class Grant(Record):
    """A role that somebody holds or held. `until_at` and `revoked_by` are there once it is over."""

    grant_id: str
    principal: str
    role: str
    model: str | None
    since_at: int
    granted_by: str
    until_at: int | None = None
    revoked_by: str | None = None
