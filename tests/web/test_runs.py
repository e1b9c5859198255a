"""Pages of runs: the list, runs beside each other, one run, its files; all by URL, with anything that clients store."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tenure.build import datasets, experiments, logged_models, metrics, runs
from tenure.manage import people
from tenure.records.people import NewPerson
from tenure.records.tracking import Dataset, DatasetInput, KeyValue, MetricPoint, ModelOutput
from tenure.store import run_keys
from tenure.store.ground import Ground
from tenure.web import run_export

from ..conftest import NOON, make_ground
from .conftest import Client

EVIL = "<script>alert('x')</script>\"' onmouseover='alert(2)"
PASSWORD = "correct horse battery"
COUNT = 30
HTML = b"<h1>Report</h1><script>parent.document.title = 'taken'</script>"


class Kept:
    """A ground with an experiment of a grid search below one parent, and an empty one."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.ids: list[str] = []
        ground.database.write(self._fill)
        self.folder = f"{self.experiment}/{self.ids[0]}/artifacts"
        for path, content in {
            "report.html": HTML,
            "model/MLmodel": b"flavors: {sklearn: {sklearn_version: 1.5.0}}\nsignature: {inputs: '[{}]'}\n",
            "plots/shape.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "data/rows.csv": b"id,name\n1,<b>one</b>\n2,two\n",
            "notes.txt": b"<script>alert(1)</script>",
        }.items():
            ground.artifacts.write(f"{self.folder}/{path}", [content])

    def _fill(self, tx: Any) -> None:
        note = [KeyValue(key="mlflow.note.content", value=f"A grid {EVIL}")]
        self.experiment = experiments.create(tx, "grid & <b>more</b>", location=None, tags=note, now=NOON)
        self.empty = experiments.create(tx, "empty", location=None, tags=[], now=NOON)
        self.parent = self._run(tx, "parent", 0, [])
        for number in range(COUNT):
            tags = [KeyValue(key=run_keys.PARENT_TAG, value=self.parent), KeyValue(key="team", value=EVIL)]
            run_id = self._run(tx, f"{EVIL}{'x' * 200}" if number == 0 else f"child-{number}", number, tags)
            self.ids.append(run_id)
            points = [
                MetricPoint(key="train/loss", value=1 / (step + 1 + number % 3), timestamp=step * 1000, step=step)
                for step in range(20)
            ]
            points += [MetricPoint(key="auc", value=0.7 + number / 100, timestamp=1)]
            if number == 0:
                points += [
                    MetricPoint(key="odd", value=float("nan"), timestamp=1),
                    MetricPoint(key="odd", value=float("inf"), timestamp=2, step=1),
                    *(MetricPoint(key=f"many/{place}", value=place, timestamp=1) for place in range(200)),
                ]
            params = [
                KeyValue(key="depth", value=str(number)),
                KeyValue(key="kind", value="ab"[number % 2]),
                KeyValue(key="seed", value="7"),
                KeyValue(key="formula", value="=1+1"),
            ]
            metrics.log_batch(tx, run_id, points, params, [])

        self._log_model(tx, self.ids[3])

    def _log_model(self, tx: Any, run_id: str) -> None:
        given = [KeyValue(key="alpha", value="0.5")]
        model = logged_models.create(
            tx,
            self.experiment,
            name="forest <b>one<b>",
            model_type="classifier",
            source_run_id=run_id,
            params=given,
            tags=given,
            now=NOON,
        )
        self.model = model.info.model_id
        datasets.log_outputs(tx, run_id, [ModelOutput(model_id=self.model, step=0)])
        dataset = Dataset(
            name="flights-january", digest="abc", source_type="local", source="{}", profile='{"num_rows": 7}'
        )
        datasets.log_inputs(tx, run_id, [DatasetInput(dataset=dataset)], [])
        about = {"model_id": self.model, "dataset_name": "flights-january", "dataset_digest": "abc"}
        metrics.log_batch(tx, run_id, [MetricPoint(key="auc", value=0.75, timestamp=2, step=1, **about)], [], [])
        opened = self.ground.opened(model.info.artifact_uri)
        assert opened is not None
        opened.store.write(opened.below("MLmodel"), [b"flavors: {sklearn: {sklearn_version: 1.5.0}}"])

    def _run(self, tx: Any, name: str, number: int, tags: list[KeyValue]) -> str:
        started = 2**60 if number == 1 else NOON // 1000 + number
        run = runs.create(tx, self.experiment, name=name, user_id="ann", start_time=started, tags=tags, now=NOON)
        return run.info.run_id


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    made = make_ground(tmp_path_factory.mktemp("runs"))
    yield Kept(made)
    made.database.close()


@pytest.fixture
def client(kept: Kept) -> Client:
    return Client(kept.ground)


def well_made(text: str) -> None:
    assert "<script>alert" not in text
    assert not re.search(r"<\w+(?:\s+[\w-]+(?:=\"[^\"]*\")?)*\s+onmouseover=", text)
    assert not re.search(r"<[^>]+\sstyle=", text)
    assert text.count("<h1>") == 1


def rows_of(text: str) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'<a id="run\d+"[^>]*>([^<]*)</a>', text)]


def address(text: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    assert found is not None, rel
    return html.unescape(found[1])


# --- the list ---


def test_pages_lead_forth_and_back_through_the_same_runs(client: Client, kept: Kept) -> None:
    first = client.get(f"/runs?experiment={kept.experiment}&sort=metrics.auc&size=12").text
    second = client.get(address(first, "next")).text
    third = client.get(address(second, "next")).text
    assert [len(rows_of(page)) for page in (first, second, third)] == [12, 12, COUNT + 1 - 24]
    assert rows_of(client.get(address(third, "prev")).text) == rows_of(second)
    assert rows_of(client.get(address(second, "prev")).text) == rows_of(first)
    assert "13–24 of 31" in second
    last = client.get(f"/runs?experiment={kept.experiment}&sort=metrics.auc&size=12&last=true").text
    assert rows_of(last)[-1] == "parent", "what lacks the metric comes last"
    assert "20–31 of 31" in last
    well_made(first)


def test_columns_are_few_by_themselves_and_any_by_url(client: Client, kept: Kept) -> None:
    text = client.get(f"/runs?experiment={kept.experiment}").text
    heads = re.findall(r'<th scope="col"[^>]*title="([^"]+)"', text)
    assert len(heads) <= 11
    assert {"metrics.auc", "params.depth", "params.kind"} <= set(heads)
    assert "params.seed" not in heads, "what is the same everywhere tells nothing"
    wanted = "tags.team,metrics.many/7,attributes.run_id"
    chosen = client.get(f"/runs?experiment={kept.experiment}&columns={wanted}").text
    assert re.findall(r'<th scope="col"[^>]*title="([^"]+)"', chosen) == wanted.split(",")
    ticked = client.get("/runs?columns=params.kind&column=metrics.auc&column=")
    assert (ticked.status_code, ticked.headers["location"]) == (303, "/runs?columns=params.kind%2Cmetrics.auc")
    assert client.get("/runs?columns=nonsense").status_code == 400
    assert "many/150" in text, "any of hundreds of keys can be chosen"


def test_children_stand_below_their_parent_and_their_count_leads_to_them(client: Client, kept: Kept) -> None:
    text = client.get(f"/runs?experiment={kept.experiment}&size=200").text
    assert 'class="first child"' in text
    assert f"{COUNT} runs below it" in text
    assert rows_of(text)[:2] == ["parent", "child-1"], "although the child began later"


def test_runs_that_name_each_other_as_parents_are_all_shown(ground: Ground) -> None:
    def fill(tx: Any) -> None:
        ids = [runs.create(tx, "0", name=f"r{n}", user_id="", start_time=n, tags=[], now=NOON) for n in range(2)]
        for one, other in (ids, ids[::-1]):
            runs.set_tags(tx, one.info.run_id, {run_keys.PARENT_TAG: other.info.run_id})

    ground.database.write(fill)
    assert sorted(rows_of(Client(ground).get("/runs").text)) == ["r0", "r1"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("q=metrics.auc+>", "ends too early"),
        ("q=metrics.auc+>>+1", "<mark>"),
        ("page=garbage", "Invalid page token"),
        ("experiment=nope", "Experiment ID must be a valid integer"),
        ("experiment=99", "There is no run here yet"),
        ("q=params.depth+%3D+'nope'", "No run fits"),
    ],
)
def test_a_question_that_fails_is_told_where_it_stands(client: Client, query: str, told: str) -> None:
    answer = client.get(f"/runs?{query}")
    assert answer.status_code == 200
    assert told in answer.text


def test_several_experiments_are_listed_with_counts_and_searched_together(client: Client, kept: Kept) -> None:
    both = client.get(f"/runs?experiment={kept.experiment}&experiment={kept.empty}").text
    assert f">{COUNT + 1}</span>" in both
    assert both.count(" checked") >= 2
    assert "There is no run here yet" in client.get(f"/runs?experiment={kept.empty}").text


def test_the_list_leaves_as_csv_that_no_spreadsheet_runs(client: Client, kept: Kept, monkeypatch: Any) -> None:
    monkeypatch.setattr(run_export, "PAGE", 7)
    wanted = "params.formula,params.depth,metrics.odd,tags.team,attributes.start_time"
    answer = client.get(f"/runs.csv?experiment={kept.experiment}&columns={wanted}&sort=params.depth&down=false")
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["run_id", "run_name", *wanted.split(",")]
    assert [row[3] for row in rows[1:]] == [*sorted(str(n) for n in range(COUNT)), ""]
    assert rows[1][2:5] == ["'=1+1", "0", "Infinity"]
    assert rows[2][6] == "", "an instant that is none is empty"
    assert client.get("/runs.csv?q=nonsense").status_code == 400


def test_runs_are_deleted_with_an_undo_and_restored(ground: Ground) -> None:
    new = NewPerson(name="ann", printed_name="Ann", password=PASSWORD, roles=["author"])
    ground.database.write(lambda tx: people.create(tx, new, people.hashed(PASSWORD), by="owner", now=NOON))
    ids = ground.database.write(
        lambda tx: [
            runs.create(tx, "0", name=f"r{n}", user_id="", start_time=n, tags=[], now=NOON).info.run_id
            for n in range(3)
        ]
    )
    client = Client(ground)
    assert "formaction" not in client.get("/runs").text, "a visitor has nothing to delete with"
    client.post("/sessions", {"name": "ann", "password": PASSWORD})
    page = client.get("/runs").text
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    action = re.search(r'formaction="([^"]+)"', page)
    assert token is not None
    assert action is not None
    assert client.post("/runs/delete", {"run": ids[0]}).status_code == 403, "without the token"
    gone = client.post(html.unescape(action[1]), {"run": [ids[0], ids[1]], "csrf": token[1]})
    assert gone.status_code == 303
    after = client.get(gone.headers["location"]).text
    assert "2 runs deleted" in after
    assert rows_of(after) == ["r2"]
    undo = re.search(r'<form method="post" action="(/runs/restore[^"]*)"', after)
    assert undo is not None
    client.post(html.unescape(undo[1]), {"run": [ids[0], ids[1]], "csrf": token[1]})
    assert rows_of(client.get("/runs").text) == ["r2", "r1", "r0"]
    client.post(f"/runs/{ids[2]}/delete", {"csrf": token[1]})
    assert rows_of(client.get("/runs?view=deleted").text) == ["r2"]
    client.post(f"/runs/{ids[2]}/note", {"csrf": token[1], "note": "x"})
    client.post(f"/runs/{ids[2]}/restore", {"csrf": token[1]})
    client.post(f"/runs/{ids[2]}/note", {"csrf": token[1], "note": "The best <b>so far</b>"})
    assert "The best &lt;b&gt;so far" in client.get(f"/runs/{ids[2]}").text
    client.post("/experiments/0/note", {"csrf": token[1], "note": "All of it"})
    assert "All of it" in client.get("/runs?experiment=0").text
    away = client.post("/runs/delete?back=https://elsewhere.example", {"run": ids[0], "csrf": token[1]})
    assert away.headers["location"].startswith("/runs?gone=")


# --- beside each other ---


def compare(kept: Kept, count: int, more: str = "") -> str:
    return "/runs/compare?" + "&".join(f"run={one}" for one in kept.ids[:count]) + more


def test_two_runs_are_compared_by_what_differs(client: Client, kept: Kept) -> None:
    text = client.get(compare(kept, 2)).text
    well_made(text)
    params = text[text.index('id="params"') : text.index('id="curves"')]
    assert "depth" in params
    assert "seed" not in params
    assert "seed" in client.get(compare(kept, 2, "&all=true")).text
    assert re.search(r'class="best">0.71', text), "more of an AUC is better"
    assert "Not enough runs" not in text, "nothing of that is said of two"


def test_many_runs_say_which_params_go_with_a_metric(client: Client, kept: Kept) -> None:
    text = client.get(compare(kept, COUNT)).text
    well_made(text)
    table = text[text.index('id="params-that-matter"') :]
    depth = table[table.index(">depth</a>") :][:400]
    assert ">1.00" in depth
    assert "&lt; 0.0001" in depth
    assert "charts/parallels" in text
    assert "Not enough runs" in client.get(compare(kept, 9)).text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/runs/compare", 400, "Between 2 and 100 runs"),
        ("/runs/compare?" + "&".join(f"run=r{n}" for n in range(101)), 400, "Got 101"),
        ("/runs/compare?run=nope&run=gone", 404, "None of these runs is here"),
        ("/runs/compare?run=a&run=b&smooth=1", 400, "The smoothing must be"),
        ("/runs/compare?run=a&run=b&smooth=nan", 400, "The smoothing must be"),
        ("/runs/compare?run=a&run=b&x=sideways", 400, "What runs across"),
        ("/runs/compare/charts/curves?run=nope&key=x", 404, "has a metric"),
    ],
)
def test_what_cannot_be_compared_is_said(client: Client, path: str, status: int, told: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, told in answer.text) == (status, True)


def test_a_run_that_is_gone_is_left_out_with_a_word(client: Client, kept: Kept) -> None:
    assert "1 of the runs asked for are not here" in client.get(compare(kept, 2, "&run=gone")).text


def spec(client: Client, path: str) -> dict[str, Any]:
    answer = client.get(path + "&form=spec&width=536")
    assert answer.status_code == 200, answer.text
    return dict(json.loads(answer.text))


def test_charts_of_runs_are_drawn_from_the_url(client: Client, kept: Kept) -> None:
    runs_ = "&".join(f"run={one}" for one in kept.ids[:12])
    drawn = spec(client, f"/runs/compare/charts/curves?{runs_}&key=train/loss&smooth=0.6&x=relative&log=true")
    lines = [json.loads(text) for text in drawn["datasets"].values() if isinstance(text, str)]
    assert [[len(one["y"]) for one in line] for line in lines] == [[20] * 12] * 2, "faint and smoothed"
    odd = spec(client, f"/runs/{kept.ids[0]}/charts/metric?key=odd")
    assert odd["layer"], "a curve without a single number is an empty chart"
    spec(client, f"/runs/compare/charts/parallels?{runs_}&axes=params.depth,params.kind,metrics.auc&target=metrics.auc")
    spec(client, f"/runs/compare/charts/scatter?{runs_}&across=params.kind&up=metrics.auc")


# --- one run ---


def test_a_run_shows_everything_and_nothing_of_it_runs(client: Client, kept: Kept) -> None:
    text = client.get(f"/runs/{kept.ids[0]}").text
    well_made(text)
    for told in ("many/199", "train/loss", "∞", "formula", "report.html", "model/", "parent"):
        assert told in text
    parent = client.get(f"/runs/{kept.parent}").text
    assert f"All {COUNT} in the list" in parent
    assert "None logged." in parent


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("notes.txt", "&lt;script&gt;alert(1)"),
        ("data/rows.csv", "&lt;b&gt;one&lt;/b&gt;"),
        ("model/MLmodel", "flavor sklearn"),
        ("plots/shape.svg", "<img src="),
        ("report.html", 'sandbox=""'),
        ("model", "MLmodel"),
        ("nope.txt", "There is no file"),
        ("../../secret", "Invalid path"),
        ("%2e%2e/secret", "Invalid path"),
    ],
)
def test_a_file_is_previewed_by_url(client: Client, kept: Kept, path: str, told: str) -> None:
    answer = client.get(f"/runs/{kept.ids[0]}", params={"artifact": path})
    assert answer.status_code == 200
    assert told in answer.text
    well_made(answer.text)
    assert ("frame-src" in answer.headers["content-security-policy"]) == (path == "report.html")


def test_a_file_itself_comes_from_a_sandbox(client: Client, kept: Kept) -> None:
    path = f"/runs/{kept.ids[0]}/artifact"
    page = client.get(path, params={"path": "report.html"})
    policy = page.headers["content-security-policy"]
    assert (page.content, "sandbox" in policy.split("; "), "script-src" in policy) == (HTML, True, False)
    moving = client.get(path, params={"path": "report.html", "scripts": "true"}).headers["content-security-policy"]
    assert "sandbox allow-scripts" in moving
    assert "allow-same-origin" not in moving
    assert "default-src 'none'" in moving
    picture = client.get(path, params={"path": "plots/shape.svg", "scripts": "true"})
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["content-security-policy"].endswith("; sandbox")
    text = client.get(path, params={"path": "notes.txt"})
    assert text.headers["content-type"] == "application/octet-stream"
    assert text.headers["content-disposition"].startswith("attachment")
    assert client.get(path, params={"path": "report.html", "download": "true"}).headers["content-disposition"]
    assert client.get(path, params={"path": "nope"}).status_code == 404
    assert client.get(path, params={"path": "../x"}).status_code == 400


def test_a_logged_model_has_a_page_with_its_run_metrics_by_dataset_and_files(client: Client, kept: Kept) -> None:
    text = client.get(f"/runs/{kept.ids[3]}").text
    assert f'href="/logged-models/{kept.model}"' in text
    assert "flights-january" in text
    assert "num_rows" in text
    page = client.get(f"/logged-models/{kept.model}?artifact=MLmodel").text
    well_made(page)
    for told in ("child-3", "flights-january", "0.75", "alpha", "flavor sklearn", "pending"):
        assert told in page
    path = f"/logged-models/{kept.model}/artifact"
    assert client.get(path, params={"path": "MLmodel"}).content.startswith(b"flavors")
    assert client.get("/logged-models/nope").status_code == 404
