"""A model whose feature lies in a table: declared, looked up, journaled, and scored from a stream all the same."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tenure.errors import InvalidInput
from tests.conftest import serving, wait_until
from tests.stories import steps

FILE = {
    "model": "looked",
    "purpose": "p",
    "owner": "o@example.com",
    "features": {
        "a": {},
        "b": {
            "freshness_minutes": 60,
            "lookup": {"source": "crm", "table": "scores", "key": "customer", "column": "b", "as_of": "at"},
        },
    },
}
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # mlflow's, about itself


def test_a_feature_is_looked_up_for_an_application_and_for_a_stream(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as tx:
        tx.execute("CREATE TABLE scores (customer TEXT, b REAL, at TEXT)")
        tx.execute("INSERT INTO scores VALUES ('ann', 0.5, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))")
    tx.close()
    with serving(tmp_path / "data", "--lookup", f"crm=sqlite:///{tmp_path}/crm.db") as server:
        client = steps.serve_champion(server, "looked")
        whole = client.score("looked", {"a": 1.0, "b": 0.5}).predictions
        wrong = json.loads(json.dumps(FILE).replace('"crm"', '"cmr"'))
        with pytest.raises(InvalidInput, match="configured source: crm") as problem:
            client.apply(wrong)
        assert problem.value.where == "features.b.lookup.source"
        client.apply(FILE)
        assert client.score("looked", {"a": 1.0, "customer": "ann"}).predictions == whole
        with pytest.raises(InvalidInput, match="missing in row 0"):
            client.score("looked", {"a": 1.0, "customer": "bob"})
        (tmp_path / "rows.jsonl").write_text(json.dumps({"key": "k", "row": {"a": 1.0, "customer": "ann"}}))
        command = [sys.executable, "-m", "tenure", "stream", "run", "--endpoint", "looked", "--url", server.url]
        places = ["--source", str(tmp_path / "rows.jsonl"), "--sink", str(tmp_path / "answers.jsonl")]
        subprocess.run([*command, *places], check=True, capture_output=True)
        (answer,) = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
        assert [answer["prediction"]] == whole
        wait_until(
            lambda: steps.progress(client, "looked")["predictions"] == 3, 20, "three predictions are in the lake"
        )
        client.close()
    import duckdb

    files = f"{tmp_path}/data/lake/predictions/endpoint=looked/*/*.parquet"
    lake = f"read_parquet('{files}', hive_partitioning=false, union_by_name=true)"
    found = duckdb.sql(f"SELECT f_b, looked_up FROM {lake} ORDER BY prediction_id").fetchall()
    assert [b for b, _ in found] == [0.5] * 3
    told = [json.loads(one)["b"] if one else None for _, one in found]
    assert told[0] is None
    assert [one["found"] for one in told[1:] if one] == ["fresh", "fresh"]
    assert all(0 <= one["age_s"] < 3600 for one in told[1:] if one)
