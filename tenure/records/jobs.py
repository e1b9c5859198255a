"""Jobs: work too large for the worker's own process, kept as leased rows."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.base import Record

JobState = Literal["waiting", "running", "done", "failed"]


class Job(Record):
    """A piece of work. While it runs, `worker` says who has it and `lease_until` how long it may be silent.

    `attempts` counts its starts. `result` is what it left when done; when it failed, `{"failure": one sentence}`.
    """

    job_id: str
    kind: str
    payload: dict[str, Any]
    state: JobState
    attempts: int
    worker: str | None
    lease_until: int | None
    result: dict[str, Any] | None
    created_at: int
    changed_at: int
