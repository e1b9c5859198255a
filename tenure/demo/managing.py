"""Manage: declare the model, be refused twice, then have two people sign."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from tenure.demo.stage import Stage
from tenure.errors import GateNotMet, NotAllowed, TenureError


@dataclass(frozen=True)
class Signer:
    name: str
    printed_name: str
    role: str
    password: str


def declare(stage: Stage) -> None:
    """Apply the model's file, as `tenure apply` would."""
    declared = yaml.safe_load((files("tenure.demo") / "flight-delay.yaml").read_text())
    stage.client.apply({**declared, "model": stage.model})


def invite(stage: Stage) -> list[Signer]:
    """Two people with the roles that the model's file asks for. Their passwords are new in every run."""
    number = stage.model.removeprefix("flight-delay")
    people = [
        Signer(f"ada{number}", "Ada Validator", "validator", secrets.token_urlsafe(12)),
        Signer(f"ben{number}", "Ben Owner", "business-owner", secrets.token_urlsafe(12)),
    ]
    for person in people:
        stage.client.post(
            "/api/v1/people",
            {
                "name": person.name,
                "printed_name": person.printed_name,
                "password": person.password,
                "roles": [person.role],
            },
        )
    return people


def fill_card(stage: Stage, version: int) -> None:
    """What a reader must know and no fact can tell; the rest the server fills from facts."""
    stage.client.put(
        f"/api/v1/models/{stage.model}/versions/{version}/card",
        {
            "scope": "Scheduled passenger flights from JFK, LaGuardia and Newark, known before departure.",
            "expected_output": "The chance of arriving more than 15 minutes late: [on time, late], adding up to 1.",
            "data_dependencies": "Airline schedules, hourly weather at the origin, the registry of planes.",
        },
    )


def ask(stage: Stage, version: int, reason: str) -> dict[str, Any]:
    """Open a change request that asks for approval."""
    change: dict[str, Any] = stage.client.post(
        "/api/v1/changes", {"kind": "approve", "model": stage.model, "version": version, "reason": reason}
    )
    return change


def sign(stage: Stage, change_id: str, people: list[Signer]) -> dict[str, Any]:
    """Each signs with their own password; the last signature approves."""
    change: dict[str, Any] = {}
    for person in people:
        change = stage.client.post(
            f"/api/v1/changes/{change_id}/signatures",
            {
                "person": person.name,
                "password": person.password,
                "role": person.role,
                "meaning": "approval",
                "reason": "Card, baseline and holdout figures read; fit for use.",
            },
        )
        stage.say(f"{person.printed_name} signed as {person.role}")
    return change


def refusal_of_the_tempting(stage: Stage, version: int, holdout_roc_auc: float) -> None:
    """A version that knows the departure delay is brilliant on paper, and useless before departure."""
    fill_card(stage, version)
    try:
        ask(stage, version, "Best AUC that we ever had")
    except GateNotMet as refusal:
        stage.check(any("dep_delay" in failure for failure in refusal.failures), "the refusal named dep_delay")
        stage.refused(f"version {version} has AUC {holdout_roc_auc:.3f} and is refused: {refusal.failures[0]}")
        return
    stage.check(False, "a version that uses dep_delay was refused")


def refusal_without_approval(stage: Stage, version: int) -> None:
    """The alias `champion`, set with MLflow's own client, is refused while nobody has approved."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient(stage.client.url).set_registered_model_alias(stage.model, "champion", str(version))
    except MlflowException as refusal:
        stage.check(refusal.error_code == "PERMISSION_DENIED", "the refusal was a denied permission")
        stage.refused(f"mlflow: set alias 'champion' to version {version} → {refusal.message}")
        return
    stage.check(False, "the alias 'champion' was refused without approval")


def approve(stage: Stage, version: int, people: list[Signer]) -> None:
    """Ask, be signed by two people, and be approved."""
    fill_card(stage, version)
    change = ask(stage, version, "First model for the travel app")
    signed = sign(stage, change["change_id"], people)
    stage.check(signed["state"] == "approved", "two signatures approved the version")
    stage.say(f"version {version} is approved")


def verify_audit(stage: Stage) -> None:
    verified = stage.client.get("/api/v1/audit/verify")
    stage.check(verified["first_bad"] is None, "the audit chain is whole")
    stage.say(f"audit log verified: {verified['events']} events, one chain")


def promote(stage: Stage, version: int) -> None:
    stage.client.post(
        f"/api/v1/models/{stage.model}/versions/{version}/promote",
        {"to": "champion", "reason": "Approved; first release"},
    )


def sign_what_waits(stage: Stage, people: list[Signer]) -> int:
    """Sign the open change requests of the model, as its people would in the evening. Returns how many."""
    waiting = stage.client.get("/api/v1/changes", {"state": "open", "model": stage.model})
    for change in waiting:
        try:
            sign(stage, change["change_id"], people)
        except TenureError as refusal:
            stage.check(isinstance(refusal, NotAllowed), f"signing {change['change_id']} works: {refusal.message}")
    return len(waiting)
