"""`tenure monitor …`: exit statuses for pipelines, and files for people and programs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from tenure.cli.monitor import command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for name, shift in (("before", 0.0), ("same", 0.0), ("moved", 1.0)):
        columns = {
            "temp": rng.normal(size=2000) + shift,
            "carrier": rng.choice(["UA", "A<A>"], 2000),
            "at": np.datetime64("2013-01-01", "s") + np.arange(2000).astype("timedelta64[h]"),
        }
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.mark.parametrize(("current", "status"), [("same.parquet", 0), ("moved.parquet", 1), ("gone.parquet", 2)])
def test_the_exit_status_tells_a_pipeline(files: Path, current: str, status: int) -> None:
    done = run("compare", files / "before.parquet", files / current)
    assert done.exit_code == status
    assert ("There is no file" in done.stderr) is (status == 2)


def test_a_stored_reference_is_as_good_as_the_file(files: Path) -> None:
    made = run("profile", files / "before.parquet", "-o", files / "before.json")
    assert made.exit_code == 0
    assert "2,000 rows in 4 columns" in made.stderr
    told = [run("compare", files / name, files / "moved.parquet") for name in ("before.json", "before.parquet")]
    assert told[0].stdout == told[1].stdout
    assert "temp" in told[0].stdout
    assert "drifted" in told[0].stdout


def test_json_is_for_programs(files: Path) -> None:
    done = run("compare", files / "before.parquet", files / "moved.parquet", "--format", "json", "--columns", "temp")
    told = json.loads(done.stdout)
    [temp] = told["columns"]
    assert (temp["column"], temp["state"]) == ("temp", "drift")
    assert temp["psi_excess"] > 0.1
    assert told["rows"] == 2000


def test_levels_and_floors_decide(files: Path) -> None:
    lenient = run("compare", files / "before.parquet", files / "moved.parquet", "--psi-floor", "50")
    assert lenient.exit_code == 0
    assert run("compare", files / "before.parquet", files / "moved.parquet", "--level", "2").exit_code == 2


def test_the_page_is_one_file_that_may_load_nothing(files: Path) -> None:
    page = files / "page.html"
    done = run("compare", files / "before.parquet", files / "moved.parquet", "--format", "html", "-o", page)
    assert done.exit_code == 1
    text = page.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import| style=| on\w+=", text)
    assert "A&lt;A&gt;" in text
    assert "prefers-color-scheme:dark" in text
    assert text.count("<svg") == 4
    assert text.index("temp") < text.index('scope="row">carrier')


def test_nothing_is_written_where_nothing_can_be(files: Path) -> None:
    done = run("compare", files / "before.parquet", files / "same.parquet", "-o", files / "no" / "folder.txt")
    assert done.exit_code == 2
