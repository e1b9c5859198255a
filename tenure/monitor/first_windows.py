"""A version that nobody gave a baseline gets one from its first window in service: weaker, and marked so.

What was wrong on the first day looks right beside it, nothing says how good the scores were, and no approval rests on
it. But what changes later is seen, and that is more than nothing. One that is taken at training takes its place.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from tenure.errors import NotFound
from tenure.manage import profiles
from tenure.monitor import choices
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Array, Floats, Rows, is_binary
from tenure.records.base import Instant
from tenure.records.model_files import ModelFile
from tenure.records.profiles import OutcomeKind, Profile, Reference
from tenure.sdk import baselines, class_scores, scores
from tenure.stats.measures import moments_of
from tenure.store.database import Transaction

LEAST_ROWS = 1_000
"""Fewer rows cut bins that chance has made."""
BY = "tenure-worker"


def profile_of(what: Judgeable, file: ModelFile | None = None) -> Profile | None:
    """The profile of a window that may stand for a baseline: one of a version that answered, whole and large enough."""
    rows = what.rows
    if what.role != "champion" or not what.whole or len(rows) < LEAST_ROWS or not rows.columns:
        return None
    reference = Reference(kind="production", name=what.endpoint, from_at=what.start_at, until_at=what.end_at)
    told = _chosen(rows, file) if _chooses(rows, file) else _scored(rows)
    return Profile(rows=len(rows), columns=baselines.columns_profile(_columns(rows)), reference=reference, **told)


def _scored(rows: Rows) -> dict[str, Any]:
    known = rows.score[~np.isnan(rows.score)]
    outcome = _outcome(known, rows.y[rows.known]) if len(known) else "none"
    return scores.counted(scores.Given(rows.score if len(known) else None), outcome)


def _chooses(rows: Rows, file: ModelFile | None) -> bool:
    """Whether answers are choices between classes: as the file says, else as they look."""
    told = file.prediction.known_task if file and file.prediction else None
    return told == "multiclass" if told else choices.choose(rows.output)


def _chosen(rows: Rows, file: ModelFile | None) -> dict[str, Any]:
    """By chances where any were told, else by what was said alone; a class that the file does not name is missing."""
    names = choices.class_names(file)
    told = choices.named(rows, names)
    if told.chances.shape[1] > 1 and not np.isnan(told.chances).all():
        return class_scores.counted(told.chances, None, names or None)
    known = [one if not names or one in names else None for one in told.said.tolist()]
    return class_scores.counted(np.array(known, dtype=object), None, names or None)


def _columns(rows: Rows) -> dict[str, Array]:
    """Features as they were meant: the lake keeps moments as ISO texts."""
    return {name: _moments(column) if column.dtype == object else column for name, column in rows.columns.items()}


def _moments(texts: Array) -> Array:
    known = np.array([text is not None for text in texts.tolist()], dtype=bool)
    found = moments_of(texts)
    if not known.any() or any(at is None for at in found[known].tolist()):
        return texts
    return np.array([np.datetime64("NaT") if at is None else np.datetime64(at, "us") for at in found.tolist()])


def _outcome(score: Floats, y: Floats) -> OutcomeKind:
    if len(y) and not is_binary(y):
        return "regression"
    return "binary" if bool(np.all((score >= 0) & (score <= 1))) else "ranking"


def keep(tx: Transaction, what: Judgeable, profile: Profile, now: Instant) -> None:
    """Record a window's profile as the version's baseline, unless it has one by now. Writes one audit event."""
    if profiles.get(tx, what.model, what.version) is None:
        with contextlib.suppress(NotFound):  # the version was deleted since it answered
            profiles.record(tx, what.model, what.version, profile, by=BY, now=now)
