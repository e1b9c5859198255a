"""What waits for somebody."""

from __future__ import annotations

from typing import Literal

from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.changes import Change


class ToSign(Record):
    """A change that the reader may sign now, and in which roles."""

    change: Change
    roles: list[str]


class LockOut(Record):
    """Somebody who tried too often to sign in, and is kept out until then: one entry, however often they try.

    `person`: too many wrong passwords for that name. `address`: too many names from there that nobody has.
    """

    kind: Literal["person", "address"]
    name: str
    since_at: int
    until_at: int


class Inbox(Record):
    """`came_back`: what the reader asked for and was rejected or voided, and was not asked for again.

    `waiting`: what the reader asked for and others must sign. `alerts`: of models whose file names the reader as owner.
    `lock_outs`: for who administers, whom repeated failures of sign-in keep out now.
    """

    to_sign: list[ToSign]
    came_back: list[Change]
    waiting: list[Change]
    alerts: list[Alert]
    lock_outs: list[LockOut] = []
