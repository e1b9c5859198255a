"""Every route that changes something tells the audit log exactly once, or is named here with the reason why not."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tenure.access import Gate
from tenure.api import front, rooms
from tenure.api.mlflow import app as mlflow_app
from tenure.app import MLFLOW_PREFIXES
from tenure.manage import lockouts, published, set_up
from tenure.records import yaml_text
from tenure.records.base import DAY_US, Instant
from tenure.records.digests import digest_of
from tenure.records.model_files import ModelFile
from tenure.store import alerts, audit, password_failures
from tenure.store.ground import Ground
from tenure.store.roots import FORMS_FOLDER
from tenure.web import site
from tests.api.conftest import Asker, ticking
from tests.conftest import make_ground
from tests.manage.makers import make_profile
from tests.manage.rules import policy_of
from tests.web import hooks, samples, town

CHANNELS = {"desk": "smtp://mail.example?from=a@b.example&to=c@d.example"}
SAFE = {"GET", "HEAD", "OPTIONS"}
V2 = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts"
IMPORT = "/api/v1/imports/{source:str}"

TRAINING = "what a training writes; `run.ended` tells of it by count and digest"
MOVED = "content that is moved in; `import.ended` tells of it by count and digest"
LABEL = "a text beside a run or an experiment, changed as often as anybody likes"
ARTIFACT = "a file of a training; a version pins its files by digest when it is registered"
READS = "it changes nothing"
UNTOLD: dict[str, str] = {
    f"POST {V2}/experiments/create": TRAINING,
    f"POST {V2}/experiments/set-experiment-tag": LABEL,
    f"POST {V2}/experiments/delete-experiment-tag": LABEL,
    **{
        f"POST {V2}/runs/{verb}": TRAINING
        for verb in (
            "create",
            "log-parameter",
            "log-metric",
            "log-batch",
            "log-inputs",
            "outputs",
            "log-model",
            "set-tag",
            "delete-tag",
        )
    },
    f"POST {V2}/logged-models": TRAINING,
    f"PATCH {V2}/logged-models/{{model_id}}": TRAINING,
    f"POST {V2}/logged-models/{{model_id}}/params": TRAINING,
    f"PATCH {V2}/logged-models/{{model_id}}/tags": TRAINING,
    f"DELETE {V2}/logged-models/{{model_id}}/tags/{{tag_key:path}}": TRAINING,
    f"PUT {FILES}/artifacts/{{path:path}}": ARTIFACT,
    f"POST {V2}/upload-artifact": ARTIFACT,
    f"POST {FILES}/mpu/create/{{folder:path}}": ARTIFACT,
    f"POST {FILES}/mpu/complete/{{folder:path}}": ARTIFACT,
    f"POST {FILES}/mpu/abort/{{folder:path}}": ARTIFACT,
    f"POST {V2}/artifacts/presigned-upload-url": ARTIFACT,
    f"POST {V2}/artifacts/presigned-download-url": READS,
    "POST /runs/{run_id:str}/note": LABEL,
    "POST /experiments/{experiment_id:str}/note": LABEL,
    "POST /api/v1/endpoints/{name:str}/outcomes": "outcomes arrive by thousands; `segments.recorded` tells of them",
    "POST /api/v1/endpoints/{name:str}/overrides": "each is a row of the lake with who and why; as outcomes",
    "PUT /api/v1/endpoints/{name:str}/batches/{batch_id:str}/parts/{first_row:int}": "`batch.scored` tells of all",
    "POST /api/v1/endpoints/{name:str}/batches/{batch_id:str}/look": READS,
    f"POST {IMPORT}/experiments": MOVED,
    f"POST {IMPORT}/runs": MOVED,
    f"POST {IMPORT}/points": MOVED,
    f"POST {IMPORT}/logged-models": MOVED,
    f"POST {IMPORT}/done": MOVED,
    f"POST {IMPORT}/count": READS,
    "POST /api/v1/models/{name:str}/versions/{version:int}/environment/build": "it permits nothing; the release that "
    "it is made for tells of it by digest",
    "POST /api/v1/policies/check": READS,
    "POST /api/v1/policies/dry-run": READS,
    "POST /api/v1/models/{name:str}/versions/{version:int}/proxy-tests": "`vault.opened` and `proxy.tested`, which are "
    "tried with the vault, since a test takes a process of its own",
}
RECORDED = ("change.opened", "change.approved")
"""Every move of a governed model is a change request, with or without signatures."""
MORE: dict[str, str] = {
    "POST /api/v1/set-up": "a person, and that the server has its first administrator",
    "POST /set-up/done": "a person, and that the server has its first administrator",
    "POST /api/v1/changes/{change_id:str}/signatures": "the last signature also approves, and moves the version",
    "POST /changes/{change_id:str}/sign": "a signature against it also rejects, and moves the version",
    "POST /api/v1/changes/{change_id:str}/withdraw": "the version moves back",
    "POST /api/v1/endpoints": "the model's champion is released there at once",
    "POST /api/v1/endpoints/{name:str}/releases": "every move of a governed model is a change request",
    "POST /api/v1/models/{model:str}/versions/{version:int}/promote": "releases begin and end at every endpoint",
    f"POST {V2}/registered-models/alias": "the alias 'champion' is a promotion, with its releases",
}


def unsafe_routes() -> set[str]:
    """Every route of both applications that may change something; some of MLflow's read with a method that might."""
    ours = {
        f"{method} {path}"
        for handler in [*(handler for room in rooms.ROOMS for handler in room.handlers), *site.handlers]
        for method in handler.http_methods
        if method not in SAFE
        for path in handler.paths
    }
    mlflow = {
        f"{route.method} {route.path}"
        for route in mlflow_app.ROUTES
        if route.method not in SAFE and route.kind != "read"
    }
    return ours | mlflow


def after_the_town() -> Callable[[], Instant]:
    clock = ticking()
    return lambda: Instant(clock() + 30 * DAY_US)


class Teller:
    """Sends a request and looks at what the audit log got by it."""

    def __init__(self, ground: Ground) -> None:
        settings = msgspec.structs.replace(ground.settings, webhook_allow="127.0.0.1", alert_channels=CHANNELS)
        self.ground = replace(ground, settings=settings, clock=after_the_town())
        gate = Gate([5000], self.ground)
        with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
            warnings.simplefilter("ignore", DeprecationWarning)
            ours = rooms.application(self.ground, gate, site.handlers, site.on_error)
        self.ask = Asker(front.Front(gate, ours, mlflow_app.App(self.ground), MLFLOW_PREFIXES))
        self.seen: set[str] = set()

    def __call__(self, route: str, path: str, *actions: str, **more: Any) -> Any:
        """A call of a route at a path must succeed and tell these actions, in this order."""
        before = self.ground.database.read(audit.size_and_head)[0]
        answer = self.ask(route.partition(" ")[0], path, **more)
        assert answer.status_code < 400, (route, answer.status_code, answer.text)
        found = self.ground.database.read(lambda tx: audit.search(tx, limit=1000))
        told = [one.action for one in reversed(found) if one.sequence > before]
        assert told == list(actions), route
        assert len(told) == (0 if route in UNTOLD else 1) or route in MORE, route
        self.seen.add(route)
        return answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None

    def mlflow(self, method: str, path: str, *actions: str, **fields: Any) -> Any:
        return self(f"{method} {V2}/{path}", f"{V2}/{path}", *actions, json=fields)


@pytest.fixture
def tell(tmp_path: Path) -> Any:
    ground = make_ground(tmp_path)
    town.fill(ground)
    yield Teller(ground)
    ground.database.close()


def test_every_route_that_changes_something_tells_the_log_once(tell: Teller) -> None:
    first_administrator(tell)
    people_and_sessions(tell)
    roles_and_tokens(tell)
    mlflows_registry(tell)
    mlflows_tracking(tell)
    evidence_and_changes(tell)
    policies_and_vault(tell)
    endpoints_and_alerts(tell)
    webhooks_by_every_door(tell)
    imports_and_removals(tell)
    pages(tell)
    tell("POST /api/v1/audit/checkpoints", "/api/v1/audit/checkpoints", "checkpoint.signed")
    assert tell.ask.ok("GET", "/api/v1/audit/verify")["problem"] == ""
    untried = unsafe_routes() - tell.seen - set(UNTOLD)
    assert untried == set(), "each of these must be tried here, or be named in UNTOLD with its reason"


def test_no_reason_is_given_for_a_route_that_there_is_not() -> None:
    assert (set(UNTOLD) | set(MORE)) - unsafe_routes() == set()


def people_and_sessions(tell: Teller) -> None:
    new = {"name": "eva", "printed_name": "Eva", "password": town.PASSWORD, "roles": ["validator"]}
    tell("POST /api/v1/people", "/api/v1/people", "person.created", json=new)
    roles = "/api/v1/people/{name:str}/roles"
    tell(f"PUT {roles}", "/api/v1/people/eva/roles", "person.roles_changed", json={"roles": ["validator", "other"]})
    password = {"password": "another long password"}
    tell(
        "PUT /api/v1/people/{name:str}/password",
        "/api/v1/people/eva/password",
        "person.password_changed",
        json=password,
    )
    who = {"name": "vera", "password": town.PASSWORD}
    tell("POST /api/v1/sign-in", "/api/v1/sign-in", "person.signed_in", json=who)
    tell("POST /api/v1/sign-out", "/api/v1/sign-out", "person.signed_out", auth=("vera", town.PASSWORD))
    form = {"name": "vera", "password": town.PASSWORD}
    tell("POST /sessions", "/sessions", "person.signed_in", data=form)
    tell("POST /sign-out", "/sign-out", "person.signed_out", data={"csrf": "x"}, auth=("vera", town.PASSWORD))


def first_administrator(tell: Teller) -> None:
    for held in tell.ask.ok("GET", "/api/v1/grants"):
        if held["role"] == "admin":
            tell.ask.ok("POST", f"/api/v1/grants/{held['grant_id']}/revoke")
    for number, (route, kind) in enumerate((("/api/v1/set-up", "json"), ("/set-up/done", "data"))):
        secret = tell.ground.database.write(lambda tx: set_up.offer(tx, tell.ground.clock()))
        first = {"token": secret, "name": f"root{number}", "printed_name": "Root", "password": town.PASSWORD}
        tell(f"POST {route}", route, "person.created", "server.set_up", **{kind: first})
        tell.ask.ok("PUT", f"/api/v1/people/root{number}/roles", json={"roles": []})


def roles_and_tokens(tell: Teller) -> None:
    """By the API and by the pages, for a service and for oneself."""
    tell("POST /api/v1/services", "/api/v1/services", "service.created", json={"name": "etl", "purpose": "scores"})
    form = {"service": "app", "purpose": "scores too"}
    tell("POST /services/add", "/services/add", "service.created", data=form)
    form = {"name": "ida", "printed_name": "Ida", "password": town.PASSWORD}
    tell("POST /people/add", "/people/add", "person.created", data=form)
    revoke = "/api/v1/grants/{grant_id:str}/revoke"
    grant = tell("POST /api/v1/grants", "/api/v1/grants", "grant.given", json={"principal": "etl", "role": "scorer"})
    tell(f"POST {revoke}", revoke.replace("{grant_id:str}", grant["grant_id"]), "grant.revoked")
    tell("POST /grants/give", "/grants/give", "grant.given", data={"of": "etl", "role": "scorer"})
    [held] = tell.ask.ok("GET", "/api/v1/grants?of=etl")
    tell(
        "POST /grants/{grant_id:str}/revoke", f"/grants/{held['grant_id']}/revoke", "grant.revoked", data={"csrf": "x"}
    )
    tell.ask.ok("POST", "/api/v1/grants", json={"principal": "etl", "role": "scorer"})
    new = {"label": "nightly", "permissions": ["score"], "principal": "etl"}
    token = tell("POST /api/v1/tokens", "/api/v1/tokens", "token.created", json=new)["token"]["token_id"]
    revoke = "/api/v1/tokens/{token_id:str}/revoke"
    tell(f"POST {revoke}", revoke.replace("{token_id:str}", token), "token.revoked")
    form = {"label": "hourly", "may_score": "on", "days": "9"}
    tell("POST /services/{name:str}/tokens", "/services/etl/tokens", "token.created", data=form)
    newest = tell.ask.ok("GET", "/api/v1/tokens?of=etl")[0]["token_id"]
    tell(
        "POST /tokens/{token_id:str}/revoke", f"/tokens/{newest}/revoke", "token.revoked", data={"back": "/people/etl"}
    )
    ida = {"auth": ("ida", town.PASSWORD)}
    form = {"label": "mine", "may_read": "on", "days": "9"}
    tell("POST /account/tokens", "/account/tokens", "token.created", data=form, **ida)
    other = "another long password"
    route = "PUT /api/v1/account/password"
    change = {"current": town.PASSWORD, "password": other}
    tell(route, "/api/v1/account/password", "person.password_changed", json=change, **ida)
    form = {"current": other, "password": town.PASSWORD}
    told = "person.password_changed"
    tell("POST /account/password", "/account/password", told, data=form, auth=("ida", other))
    form = {"password": town.PASSWORD}
    tell("POST /people/{name:str}/password", "/people/ida/password", told, data=form)
    tell("POST /people/{name:str}/sign-out", "/people/ida/sign-out", "person.signed_out", data={"csrf": "x"})
    route = "POST /api/v1/people/{name:str}/sign-out"
    tell(route, "/api/v1/people/ida/sign-out", "person.signed_out")
    for route, path in (
        ("POST /people/{name:str}/unlock", "/people/ida/unlock"),
        ("POST /api/v1/people/{name:str}/unlock", "/api/v1/people/ida/unlock"),
    ):
        now = tell.ground.clock()
        for _ in range(lockouts.FAILURES):
            tell.ground.database.write(lambda tx, now=now: password_failures.add(tx, "ida", now, since=Instant(0)))
        tell(route, path, "person.unlocked", data={"csrf": "x"})


def policies_and_vault(tell: Teller) -> None:
    """A draft, two versions, a withdrawal, two exceptions; and a protected attribute."""
    tell.ask.ok("PUT", "/api/v1/people/root0/roles", json={"roles": ["admin"]})
    elsewhere = {"applies_to": {"models": ["elsewhere"]}}
    tell("PUT /api/v1/policies/draft", "/api/v1/policies/draft", "policy.drafted", json=policy_of(**elsewhere))
    publish = "/api/v1/policies/{name:str}/publish"
    tell(f"POST {publish}", publish.replace("{name:str}", "lending"), "policy.published")
    tell(
        "POST /api/v1/policies",
        "/api/v1/policies",
        "policy.published",
        json=policy_of(**elsewhere, purpose="Lend well"),
    )
    withdraw = "/api/v1/policies/{name:str}/{version:int}/withdraw"
    gone = {"from_date": "2050-01-01", "reason": "repealed"}
    tell(f"POST {withdraw}", "/api/v1/policies/lending/2/withdraw", "policy.withdrawn", json=gone)
    asked = {"subject": "punctual/very-accurate", "owner": "bo", "reason": "until spring", "expires": "2040-01-01"}
    exception = "/api/v1/policy-exceptions"
    made = tell(f"POST {exception}", exception, "exception.requested", json={"model": town.MODEL, **asked})
    path = f"{exception}/{made['exception_id']}"
    word = {"person": "root0", "password": town.PASSWORD, "decision": "approve", "reason": "for the trial"}
    one = f"{exception}/{{exception_id:str}}"
    tell(f"POST {one}/decision", f"{path}/decision", "exception.approved", json=word)
    tell(f"POST {one}/revoke", f"{path}/revoke", "exception.revoked", json={"reason": "the trial is over"})
    policies_on_pages(tell, asked)
    sent = {"content": b"id,race\n1,a\n2,b\n", "headers": {"content-type": "text/csv"}}
    tell("PUT /api/v1/vault/{attribute:str}", "/api/v1/vault/race?key=id", "vault.put", **sent)


def policies_on_pages(tell: Teller, asked: dict[str, str]) -> None:
    told = policy_of(policy="paged", applies_to={"models": ["elsewhere"]})
    form = {"text": yaml.safe_dump(told), "tried": digest_of(published.parse(told)), "seen": "0", "reason": "agreed"}
    route = "POST /policy-editor/send"
    tell(route, "/policy-editor/send", "policy.drafted", data={**form, "act": "draft"})
    tell(route, "/policy-editor/send", "policy.published", data={**form, "act": "publish"})
    gone = {"from_date": "2050-01-01", "reason": "repealed"}
    route = "/policies/{name:str}/{version:int}/withdraw"
    tell(f"POST {route}", "/policies/paged/1/withdraw", "policy.withdrawn", data=gone)
    form = {"model": town.MODEL, **asked}
    tell("POST /policy-exceptions/ask", "/policy-exceptions/ask", "exception.requested", data=form)
    [made, *_] = tell.ask.ok("GET", "/api/v1/policy-exceptions")
    path, one = f"/policy-exceptions/{made['exception_id']}", "/policy-exceptions/{exception_id:str}"
    word = {"person": "root0", "password": town.PASSWORD, "decision": "approve", "reason": "for the trial"}
    tell(f"POST {one}/decide", f"{path}/decide", "exception.approved", data=word)
    tell(f"POST {one}/revoke", f"{path}/revoke", "exception.revoked", data={"reason": "the trial is over"})


def mlflows_registry(tell: Teller) -> None:
    models, versions = "registered-models", "model-versions"
    tell.mlflow("POST", f"{models}/create", "model.created", name="a")
    tell.mlflow("POST", f"{models}/rename", "model.renamed", name="a", new_name="b")
    tell.mlflow("PATCH", f"{models}/update", "model.described", name="b", description="of many words " * 100)
    tell.mlflow("POST", f"{models}/set-tag", "model.tag_set", name="b", key="k", value="v")
    tell.mlflow("DELETE", f"{models}/delete-tag", "model.tag_deleted", name="b", key="k")
    tell.mlflow("POST", f"{versions}/create", "version.registered", name="b", source="elsewhere")
    tell.mlflow("PATCH", f"{versions}/update", "version.described", name="b", version="1", description="d")
    tell.mlflow("POST", f"{versions}/set-tag", "version.tag_set", name="b", version="1", key="k", value="v")
    tell.mlflow("DELETE", f"{versions}/delete-tag", "version.tag_deleted", name="b", version="1", key="k")
    tell.mlflow("POST", f"{versions}/transition-stage", "version.staged", name="b", version="1", stage="Staging")
    tell.mlflow("POST", f"{models}/alias", "alias.set", name="b", alias="best", version="1")
    tell.mlflow("DELETE", f"{models}/alias", "alias.deleted", name="b", alias="best")
    tell.mlflow("DELETE", f"{versions}/delete", "version.deleted", name="b", version="1")
    tell.mlflow("DELETE", f"{models}/delete", "model.deleted", name="b")


def mlflows_tracking(tell: Teller) -> None:
    experiment = tell.mlflow("POST", "experiments/create", name="e")["experiment_id"]
    tell.mlflow("POST", "experiments/update", "experiment.renamed", experiment_id=experiment, new_name="f")
    tell.mlflow("POST", "experiments/set-experiment-tag", experiment_id=experiment, key="k", value="v")
    run_id = tell.mlflow("POST", "runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    tell.mlflow("POST", "runs/log-metric", run_id=run_id, key="m", value=1.0, timestamp=1, step=0)
    tell.mlflow("POST", "runs/update", "run.ended", run_id=run_id, status="FINISHED")
    tell.mlflow("POST", "runs/delete", "run.deleted", run_id=run_id)
    tell.mlflow("POST", "runs/restore", "run.restored", run_id=run_id)
    info = tell.mlflow("POST", "logged-models", experiment_id=experiment, name="n")["model"]["info"]
    logged = info["model_id"]
    place = f"{FILES}/artifacts/{info['artifact_uri'].removeprefix('mlflow-artifacts:/')}"
    tell(f"PUT {FILES}/artifacts/{{path:path}}", f"{place}/file", content=b"x")
    tell(f"DELETE {FILES}/artifacts/{{path:path}}", f"{place}/file", "artifacts.deleted")
    delete = f"DELETE {V2}/logged-models/{{model_id}}"
    tell(delete, f"{V2}/logged-models/{logged}", "logged_model.deleted", json={})
    tell.mlflow("POST", "experiments/delete", "experiment.deleted", experiment_id=experiment)
    tell.mlflow("POST", "experiments/restore", "experiment.restored", experiment_id=experiment)


def evidence_and_changes(tell: Teller) -> None:
    model = f"/api/v1/models/{town.MODEL}"
    opened = {one["kind"]: one["change_id"] for one in tell.ask.ok("GET", "/api/v1/changes?state=open")}
    tell.ask.ok("POST", f"/api/v1/changes/{opened['revise']}/withdraw")
    waiting = opened["approve"]
    withdraw = "POST /api/v1/changes/{change_id:str}/withdraw"
    tell(withdraw, f"/api/v1/changes/{waiting}/withdraw", "change.withdrawn", "version.registered")
    file = {**town.FILE, "owner": "others@example.com"}
    tell("PUT /api/v1/models/{name:str}/file", f"{model}/file", "model_file.applied", json=file)
    text = yaml_text.written(msgspec.convert({**file, "owner": "more@example.com"}, ModelFile))
    form = {"text": text, "seen": "2", "act": "apply"}
    tell("POST /models/{name:str}/file/change", f"/models/{town.MODEL}/file/change", "model_file.applied", data=form)
    card = {"scope": "Flights from New York", "data_dependencies": "Weather"}
    version = "/api/v1/models/{name:str}/versions/{version:int}"
    tell(f"PUT {version}/card", f"{model}/versions/3/card", "card.edited", json=card)
    profile = msgspec.to_builtins(make_profile(("temp",)))
    tell(f"PUT {version}/profile", f"{model}/versions/3/profile", "profile.recorded", json=profile)
    tell(f"POST {version}/form", f"{model}/versions/3/form", "form.asked")
    new = {"kind": "suspend", "model": town.MODEL, "version": 1, "reason": "it is no longer needed"}
    change = tell("POST /api/v1/changes", "/api/v1/changes", "change.opened", json=new)["change_id"]
    for number, door in enumerate(("/api/v1/changes/{change_id:str}/comments", "/changes/{change_id:str}/comment")):
        comment = {"data" if number else "json": {"text": "what speaks against it?"}}
        tell(f"POST {door}", door.replace("{change_id:str}", change), "change.commented", **comment)
    signature = {"person": "vera", "password": town.PASSWORD, "role": "validator", "meaning": "rejection"}
    form = {**signature, "reason": "it is needed"}
    tell("POST /changes/{change_id:str}/sign", f"/changes/{change}/sign", "change.signed", "change.rejected", data=form)
    move = {"kind": "suspend", "reason": "it is no longer needed"}
    route = "POST /models/{name:str}/versions/{version:int}/move/ask"
    tell(route, f"/models/{town.MODEL}/versions/1/move/ask", "change.opened", data=move)
    [change] = [one["change_id"] for one in tell.ask.ok("GET", "/api/v1/changes?state=open") if one["version"] == 1]
    signed = {**signature, "meaning": "approval", "reason": "it is not"}
    told = ("change.signed", "change.approved", "version.suspended")
    tell("POST /api/v1/changes/{change_id:str}/signatures", f"/api/v1/changes/{change}/signatures", *told, json=signed)


def kills(tell: Teller) -> None:
    fallback, reason = "/endpoints/{name:str}/fallback", {"reason": "agreed with the desk"}
    sent = {"fallback": {"kind": "constant", "answer": 0.5}, **reason}
    tell(f"PUT /api/v1{fallback}", "/api/v1/endpoints/other/fallback", "endpoint.fallback_set", json=sent)
    form = {"kind": "constant", "answer": "0.4", **reason}
    tell(f"POST {fallback}", "/endpoints/other/fallback", "endpoint.fallback_set", data=form)
    journal, asked = "/endpoints/{name:str}/journal", {"journal": {"mode": "sample", "fraction": 0.5}, **reason}
    tell(f"PUT /api/v1{journal}", "/api/v1/endpoints/other/journal", "endpoint.journal_set", json=asked)
    kept = {"mode": "audit", **reason}
    tell(f"POST {journal}", "/endpoints/other/journal", "endpoint.journal_set", data=kept)
    export = {"url": "https://events.example/in", **reason}
    for door, body in (("PUT /api/v1", "json"), ("POST ", "data")):
        place = f"{door.partition(' ')[2]}/endpoints/other/export"
        tell(f"{door}/endpoints/{{name:str}}/export", place, "endpoint.export_set", **{body: export})
    for door, body in (("/api/v1", "json"), ("", "data")):
        place = f"{door}/endpoints/other/kills"
        tell(f"POST {door}/endpoints/{{name:str}}/kills", place, "endpoint.killed", **{body: reason})
        [standing] = [
            one["kill_id"] for one in tell.ask.ok("GET", "/api/v1/endpoints/other/kills") if not one["lifted_at"]
        ]
        route = f"POST {door}/endpoints/{{name:str}}/kills/{{kill_id:str}}/lift"
        tell(route, f"{place}/{standing}/lift", "endpoint.kill_lifted", **{body: reason})


def endpoints_and_alerts(tell: Teller) -> None:
    new = {"name": "other", "model": town.MODEL}
    tell("POST /api/v1/endpoints", "/api/v1/endpoints", "endpoint.created", *RECORDED, "release.started", json=new)
    release = {"version": 3, "role": "shadow", "reason": "to compare"}
    route = "/api/v1/endpoints/{name:str}/releases"
    made = tell(f"POST {route}", "/api/v1/endpoints/other/releases", *RECORDED, "release.started", json=release)
    path = f"/api/v1/endpoints/other/releases/{made['release_id']}?reason=enough"
    tell(f"DELETE {route}/{{release_id:str}}", path, "release.ended")
    kills(tell)
    promote = "/api/v1/models/{model:str}/versions/{version:int}/promote"
    body = {"to": "champion", "reason": "once more"}
    tell(f"POST {promote}", f"/api/v1/models/{town.MODEL}/versions/2/promote", *RECORDED, "version.promoted", json=body)
    batches_of_files(tell)
    csv = {"content": b"reference,prediction\na,0.5\n", "headers": {"content-type": "text/csv"}}
    route = "/api/v1/endpoints/{name:str}/predictions"
    tell(f"POST {route}", "/api/v1/endpoints/other/predictions?version=2", "predictions.uploaded", **csv)
    reason = {"reason": "somebody looks after it"}
    for number, door in enumerate(("/api/v1", "")):
        alert = samples.make_alert(alert_id=f"0190b5a0-0000-7000-8000-0000000000f{number}")
        tell.ground.database.write(lambda tx, alert=alert: alerts.put(tx, alert))
        sent = {"json": reason} if door else {"data": reason}
        path = f"{door}/alerts/{alert.alert_id}/acknowledge"
        tell(f"POST {door}/alerts/{{alert_id:str}}/acknowledge", path, "alert.acknowledged", **sent)
        place, route = f"{door}/endpoints/other/mutes", f"POST {door}/endpoints/{{name:str}}/mutes"
        kind = "json" if door else "data"
        tell(route, place, "alert.muted", **{kind: {"lasts": "4h", **reason}})
        [held, *_] = tell.ask.ok("GET", "/api/v1/mutes")
        tell(f"{route}/{{mute_id:str}}/end", f"{place}/{held['mute_id']}/end", "alert.unmuted", **{kind: reason})
    test = "/api/v1/alert-channels/{name:str}/test"
    tell(f"POST {test}", test.replace("{name:str}", "desk"), "alert.channel_tried", json={})


def batches_of_files(tell: Teller) -> None:
    """One that is given up, and one that had no row that could be scored."""
    path = "/api/v1/endpoints/{name:str}/batches"
    place = path.replace("{name:str}", "other")
    first, second = (
        tell(f"POST {path}", place, "batch.opened", json={"source": "in.parquet"})["batch"]["batch_id"]
        for _ in range(2)
    )
    tell(f"DELETE {path}/{{batch_id:str}}", f"{place}/{first}", "batch.abandoned")
    end = {"rows": 1, "rejected": 1, "input_sha256": "0" * 64, "output_sha256": "1" * 64}
    tell(f"POST {path}/{{batch_id:str}}/finish", f"{place}/{second}/finish", "batch.scored", json=end)


def webhooks_by_every_door(tell: Teller) -> None:
    new = {"name": "hook", "url": "http://127.0.0.1:9/x", "events": ["model_version.created"]}
    route = "/api/v1/webhooks/{webhook_id:str}"
    made = tell("POST /api/v1/webhooks", "/api/v1/webhooks", "webhook.created", json=new)["webhook_id"]
    tell(f"PATCH {route}", f"/api/v1/webhooks/{made}", "webhook.updated", json={"description": "d"})
    tell(f"POST {route}/test", f"/api/v1/webhooks/{made}/test", "webhook.tested", json={})
    tell(f"DELETE {route}", f"/api/v1/webhooks/{made}", "webhook.deleted")
    busy = f"/api/v1/webhooks/{hooks.BUSY}"
    first, second = (one["message_id"] for one in tell.ask.ok("GET", f"{busy}/deliveries")[2:4])
    again = f"POST {route}/deliveries/{{message_id:str}}/redeliver"
    tell(again, f"{busy}/deliveries/{first}/redeliver", "webhook.redelivered")
    page = "/webhooks/{webhook_id:str}"
    sent = {"message_id": second}
    tell(f"POST {page}/redeliver", f"/webhooks/{hooks.BUSY}/redeliver", "webhook.redelivered", data=sent)
    form = {"name": "paged", "url": "http://127.0.0.1:9/x", "model_version.created": "on"}
    tell("POST /webhooks/add", "/webhooks/add", "webhook.created", data=form)
    [made] = [
        one["webhook"]["webhook_id"]
        for one in tell.ask.ok("GET", "/api/v1/webhooks")
        if one["webhook"]["name"] == "paged"
    ]
    tell(f"POST {page}/test", f"/webhooks/{made}/test", "webhook.tested", data={"event": ""})
    tell(f"POST {page}/status", f"/webhooks/{made}/status", "webhook.updated", data={"status": "DISABLED"})
    tell(f"POST {page}/remove", f"/webhooks/{made}/remove", "webhook.deleted", data={"csrf": ""})
    entity = {"entity": "MODEL_VERSION", "action": "CREATED"}
    mlflows = {"name": "third", "url": "http://127.0.0.1:9/x", "events": [entity]}
    made = tell.mlflow("POST", "webhooks", "webhook.created", **mlflows)["webhook"]["webhook_id"]
    one = f"{V2}/webhooks/{{webhook_id}}"
    tell(f"PATCH {one}", f"{V2}/webhooks/{made}", "webhook.updated", json={"description": "d"})
    tell(f"POST {one}/test", f"{V2}/webhooks/{made}/test", "webhook.tested", json={})
    tell(f"DELETE {one}", f"{V2}/webhooks/{made}", "webhook.deleted", json={})


def imports_and_removals(tell: Teller) -> None:
    begun = tell("POST /api/v1/imports", "/api/v1/imports", "import.begun", json={"address": "http://other"})
    source = f"/api/v1/imports/{begun['source']}"
    model = {"name": "moved", "description": None, "creation_time": 1, "last_updated_time": 1}
    tell(f"POST {IMPORT}/registered-models", f"{source}/registered-models", "model.created", json={"models": [model]})
    version = {"name": "moved", "version": 4, "user_id": "", "current_stage": "None"}
    version |= {"creation_time": 1, "last_updated_time": 1, "storage_location": "elsewhere"}
    tell(f"POST {IMPORT}/versions", f"{source}/versions", "version.registered", json=version)
    alias = {"name": "moved", "alias": "best", "version": 4}
    tell(f"POST {IMPORT}/aliases", f"{source}/aliases", "alias.set", json=alias)
    ended = {"source_counts": {}, "target_counts": {}, "agrees": True, "digest": "x"}
    tell(f"POST {IMPORT}/end", f"{source}/end", "import.ended", json=ended)
    run_id = tell.mlflow("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"]
    tell.mlflow("POST", "runs/delete", "run.deleted", run_id=run_id)
    removal = {"kind": "run", "ids": [run_id], "older_than_s": 0}
    tell("POST /api/v1/deleted/remove", "/api/v1/deleted/remove", "deleted.removed", json=removal)
    tell.ground.artifacts.write(f"0/{'a' * 32}/artifacts/left", [b"over"])
    os.utime(Path(tell.ground.artifacts.base, "0", "a" * 32, "artifacts", "left"), (1, 1))
    sweep = {"folders": [one["folder"] for one in tell.ask.ok("GET", "/api/v1/orphans")["items"]]}
    tell("POST /api/v1/orphans/sweep", "/api/v1/orphans/sweep", "orphans.swept", json=sweep)
    tell.ground.artifacts.write(f"{FORMS_FOLDER}/{'b' * 64}/program", [b"over"])
    os.utime(Path(tell.ground.artifacts.base, FORMS_FOLDER, "b" * 64, "program"), (1, 1))
    clearing = {"digests": [one["digest"] for one in tell.ask.ok("GET", "/api/v1/leftovers")["items"]]}
    tell("POST /api/v1/leftovers/remove", "/api/v1/leftovers/remove", "leftovers.removed", json=clearing)


def pages(tell: Teller) -> None:
    made = [tell.mlflow("POST", "runs/create", experiment_id="0")["run"]["info"]["run_id"] for _ in range(2)]
    for verb, action in (("delete", "run.deleted"), ("restore", "run.restored")):
        tell(f"POST /runs/{verb}", f"/runs/{verb}", action, data={"run": made[0]})
        tell(f"POST /runs/{{run_id:str}}/{verb}", f"/runs/{made[1]}/{verb}", action, data={"csrf": ""})
