"""Measurements of features as files that anybody may have written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tenure.build import features
from tenure.build.features import Measured
from tenure.errors import InvalidInput
from tenure.records.features import LARGEST_BYTES, PATH
from tenure.store.artifacts import ArtifactStore
from tenure.store.roots import Opened

GOOD = {
    "features": [
        {
            "name": "carrier",
            "preparing": {"wall_s": 0.1, "cpu_s": 0.1, "calls": 1, "rows": 100},
            "importance": {"value": 0.2, "low": 0.1, "high": 0.3},
        }
    ]
}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    return Opened(ArtifactStore(str(tmp_path)), "1/models/m")


def keep(opened: Opened, content: bytes) -> None:
    opened.store.write(opened.below(PATH), [content])


def changed(**more: Any) -> bytes:
    return msgspec.json.encode({**GOOD, "features": [{**GOOD["features"][0], **more}]})


def test_what_was_logged_is_read(opened: Opened) -> None:
    assert features.read(opened) == Measured()
    keep(opened, msgspec.json.encode(GOOD))
    found = features.read(opened).found
    assert found is not None
    assert found.features[0].preparing is not None
    assert found.features[0].preparing.ms_per_1000_rows == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[]", "must be an object"),
        (b"{}", "'features' is required"),
        (b'{"features": [], "format": 2}', "must have the format 1. Got 2"),
        (b'{"features": {}}', "expected 'array'"),
        (b"[" * 100_000, "tenure/features.json"),
        (b'{"features": [{"name": ""}]}', "length >= 1"),
        (changed(preparing={"wall_s": -1, "cpu_s": 0, "calls": 1}), "features[0].preparing.wall_s"),
        (changed(importance={"value": 5, "low": 0.1, "high": 0.3}), "must lie within its interval"),
        (changed(importance={"value": "high"}), "expected 'float'"),
        (msgspec.json.encode({"features": GOOD["features"] * 2}), "Got 'carrier' twice"),
        (b'{"features": [{"name": "a", "importance": {"value": 1e999}}]}', "tenure/features.json"),
        (b'{"features": [{"name": "a", "importance": {"value": NaN}}]}', "must be JSON"),
        (b" " * (LARGEST_BYTES + 1), "may have 2,097,152 bytes"),
    ],
)
def test_nonsense_is_told_and_not_shown(opened: Opened, content: bytes, said: str) -> None:
    keep(opened, content)
    read = features.read(opened)
    assert read.found is None
    assert said in read.problem


@settings(max_examples=40)
@given(
    some.recursive(
        some.none() | some.booleans() | some.floats() | some.text(max_size=5),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(
                some.sampled_from(["name", "features", "importance", "value", "rows", "method"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    content = msgspec.json.encode({"features": [value], **(value if isinstance(value, dict) else {})})
    with contextlib.suppress(InvalidInput):
        assert len(features.checked(content).features) < 10


def test_a_file_that_is_not_the_one_that_was_registered_is_not_believed(opened: Opened) -> None:
    keep(opened, msgspec.json.encode(GOOD))
    assert "other content" in features.read(opened, expected="0" * 64).problem
    opened.store.delete([opened.below(PATH)])
    assert "is not there" in features.read(opened, expected="0" * 64).problem


def test_a_location_that_is_not_opened_tells_nothing() -> None:
    assert features.read(None) == Measured()
