"""Runs of the real mlflow client tell where they came from, without a line about it in the training code."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tenure
from tenure.errors import InvalidInput
from tenure.sdk import datasets, environment, libraries, provenance, repository, seeds


def test_under_pytest_it_is_silent_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENURE_PROVENANCE", raising=False)
    assert not provenance.RunContext().in_context()
    monkeypatch.setenv("TENURE_PROVENANCE", "on")
    assert provenance.RunContext().in_context()
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.setenv("TENURE_PROVENANCE", "")
    assert provenance.RunContext().in_context()
    monkeypatch.setenv("TENURE_PROVENANCE", "No")
    assert not provenance.RunContext().in_context()


def test_whatever_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(repository, "code_now", fail)
    monkeypatch.setattr(libraries, "loaded", fail)
    told = provenance.tags()
    assert "tenure.environment.python" in told
    monkeypatch.setattr(environment, "machine", fail)
    monkeypatch.setattr(seeds, "seeds_now", fail)
    assert provenance.tags() == {}


def test_no_tag_is_longer_than_servers_keep() -> None:
    provenance.tags()
    began = time.perf_counter()
    told = provenance.tags()
    assert time.perf_counter() - began < 1.0  # a bound against another order of magnitude, not a measurement
    assert max(map(len, told.values())) <= 5000
    assert all(value == value.strip() for value in told.values())


@pytest.fixture
def unseeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "_set", [])


@pytest.mark.usefixtures("unseeded")
def test_a_seed_is_set_everywhere_and_told_by_the_runs_that_follow() -> None:
    assert "tenure.seed.value" not in provenance.tags()
    told = tenure.seed(42)
    drawn = (random.random(), np.random.random())
    assert told.libraries[:2] == ["random", "numpy"]
    tenure.seed(np.int64(42))
    assert (random.random(), np.random.random()) == drawn
    assert provenance.tags()["tenure.seed.value"] == "42"


@pytest.mark.usefixtures("unseeded")
@pytest.mark.parametrize("value", [-1, 2**32, 1.5, "42", None, True])
def test_what_is_no_seed_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        tenure.seed(value)
    assert "tenure.seed.value" not in provenance.tags()


def test_a_digest_covers_every_row_column_and_type() -> None:
    rows = 25_000
    frame = pd.DataFrame(
        {"a": np.arange(rows), "b": ["x"] * rows, "c": pd.date_range("2013", periods=rows, freq="min")}
    )
    seen = {datasets.table_digest(frame)[0]}
    late, name, kind, text = frame.copy(), frame.rename(columns={"a": "z"}), frame.astype({"a": float}), frame.copy()
    late.loc[rows - 1, "a"] = 0
    text.loc[rows - 1, "b"] = None
    for other in (late, name, kind, text, frame[["b", "a", "c"]], frame.iloc[:-1]):
        assert datasets.table_digest(other)[0] not in seen
        seen.add(datasets.table_digest(other)[0])
    assert datasets.table_digest(frame.set_index("b", drop=False))[0] in seen


def test_a_folder_has_the_digest_of_its_files_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("1")
    before, profile = datasets.path_digest(tmp_path)
    assert profile == {"size_bytes": 1, "files": 1}
    os.rename(tmp_path / "a" / "one", tmp_path / "a" / "two")
    assert datasets.path_digest(tmp_path)[0] != before


def test_data_that_is_not_there_or_has_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="file or a folder"):
        tenure.record_data(tmp_path / "nowhere.csv")
    with pytest.raises(InvalidInput, match="needs a name"):
        tenure.record_data({"a": [1]})
    with pytest.raises(InvalidInput, match="must be a DataFrame"):
        tenure.record_data(7, name="seven")
