"""`tenure version …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import server_option, show, when
from tenure.cli.decisions import decision_options


@click.group("version")
def command() -> None:
    """Versions: see what stands against one, ask for approval, sign, promote."""


@command.command("gates")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--gate", default="approve", show_default=True, help="register, approve, deploy or promote.")
@server_option
def gates(model: str, version: int, gate: str, client: Any, as_json: bool) -> None:
    """What the policy says about a version, rule by rule."""
    answer = client.get(f"/api/v1/models/{model}/versions/{version}/gates", {"gate": gate})
    rows = [("held" if rule["passed"] else "FAILED", rule["rule"], rule["explanation"]) for rule in answer["rules"]]
    show(answer, as_json, ["result", "rule", "explanation"], rows, f"{model} version {version}, gate '{gate}'")


@command.command("files")
@click.argument("model")
@click.argument("version", type=int)
@server_option
def files(model: str, version: int, client: Any, as_json: bool) -> None:
    """What a version's files are, and what its pickles bring in when they are loaded."""
    answer = client.get(f"/api/v1/models/{model}/versions/{version}/contents")
    rows = [(one["path"], one["size_bytes"], one["kind"], _brought_in(one["scan"])) for one in answer["files"]]
    runs = {True: "runs code of its files", False: "only reads data", None: "may run code: some files are not known"}
    title = f"{model} version {version}: loading it {runs[answer['runs_code']]}"
    show(answer, as_json, ["file", "bytes", "kind", "brings in"], rows, title)


@command.command("approve")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why it should be approved.")
@server_option
def approve(model: str, version: int, reason: str, client: Any, as_json: bool) -> None:
    """Open a change request that asks for approval."""
    _open(client, "approve", model, version, reason, as_json)


@command.command("suspend")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why it must not answer for now.")
@click.option(
    "--accept-all", is_flag=True, help="In an emergency: accept at once that everything depending on it is hit."
)
@decision_options
@server_option
def suspend(
    model: str, version: int, reason: str, accept_all: bool, decisions: list[Any], client: Any, as_json: bool
) -> None:
    """Open a change request that suspends an approved version."""
    more = {"accept": "all"} if accept_all else {}
    _open(client, "suspend", model, version, reason, as_json, decisions=decisions, **more)


@command.command("retire")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Why it is not needed any more.")
@decision_options
@server_option
def retire(model: str, version: int, reason: str, decisions: list[Any], client: Any, as_json: bool) -> None:
    """Open a change request that retires a version for good."""
    _open(client, "retire", model, version, reason, as_json, decisions=decisions)


@command.command("changes")
@click.option("--state", help="open, approved, rejected, invalidated or withdrawn.")
@click.option("--model", help="Only this model's.")
@server_option
def changes(state: str | None, model: str | None, client: Any, as_json: bool) -> None:
    """Change requests, newest first."""
    found = client.get("/api/v1/changes", _given(state=state, model=model))
    rows = [
        (one["change_id"], one["kind"], f"{one['model']} {one['version']}", one["state"], when(one["opened_at"]))
        for one in found
    ]
    show(found, as_json, ["change", "kind", "version", "state", "opened (UTC)"], rows, "Changes")


@command.command("sign")
@click.argument("change_id")
@click.option("--person", prompt=True, help="The name to sign in with.")
@click.option("--role", prompt=True, help="The role that you sign in.")
@click.option("--reason", prompt=True, help="What you looked at and why you decide so.")
@click.option("--reject", is_flag=True, help="Sign a rejection instead of an approval.")
@click.password_option(confirmation_prompt=False, help="Asked for when it is not given.")
@server_option
def sign(
    change_id: str, person: str, role: str, reason: str, reject: bool, password: str, client: Any, as_json: bool
) -> None:
    """Sign a change request, as yourself."""
    body = {
        "person": person,
        "password": password,
        "role": role,
        "meaning": "rejection" if reject else "approval",
        "reason": reason,
    }
    change = client.post(f"/api/v1/changes/{change_id}/signatures", body)
    rows = [(step["role"], f"{step['signed']} of {step['needed']}") for step in change["steps"]]
    show(change, as_json, ["role", "signatures"], rows, f"The change is {change['state']}")


@command.command("promote")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--to", "role", type=click.Choice(["champion", "challenger"]), default="champion", show_default=True)
@click.option("--reason", required=True, help="Why now.")
@server_option
def promote(model: str, version: int, role: str, reason: str, client: Any, as_json: bool) -> None:
    """Put an approved version in service at every endpoint of its model."""
    answer = client.post(f"/api/v1/models/{model}/versions/{version}/promote", {"to": role, "reason": reason})
    show(answer, as_json, ["promoted"], [(f"{model} version {version} is {role}",)])


def _brought_in(scan: dict[str, Any]) -> str:
    """Dangerous imports by name, the others by package; and what could not be read."""
    imports = scan["imports"]
    flagged = [f"DANGEROUS {one['module']}.{one['name']}" for one in imports if one["level"] == "dangerous"]
    packages = sorted({one["module"].split(".")[0] for one in imports if one["level"] != "dangerous"})
    unread = {"scanned": [], "too_large": ["too large to be scanned"]}.get(scan["state"], ["not read to its end"])
    return ", ".join([*flagged, *packages, *unread])


def _open(client: Any, kind: str, model: str, version: int, reason: str, as_json: bool, **more: Any) -> None:
    body = {"kind": kind, "model": model, "version": version, "reason": reason, **more}
    change = client.post("/api/v1/changes", body)
    rows = [(step["role"], step["needed"]) for step in change["steps"]]
    show(change, as_json, ["role", "signatures needed"], rows, f"Change {change['change_id']} is {change['state']}")


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
