"""What waits for somebody."""

from __future__ import annotations

from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.changes import Change


class ToSign(Record):
    """A change that the reader may sign now, and in which roles."""

    change: Change
    roles: list[str]


class Inbox(Record):
    """`came_back`: what the reader asked for and was rejected or voided, and was not asked for again.

    `waiting`: what the reader asked for and others must sign. `alerts`: of models whose file names the reader as owner.
    """

    to_sign: list[ToSign]
    came_back: list[Change]
    waiting: list[Change]
    alerts: list[Alert]
