"""Costs and importances of features, measured in training code."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import tenure
from tenure.errors import InvalidInput
from tenure.records.features import MeasuredFeatures
from tenure.sdk import measuring
from tenure.sdk.features import measure_features

MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def nothing_computed() -> Iterator[None]:
    measuring.forget()
    yield
    measuring.forget()
    assert not tracemalloc.is_tracing(), "who starts to trace stops it"


def rows(n: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    dice = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "signal": dice.normal(size=n),
            "noise": dice.normal(size=n),
            "carrier": dice.choice(["UA", "AA", "B6"], n),
            "carrier_size": dice.integers(0, 3, n),
        }
    )
    return frame, (frame["signal"] + dice.normal(scale=0.3, size=n) > 0).astype(int).to_numpy()


def pipeline(model: Any = None) -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
        (StandardScaler(), ["signal", "noise", "carrier_size"]),
    )
    return make_pipeline(columns, LogisticRegression() if model is None else model)


def by_name(found: MeasuredFeatures) -> dict[str, Any]:
    return {one.name: one for one in found.features}


# --- what is computed in training code ---


def test_a_block_is_measured_in_time_rows_and_memory() -> None:
    with tenure.feature("wind", rows=100):
        kept = np.zeros(MEGABYTE, dtype=np.uint8)
        del kept
        np.zeros(MEGABYTE // 10, dtype=np.uint8)
    cost = measuring.computed()["wind"]
    assert (cost.calls, cost.rows, cost.traced) == (1, 100, True)
    assert 0.99 * MEGABYTE <= (cost.memory_bytes or 0) < 1.1 * MEGABYTE
    assert cost.wall_s > 0


def test_a_decorated_function_is_measured_by_the_rows_it_returns() -> None:
    @tenure.feature("age", memory=False)
    def age(frame: pd.DataFrame, than: int = 0) -> pd.Series:
        """How old."""
        return frame["carrier_size"] - than

    frame, _ = rows(50)
    assert age(frame, than=1).tolist() == (frame["carrier_size"] - 1).tolist()
    age(frame)
    assert age.__doc__ == "How old."
    cost = measuring.computed()["age"]
    assert (cost.calls, cost.rows, cost.memory_bytes, cost.traced) == (2, 100, None, False)


def test_blocks_within_blocks_have_their_own_peaks() -> None:
    with tenure.feature("outer"):
        big = np.zeros(3 * MEGABYTE, dtype=np.uint8)
        del big
        with tenure.feature("inner"):
            np.zeros(MEGABYTE, dtype=np.uint8)
    told = measuring.computed()
    assert 2.99 * MEGABYTE <= (told["outer"].memory_bytes or 0) < 3.2 * MEGABYTE
    assert 0.99 * MEGABYTE <= (told["inner"].memory_bytes or 0) < 1.2 * MEGABYTE


def test_a_block_that_fails_is_not_counted_and_its_error_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), tenure.feature("broken"):
        raise ZeroDivisionError
    assert measuring.computed() == {}


def test_threads_may_measure_at_once() -> None:
    def work() -> None:
        for _ in range(20):
            with tenure.feature("shared", rows=1):
                np.zeros(1000)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert measuring.computed()["shared"].calls == 80


def test_somebody_elses_tracing_goes_on() -> None:
    tracemalloc.start()
    try:
        with tenure.feature("wind"):
            pass
        assert tracemalloc.is_tracing()
        with tenure.feature("calm"):
            tracemalloc.stop()
        assert measuring.computed()["calm"].memory_bytes is None
    finally:
        tracemalloc.stop()


def test_what_cannot_be_measured_is_refused() -> None:
    async def later() -> None: ...

    with pytest.raises(InvalidInput, match="return what they compute"):
        tenure.feature("x")(later)
    with pytest.raises(InvalidInput, match="needs the name"):
        tenure.feature("")


# --- what the pipeline does ---


def test_every_column_has_its_share_and_importance_finds_the_signal() -> None:
    frame, y = rows()
    with tenure.feature("noise", rows=10), tenure.feature("elsewhere", rows=10):
        pass
    found = measure_features(pipeline().fit(frame, y), frame, y, rows=300, repeats=4, seed=9)
    known = by_name(found)
    assert list(known) == list(frame.columns)
    assert found.rows == 300
    assert found.method is not None
    assert (found.method.name, found.method.scoring, found.method.repeats, found.method.seed) == (
        "permutation",
        "roc_auc",
        4,
        9,
    )
    assert known["signal"].importance.low > 0.2
    assert known["noise"].importance.low <= 0.02
    assert known["carrier"].kind == "categorical"
    assert known["carrier"].preparing.columns == 1
    assert known["signal"].preparing.columns == 3
    assert all(one.preparing.wall_s > 0 and one.preparing.memory_bytes > 0 for one in found.features)
    assert known["noise"].computing.rows == 10
    assert any("elsewhere" in note for note in found.notes)
    assert any("share their importance" in note for note in found.notes)


def test_the_same_seed_gives_the_same_importances() -> None:
    frame, y = rows(200)
    model = pipeline().fit(frame, y)
    first, second, other = (measure_features(model, frame, y, rows=100, repeats=2, seed=seed) for seed in (1, 1, 2))
    worth = [[one.importance for one in found.features] for found in (first, second, other)]
    assert worth[0] == worth[1] != worth[2]


def test_without_outcomes_the_models_own_word_counts_by_column() -> None:
    frame, y = rows()
    linear = measure_features(pipeline().fit(frame, y), frame)
    assert linear.method is not None
    assert linear.method.name == "coefficients"
    worth = {name: one.importance.value for name, one in by_name(linear).items()}
    assert max(worth, key=lambda name: worth[name]) == "signal"
    assert set(worth) == set(frame.columns), "carrier_size is not taken for a level of carrier"
    forest = RandomForestClassifier(5, random_state=0)
    trees = measure_features(pipeline(forest).fit(frame, y), frame)
    assert trees.method is not None
    assert trees.method.name == "impurity"
    assert sum(one.importance.value for one in trees.features if one.importance) == pytest.approx(1.0)


def test_columns_that_are_prepared_together_share_equally() -> None:
    frame, y = rows()
    numbers = frame[["signal", "noise"]]
    columns = ColumnTransformer([("together", PCA(2), [0, 1])])
    found = measure_features(make_pipeline(columns, LogisticRegression()).fit(numbers, y), numbers)
    first, second = (one.preparing for one in found.features)
    assert first is not None
    assert second is not None
    assert first.wall_s == pytest.approx(second.wall_s)
    assert found.method is None
    assert any("nobody can tell of which column" in note for note in found.notes)


@pytest.mark.parametrize("chosen", ["signal", ["signal"], slice("signal", "signal"), [True, False, False, False], 0])
def test_columns_may_be_chosen_in_every_way_that_scikit_learn_takes(chosen: Any) -> None:
    frame, y = rows(50)

    class Doubled(StandardScaler):
        def fit(self, X: Any, y: Any = None) -> Any:
            return super().fit(np.asarray(X).reshape(len(X), -1), y)

        def transform(self, X: Any) -> Any:
            return super().transform(np.asarray(X).reshape(len(X), -1))

    model = make_pipeline(ColumnTransformer([("one", Doubled(), chosen)]), LogisticRegression()).fit(frame, y)
    assert [one.name for one in measure_features(model, frame).features if one.preparing] == ["signal"]


def test_an_estimator_without_a_pipeline_is_measured_by_importance_alone() -> None:
    frame, y = rows(100)
    found = measure_features(LinearRegression().fit(frame[["signal"]], y), frame[["signal"]], y)
    assert found.method is not None
    assert found.method.scoring == "r2"
    assert found.features[0].preparing is None


def test_a_model_that_fails_is_told_and_not_raised() -> None:
    class Broken:
        def fit(self, *_: Any) -> None: ...

        def predict(self, *_: Any) -> None:
            raise RuntimeError("no")

    frame, y = rows(20)
    found = measure_features(Broken(), frame, y)
    assert found.method is None
    assert any("could not be measured" in note for note in found.notes)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.zeros((3, 2)), None, "must be a pandas DataFrame"),
        (pd.DataFrame({"a": []}), None, "at least one row"),
        (pd.DataFrame({"a": [1, 2]}), [1], "Got 1 for 2"),
    ],
)
def test_a_sample_that_cannot_be_measured_on_is_refused(x: Any, y: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        measure_features(None, x, y)
