from __future__ import annotations

import pytest

from tenure.records.provenance import PREFIXES, provenance_of
from tenure.web.provenance import panel, sentence

from .conftest import Client

COMMIT = "abc1234567" * 4


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({}, "The client told nothing about where it came from."),
        ({"code.commit": COMMIT, "code.dirty": "false"}, "From commit abc1234567, nothing uncommitted."),
        ({"code.commit": COMMIT, "environment.python": "3.12.1"}, "From commit abc1234567, Python 3.12.1."),
        ({"code.path": "train.py", "code.dirty": "true"}, "From train.py, not committed."),
        ({"code.path": "train.py", "seed.value": "0"}, "From train.py, no commit known, seed 0."),
        ({"code.kind": "session"}, "No commit known."),
    ],
)
def test_a_sentence_says_what_is_known_and_no_more(tags: dict[str, str], said: str) -> None:
    assert sentence(provenance_of({f"tenure.{key}": value for key, value in tags.items()})) == said


def test_packages_that_are_not_exact_are_named() -> None:
    from tenure.records.provenance import parts_of

    tags = parts_of(["a==1", "b==2 @ editable", "c==3 @ repository"], f"{PREFIXES[1]}packages")
    assert [one.name for one in panel(provenance_of(tags)).loose] == ["b"]


def test_a_version_says_where_it_came_from(pages: Client) -> None:
    text = pages.get("/models/flight-delay/versions/1").text
    assert "nothing uncommitted, Python 3.11.7, 63 packages, seed 42." in text
    assert "flights.git" in text
    assert "libstdc++" in text
    assert "Not exact" not in text
    assert "the version of flights does not say" in pages.get("/models/flight-delay/versions/2").text
