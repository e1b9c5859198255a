"""`tenure version …`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when
from tenure.cli.decisions import decision_options


@click.group("version", cls=Verbs)
def command() -> None:
    """Versions: what stands for one and against it, and the changes that move it."""


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


@command.command("form")
@click.argument("model")
@click.argument("version", type=int)
@server_option
def form(model: str, version: int, client: Any, as_json: bool) -> None:
    """What a version answers by: the form that was proven equal to it, or why there is none."""
    _show_form(client.get(f"/api/v1/models/{model}/versions/{version}/form"), as_json)


@command.command("compile")
@click.argument("model")
@click.argument("version", type=int)
@server_option
def compile_again(model: str, version: int, client: Any, as_json: bool) -> None:
    """Have a version compiled once more. What is proven already answers meanwhile."""
    _show_form(client.post(f"/api/v1/models/{model}/versions/{version}/form"), as_json)


@command.command("environment")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--build", is_flag=True, help="Decide it now and make the environment, ahead of a release.")
@server_option
def environment(model: str, version: int, build: bool, client: Any, as_json: bool) -> None:
    """What a version runs in: the server's packages, an environment of its own, or neither and why."""
    path = f"/api/v1/models/{model}/versions/{version}/environment"
    answer = _built(client, f"{path}/build") if build else client.get(path)
    found = answer["environment"]
    rows = [
        ("lacking here", f"{one['name']}{one['wanted']}", one["here"] or "not installed") for one in found["lacking"]
    ]
    rows += [("missing wheel", wheel, "") for wheel in found["missing"]]
    rows += [("package", *package.split("==")) for package in answer["packages"]]
    rows = rows or [("requirement", line, "met") for line in found["requirements"]]
    title = f"{model} version {version}: {_environment(answer)}"
    show(answer, as_json, ["what", "name", "version"], rows or [("python", found["python"], "")], title)


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
    """Open a change request that suspends an approved version: one signature takes it out of service."""
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


@command.command("register")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Where it comes from and what it is for.")
@server_option
def register(model: str, version: int, reason: str, client: Any, as_json: bool) -> None:
    """Open a change request that takes a version in, where the model's file asks for a signed registration."""
    _open(client, "register", model, version, reason, as_json)


@command.command("deploy")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--endpoint", required=True, help="Where it answers.")
@click.option("--as", "role", type=click.Choice(["champion", "challenger", "shadow"]), default="challenger")
@click.option(
    "--share", type=click.FloatRange(0, 1, max_open=True), default=0.1, help="A challenger's part of requests."
)
@click.option("--reason", required=True, help="Why there, why now.")
@server_option
def deploy(
    model: str, version: int, endpoint: str, role: str, share: float, reason: str, client: Any, as_json: bool
) -> None:
    """Put a version of a governed model in service at one endpoint, by a change request."""
    target = {"to": role, "endpoint": endpoint, "share": share if role == "challenger" else 0.0}
    _open(client, "deploy", model, version, reason, as_json, target=target)


@command.command("inbox")
@server_option
def inbox(client: Any, as_json: bool) -> None:
    """What waits for you: changes to sign, changes that came back, alerts of your models, and who is kept out."""
    found = client.get("/api/v1/inbox")
    kept_out = found["lock_outs"]
    rows = [("sign", _about(one["change"]), f"as {' or '.join(one['roles'])}") for one in found["to_sign"]]
    rows += [("came back", _about(one), f"{one['state']}: {one['ended_because']}") for one in found["came_back"]]
    rows += [("waits for others", _about(one), _missing(one)) for one in found["waiting"]]
    rows += [("alert", one["endpoint"], one["message"]) for one in found["alerts"]]
    rows += [("kept out", one["name"], f"after failures of sign-in, until {when(one['until_at'])}") for one in kept_out]
    show(found, as_json, ["what", "about", "how"], rows, "Inbox")


@command.command("comment")
@click.argument("change_id")
@click.option("--text", prompt=True, help="What you have to say, up to 4,000 characters.")
@server_option
def comment(change_id: str, text: str, client: Any, as_json: bool) -> None:
    """Say something about a change request. A comment is never edited."""
    said = client.post(f"/api/v1/changes/{change_id}/comments", {"text": text})
    show(said, as_json, ["who", "at (UTC)", "text"], [(said["person"], when(said["at"]), said["text"])])


@command.command("discussion")
@click.argument("change_id")
@server_option
def discussion(change_id: str, client: Any, as_json: bool) -> None:
    """A change request from its opening to its end: comments and signatures in the order of time."""
    found = client.get(f"/api/v1/changes/{change_id}/timeline")
    rows = [(when(one["at"]), one["who"], _moment(one), one["text"]) for one in found]
    show(found, as_json, ["at (UTC)", "who", "what", "said"], rows, "Discussion")


@command.command("changes")
@click.option("--state", help="open, approved, rejected, invalidated or withdrawn.")
@click.option("--model", help="Only this model's.")
@server_option
def changes(state: str | None, model: str | None, client: Any, as_json: bool) -> None:
    """Change requests, newest first."""
    found = client.get("/api/v1/changes", _given(state=state, model=model))
    rows = [(one["change_id"], one["kind"], _of(one), one["state"], when(one["opened_at"])) for one in found]
    show(found, as_json, ["change", "kind", "about", "state", "opened (UTC)"], rows, "Changes")


@command.command("sign")
@click.argument("change_id")
@click.option("--person", prompt=True, help="The name to sign in with.")
@click.option("--role", prompt=True, help="The role that you sign in.")
@click.option("--reason", prompt=True, help="What you looked at and why you decide so.")
@click.option("--reject", is_flag=True, help="Sign a rejection instead of a yes.")
@click.option("--author", "as_author", is_flag=True, help="Sign as its author, with the role 'author'; fills no step.")
@click.password_option(confirmation_prompt=False, help="Asked for when it is not given.")
@server_option
def sign(
    change_id: str,
    person: str,
    role: str,
    reason: str,
    reject: bool,
    as_author: bool,
    password: str,
    client: Any,
    as_json: bool,
) -> None:
    """Sign a change request, as yourself."""
    body = {
        "person": person,
        "password": password,
        "role": role,
        "meaning": "author" if as_author else "rejection" if reject else "approval",
        "reason": reason,
    }
    change = client.post(f"/api/v1/changes/{change_id}/signatures", body)
    rows = [(step["role"], f"{step['signed']} of {step['needed']}") for step in change["steps"]]
    show(change, as_json, ["role", "signatures"], rows, f"The change is {change['state']}")


@command.command("evidence")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file.  [default: printed]")
@server_option
def evidence(model: str, version: int, out: Path | None, client: Any, as_json: bool) -> None:
    """Everything that stands for a version in one JSON file; `tenure audit verify-signature` reads it offline."""
    found = client.get(f"/api/v1/models/{model}/versions/{version}/evidence")
    if out is None:
        show(found, True)
        return
    out.write_text(json.dumps(found, indent=2))
    signed = sum(len(envelopes) for envelopes in found["envelopes"].values())
    show(found, as_json, ["file", "changes", "signatures"], [(out, len(found["changes"]), signed)])


@command.command("promote")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--to", "role", type=click.Choice(["champion", "challenger"]), default="champion", show_default=True)
@click.option("--reason", required=True, help="Why now.")
@server_option
def promote(model: str, version: int, role: str, reason: str, client: Any, as_json: bool) -> None:
    """Put a version in service at every endpoint of its model. For a governed one this is a change request."""
    if client.get(f"/api/v1/models/{model}")["summary"]["governed"]:
        _open(client, "promote", model, version, reason, as_json, target={"to": role})
        return
    answer = client.post(f"/api/v1/models/{model}/versions/{version}/promote", {"to": role, "reason": reason})
    show(answer, as_json, ["promoted"], [(f"{model} version {version} is {role}",)])


def _brought_in(scan: dict[str, Any]) -> str:
    """Dangerous imports by name, the others by package; and what could not be read."""
    imports = scan["imports"]
    flagged = [f"DANGEROUS {one['module']}.{one['name']}" for one in imports if one["level"] == "dangerous"]
    packages = sorted({one["module"].split(".")[0] for one in imports if one["level"] != "dangerous"})
    unread = {"scanned": [], "too_large": ["too large to be scanned"]}.get(scan["state"], ["not read to its end"])
    return ", ".join([*flagged, *packages, *unread])


def _show_form(form: dict[str, Any], as_json: bool) -> None:
    title = f"{form['model']} version {form['version']}: {form['state']}"
    report = form["report"]
    if report is None:
        show(
            form,
            as_json,
            ["state", "why"],
            [(form["state"], form["problem"] or "no worker has compiled it yet")],
            title,
        )
        return
    rows = [("form", report["kind"]), ("why", report["reason"])]
    rows += [(f"{one['name']} (rows)", one["rows"]) for one in report["classes"]]
    if report["form"]:
        rows += [("largest difference", f"{report['largest_difference']:.2g} of {report['tolerance']:.2g} allowed")]
        rows += [(f"{name}, one row, p50 (µs)", report[name]["p50_us"]) for name in ("original", "form")]
    rows += [("mind", warning) for warning in report["warnings"]]
    show(form, as_json, ["what", "found"], [row for row in rows if row[1] != ""], title)


def _open(client: Any, kind: str, model: str, version: int, reason: str, as_json: bool, **more: Any) -> None:
    body = {"kind": kind, "model": model, "version": version, "reason": reason, **more}
    change = client.post("/api/v1/changes", body)
    rows = [(step["role"], step["needed"]) for step in change["steps"]]
    title = f"Change {change['change_id']} is {change['state']}"
    if change["state"] == "approved":
        rows, title = [("nobody: the approval of the version allows it", 0)], f"Done. {title}"
    show(change, as_json, ["role", "signatures needed"], rows, title)


def _about(change: dict[str, Any]) -> str:
    return f"{change['kind']} {_of(change)} ({change['change_id']})"


def _of(change: dict[str, Any]) -> str:
    """What a change is about: a version, or the model's file."""
    return f"the file of {change['model']}" if change["revising"] else f"{change['model']} {change['version']}"


def _missing(change: dict[str, Any]) -> str:
    return ", ".join(f"{step['role']} {step['signed']} of {step['needed']}" for step in change["steps"])


def _moment(one: dict[str, Any]) -> str:
    signature = one["signature"]
    return f"{signature['meaning']} as {signature['role']}" if signature else one["what"]


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _built(client: Any, path: str) -> Any:
    """Have an environment made; the server answers while it is at it, so ask until it is there."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Resolving what the version asks for", total=None)
        while True:
            answer = client.post(path)
            if answer["environment"]["kind"] != "own" or answer["is_built"]:
                return answer
            progress.update(task, description=f"Making the environment, {len(answer['packages'])} packages")


def _environment(answer: Any) -> str:
    found = answer["environment"]
    if found["kind"] == "own":
        built = "built" if answer["is_built"] else "not built yet"
        return f"an environment of its own, {found['digest'][:12]}, Python {found['python']}, {built}"
    if not answer["is_settled"]:
        return "not decided yet; a release decides it, and --build"
    if found["kind"] == "refused":
        return f"it cannot run here: {found['reason']}"
    return "the server's packages" + (f" ({found['reason']})" if found["reason"] else "")
