"""What a training job may do with the token that it is given, and that it may do nothing once the job has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tenure.errors import NotSignedIn
from tenure.manage import roles, tokens
from tenure.records.base import SECOND_US, Instant
from tenure.records.people import Permission
from tenure.store import audit
from tenure.store.ground import Ground

from .conftest import HOST, NOW, Server
from .test_matrix import CASES, Case, refused

UNTIL = Instant(NOW + 3600 * SECOND_US)
V2 = "/api/2.0/mlflow"
PERMITTED = roles.UNASKED | tokens.FOR_JOBS
REGISTERING = ("/registered-models/create", "/model-versions/create")


def job_of(ground: Ground, job_id: str = "j-1") -> dict[str, str]:
    made = ground.database.write(lambda tx: tokens.create_for_job(tx, job_id, until=UNTIL, now=NOW))
    return {"authorization": f"Bearer {made.secret}"}


def is_allowed(case: Case) -> bool:
    """Whether a job may use a route: what it may see, and what it writes about what it made."""
    if case.permission not in PERMITTED:
        return False
    arranges = case.permission is Permission.TRACK and (
        "registered-models" in case.path or "model-versions" in case.path
    )
    return not arranges or case.path.endswith(REGISTERING)


def test_a_job_reads_and_tracks_and_nothing_else_on_any_route(filled: Server):
    header, wrong = job_of(filled.ground), []
    for case in CASES:
        answer = filled.ask(case.method, case.filled("nothing"), header)
        turned_away = refused(answer, case.permission) or "A training job registers" in answer.text
        if turned_away == is_allowed(case) or (answer.status == 401) > (case.permission is Permission.PUBLIC):
            wrong.append((case.method, case.path, answer.status, answer.text[:100]))
    assert wrong == []
    kinds = {case.permission for case in CASES if not is_allowed(case)}
    assert kinds >= {Permission.MANAGE, Permission.ADMINISTER, Permission.AUDIT, Permission.PROTECT, Permission.TRACK}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/changes", {"kind": "approve", "model": "late", "version": 1, "reason": "it is good"}),
        ("POST", "/api/v1/changes", {"kind": "promote", "model": "late", "version": 1, "reason": "it is good"}),
        ("POST", f"{V2}/registered-models/alias", {"name": "late", "alias": "champion", "version": "1"}),
        ("POST", f"{V2}/model-versions/transition-stage", {"name": "late", "version": "1", "stage": "Production"}),
        ("DELETE", f"{V2}/registered-models/delete", {"name": "late"}),
        ("PUT", "/api/v1/models/late/versions/1/card", {"scope": "all"}),
        ("PUT", "/api/v1/models/late/file", {"model": "late"}),
        ("POST", "/api/v1/endpoints/late/releases", {"version": 1, "reason": "now"}),
        ("POST", "/api/v1/people", {"name": "eve", "printed_name": "Eve", "password": "long enough for it"}),
        ("POST", "/api/v1/grants", {"principal": "tenure-worker", "role": "admin"}),
        ("POST", "/api/v1/tokens", {"label": "more", "permissions": ["track"]}),
        ("POST", "/api/v1/changes/late/comments", {"text": "it is good"}),
        ("GET", "/api/v1/vault", None),
        ("PUT", "/api/v1/vault/age", None),
        ("GET", "/api/v1/audit", None),
    ],
)
def test_a_job_cannot(filled: Server, method: str, path: str, body: Any):
    answer = filled.ask(method, path, job_of(filled.ground), body)
    assert answer.status == 403, answer.text


def test_a_job_tracks_and_registers_what_it_made(server: Server):
    header = job_of(server.ground)
    assert server.ask("GET", "/api/v1/models", header).status == 200
    made = server.ask("POST", f"{V2}/experiments/create", header, {"name": "late-retraining"}).json()
    run = {"experiment_id": made["experiment_id"], "start_time": 1}
    run_id = server.ask("POST", f"{V2}/runs/create", header, run).json()["run"]["info"]["run_id"]
    metric = {"run_id": run_id, "key": "auc", "value": 0.8, "timestamp": 1}
    assert server.ask("POST", f"{V2}/runs/log-metric", header, metric).status == 200
    assert server.ask("POST", f"{V2}/registered-models/create", header, {"name": "late"}).status == 200
    version = {"name": "late", "source": f"runs:/{run_id}/model", "run_id": run_id}
    registered = server.ask("POST", f"{V2}/model-versions/create", header, version)
    assert registered.json()["model_version"]["version"] == "1"
    event = server.ground.database.read(lambda tx: audit.search(tx, limit=1))[0]
    assert event.actor == tokens.JOBS


def test_a_token_of_a_job_ends_with_the_job_with_its_time_and_with_the_next_attempt(each_ground: Ground):
    clock = [NOW]
    server = Server(replace(each_ground, clock=lambda: clock[0]))

    def status(header: dict[str, str]) -> int:
        clock[0] = Instant(clock[0] + SECOND_US)  # what was found out is kept for a second
        return server.ask("GET", "/api/v1/models", header).status

    first, other = job_of(each_ground), job_of(each_ground, "j-2")
    assert (status(first), status(other)) == (200, 200)
    second = job_of(each_ground)
    assert (status(first), status(second), status(other)) == (401, 200, 200)
    each_ground.database.write(lambda tx: tokens.revoke_of_job(tx, "j-1", now=NOW))
    assert (status(second), status(other)) == (401, 200)
    clock[0] = UNTIL
    assert status(other) == 401
    told = [one.action for one in each_ground.database.read(audit.search) if one.action.startswith("token.")]
    assert sorted(told) == ["token.created"] * 3 + ["token.revoked"] * 2
    server.loop.close()


def test_a_token_of_a_job_is_for_control_alone_and_holds_for_no_model_more(server: Server):
    header = job_of(server.ground)
    found = server.gate.principal({"host": HOST, **header})
    assert (found.kind, found.permissions, found.on) == ("job", PERMITTED, {})
    assert not any(found.may(one, "late") for one in set(Permission) - PERMITTED)
    assert server.ground.database.read(lambda tx: tokens.routed(tx, NOW, solo=False)) == {}
    with pytest.raises(NotSignedIn):
        server.gate.principal({"host": HOST, "authorization": header["authorization"] + "x"})
