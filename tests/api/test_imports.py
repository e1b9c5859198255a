"""The routes of an import and of gc refuse what does not fit, and whoever may not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Asker

SOURCE = "/api/v1/imports/0123456789abcdef"
RUN: dict[str, Any] = {
    "run_id": "a" * 32,
    "experiment_id": "0",
    "name": "",
    "user_id": "",
    "status": "FINISHED",
    "start_time": 0,
    "end_time": None,
    "deleted_time": None,
    "lifecycle_stage": "active",
    "artifact_uri": "",
}
SERIES: dict[str, Any] = {"run_id": "a" * 32, "key": "k", "values": [1.0], "timestamps": [1], "steps": [1]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/imports", {"address": ""}),
        ("/api/v1/imports", {"address": "x" * 3000}),
        (f"{SOURCE}/runs", {"runs": [{**RUN, "run_id": "../../etc"}]}),
        (f"{SOURCE}/runs", {"runs": [{**RUN, "status": "HAPPY"}]}),
        (f"{SOURCE}/runs", {"runs": [{**RUN, "start_time": 2**70}]}),
        (f"{SOURCE}/runs", {"runs": [RUN] * 1001}),
        (f"{SOURCE}/runs", {"rows": []}),
        (f"{SOURCE}/points", {"series": [{**SERIES, "values": ["lots"]}]}),
        (f"{SOURCE}/points", {"series": [{**SERIES, "steps": [1, 2]}]}),
        (f"{SOURCE}/logged-models", {"models": [{"model_id": "m-../x"}]}),
        (f"{SOURCE}/versions", {"name": "late", "version": 0}),
        (f"{SOURCE}/done", {"kind": "person", "items": []}),
        (f"{SOURCE}/count", {"kind": "run", "source_ids": ["x"] * 1001}),
        ("/api/v1/deleted/remove", {"kind": "person", "ids": []}),
        ("/api/v1/deleted/remove", {"kind": "run", "ids": [], "older_than_s": -1}),
        ("/api/v1/deleted/remove", {"kind": "experiment", "ids": ["many"]}),
        ("/api/v1/orphans/sweep", {"folders": "all"}),
    ],
)
def test_what_does_not_fit_is_refused(ask: Asker, path: str, body: dict[str, Any]) -> None:
    ask.refused("POST", path, 400, json=body)


@pytest.mark.parametrize(
    "path",
    [
        f"{SOURCE}/files?location=mlflow-artifacts:/",
        f"{SOURCE}/files?location=/etc",
        "/api/v1/deleted?kind=run&older_than_s=x",
    ],
)
def test_questions_that_do_not_fit_are_refused(ask: Asker, path: str) -> None:
    ask.refused("GET", path, 400)


def test_points_of_a_run_that_was_not_sent_are_refused(ask: Asker) -> None:
    ask.refused("POST", f"{SOURCE}/points", 404, json={"series": [SERIES]})


def test_a_visitor_may_neither_import_nor_remove(ask: Asker) -> None:
    visiting = {"sec-fetch-site": "same-origin"}
    for method, path in (("POST", "/api/v1/imports"), ("POST", "/api/v1/deleted/remove"), ("GET", "/api/v1/orphans")):
        answer = ask(method, path, headers=visiting, json={} if method == "POST" else None)
        assert answer.status_code == 403, path


def test_an_alias_of_a_version_that_is_not_here_is_refused(ask: Asker) -> None:
    ask.refused("POST", f"{SOURCE}/aliases", 404, json={"name": "late", "alias": "blue", "version": 1})
