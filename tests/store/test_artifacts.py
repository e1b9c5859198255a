"""A client's path is a key below the root, or it is refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import InvalidInput, NotFound
from tenure.store.artifacts import ArtifactStore, safe_key

TRICKS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "a/..",
    "a/../b",
    "a//b",
    "a/./b",
    "a\\b",
    "C:/x",
    "a\x00b",
    "a\nb",
    "a?b",
    "a#b",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("encodings", [0, 1, 2])
def test_a_path_with_a_trick_in_it_is_refused(path: str, encodings: int) -> None:
    for _ in range(encodings):
        path = quote(path, safe="")
    with pytest.raises(InvalidInput):
        safe_key(path)


@given(st.text(max_size=40))
def test_whatever_is_let_through_stays_below_the_root(path: str) -> None:
    try:
        key = safe_key(path)
    except InvalidInput:
        return
    root = Path("/root/of/all")
    assert (root / key).resolve().is_relative_to(root)


def test_a_file_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    content = bytes(range(256)) * 20_000
    size, digest = store.write(
        "a/b/c.bin", (content[start : start + 70_000] for start in range(0, len(content), 70_000))
    )
    assert size == len(content)
    assert store.sha256("a/b/c.bin") == (size, digest)
    assert b"".join(store.read("a/b/c.bin")) == content
    assert [file.key for file in store.files("a")] == ["a/b/c.bin"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no artifact 'x/y'"):
        ArtifactStore(str(tmp_path)).read("x/y")
