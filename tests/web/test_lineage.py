"""Pages of lineage and impact: drawn and listed, linked, marked, safe, and honest about what is missing."""

from __future__ import annotations

import html
import re

import pytest

from tenure.manage import lineage
from tenure.manage.lineage_nodes import node_of
from tenure.records.lineage import Edge, Lineage, Node, NodeInfo
from tenure.store import model_versions, releases
from tenure.store.ground import Ground
from tenure.web.lineage_picture import HEIGHT, MARGIN, WIDTH, picture

from ..manage import chain
from ..manage.chain import DATASET, NOW, Chain
from ..manage.test_impact import ACCEPTED, open_
from .conftest import Client

EVIL = "<script>alert(1)</script>\"' onload='x"
PAGES = [
    "/models/fraud/versions/1/lineage",
    "/models/fraud/versions/1/lineage?direction=up",
    "/lineage/dataset/loans%40a1b2",
    "/lineage/model/fraud",
    "/lineage/endpoint/fraud-live?direction=down",
    "/impact",
    "/impact?kind=version&id=fraud/1",
    "/impact?kind=column&id=risk",
    "/impact?kind=package&id=numpy%3C2.1",
    "/models/fraud/versions/1",
]


@pytest.fixture
def pages(ground: Ground) -> Client:
    Chain(ground)
    return Client(ground)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_well_made(pages: Client, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("<h1>") == 1
    assert not re.search(r"<[^>]+\sstyle=", answer.text), "an inline style is refused by the policy"
    assert not re.search(r"<(img|svg)(?![^>]*(alt=|aria-))[^>]*>", answer.text), "a picture without words"
    if not path.endswith("/versions/1"):
        assert "None" not in re.sub(r"<[^>]+>", " ", answer.text)


def test_the_picture_marks_where_one_is_and_links_to_the_rest(pages: Client) -> None:
    text = pages.get("/models/fraud/versions/1/lineage").text
    assert len(re.findall(r'class="box here"', text)) == 1
    for path in (
        "/models/credit/versions/1",
        "/endpoints/credit-live",
        "/lineage/dataset/loans%40a1b2",
        "/retraining/",
    ):
        assert f'href="{path}' in text
    listed = text[text.index("What led to it</h2>") :]
    assert "gives its score to version credit 1" not in listed
    assert "version fraud 1 gives its score to (high)" in listed
    led = pages.get("/models/fraud/versions/1/lineage?direction=up").text
    assert "What came of it</h2>" not in led


def test_what_has_ended_is_dimmed(ground: Ground, pages: Client) -> None:
    ground.database.write(lambda tx: releases.end(tx, "r-fraud-1-champion", chain.Instant(NOW + 10)))
    text = pages.get("/models/fraud/versions/1/lineage").text
    assert 'class="box ended"' in text
    assert 'class="way ended"' in text


def test_the_version_page_shows_the_nearest_and_where_the_rest_is(pages: Client) -> None:
    text = pages.get("/models/fraud/versions/1").text
    assert 'class="box here"' in text
    assert 'href="/models/fraud/versions/1/lineage"' in text
    assert 'href="/impact?kind=version&amp;id=fraud%2F1"' in text


def test_impact_says_why(pages: Client) -> None:
    text = html.unescape(pages.get("/impact?kind=version&id=fraud/1").text)
    assert "If version fraud 1 goes" in text
    assert "version fraud 1 → gives its score to (high) version credit 1 → in service as champion → serves" in text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/impact?kind=wheel&id=x", 400, "The kind must be one of"),
        ("/impact?kind=version&id=", 400, "must not be empty"),
        ("/impact?kind=version&id=fraud/99", 404, "There is no version"),
        ("/impact?kind=package&id=numpy%3C%3C2", 400, "must read numpy"),
        ("/lineage/wheel/x", 400, "must be one of dataset"),
        ("/models/fraud/versions/77/lineage", 404, "There is no version"),
        ("/models/fraud/versions/1/lineage?direction=sideways", 400, ""),
    ],
)
def test_what_cannot_be_shown_is_said(pages: Client, path: str, status: int, says: str) -> None:
    answer = pages.get(path)
    assert (answer.status_code, says in html.unescape(answer.text)) == (status, True)


def test_the_page_of_a_change_shows_what_was_decided(ground: Ground, pages: Client) -> None:
    decided = open_(ground, "retire", decisions=ACCEPTED)
    text = pages.get(f"/changes/{decided.change_id}").text
    assert "endpoint:fraud-live" in text
    assert "Decided one by one" in text
    emergency = open_(ground, "suspend", accept="all")
    assert "Accepted all at once, in an emergency, by ann" in pages.get(f"/changes/{emergency.change_id}").text


def test_names_of_others_are_words_only(ground: Ground) -> None:
    made = Chain(ground)

    def named(tx: chain.Transaction) -> None:
        run_id = chain.run(tx, "0", EVIL)
        data = chain.Dataset(name=EVIL, digest="a/b", source_type="local", source="{}")
        chain.datasets.log_inputs(tx, run_id, [chain.DatasetInput(dataset=data, tags=[])], [])
        chain.version(tx, "fraud", run_id=run_id)

    ground.database.write(named)
    text = Client(ground).get("/models/fraud/versions/3/lineage").text
    assert "<script>alert(1)" not in text
    assert "' onload='" not in text
    link = re.search(r'href="(/lineage/dataset/[^"]+)"', text)
    assert link is not None
    assert Client(ground).get(html.unescape(link[1])).status_code == 200
    assert made.run_id not in text


def test_what_is_cut_is_said(ground: Ground, pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(tx: chain.Transaction) -> None:
        for _ in range(90):
            number = model_versions.next_number(tx, "fraud")
            chain.version(tx, "fraud", source="models:/fraud/1")
            assert number > 2

    ground.database.write(many)
    assert "Not shown: " in pages.get("/models/fraud/versions/1/lineage").text
    found = ground.database.read(lambda tx: lineage.of(tx, node_of("version", "fraud/1"), limit=40))
    assert len(found.nodes) <= 41
    monkeypatch.setattr("tenure.web.lineage.HIT_SHOWN", 10)
    assert "The first 10 of 92." in pages.get("/impact?kind=version&id=fraud/1").text


def test_every_node_and_every_edge_is_drawn_and_no_two_boxes_touch(ground: Ground) -> None:
    Chain(ground)
    found = ground.database.read(lambda tx: lineage.of(tx, node_of("dataset", DATASET)))
    drawn = picture(found)
    assert (len(drawn.boxes), len(drawn.lines)) == (len(found.nodes), len(found.edges))
    for index, one in enumerate(drawn.boxes):
        assert MARGIN <= one.x <= drawn.width - WIDTH
        assert MARGIN <= one.y <= drawn.height - HEIGHT
        for other in drawn.boxes[index + 1 :]:
            assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT


def test_a_circle_is_drawn() -> None:
    one, two = Node(kind="version", id="a/1"), Node(kind="version", id="b/1")
    circle = [Edge(source=one, target=two, how="to"), Edge(source=two, target=one, how="to")]
    infos = [NodeInfo(node=node, name=node.id) for node in (one, two)]
    drawn = picture(Lineage(start=one, direction="both", depth=3, nodes=infos, edges=circle, cut=[]))
    assert len(drawn.lines) == 2
