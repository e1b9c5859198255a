"""What a person asks for when a version is to go into service, and what comes of it at each endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.changes import Reason
from tenure.records.endpoints import ReleaseInfo
from tenure.records.routing import ReleaseRole


class NewPlacement(Record):
    """`deploy`: at one endpoint, which is made when it `is_new`. `promote`: by alias, at every endpoint of the model.

    `share` (0–1): of a challenger what it answers, of a shadow what is copied to it.
    """

    kind: Literal["deploy", "promote"]
    model: str
    version: int
    to: ReleaseRole
    reason: Reason
    endpoint: str = ""
    is_new: bool = False
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Place(Record):
    """What is in service at an endpoint before and after, champion first, with the shares as they are routed."""

    endpoint: str
    before: list[ReleaseInfo]
    after: list[ReleaseInfo]
    is_new: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether anything is another version, in another role or with another share than before."""
        return self.is_new or [_at(one) for one in self.before] != [_at(one) for one in self.after]


class Signers(Record):
    """A step of a change: the role, how many signatures, and the printed names of those who may give one now."""

    role: str
    needed: int
    people: list[str]


def _at(release: ReleaseInfo) -> tuple[int, str, float]:
    return release.version, release.role, release.share
