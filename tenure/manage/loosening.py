"""What a model's file would loosen of the rules of the one that stands: path by path, in words. Pure.

Every key of the file has its judge here, in one table. A key is a rule when it decides what may be approved, what is
answered, or when people are told; `plain` marks what describes or routes, and what is tuned without letting anything
through. What cannot be shown to be as tight as before, such as another condition, counts as looser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tenure.manage.judges import (
    GONE,
    Judge,
    all_kept,
    allowed,
    available,
    condition,
    fixed,
    kept,
    least,
    most,
    not_for,
    ordered,
    otherwise,
    plain,
    reaches,
    span,
    steps,
    within,
)
from tenure.records import differing
from tenure.records import model_files as declared
from tenure.records.changes import Looser
from tenure.records.model_files import SIGNED_BESIDE, Declared, Feature, ModelFile, Step


def looser(before: ModelFile, after: ModelFile) -> list[Looser]:
    """What the second file loosens of the first, in the order of its keys; nothing when every rule is kept or tighter.

    >>> old, new = (ModelFile(model="m", purpose="p", owner="o", protected=names) for names in (["sex"], []))
    >>> [(one.path, one.words) for one in looser(old, new)], looser(new, old)
    ([('protected', 'no longer holds sex')], [])
    """
    return list(_of_record(before, after, ""))


def words_for(line: str, found: Collection[Looser]) -> str:
    """Why a line that tells of a change, `path: …`, is about something that is looser; empty when it is not.

    >>> words_for("use.jurisdictions: ['US'] → []", [Looser(path="use.jurisdictions", words="allows more")])
    'allows more'
    """
    return "; ".join(one.words for one in found if differing.tells_of(line, one.path))


def parts_beside(found: Collection[Looser]) -> list[str]:
    """The parts with steps of their own, besides `approval`, that are looser: who signs by them is asked, too."""
    return [name for name in SIGNED_BESIDE if any(one.path == name or one.path.startswith(f"{name}.") for one in found)]


def envelope(before: declared.Envelope | None, after: declared.Envelope | None) -> str:
    """What needs no signature: a new one is looser, one that is gone is tighter."""
    return "lets a retraining be approved without new signatures" if before is None and after is not None else ""


def retraining(before: declared.Retraining | None, after: declared.Retraining | None) -> str:
    """One that promotes by itself is a rule in each part. What it only proposes, people sign."""
    if after is None or after.then == "propose" or (before and before.then == "promote"):
        return ""
    return "promotes by itself, and did not"


UNTAKEN = (retraining, envelope)
"""What is tighter when it is not there; any other part that goes was a rule."""
JUDGES: dict[type[Declared], dict[str, Judge]] = {
    declared.Quota: {"rows_per_minute": most, "rows_per_day": most},
    declared.Use: {
        "jurisdictions": allowed,
        "purposes": allowed,
        "not_for": not_for,
        "scoring": fixed,
        "require": all_kept,
        "callers": allowed,
        "allow": condition,
        "valid_from": least,
        "valid_to": most,
        "quota": plain,
    },
    declared.Forbidden: {"reason": plain, "within": reaches, "purposes": reaches},
    declared.Lookup: {
        **dict.fromkeys(("source", "table", "key", "column"), fixed),
        "as_of": kept,
        "missing": otherwise,
        "stale": otherwise,
        "default": kept,
        "override": ordered("refuse", "allow"),
        "cache_seconds": plain,
    },
    Feature: {
        "kind": kept,
        "available": available,
        "semantic": kept,
        "source": kept,
        "derived_from": all_kept,
        "freshness_minutes": most,
        "range": within,
        "forbidden": plain,
        "outside": ordered("reject", "clip", "flag"),
        "null": ordered("reject", "allow"),
        "lookup": plain,
    },
    declared.Prediction: {
        "outcome": fixed,
        "positive": fixed,
        "outcome_after_hours": plain,
        "task": kept,
        "classes": kept,
    },
    declared.AtLeast: {
        "at_least": least,
        "metric": fixed,
        "min_outcomes": most,
        "window_days": fixed,
        "window": plain,  # kept as days
        "at_most": most,
    },
    declared.AtMost: {"at_most": most},
    declared.Latency: {"p99_ms": most},
    declared.Harm: {
        "tolerance": most,
        "cooldown_days": most,
        "value_range": fixed,
        "error_at_most": fixed,
        "compare": all_kept,
    },
    declared.DriftMonitor: {
        "against": all_kept,
        "season": fixed,
        "cycles": fixed,
        "together": ordered(True, False),
    },
    declared.Monitors: {
        "window_days": fixed,
        "window_hours": fixed,
        "false_alerts_per_year": fixed,  # more teach people to look away, fewer come late: neither is tighter
        "maturity": fixed,
        "psi_floor": most,
        "accuracy": plain,
        "calibration": plain,
        "latency": plain,
        "harm": plain,
        "false_alerts": plain,  # kept as false_alerts_per_year
        "drift": plain,
    },
    declared.Escalation: {"after": plain, "to": plain},
    declared.Alerts: {"channels": plain, "escalate": plain, "cooldown": span},
    declared.Service: {"availability": least, "latency_ms": most, "latency_share": least, "over_days": fixed},
    Step: {"role": plain, "signatures": plain, "of": plain, "people": plain},  # judged together, by `steps`
    declared.Approval: {"steps": steps},
    declared.AccuracyDrop: dict.fromkeys(("metric", "drop", "at_least", "min_outcomes"), plain),
    declared.Trigger: {"accuracy": plain},
    declared.Guard: {"cooldown_days": least, "max_per_quarter": most},
    declared.TrainingData: {"window_days": plain, "least_days": least, "holdout_days": least},
    declared.Envelope: {"expires": most, "features": fixed, "family": fixed, "score_psi_max": most},
    declared.Better: {"metric": fixed, "margin": least, "confidence": least},
    declared.NoWorse: {"metric": fixed, "margin": most},
    declared.Accept: {"better": plain, "no_worse": plain, "shadow_days": least, "shadow_outcomes": least},
    declared.Retraining: {
        "recipe": fixed,
        "when": plain,  # when it is tried lets nothing through; `accept` and `guard` decide
        "accept": plain,
        "guard": plain,
        "how": fixed,
        "data": plain,
        "envelope": envelope,
        "then": ordered("propose", "promote"),
    },
    ModelFile: {
        "model": plain,
        "purpose": plain,
        "owner": plain,
        "use": plain,
        "tier": fixed,  # policies go by it
        "features": plain,
        "protected": all_kept,
        "prediction": plain,
        "value": kept,
        "action": fixed,
        "segments": all_kept,
        "monitors": plain,
        "alerts": plain,
        "service": plain,
        "approval": plain,
        "registration": plain,
        "deployment": plain,
        "promotion": plain,
        "retraining": retraining,
    },
}
"""The judge of every key. A part with keys of its own is looked into besides, and that it goes is looser."""


def _of_record(before: Declared, after: Declared, path: str) -> Iterator[Looser]:
    names = dict(zip(before.__struct_fields__, before.__struct_encode_fields__, strict=True))
    for field, judge in JUDGES[type(before)].items():
        old, new = getattr(before, field), getattr(after, field)
        at = f"{path}.{names[field]}".lstrip(".")
        if not _counts(before, after, field):
            continue
        words = judge(old, new)
        if words:
            yield Looser(path=at, words=words)
        elif isinstance(old, Declared) and isinstance(new, Declared):
            yield from _of_record(old, new, at)
        elif isinstance(old, Declared) and new is None and judge not in UNTAKEN:
            yield Looser(path=at, words=GONE)
        elif isinstance(old, dict):
            yield from _of_features(old, new)


def _of_features(before: dict[str, Feature], after: dict[str, Feature]) -> Iterator[Looser]:
    """A column that is new describes: a version that takes it is signed for with it. One that goes takes its rules."""
    for name, feature in before.items():
        yield from _of_record(feature, after.get(name, Feature()), f"features.{name}")


def _counts(before: Declared, after: Declared, field: str) -> bool:
    """Whether a key counts beside the others of its record: how seasons are told is no rule before they are compared,
    nor how a retraining is done that only proposes."""
    match before, after:
        case declared.DriftMonitor(), _:
            return field not in ("season", "cycles") or "season" in before.against
        case declared.Retraining(), declared.Retraining():
            return after.then == "promote"
    return True
