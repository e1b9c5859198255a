"""A version without a baseline: its first window stands for one, and says that it is weaker."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from tenure.errors import Conflict
from tenure.manage import profiles
from tenure.monitor import first_windows
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Rows
from tenure.records.base import DAY_US, Instant
from tenure.records.profiles import Profile, Reference
from tenure.sdk.baselines import profile_of
from tenure.store import audit, tables
from tenure.store import profiles as kept_profiles
from tenure.store.database import Transaction

from .test_watch import days, found
from .year import ENDPOINT, MODEL, START, Traffic


def register(traffic: Traffic) -> None:
    def write(tx: Transaction) -> None:
        times = {"created_at": 0, "updated_at": 0}
        tx.execute(sa.insert(tables.registered_models).values(_columns(tables.registered_models, name=MODEL, **times)))
        tx.execute(
            sa.insert(tables.model_versions).values(_columns(tables.model_versions, name=MODEL, version=1, **times))
        )

    traffic.ground.database.write(write)


def _columns(table: sa.Table, **given: object) -> dict[str, object]:
    """A row with something harmless in every column that must have a value."""
    fillers = {str: "", int: 0, bool: False, bytes: b"[]", float: 0.0}
    needed = {
        column.name: fillers.get(column.type.python_type, "")
        for column in table.columns
        if not column.nullable and column.default is None and column.server_default is None
    }
    return needed | {name: value for name, value in given.items() if name in table.columns}


def baseline(traffic: Traffic) -> Profile | None:
    stored = traffic.ground.database.read(lambda tx: kept_profiles.get(tx, MODEL, 1))
    return stored.profile if stored else None


def test_the_first_window_becomes_the_baseline_and_later_ones_are_compared_with_it(traffic: Traffic) -> None:
    register(traffic)
    days(traffic, 0, 7)
    days(traffic, 7, 14)
    days(traffic, 14, 22, shift=1.5)
    traffic.look()
    traffic.judge()
    made = baseline(traffic)
    assert made is not None
    assert made.reference == Reference(kind="production", name=ENDPOINT, from_at=START, until_at=START + 7 * DAY_US)
    assert (made.rows, made.outcome, made.judged) == (2100, "binary", None)
    windows = {window.start_at: window for window in found(traffic)}
    first, second, third = (windows[START + week * 7 * DAY_US] for week in range(3))
    assert first.drift == []
    assert {column.column: column.state for column in second.drift} == {"temp": "ok", "carrier": "ok", "score": "ok"}
    assert {column.column: column.state for column in third.drift}["temp"] == "breach"
    events = traffic.ground.database.read(lambda tx: audit.search(tx, subject=f"{MODEL}/1", limit=10))
    assert [(event.action, event.actor) for event in events] == [("profile.recorded", "tenure-worker")]


def test_it_gives_way_to_one_from_training_and_never_takes_its_place(traffic: Traffic) -> None:
    register(traffic)
    taken = profile_of({"temp": np.random.default_rng(1).normal(size=500)})
    from_production = Profile(
        rows=500, columns=taken.columns, outcome="none", reference=Reference(kind="production", name=ENDPOINT)
    )

    def record(profile: Profile) -> None:
        traffic.ground.database.write(lambda tx: profiles.record(tx, MODEL, 1, profile, by="ann", now=traffic.now()))

    record(from_production)
    signed = traffic.ground.database.read(lambda tx: kept_profiles.signed(tx, MODEL, 1))
    assert signed is None
    traffic.ground.database.write(lambda tx: tx.execute(sa.update(tables.model_versions).values(state="approved")))
    record(taken)
    assert baseline(traffic) == taken
    with pytest.raises(Conflict, match="from production does not replace it"):
        record(from_production)
    with pytest.raises(Conflict, match="approved with it and stays"):
        record(profile_of({"temp": [1.0, 2.0]}))


def rows(n: int, score: np.ndarray, **columns: np.ndarray) -> Rows:
    texts = np.array([f"{row}:0" for row in range(n)], dtype=object)
    ones, missing = np.ones(n, dtype=np.int64), np.full(n, np.nan)
    return Rows(texts, ones, texts, ones, texts, score, missing, ones, columns=columns)


@pytest.mark.parametrize(
    ("n", "role", "whole"), [(999, "champion", True), (1500, "shadow", True), (1500, "champion", False)]
)
def test_too_few_rows_a_shadow_or_a_part_of_a_window_stand_for_nothing(n: int, role: str, whole: bool) -> None:
    what = Judgeable(
        ENDPOINT,
        MODEL,
        1,
        role,
        Instant(0),
        Instant(1),
        rows(n, np.full(n, 0.5), x=np.arange(n)),
        whole=whole,  # type: ignore[arg-type]
    )
    assert first_windows.profile_of(what) is None


def test_moments_that_the_lake_keeps_as_texts_and_scores_beyond_one_are_seen_as_what_they_are() -> None:
    n = 1200
    at = np.array([f"2013-01-{1 + row % 28:02d}T{row % 24:02d}:00:00Z" for row in range(n)], dtype=object)
    at[3] = None
    told = rows(n, np.linspace(-3, 3, n), at=at, carrier=np.array(["UA", "AA"] * (n // 2), dtype=object))
    made = first_windows.profile_of(Judgeable(ENDPOINT, MODEL, 1, "champion", Instant(0), Instant(1), told))
    assert made is not None
    assert set(made.columns) == {"at · moment", "at · hour of week", "carrier"}
    assert made.columns["at · moment"].null_count == 1
    assert made.outcome == "ranking"
    unscored = rows(n, np.full(n, np.nan), x=np.arange(n))
    other = first_windows.profile_of(Judgeable(ENDPOINT, MODEL, 1, "champion", Instant(0), Instant(1), unscored))
    assert other is not None
    assert (other.outcome, other.score) == ("none", None)
