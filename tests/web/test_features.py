from __future__ import annotations

import re

import msgspec
import pytest

from tenure.build import datasets, logged_models, runs
from tenure.records.features import Cost, FeatureRow, FeatureTable, Importance
from tenure.records.tracking import ModelOutput
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.features import SORTS, panel

from . import samples, town
from .conftest import Client

VERSION = "/models/flight-delay/versions/1"


def row(name: str, worth: tuple[float, float, float] | None = None, ms: float | None = None) -> FeatureRow:
    cost = None if ms is None else Cost(wall_s=ms / 1000, cpu_s=0.0, calls=1, rows=1000, memory_bytes=int(ms))
    importance = None if worth is None else Importance(low=worth[0], value=worth[1], high=worth[2])
    return FeatureRow(
        name=name,
        kind="numeric",
        available=None,
        at_scoring=None,
        source=None,
        freshness_minutes=None,
        forbidden_because="",
        computing=None,
        preparing=cost,
        importance=importance,
    )


ROWS = [row("b", (-0.1, 0.0, 0.1), 5.0), row("a", (0.1, 0.2, 0.3), 1.0), row("c")]


@pytest.mark.parametrize(
    ("sort", "down", "names"),
    [
        ("", True, "abc"),
        ("importance", False, "bac"),
        ("time", True, "bac"),
        ("memory", False, "abc"),
        ("name", False, "abc"),
        ("available", True, "bac"),
        ("nonsense", True, "abc"),
    ],
)
def test_it_is_sorted_as_asked_and_what_is_not_known_comes_last(sort: str, down: bool, names: str) -> None:
    made = panel(FeatureTable(features=ROWS, sentence=""), "/x", sort, down)
    assert "".join(line.row.name for line in made.lines) == names


def test_bars_share_one_scale_from_zero() -> None:
    made = panel(FeatureTable(features=ROWS, sentence=""), "/x")
    first, second, third = (line.bar for line in made.lines)
    assert first is not None
    assert second is not None
    assert (made.zero, first.x, first.width, first.low, first.high) == (25.0, 25.0, 50.0, 50.0, 100.0)
    assert (second.x, second.width, second.low, second.high) == (25.0, 0.0, 0.0, 50.0)
    assert third is None
    assert set(made.headings) == set(SORTS)


def test_a_table_without_anything_measured_has_no_bars() -> None:
    made = panel(FeatureTable(features=[row("a")], sentence=""), "/x")
    assert (made.zero, made.has_costs, made.lines[0].time) == (0.0, False, "–")


def test_a_version_shows_its_features_side_by_side(pages: Client) -> None:
    text = pages.get(VERSION).text
    assert "wind_speed&#39; and &#39;origin&#39; take 99% of the time" in text
    assert "the roc_auc of 0.742 falls when a column" in text
    assert "≤ 93 ms" in text
    assert "It was measured after" not in text
    assert "not declared" in text or "yes" in text
    table = text[text.index('id="features"') :]
    assert table.index(">sched_hour<") < table.index(">temp<") < table.index(">humid<")
    link = re.search(r'href="([^"]+sort=time[^"]*)"', text)
    assert link is not None
    by_time = pages.get(link[1].replace("&amp;", "&").partition("#")[0]).text
    table = by_time[by_time.index('id="features"') :]
    assert table.index("wind_speed") < table.index(">temp<")
    assert 'aria-sort="descending"' in table


def test_a_version_of_which_nothing_was_measured_says_how(pages: Client) -> None:
    assert "tenure.log_features(" in pages.get("/models/flight-delay/versions/3").text


def test_a_run_shows_the_features_of_the_model_that_it_logged(ground: Ground) -> None:
    measured = msgspec.json.encode(samples.make_features())

    def make(tx: Transaction) -> str:
        run_id = runs.create(tx, "0", name="forest", user_id="ann", start_time=1, tags=[], now=town.NOW).info.run_id
        for name, content in (("bare", None), ("measured", measured), ("broken", b"{")):
            model = logged_models.create(
                tx, "0", name=name, model_type=None, source_run_id=run_id, params=[], tags=[], now=town.NOW
            )
            opened = ground.opened(model.info.artifact_uri)
            assert opened is not None
            if content is not None:
                opened.store.write(opened.below("tenure/features.json"), [content])
            datasets.log_outputs(tx, run_id, [ModelOutput(model_id=model.info.model_id, step=len(models))])
            models.append(model.info.model_id)
        return run_id

    models: list[str] = []
    path = f"/runs/{ground.database.write(make)}"
    text = Client(ground).get(path).text
    assert "What was measured cannot be shown" in text, "the model that was logged last"
    ground.database.write(lambda tx: logged_models.delete(tx, models[-1], by="ann", now=town.NOW))
    text = Client(ground).get(path).text
    assert "the roc_auc of 0.742 falls when a column" in text
    assert f"{path}?sort=time" in text
