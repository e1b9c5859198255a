"""A lender's model from its declaration to an auditor's questions, told in order.

It uses a server of its own in a temporary folder, HTTP, the unmodified mlflow client, and for the auditor the command
line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from examples.mortgage import building
from examples.mortgage.data import FEATURES, Applications, load
from tenure.demo.stage import free_port
from tenure.errors import GateNotMet, NotAllowed
from tenure.records.base import iso
from tenure.sdk.client import Client

HERE = Path(__file__).parent
MODEL = "mortgage"
VERSION = "/api/v1/models/mortgage/versions"
REFUSED_FROM = 0.2  # an application whose chance of a denial is higher goes to a person
PASSWORD = "a long word for the example"
PEOPLE = {
    "ada": ("Ada Validator", "validator"),
    "ben": ("Ben Owner", "business-owner"),
    "cy": ("Cy Steward", "steward"),
}
CARD = {
    "scope": "Applications for a mortgage in the Boston area; not for other loans, and never without a person's look.",
    "expected_output": "The chance that the application is to be granted, and that it is to be denied, adding up to 1.",
    "data_dependencies": "The application, the appraisal, the credit bureau, court records, regional unemployment.",
}


class DidNotHappen(AssertionError):
    """Something that the example promises did not happen."""


@dataclass
class Stage:
    client: Client
    console: Console
    folder: Path
    applications: Applications

    def say(self, text: str) -> None:
        self.console.print(f"   [green]✓[/green] {text}", highlight=False, soft_wrap=True)

    def refused(self, text: str) -> None:
        self.console.print(f"   [yellow]✗[/yellow] {text}", highlight=False, soft_wrap=True)

    def chapter(self, number: int, name: str, text: str) -> None:
        self.console.print(f"\n[bold]{number} {name}[/bold]  [dim]{text}[/dim]", highlight=False)

    def asked(self, *words: str) -> str:
        """What the command line answers; it must end well."""
        command = [sys.executable, "-m", "tenure", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "TENURE_URL": self.client.url}
        )
        self.console.print(f"   [bold]$ tenure {' '.join(words)}[/bold]", highlight=False, soft_wrap=True)
        check(done.returncode == 0, f"`tenure {' '.join(words)}` ends well: {done.stderr or done.stdout}")
        return done.stdout

    def show(self, text: str, most: int = 40) -> None:
        for line in text.rstrip().splitlines()[:most]:
            self.console.print(f"     [dim]{line}[/dim]", highlight=False, soft_wrap=True, markup=True)


def tell(console: Console | None = None) -> int:
    """Play the whole story. Raises DidNotHappen when a step did not really happen."""
    console = console or Console()
    with tempfile.TemporaryDirectory(prefix="tenure-mortgage-") as folder, _server(Path(folder)) as client:
        stage = Stage(client, console, Path(folder), load())
        _declare(stage)
        good = _train(stage)
        _approve(stage, good)
        first = _deploy(stage, good)
        better = _replace(stage)
        _audit(stage, first, good, better)
        console.print("\nEvery step happened.")
    return 0


def check(happened: object, what: str) -> None:
    if not happened:
        raise DidNotHappen(f"Expected that {what}.")


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Client]:
    port = free_port()
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "data"), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert server.stdout is not None
        check(server.stdout.readline(), "the server starts")
        with Client(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}") as client:
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _declare(stage: Stage) -> None:
    stage.chapter(1, "Declare", "what the model is for, what it may not know, and who must sign")
    stage.client.apply(yaml.safe_load((HERE / "model.yaml").read_text()))
    for name, (printed, role) in PEOPLE.items():
        person = {"name": name, "printed_name": printed, "password": PASSWORD, "roles": [role]}
        stage.client.post("/api/v1/people", person)
    policy = stage.client.post("/api/v1/policies", yaml.safe_load((HERE / "policy.yaml").read_text()))
    stage.say(f"policy {policy['policy']['name']}@{policy['policy']['version']} is published and never changes")
    race = stage.applications.everybody[["applicant", "race"]].to_csv(index=False)
    _send(stage, "PUT", "/api/v1/vault/race?key=applicant", race, by="cy")
    stage.say("race lies in the vault: Cy, the steward, may test against it; training and scoring cannot read it")


def _train(stage: Stage) -> int:
    stage.chapter(2, "Build", "three versions, through the mlflow client")
    knowing, area = building.train(stage.client.url, stage.applications, [*FEATURES, "race"])
    stage.say(f"version {knowing} knows race: AUC {area:.3f}")
    _card(stage, knowing)
    stage.refused(f"it cannot be approved: {_refusal(stage, knowing, 'race')}")

    proxy, area = building.train(stage.client.url, stage.applications, [*FEATURES, "area_grade"])
    stage.say(f"version {proxy} knows the grade of the area instead, a column made up for this: AUC {area:.3f}")
    _card(stage, proxy)
    found = _proxy_test(stage, proxy)
    stage.say(f"tested: its features tell race with an AUC of {found['auc']:.2f}; the strongest is {_strongest(found)}")
    check(_strongest(found) == "area_grade", "the grade of the area is named as the strongest stand-in")
    stage.refused(f"it cannot be approved: {_refusal(stage, proxy, 'no-stand-in-for-race')}")

    fair, area = building.train(stage.client.url, stage.applications, FEATURES)
    stage.say(f"version {fair} knows neither: AUC {area:.3f}")
    _card(stage, fair)
    found = _proxy_test(stage, fair)
    stage.say(
        f"tested: its features tell race with an AUC of {found['auc']:.2f} ({found['low']:.2f} to "
        f"{found['high']:.2f}): "
        "applicants differ in income, debt and records too. The policy allows less than 0.82"
    )
    return fair


def _approve(stage: Stage, version: int) -> None:
    stage.chapter(3, "Manage", "signed by two people who did not make it")
    change = _ask(stage, version, "First model for the branch in Boston")
    try:
        _sign(stage, change, "cy", "validator")
        raise DidNotHappen("Who does not hold the role does not sign.")
    except NotAllowed as refusal:
        stage.refused(f"Cy may not sign: {refusal.message}")
    _sign(stage, change, "ada", "validator")
    signed = _sign(stage, change, "ben", "business-owner")
    check(signed["state"] == "approved", "two signatures approve the version")
    stage.say(f"version {version} is approved by Ada Validator and Ben Owner")
    _loosen(stage)


def _loosen(stage: Stage) -> None:
    """Whoever keeps the model's file does not take a rule off alone, from the first approved version on."""
    declared = yaml.safe_load((HERE / "model.yaml").read_text())
    asked = stage.client.apply({**declared, "protected": []}, reason="Race would make it more accurate")
    told = "; ".join(f"{one['path']} {one['words']}" for one in asked["looser"])
    check(asked["change"] is not None, "a file that loosens a rule opens a change request")
    ended = _sign(stage, asked["change"]["change_id"], "ada", "validator", meaning="rejection")
    check(ended["state"] == "rejected", "one signature against it ends the request")
    stands = stage.client.get(f"/api/v1/models/{MODEL}/file")
    check(stands["file"]["protected"] == ["race"], "the rule stands as it was")
    stage.refused(f"race stays protected: a file by which {told} waits for both to sign, and Ada rejects it")


def _deploy(stage: Stage, version: int) -> int:
    """Answers an instant at which this version was the one that answered."""
    stage.chapter(4, "Deploy", "it answers, and a person decides about those it would deny")
    stage.client.endpoint(MODEL, model=MODEL)
    _promote(stage, version)
    _wait_for(stage, version)
    holdout = stage.applications.holdout
    answer = stage.client.score(MODEL, holdout[FEATURES], reference=list(holdout["applicant"]))
    denied = [row[1] for row in answer.predictions]
    _fairness(stage, holdout.assign(score=denied))
    return time.time_ns() // 1000


def _replace(stage: Stage) -> int:
    stage.chapter(5, "Replace", "another version, on the same way")
    version, area = building.train(stage.client.url, stage.applications, FEATURES, strength=0.05)
    _card(stage, version)
    found = _proxy_test(stage, version)
    change = _ask(stage, version, "Weighs single figures less")
    _sign(stage, change, "ada", "validator")
    _sign(stage, change, "ben", "business-owner")
    _promote(stage, version)
    stage.say(f"version {version}: AUC {area:.3f}, tells race with {found['auc']:.2f}, approved and champion now")
    return version


def _audit(stage: Stage, moment: int, first: int, better: int) -> None:
    stage.chapter(6, "Audit", "the auditor's questions, from the command line")
    at = iso(moment)
    answered = stage.asked("audit", "as-of", MODEL, "--at", at)
    stage.show(answered)
    then = stage.client.get(f"/api/v1/models/{MODEL}/as-of", {"at": at})
    check([one["version"] for one in then["releases"]] == [first], f"version {first} answered at {at}")
    signed = {one["printed_name"] for one in _approval(then, first)["signatures"]}
    check(signed == {"Ada Validator", "Ben Owner"}, "it is told who approved what answered then")

    stage.show(stage.asked("audit", "verify"))
    key, evidence = stage.folder / "key.pem", stage.folder / "evidence.json"
    key.write_text(stage.asked("audit", "public-key"))
    evidence.write_text(stage.asked("version", "evidence", MODEL, str(first)))
    stage.show(stage.asked("audit", "verify-signature", str(evidence), "--public-key", str(key), "--quorum"), most=30)
    events = stage.client.get("/api/v1/audit", {"action": "vault."})
    check({one["action"] for one in events} == {"vault.put", "vault.opened"}, "each look into the vault is in the log")
    stage.say(f"race was read {len(events) - 1} times, each time for a proxy test, and each time it is in the log")
    stage.show(stage.asked("lineage", "show", f"version:{MODEL}/{better}"), most=20)


def _fairness(stage: Stage, scored: pd.DataFrame) -> None:
    """Denials by race, by who may know it: the lender's steward. Nothing of it goes back into the model."""
    sent = scored.assign(denied_by_model=scored["score"] >= REFUSED_FROM).groupby("race")
    table = Table("race", "applications", "to a person, for denial", "denied in fact", box=None, header_style="bold")
    rates: dict[Any, float] = {}
    for race, group in sent:
        rates[race] = 1 - float(group["denied_by_model"].mean())
        shares = (f"{group['denied_by_model'].mean():.1%}", f"{group['denied'].mean():.1%}")
        table.add_row(str(race), str(len(group)), *shares)
    stage.console.print(table)
    ratio = rates["black"] / rates["other"]
    stage.say(
        f"black applicants pass at {ratio:.2f} of the others' rate (four fifths is the usual line): the model knows no "
        "race, and repeats what the figures that it knows hold. People can see that, and judge"
    )


# --- one call each ---


def _send(stage: Stage, method: str, path: str, content: str, *, by: str) -> Any:
    """Send a table as a person, by their own password."""
    answer = httpx.request(
        method,
        stage.client.url + path,
        content=content.encode(),
        headers={"content-type": "text/csv"},
        auth=(by, PASSWORD),
        timeout=300,
    )
    check(answer.status_code < 300, f"{method} {path} is taken: {answer.text}")
    return answer.json()


def _proxy_test(stage: Stage, version: int) -> dict[str, Any]:
    rows = stage.applications.everybody[["applicant", *FEATURES, "area_grade"]].to_csv(index=False)
    path = f"{VERSION}/{version}/proxy-tests?key=applicant&purpose=review%20before%20approval"
    [found] = _send(stage, "POST", path, rows, by="cy")
    return dict(found)


def _strongest(found: dict[str, Any]) -> str:
    return str(found["features"][0]["feature"])


def _card(stage: Stage, version: int) -> None:
    stage.client.put(f"{VERSION}/{version}/card", CARD)


def _ask(stage: Stage, version: int, reason: str) -> str:
    change = {"kind": "approve", "model": MODEL, "version": version, "reason": reason}
    return str(stage.client.post("/api/v1/changes", change)["change_id"])


def _refusal(stage: Stage, version: int, about: str) -> str:
    try:
        _ask(stage, version, "It is the most accurate")
    except GateNotMet as refusal:
        told = [failure for failure in refusal.failures if about in failure]
        check(told, f"the refusal names {about}")
        return told[0]
    raise DidNotHappen(f"Version {version} is refused.")


def _sign(stage: Stage, change: str, person: str, role: str, *, meaning: str = "approval") -> dict[str, Any]:
    signature = {
        "person": person,
        "password": PASSWORD,
        "role": role,
        "meaning": meaning,
        "reason": "read and tested",
    }
    return dict(stage.client.post(f"/api/v1/changes/{change}/signatures", signature))


def _promote(stage: Stage, version: int) -> None:
    stage.client.post(f"{VERSION}/{version}/promote", {"to": "champion", "reason": "approved"})


def _wait_for(stage: Stage, version: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        health = stage.client.endpoint(MODEL).health
        if any(one.version == version and one.state == "serving" for one in health):
            stage.say(f"version {version} answers at {stage.client.scoring_url}/endpoints/{MODEL}")
            return
        time.sleep(0.1)
    raise DidNotHappen(f"Version {version} answers within a minute.")


def _approval(then: dict[str, Any], version: int) -> dict[str, Any]:
    [told] = [one for one in then["versions"] if one["version"] == version]
    [approval] = [one for one in told["changes"] if one["kind"] == "approve" and one["state"] == "approved"]
    return dict(approval)
