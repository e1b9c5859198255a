from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tenure.stats.measures import HOURS, is_free, moment_measures, moments_of, text_measures


def test_measures_of_texts_know_no_language() -> None:
    texts = ["Straße 12, 3. Stock", "配送が遅れている", "доставка №5", "🙂🙂", "   ", ""]
    told = text_measures(texts)
    for row, text in enumerate(texts):
        whole = max(len(text), 1)
        assert told["length"][row] == len(text)
        assert told["words"][row] == len(text.split())
        assert told["letters"][row] == pytest.approx(sum(map(str.isalpha, text)) / whole)
        assert told["digits"][row] == pytest.approx(sum(map(str.isdecimal, text)) / whole)
        others = sum(not (c.isalpha() or c.isdecimal() or c.isspace()) for c in text)
        assert told["marks"][row] == pytest.approx(others / whole)


def test_every_way_of_writing_a_moment_is_the_same_moment() -> None:
    moment = dt.datetime(2013, 2, 1, 5, 30, tzinfo=dt.UTC)
    at = int(moment.timestamp() * 1e6)
    naive = moment.replace(tzinfo=None)
    forms = [
        moment,
        naive,
        moment.isoformat(),
        "2013-02-01T06:30:00+01:00",
        at,
        pd.Timestamp(moment),
        np.datetime64(naive),
    ]
    assert moments_of(forms).tolist() == [at] * len(forms)
    assert moments_of(np.array([naive], "datetime64[ns]")).tolist() == [at]
    assert moments_of([None, pd.NaT, "late", 1.5, True]).tolist() == [None] * 5


@pytest.mark.parametrize("form", ["array", "list"])
def test_hours_of_the_week_are_those_of_the_calendar(form: str) -> None:
    moments = pd.date_range("1969-12-28", periods=400, freq="37h")
    given = moments.to_numpy() if form == "array" else [moment.isoformat() for moment in moments]
    told = list(moment_measures(given)["hour of week"])
    assert told == [HOURS[moment.weekday() * 24 + moment.hour] for moment in moments]
    missing = moment_measures(np.array(["NaT", "2013-01-01"], "datetime64[us]"))
    assert missing["hour of week"].tolist() == [None, "Tue 00"]
    assert np.isnan(missing["moment"][0])


def test_a_few_texts_or_many_that_repeat_are_not_free() -> None:
    assert not is_free([f"note {row}" for row in range(50)])
    assert not is_free([f"airport {row % 1500}" for row in range(6000)])
    assert is_free([f"airport {row % 1500}" for row in range(2000)])
    assert not is_free([None] * 500)
