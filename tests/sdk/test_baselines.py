from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys

import msgspec
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

import tenure
from tenure.errors import InvalidInput
from tenure.records.profiles import CategoricalProfile, NumericProfile, Profile
from tenure.sdk.baselines import profile_of
from tenure.stats import accuracy

ROWS = 1000


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "zeta": rng.normal(size=ROWS),
            "alpha": rng.integers(0, 1000, ROWS),
            "carrier": rng.choice(["UA", "AA", "B6"], ROWS),
            "delayed": rng.random(ROWS) < 0.3,
            "class": pd.Categorical(rng.integers(1, 4, ROWS)),
            "stops": pd.array([1, None] * (ROWS // 2), dtype="Int64"),
            "small": rng.normal(size=ROWS).astype(np.float32),
            "at": pd.date_range("2013-01-01", periods=ROWS, freq="h"),
            "empty": [None] * ROWS,
            "nan": [math.nan] * ROWS,
            "mixed": [1, "a"] * (ROWS // 2),
        }
    )


def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    score = rng.beta(2, 5, 800)
    return (rng.random(800) < score).astype(int), score


def test_columns_keep_their_order_and_are_counted_by_their_kind():
    profile = profile_of(frame())
    kinds = {
        name: "numeric" if isinstance(column, NumericProfile) else "categorical"
        for name, column in profile.columns.items()
    }
    assert list(kinds.items()) == [
        ("zeta", "numeric"),
        ("alpha", "numeric"),
        ("carrier", "categorical"),
        ("delayed", "categorical"),
        ("class", "categorical"),
        ("stops", "numeric"),
        ("small", "numeric"),
        ("at · moment", "numeric"),
        ("at · hour of week", "categorical"),
        ("empty", "categorical"),
        ("nan", "numeric"),
        ("mixed", "categorical"),
    ]
    assert profile.rows == ROWS
    assert sorted(profile.columns["delayed"].levels) == ["false", "true"]
    assert sorted(profile.columns["class"].levels) == ["1", "2", "3"]
    assert profile.columns["stops"].null_count == 500
    for column in profile.columns.values():
        infinite = (
            column.positive_infinity_count + column.negative_infinity_count if isinstance(column, NumericProfile) else 0
        )
        assert column.n + column.null_count + infinite == ROWS


def test_a_dict_of_lists_and_a_data_frame_have_one_profile():
    table = frame()
    as_dict = {name: table[name].tolist() for name in ("zeta", "alpha", "carrier", "delayed")}
    assert profile_of(as_dict).columns == profile_of(table[["zeta", "alpha", "carrier", "delayed"]]).columns


def test_a_vocabulary_is_frozen_at_1024_levels_and_the_others_are_known():
    values = [f"airport {row % 1500}" for row in range(6000)] + ["airport 1499"] * 10
    column = profile_of({"airport": values}).columns["airport"]
    assert isinstance(column, CategoricalProfile)
    assert len(column.levels) == 1024
    assert len(column.other_levels) == 476
    assert column.levels[0] == "airport 1499"
    assert column.new_count == 0


def test_the_scores_of_positives_and_negatives_share_the_bins_of_all_scores():
    y, score = scored()
    profile = profile_of(frame(), y, score)
    parts = (profile.score_of_positives, profile.score_of_negatives)
    assert all(part.edges == profile.score.edges and part.points == profile.score.points for part in parts)
    added = np.array(parts[0].counts) + parts[1].counts
    assert added.tolist() == profile.score.counts
    assert len(profile.score.counts) == 256


def test_a_version_is_judged_on_the_rows_it_is_given():
    y, score = scored()
    judged = profile_of(frame(), y, score, value=np.where(y == 1, 2.0, -1.0)).judged
    assert (judged.rows, judged.positives) == (800, y.sum())
    assert judged.roc_auc == pytest.approx(sklearn.metrics.roc_auc_score(y, score))
    assert judged.brier == pytest.approx(sklearn.metrics.brier_score_loss(y, score))
    assert (judged.roc_auc_low, judged.roc_auc_high) == accuracy.roc_auc_interval(y, score)[1:3]
    assert judged.value_per_row == pytest.approx(3 * y.mean() - 1)


@pytest.mark.parametrize("form", ["one by one", "tuple", "dict", "two columns", "series"])
def test_scores_may_be_given_in_several_forms(form):
    y, score = scored()
    expected = profile_of(frame(), y, score)
    given = {
        "one by one": lambda: profile_of(frame(), y=y.tolist(), score=score.tolist()),
        "tuple": lambda: profile_of(frame(), holdout=(y, score)),
        "dict": lambda: profile_of(frame(), holdout={"y": y.astype(bool), "score": score}),
        "two columns": lambda: profile_of(frame(), y, np.column_stack((1 - score, score))),
        "series": lambda: profile_of(frame(), pd.Series(y), pd.Series(score)),
    }[form]()
    assert given == expected


def test_rows_without_an_outcome_are_scored_but_not_judged():
    y, score = scored()
    known = y.astype(float)
    known[:100] = np.nan
    profile = profile_of(frame(), known, score)
    assert profile.judged.rows == 700
    assert profile.score.n == 800
    assert profile_of(frame(), score=score).judged is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"y": [0, 1]}, "need the score"),
        ({"y": [0, 1], "score": [0.1, 1.2]}, "between 0 and 1. Got 1.2"),
        ({"y": [0, 1, 1], "score": [0.1, 0.2]}, "Got 3 for 2"),
        ({"y": [1, 1], "score": [0.1, 0.2]}, "y must hold both 0 and 1"),
        ({"y": ["late", "on time"], "score": [0.1, 0.2]}, "Got 0 known outcomes"),
        ({"y": [0, 2], "score": [0.1, 0.2]}, "y must be 0 or 1"),
        ({"y": [0, 1], "score": [0.1, 0.2], "holdout": ([0, 1], [0.1, 0.2])}, "not both"),
        ({"holdout": [1]}, "holdout must be"),
        ({"score": np.ones((2, 3, 1))}, "Got shape (2, 3, 1)"),
    ],
)
def test_what_cannot_judge_is_refused(given, said):
    with pytest.raises(InvalidInput) as refused:
        profile_of({"a": [1.0]}, **given)
    assert said in refused.value.message


def test_a_table_of_one_row_of_none_and_of_infinities_has_a_profile():
    for values in ([1.0], [], [math.inf, -math.inf, math.nan], [dt.date(2013, 1, 1)]):
        profile = profile_of({"a": values, "b": ["x"] * len(values)})
        assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


def test_a_profile_survives_the_wire_unchanged():
    profile = profile_of(frame(), *scored())
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


def test_importing_tenure_loads_nothing_heavy():
    code = "import sys, tenure; tenure.Client; print(sorted({'numpy', 'scipy', 'pandas', 'httpx'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_package_names_what_it_has():
    assert dir(tenure) == ["Client", "__version__", "feature", "log_baseline", "log_features", "record_data", "seed"]
    with pytest.raises(AttributeError, match="no attribute 'log_metric'"):
        tenure.log_metric  # noqa: B018 - the access is the test


def test_scores_of_every_kind_are_counted_with_what_became_of_them():
    rng = np.random.default_rng(5)
    table = {"a": rng.normal(size=500)}
    y = rng.gamma(2, 10, 500)
    predicted = y + rng.normal(size=500)
    regression = profile_of(table, y, predicted, outcome="regression")
    assert regression.errors is not None
    assert regression.errors.size.mean == pytest.approx(sklearn.metrics.mean_absolute_error(y, predicted))
    assert (regression.judged, regression.score_of_positives) == (None, None)
    chances = rng.dirichlet([1, 1, 1], 500)
    truth = rng.integers(0, 3, 500)
    several = profile_of(table, truth, chances)
    assert several.outcome == "multiclass"
    matrix = sklearn.metrics.confusion_matrix(truth, np.argmax(chances, axis=1))
    assert [one.said_where for one in several.classes] == matrix.T.tolist()
    assert [one.score_where_true.n for one in several.classes] == np.bincount(truth).tolist()
    ranked = profile_of(table, (y > 20).astype(int), predicted, outcome="ranking")
    assert ranked.judged is None
    assert ranked.score_of_positives.n == (y > 20).sum()
    assert profile_of(table).outcome == "none"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"score": np.eye(3), "y": ["a", "b", "c"]}, "classes 0, 1, 2. Got 'a'"),
        ({"score": np.eye(3), "classes": ["a", "a", "b"]}, "all differently"),
        ({"score": [3.0, 4.0], "outcome": "likely"}, "Got 'likely'"),
        ({"score": [3.0, 4.0], "y": [0, 2], "outcome": "ranking"}, "y must be 0 or 1"),
        ({"score": [3.0, 4.0]}, "outcome='regression'"),
    ],
)
def test_scores_that_do_not_fit_their_kind_are_refused(given, said):
    with pytest.raises(InvalidInput) as refused:
        profile_of({"a": [1.0, 2.0]}, **given)
    assert said in str(refused.value)


def test_free_texts_may_be_named_and_durations_are_left_out():
    table = pd.DataFrame({"note": ["late", "on time"] * 100, "took": pd.to_timedelta([5] * 200, unit="min")})
    assert set(profile_of(table).columns) == {"note"}
    assert {column.of for column in profile_of(table, texts=["note"]).columns.values()} == {"note"}
