"""The panel of an endpoint's accuracy has what the task has, and its segments lead to their rows."""

from __future__ import annotations

import msgspec

from tenure.records.measured import ClassConfusion, ErrorCounts, Measured
from tenure.store import windows
from tenure.store.ground import Ground
from tenure.web import small_pictures

from . import town
from .conftest import Client


def test_the_page_shows_measures_pictures_and_the_weakest_segments(pages: Client) -> None:
    text = pages.get(f"/endpoints/{town.MODEL}/accuracy").text
    assert "How good the answers were" in text
    assert "PR AUC" in text
    assert 'aria-label="Calibration curve"' in text
    assert 'aria-label="Confusion matrix"' in text
    assert "carrier is HA and temp is 25 or more" in text
    assert "Where it is weakest" in text
    assert "Half of those known had come after" in pages.get(f"/endpoints/{town.MODEL}/outcomes").text


def test_numbers_have_a_histogram_of_errors_and_no_curve(ground: Ground) -> None:
    town.fill(ground)
    client = Client(ground)
    errors = ErrorCounts(edges=[-2.0, 0.0, 2.0], counts=[3, 6])
    told = Measured(task="regression", outcomes=9, figures=[], errors=errors, zeros=4)
    with ground.database.reading() as tx:
        found = next(one for one in windows.search(tx, town.MODEL) if not one.provisional and one.role != "shadow")
    changed = msgspec.structs.replace(found, measured=told, confusion=None)
    ground.database.write(lambda tx: windows.put(tx, changed, town.NOW))
    text = client.get(f"/endpoints/{town.MODEL}/accuracy").text
    assert 'aria-label="Histogram of errors"' in text
    assert "4 outcomes of 0 have no percentage error" in text
    assert 'aria-label="ROC curve"' not in text


def test_pictures_lie_within_their_square() -> None:
    told = Measured(
        task="multiclass",
        outcomes=10,
        figures=[],
        confusion=ClassConfusion(labels=["a", "b"], counts=[[9, 1], [0, 0]]),
        errors=ErrorCounts(edges=[1.0, 2.0], counts=[0]),
    )
    drawn = small_pictures.pictures(told, None)
    assert drawn.matrix is not None
    assert [[one.shade for one in line] for line in drawn.matrix.cells] == [[9, 1], [0, 0]]
    assert (drawn.zero, drawn.errors[0].height) == (None, 0.0)
    assert small_pictures.pictures(None, None) == small_pictures.Pictures()
