"""Tables beside each other, read from files in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidInput, NotFound
from tenure.monitor import comparing
from tenure.records.comparisons import ColumnComparison, Comparison
from tenure.records.profiles import Profile
from tenure.sdk import tables
from tenure.sdk.baselines import profile_of

ROWS = 3000


def frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "temp": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(size=rows)),
            "price": rng.lognormal(0, 1.5, rows).astype(np.float32),
            "stops": rng.integers(0, 4, rows),
            "carrier": rng.choice(["UA", "AA", "B6"], rows),
            "late": rng.random(rows) < 0.3,
            "note": [f"flight {seed}-{row} was {'very ' * (row % 5)}late" for row in range(rows)],
            "at": pd.date_range("2013-01-01", periods=rows, freq="3h"),
            "empty": pd.Series([None] * rows, dtype=object),
        }
    )


def written(folder: Path, table: pd.DataFrame, name: str, **how: Any) -> Path:
    path = folder / name
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, **how)
    return path


def compared(folder: Path, before: pd.DataFrame, after: pd.DataFrame, kind: str = "parquet") -> Comparison:
    known = comparing.reference_of(written(folder, before, f"before.{kind}"))
    return comparing.compare(known, written(folder, after, f"after.{kind}"))


def by_name(found: Comparison) -> dict[str, ColumnComparison]:
    return {one.column: one for one in found.columns}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_nothing_is_found_where_nothing_happened(tmp_path: Path, kind: str) -> None:
    found = compared(tmp_path, frame(1), frame(2), kind)
    assert {one.column: one.state for one in found.columns if one.state != "ok"} == {}
    assert not found.has_drifted()
    assert len(found.columns) == 6 + 5 + 2 - 0 if kind == "parquet" else True
    assert (found.rows, found.rows_reference) == (ROWS, ROWS)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_what_moved_is_found_and_only_that(tmp_path: Path, kind: str) -> None:
    after = frame(2).assign(temp=lambda it: it.temp + 1, carrier=lambda it: np.where(it.stops == 0, "XX", it.carrier))
    columns = by_name(compared(tmp_path, frame(1), after, kind))
    assert {name for name, one in columns.items() if one.state == "drift"} == {"temp", "carrier"}
    assert columns["temp"].ks == pytest.approx(0.38, abs=0.03)
    assert columns["carrier"].new_level_share == pytest.approx(0.25, abs=0.03)
    assert columns["at · moment"].told == "not judged: time always moves on"


def test_a_file_read_in_parts_and_a_frame_in_memory_have_one_profile(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 700)
    path = written(tmp_path, frame(1), "rows.parquet", row_group_size=900)
    from_file, from_memory = tables.profile_of_file(path), profile_of(frame(1))
    assert from_file.columns == from_memory.columns
    assert (from_file.reference.kind, from_file.reference.name) == ("artifact", "rows.parquet")
    assert len(from_file.reference.sha256) == 64


def test_a_large_file_is_cut_on_a_sample_and_counted_whole(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tables, "SAMPLE", 500)
    monkeypatch.setattr(tables, "BATCH_ROWS", 700)
    profile = tables.profile_of_file(written(tmp_path, frame(1), "rows.parquet"))
    assert profile.rows == ROWS
    for column in profile.columns.values():
        assert column.n + column.null_count == ROWS
    found = comparing.compare(profile, written(tmp_path, frame(2), "after.parquet"))
    assert not found.has_drifted()


def test_csv_and_parquet_of_the_same_rows_are_alike(tmp_path: Path) -> None:
    known = comparing.reference_of(written(tmp_path, frame(1), "before.parquet"))
    found = comparing.compare(known, written(tmp_path, frame(1), "same.csv"))
    assert {one.column: one.told for one in found.columns if one.psi > 1e-4 or one.state == "breach"} == {}


def test_every_way_to_break_the_schema_is_told_and_none_crashes(tmp_path: Path) -> None:
    after = frame(2).assign(
        temp=lambda it: it.temp.astype(str),
        stops=lambda it: pd.to_datetime(it.stops, unit="D"),
        carrier=lambda it: it.late,
        late="yes",
        at=1.5,
        fresh=1,
    )
    found = compared(tmp_path, frame(1), after.drop(columns=["price"]))
    columns = by_name(found)
    told = {name: one.told for name, one in columns.items() if one.state == "breach"}
    assert told == {
        "temp": "it held numbers, and now holds texts",
        "price": "the column is gone",
        "stops": "it held numbers, and now holds moments",
        "carrier": "it held texts, and now holds true or false",
        "late": "it held true or false, and now holds texts",
        "at · moment": "it held moments, and now holds numbers",
        "at · hour of week": "it held moments, and now holds numbers",
    }
    assert found.added == ["fresh"]
    assert found.has_drifted()


def test_one_stray_value_in_a_csv_is_a_missing_value_and_many_are_a_breach(tmp_path: Path) -> None:
    known = comparing.reference_of(written(tmp_path, frame(1), "before.csv"))
    stray = frame(2)["stops"].astype(object)
    stray[17] = "?"
    one = by_name(comparing.compare(known, written(tmp_path, frame(2).assign(stops=stray), "one.csv")))["stops"]
    assert (one.state, one.wrong_type_share) == ("ok", pytest.approx(1 / ROWS))
    stray[::10] = "?"
    many = by_name(comparing.compare(known, written(tmp_path, frame(2).assign(stops=stray), "many.csv")))["stops"]
    assert (many.state, many.told) == ("breach", "10.0% of its values are no numbers any more")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("all missing", [None] * 500),
        ("constant", [3.0] * 500),
        ("infinite", [float("inf"), float("-inf"), 1.0, 2.0] * 125),
        ("a million levels", [f"{row}" for row in range(500)]),
        ("huge", [1e308, -1e308] * 250),
    ],
)
def test_odd_columns_are_compared_with_themselves_and_others(tmp_path: Path, name: str, values: list[Any]) -> None:
    odd, usual = pd.DataFrame({"x": values}), pd.DataFrame({"x": np.random.default_rng(1).normal(size=500)})
    [same] = compared(tmp_path, odd, odd).columns if name != "a million levels" else [None]
    if same is not None:
        assert (same.state, same.psi) == ("ok", 0.0)
    for before, after in ((odd, usual), (usual, odd)):
        for one in compared(tmp_path, before, after).columns:
            assert all(np.isfinite([one.psi, one.p_value, one.q_value, one.chi_squared, one.cramers_v]))


def test_too_few_rows_are_no_drift_and_no_rows_are_refused(tmp_path: Path) -> None:
    [few] = compared(tmp_path, pd.DataFrame({"x": range(1000)}), pd.DataFrame({"x": [9e9] * 50})).columns
    assert few.state == "not_enough_data"
    with pytest.raises(InvalidInput, match="no rows"):
        compared(tmp_path, pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [1.0]}).head(0))
    with pytest.raises(InvalidInput, match="no rows"):
        compared(tmp_path, pd.DataFrame({"x": [1.0]}).head(0), pd.DataFrame({"x": [1.0]}))


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "broken.json").write_text("{}")
    for name, said in (
        ("broken.parquet", "cannot be read"),
        ("broken.json", "no stored profile"),
        ("a.txt", "must be"),
    ):
        with pytest.raises(InvalidInput, match=said):
            comparing.reference_of(tmp_path / name)
    with pytest.raises(NotFound, match="There is no file"):
        comparing.reference_of(tmp_path / "gone.parquet")
    with pytest.raises(InvalidInput, match="no column 'other'"):
        comparing.reference_of(written(tmp_path, frame(1, 10), "few.parquet"), ["other"])


def test_a_stored_reference_says_what_the_file_said(tmp_path: Path) -> None:
    path = written(tmp_path, frame(1), "before.parquet")
    (tmp_path / "before.json").write_bytes(msgspec.json.encode(tables.profile_of_file(path)))
    after = written(tmp_path, frame(2), "after.parquet")
    found = [
        comparing.compare(comparing.reference_of(tmp_path / name), after) for name in ("before.parquet", "before.json")
    ]
    assert found[0] == found[1]
    chosen = comparing.reference_of(tmp_path / "before.json", ["note", "stops"])
    assert isinstance(chosen, Profile)
    assert chosen.names() == {"note", "stops"}


def test_false_alarms_stay_within_the_level(tmp_path: Path) -> None:
    """Without an effect floor, over 60 columns: of all columns tested at q < 0.05, none or almost none."""
    rng = np.random.default_rng(11)
    before, after = (pd.DataFrame({f"x{i}": rng.normal(size=500) for i in range(60)}) for _ in range(2))
    known = comparing.reference_of(written(tmp_path, before, "before.parquet"))
    found = comparing.compare(known, written(tmp_path, after, "after.parquet"), psi_floor=0.0)
    assert sum(one.state == "drift" for one in found.columns) <= 1
    assert 0 < sum(one.p_value < 0.2 for one in found.columns) < 30
