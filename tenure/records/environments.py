"""What a version runs in: the server's own packages, or an environment that was locked for it."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

EnvironmentKind = Literal["server", "own", "refused"]


class Lacking(Record):
    """A requirement that the server's packages do not meet; `here` is None for what is not installed.

    `is_close`: only the last number of the release differs, which a scorer of the server's lives with where it must.
    """

    name: str
    wanted: str
    here: str | None
    is_close: bool = False


class Lock(Record):
    """Exact packages, one `name==version` with its hashes for each, resolved for a Python and a platform."""

    python: str
    platform: str
    text: str

    @property
    def packages(self) -> list[str]:
        """`name==version` of each."""
        lines = (line.split(" ")[0] for line in self.text.splitlines())
        return [line for line in lines if line and not line.startswith(("#", "-"))]


class Missing(Record):
    """Why there is no lock: `wheels` that are not to be had, and a `reason` in words where that is not all."""

    wheels: list[str]
    reason: str


class Environment(Record):
    """What was decided for a version's bytes.

    `server`: it runs in the server's packages, `lacking` what it then lives with. `own`: in an environment made from
    `lock`, whose digest is `digest`. `refused`: in neither, and `reason` says why; `missing` are the wheels that were
    not to be had.
    """

    kind: EnvironmentKind
    python: str = ""
    requirements: list[str] = []
    lacking: list[Lacking] = []
    missing: list[str] = []
    reason: str = ""
    digest: str = ""
    lock: Lock | None = None


class EnvironmentInfo(Record):
    """A version's environment as it is shown: `is_settled` says whether it was decided, which a release asks for.

    `is_built` says whether an environment of its own is there, on the machine of the control process.
    """

    model: str
    version: int
    environment: Environment
    packages: list[str] = []
    is_settled: bool = False
    is_built: bool = False
