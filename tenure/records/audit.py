"""The audit log's records: what is asked of it, and its signed checkpoints."""

from __future__ import annotations

from tenure.records.base import Record


class Sought(Record):
    """A question to the log; None leaves a part open. `action` is a beginning, `reason` a part of the text."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    reason: str | None = None
    from_at: int | None = None
    until_at: int | None = None
    before: int | None = None


class CheckpointStatement(Record):
    """What a checkpoint says, word for word what the server's key signed: at this time the log had this end."""

    size: int
    head: str
    at: str
    """ISO 8601 in UTC."""
    key_id: str
    """SHA-256 of the raw public key, in hex."""


class Checkpoint(Record):
    """A signed checkpoint. `envelope` is the DSSE envelope in JSON: the part to be kept elsewhere."""

    size: int
    head: str
    at: int
    key_id: str
    envelope: str


class SegmentsVerified(Record):
    """Whether the files of predictions and outcomes are those that the log tells of. `first_bad` is a file's path."""

    files: int
    rows: int
    untold: int
    """Files that are too new for the log to tell of."""
    first_bad: str | None
    problem: str


class ChangedRun(Record):
    """A run that does not hold what it held at its end; `event` told of that end."""

    run_id: str
    event: int
    what: str


class RunsVerified(Record):
    """How many ended runs were looked at, and those that were changed since, newest end first."""

    runs: int
    changed: list[ChangedRun]
