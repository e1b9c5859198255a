"""Windows of a model that chooses between classes: each class is profiled, and so is what was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from tenure.monitor import choices, first_windows
from tenure.monitor.judging import Judgeable
from tenure.records.base import DAY_US, Instant
from tenure.records.model_files import ModelFile, Monitors, Prediction
from tenure.records.profiles import Profile
from tenure.sdk.baselines import profile_of
from tenure.store import windows as stored

from .test_first_windows import rows as rows_of
from .test_watch import file_with, found, open_alerts
from .year import ENDPOINT, MODEL, START, Traffic

NAMES = ["red", "green", "blue"]
RNG = np.random.default_rng(12)
ROWS = 1_500


def chances(rows: int, order: list[int]) -> np.ndarray:
    """Each class has its own typical chances; `order` says which class has which."""
    drawn = np.sort(RNG.dirichlet([4, 2, 1], rows), axis=1)[:, ::-1]
    return drawn[:, order]


def file(**more: object) -> ModelFile:
    return file_with(prediction=Prediction(outcome="colour", classes=NAMES), **more)


def week(traffic: Traffic, number: int, output: list[object], level: str = "a") -> None:
    score = [None] * len(output)
    traffic.predict(
        score=score, output=output, columns={"level": [level] * len(output)}, event_at=START + number * 7 * DAY_US
    )


def judged(traffic: Traffic) -> None:
    traffic.look()
    traffic.judge()


def test_a_class_whose_chance_moves_drifts_though_the_greatest_chance_stays(traffic: Traffic) -> None:
    traffic.apply(file(monitors=Monitors(window_days=7)))
    usual = chances(4_000, [0, 1, 2])
    traffic.keep_profile(profile_of({"level": ["a"] * 4_000}, score=usual, classes=NAMES), 1)
    week(traffic, 0, chances(ROWS, [0, 1, 2]).tolist())
    week(traffic, 1, chances(ROWS, [0, 2, 1]).tolist())
    week(traffic, 2, [[0.5, 0.3, 0.2]])
    judged(traffic)
    second, before = found(traffic)
    states = {one.column: one.state for one in before.drift}
    assert states == dict.fromkeys(
        ["level", "score", "score · red", "score · green", "score · blue", "predicted class"], "ok"
    )
    moved = {one.column: one.state for one in second.drift}
    assert (moved["score"], moved["score · red"], moved["predicted class"]) == ("ok", "ok", "ok")
    assert moved["score · green"] == moved["score · blue"] == "breach"
    assert {subject for _, subject in open_alerts(traffic)} == {"score · green", "score · blue"}
    with traffic.ground.database.reading() as tx:
        [kept, *_] = stored.search(tx, ENDPOINT)
    assert kept.profile is not None
    assert [one.name for one in kept.profile.classes] == NAMES


def test_which_class_is_said_is_seen_of_answers_that_are_names_alone(traffic: Traffic) -> None:
    traffic.apply(file())
    said = RNG.choice(NAMES, 4_000, p=[0.6, 0.3, 0.1]).tolist()
    traffic.keep_profile(profile_of({"level": ["a"] * 4_000}, score=said, classes=NAMES), 1)
    week(traffic, 0, RNG.choice(NAMES, ROWS, p=[0.1, 0.3, 0.6]).tolist())
    week(traffic, 1, ["red"])
    judged(traffic)
    [window] = found(traffic)
    assert {one.column: one.state for one in window.drift} == {"level": "ok", "predicted class": "breach"}


def first(output: list[Any], file: ModelFile | None) -> Profile:
    rows = replace(
        rows_of(len(output), np.full(len(output), np.nan), level=np.full(len(output), "a", dtype=object)),
        output=np.array([msgspec.json.encode(one).decode() for one in output], dtype=object),
    )
    made = first_windows.profile_of(Judgeable(ENDPOINT, MODEL, 1, "champion", Instant(0), Instant(1), rows), file)
    assert made is not None
    return made


@pytest.mark.parametrize("named", [True, False])
def test_the_first_window_of_a_version_without_a_baseline_counts_its_classes(named: bool) -> None:
    made = first(chances(ROWS, [0, 1, 2]).tolist(), file() if named else None)
    assert (made.outcome, made.reference.kind) == ("multiclass", "production")
    assert [one.name for one in made.classes] == (NAMES if named else ["0", "1", "2"])
    assert made.said is not None
    assert made.said.n == ROWS


def test_names_alone_make_a_first_baseline_too_and_strange_ones_are_missing_in_it() -> None:
    made = first([*RNG.choice(NAMES, ROWS - 1).tolist(), "violet"], file())
    assert made.said is not None
    assert (made.class_names, made.said.null_count, made.said.n) == (NAMES, 1, ROWS - 1)


def test_answers_that_look_like_choices() -> None:
    def looks(*outputs: str | None) -> bool:
        return choices.choose(np.array(outputs, dtype=object))

    assert looks('"late"', None)
    assert looks("[0.1, 0.2, 0.7]")
    assert not looks("[0.1, 0.9]")
    assert not looks(None)
