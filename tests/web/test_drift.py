"""The page about drift: the worst first, sortable, every statistic in words and figures."""

from __future__ import annotations

import re

import msgspec
import pytest

from tenure.web.drift import HEIGHT, SHOWN, SORTS, panel, picture

from . import samples
from .conftest import Client

PAGE = "/endpoints/flight-delay/drift"


def test_the_worst_column_comes_first_and_headings_sort() -> None:
    report = samples.make_drift_report()
    assert [one.column.column for one in panel(report).lines] == ["temp", "humid"]
    assert [one.column.column for one in panel(report, sort="column", down=False).lines] == ["humid", "temp"]
    assert [one.column.column for one in panel(report, sort="psi", down=False).lines] == ["humid", "temp"]
    assert set(panel(report).headings) == set(SORTS)
    assert panel(report, "season").lines == []
    assert panel(report, "yesterday").comparison.against == "training"


def test_a_picture_has_both_shares_on_one_scale() -> None:
    first, second = picture([50, 50], [0, 30])
    assert (first.height, first.line) == (HEIGHT / 2, HEIGHT)
    assert (second.height, second.line) == (HEIGHT / 2, 0.0)
    assert picture([], []) == []
    assert picture([0, 0], [0, 0]) == []


def test_a_page_tells_every_statistic_of_every_column(pages: Client) -> None:
    page = pages.get(f"{PAGE}?all=true").text
    for words in ("Population stability index", "Kolmogorov–Smirnov", "Moved: the mean went from 55 to 71.", "27,004"):
        assert words in page
    assert "Weighted by importance" in page
    assert "temp (60)" in page
    assert "10.00 %" in page
    assert "Outside 12 to 100" in page
    assert "A classifier tells rows apart" in page
    assert re.search(r'aria-sort="descending"><a href="[^"]*sort=psi', pages.get(f"{PAGE}?sort=psi").text)
    season = pages.get(f"{PAGE}?against=season").text
    assert "There is no past window" in season


def test_the_tab_shows_the_worst_and_leads_to_the_rest(pages: Client) -> None:
    page = pages.get(PAGE).text
    assert "Drift by column" in page
    assert f"{PAGE}/charts/" not in page
    assert "/endpoints/flight-delay/charts/drift" in page
    assert "Population stability index" not in page
    led = re.search(r'href="([^"]+)">Every statistic', page)
    assert led is not None
    rest = pages.get(led[1].partition("#")[0].replace("&amp;", "&")).text
    assert "Population stability index" in rest
    assert "/endpoints/flight-delay/charts/columns" in rest


def test_all_columns_are_shown_when_asked_for() -> None:
    report = samples.make_drift_report()
    chosen = report.comparisons[0]
    many = [msgspec.structs.replace(chosen.columns[0], column=f"c{number}") for number in range(SHOWN + 3)]
    report = msgspec.structs.replace(report, comparisons=[msgspec.structs.replace(chosen, columns=many)])
    assert (len(panel(report).lines), panel(report).more) == (SHOWN, 3)
    assert (len(panel(report, every=True).lines), panel(report, every=True).more) == (SHOWN + 3, 0)


@pytest.mark.parametrize("query", ["?start_at=1", "?version=77", "?role=shadow"])
def test_a_window_that_was_not_compared_is_not_found(pages: Client, query: str) -> None:
    assert pages.get(f"{PAGE}{query}").status_code == 404
