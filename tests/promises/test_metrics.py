"""The page of metrics tells of every metric there is, and the dashboard asks for none that is not."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.promises.write_docs import ROOT

NAME = re.compile(r"\btenure_[a-z_]+\b")
TOLD = ("tenure/serving/metrics.py", "tenure/api/metrics.py")
SERIES = re.compile(r"_(bucket|sum|count)$")


def made() -> set[str]:
    return {name for file in TOLD for name in re.findall(r'"(tenure_[a-z_]+)"', (ROOT / file).read_text())}


def dashboard() -> Any:
    return json.loads((ROOT / "docs" / "grafana.json").read_text())


def asked() -> set[str]:
    board = dashboard()
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in board["templating"]["list"]]
    return {name for query in queries for name in NAME.findall(query)}


def test_every_metric_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert len(made()) > 20
    assert set(NAME.findall(page)) == made()


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    known = made()
    wanted = {name if name in known else SERIES.sub("", name) for name in asked()}
    assert wanted <= known
    assert known <= wanted, "each is shown"


def test_panels_have_places_of_their_own() -> None:
    board = dashboard()
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
