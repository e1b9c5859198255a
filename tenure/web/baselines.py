"""Where a version's baseline comes from, in words: what is held against it is worth as much as it is."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.profiles import Profile
from tenure.web import wording

OUTCOMES = {
    "binary": "Its scores are chances of a yes.",
    "regression": "Its scores are predicted amounts.",
    "multiclass": "Its scores are chances of several classes.",
    "ranking": "Its scores rank, on a scale of their own.",
    "none": "It tells of no scores.",
}


class Taken(Record):
    """`weak`: it is no reference that an approval may rest on."""

    said: str
    weak: bool


def taken(profile: Profile) -> Taken:
    """What kind of reference a baseline is."""
    reference, outcome = profile.reference, OUTCOMES[profile.outcome]
    if reference.kind == "production":
        span = ""
        if reference.from_at is not None and reference.until_at is not None:
            span = f", {wording.date(reference.from_at)} to {wording.date(reference.until_at)}"
        said = (
            f"Taken from the first window in production (endpoint {reference.name}{span}), since none was taken at "
            "training. It is weaker: what was wrong from the first day looks right beside it, and no approval rests on "
            "it. tenure.log_baseline takes its place."
        )
        return Taken(said=said, weak=True)
    if reference.kind == "artifact":
        digest = f", SHA-256 {wording.digest(reference.sha256)}" if reference.sha256 else ""
        return Taken(said=f"Taken from a logged dataset: {reference.name}{digest}. {outcome}", weak=False)
    return Taken(said=f"Taken at training. {outcome}", weak=False)
