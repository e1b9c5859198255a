"""A model's file is applied, and the next request is held to it: through control, gateway and worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tenure.errors import NotAdmitted, OverQuota, ValuesRefused
from tests.conftest import serving, wait_until
from tests.stories import steps

pytestmark = [
    pytest.mark.slow,  # its parts have quick tests of their own; this one takes ten seconds of mlflow
    pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning"),  # mlflow's, about itself
]
FILE: dict[str, Any] = {
    "model": "held",
    "purpose": "To be held to its file",
    "owner": "ann@example.com",
    "use": {"allow": "request.channel in ['app', 'web']", "jurisdictions": ["US", "EU"], "quota": {"rows_per_day": 4}},
    "features": {
        "a": {"kind": "numeric", "range": [-9, 9], "outside": "clip"},
        "b": {"kind": "numeric", "range": [-9, 9], "outside": "reject"},
    },
}


def test_a_model_is_used_only_as_its_file_says(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, steps.serve_champion(server, "held") as client:
        plain = client.score("held", {"a": 90.0, "b": 1.0}).predictions
        client.apply(FILE)
        with pytest.raises(NotAdmitted, match=r"`use\.allow`"):
            client.score("held", {"a": 1.0, "b": 1.0})
        with pytest.raises(NotAdmitted, match=r"US, EU only"):
            client.score("held", {"a": 1.0, "b": 1.0}, channel="app", jurisdiction="BR")
        with pytest.raises(ValuesRefused, match=r"'b' must lie between -9 and 9"):
            client.score("held", {"a": [1.0, 1.0], "b": [1.0, 10.0]}, channel="app")
        clipped = client.score("held", {"a": 90.0, "b": 1.0}, channel="app").predictions
        assert clipped == client.score("held", {"a": 9.0, "b": 1.0}, channel="app").predictions != plain
        with pytest.raises(OverQuota) as over:
            client.score("held", {"a": [1.0] * 3, "b": [1.0] * 3}, channel="web")
        assert 0 < over.value.retry_after_s <= 86_400
        counted = {"clipped": 1, "allow": 1, "jurisdiction": 1, "range": 1, "quota": 1}
        wait_until(lambda: client.endpoint("held").admissions == counted, 20, "control tells what was not admitted")
        lake = tmp_path / "data" / "lake"
        wait_until(lambda: sum(map(rows_of, lake.glob("refusals/**/*.parquet"))) == 4, 20, "refusals are in the lake")
        sent = [
            row for path in lake.glob("predictions/**/*.parquet") for row in pq.ParquetFile(path).read().to_pylist()
        ]
        assert [row["clipped"] for row in sent if row.get("clipped")] == ['{"a":90.0}']


def rows_of(path: Path) -> int:
    return int(pq.ParquetFile(path).metadata.num_rows)
