"""`tenure policy …`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import Verbs, kind_of, server_option, show, when
from tenure.errors import InvalidInput
from tenure.sdk.client import Client

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("policy", cls=Verbs)
def command() -> None:
    """Policies: what a version must show at each gate, from when on and where."""


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Every policy, and which version of it counts now."""
    found = client.get("/api/v1/policies")
    rows = [
        (
            one["name"],
            f"@{one['current']}" if one["current"] else "none",
            len(one["versions"]),
            when(one["versions"][0]["published_at"]) if one["versions"] else "",
            one["versions"][0]["published_by"] if one["versions"] else "",
            "yes" if one["draft"] else "",
        )
        for one in found
    ]
    show(found, as_json, ["policy", "counts now", "versions", "published (UTC)", "by", "draft"], rows, "Policies")


@command.command("show")
@click.argument("name")
@click.option("--version", type=int, help="Which one.  [default: the one that counts now, else the newest]")
@server_option
def show_(name: str, version: int | None, client: Any, as_json: bool) -> None:
    """One version: its rules and bans, where and when they count."""
    if version is None:
        known = next((one for one in client.get("/api/v1/policies") if one["name"] == name), None)
        if known is None or not known["versions"]:
            raise InvalidInput(f"There is no published policy {name!r}. `tenure policy list` shows them.")
        version = known["current"] or known["versions"][0]["version"]
    found = client.get(f"/api/v1/policies/{quote(name, safe='')}/{version}")
    body = found["body"]
    rows = [
        (one["name"], ", ".join(one["gates"]), one["require"], _span(one), ", ".join(one["jurisdictions"]))
        for one in body["rules"]
    ]
    rows += [
        (f"forbid {_mark(one)}", "approve, deploy, promote", one["reason"], _span(one), ", ".join(one["jurisdictions"]))
        for one in body["forbid"]
    ]
    withdrawn = f", withdrawn from {found['withdrawn']['from_date']} on" if found["withdrawn"] else ""
    title = f"{name}@{version}{withdrawn}: {body['purpose']}"
    show(found, as_json, ["rule", "gates", "requires", "valid", "jurisdictions"], rows, title)


@command.command("check")
@click.argument("file", type=FILE)
@server_option
def check(file: Path, client: Any, as_json: bool) -> None:
    """Read a policy and hold it against the facts that gates know; nothing is stored."""
    answer = client.post("/api/v1/policies/check", _read(file))
    rows = [(one["rule"], ", ".join(one["reads"])) for one in answer["rules"]]
    show(answer, as_json, ["rule", "reads"], rows, f"{answer['policy']} can be published")


@command.command("draft")
@click.argument("file", type=FILE)
@server_option
def draft(file: Path, client: Any, as_json: bool) -> None:
    """Keep a policy as a draft: it counts nowhere until it is published."""
    answer = client.put("/api/v1/policies/draft", _read(file))
    show(answer, as_json, ["draft", "by"], [(answer["name"], answer["saved_by"])])


@command.command("publish")
@click.argument("file", type=FILE, required=False)
@click.option("--draft", "name", help="Publish the draft of this name instead of a file.")
@click.option("--reason", default="", help="Why; the audit log keeps it.")
@server_option
def publish(file: Path | None, name: str | None, reason: str, client: Any, as_json: bool) -> None:
    """Publish a policy as its next version. What was published never changes; publish again to supersede it."""
    if (file is None) == (name is None):
        raise InvalidInput("Give a file, or --draft with a policy's name.")
    why = {"reason": reason} if reason else None
    if name is not None:
        answer = client.post(f"/api/v1/policies/{quote(name, safe='')}/publish", None, why)
    else:
        assert file is not None
        answer = client.post("/api/v1/policies", _read(file), why)
    _tell(answer, as_json)


@command.command("withdraw")
@click.argument("name")
@click.argument("version", type=int)
@click.option("--from", "from_date", required=True, help="First day on which it no longer counts, YYYY-MM-DD (UTC).")
@click.option("--reason", required=True, help="Why.")
@server_option
def withdraw(name: str, version: int, from_date: str, reason: str, client: Any, as_json: bool) -> None:
    """Let a version count no more from a day on. It stays to be read."""
    body = {"from_date": from_date, "reason": reason}
    _tell(client.post(f"/api/v1/policies/{quote(name, safe='')}/{version}/withdraw", body), as_json)


@command.command("dry-run")
@click.argument("file", type=FILE)
@click.option("--since", required=True, help="First day, YYYY-MM-DD (UTC).")
@click.option("--until", help="Day before which to stop.  [default: now]")
@server_option
def dry_run(file: Path, since: str, until: str | None, client: Any, as_json: bool) -> None:
    """What a policy would have refused: asked of the facts of past gate evaluations."""
    when_ = {"since": since, **({"until": until} if until else {})}
    answer = client.post("/api/v1/policies/dry-run", _read(file), when_)
    rows = [
        (
            when(line["evaluated_at"]),
            line["gate"],
            f"{line['model']} {line['version']}",
            "passed" if line["passed_then"] else "refused",
            "passes" if line["would_pass"] else "REFUSED",
            " ".join(f"{rule['rule']}: {rule['explanation']}" for rule in line["rules"] if not rule["held"]),
            ", ".join(sorted({path for rule in line["rules"] for path in rule["lacking"]})),
        )
        for line in answer["lines"]
    ]
    title = (
        f"{answer['policy']} since {since}: of {answer['evaluations']} evaluations {answer['refused']} that passed "
        f"would have been refused; {answer['not_about']} it is not about; {answer['lacking']} lack a fact that it needs"
    )
    show(answer, as_json, ["at (UTC)", "gate", "version", "then", "with it", "why", "facts missing"], rows, title)


@command.command("proxy-test")
@click.argument("model")
@click.argument("version", type=int)
@click.option("--data", "file", type=FILE, required=True, help="Rows with the version's columns: .csv or .parquet.")
@click.option("--key", required=True, help="The column by which the vault knows the rows, such as a customer's number.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    help="Only this; repeat it for several.  [default: all in the vault]",
)
@click.option("--purpose", required=True, help="Why the protected attributes are read; it is told in the audit log.")
@server_option
def proxy_test(
    model: str,
    version: int,
    file: Path,
    key: str,
    attributes: tuple[str, ...],
    purpose: str,
    client: Any,
    as_json: bool,
) -> None:
    """How well a version's features together predict each protected attribute, and which tells most on its own."""
    wanted = {"key": key, "purpose": purpose, "attribute": list(attributes)}
    path = f"/api/v1/models/{quote(model, safe='')}/versions/{version}/proxy-tests"
    with Client(client.url, timeout_s=900.0) as patient:
        found = patient.send_file("POST", path, file.read_bytes(), kind_of(file), wanted)
    rows = [
        (
            one["attribute"],
            f"{one['auc']:.3f} ({one['low']:.3f} to {one['high']:.3f})",
            one["measure"],
            one["rows"],
            ", ".join(f"{part['feature']} {part['value']:.2f}" for part in one["features"][:3]),
        )
        for one in found
    ]
    show(found, as_json, ["attribute", "AUC (95 %)", "measure", "rows", "strongest alone"], rows, f"{model} {version}")


@command.command("except")
@click.argument("model")
@click.argument("subject")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option("--reason", required=True, help="Why it is needed.")
@click.option("--expires", required=True, help="Its last day, YYYY-MM-DD (UTC).")
@server_option
def except_(model: str, subject: str, owner: str, reason: str, expires: str, client: Any, as_json: bool) -> None:
    """Ask that SUBJECT (policy/rule, semantic:type or source:name) be allowed for a model. Somebody else decides."""
    body = {"model": model, "subject": subject, "owner": owner, "reason": reason, "expires": expires}
    answer = client.post("/api/v1/policy-exceptions", body)
    show(answer, as_json, ["exception", "state"], [(answer["exception_id"], answer["state"])])


@command.command("exceptions")
@click.option("--model", help="Only this model's.")
@click.option("--state", type=click.Choice(["requested", "approved", "refused", "revoked"]), help="Only these.")
@server_option
def exceptions(model: str | None, state: str | None, client: Any, as_json: bool) -> None:
    """Exceptions, newest first."""
    wanted = {name: value for name, value in (("model", model), ("state", state)) if value}
    found = client.get("/api/v1/policy-exceptions", wanted)
    rows = [
        (
            one["exception_id"],
            one["model"],
            one["subject"],
            "expired" if one["expired"] else one["state"],
            one["expires"],
            one["owner"],
            one["decided_by"],
        )
        for one in found
    ]
    show(found, as_json, ["exception", "model", "subject", "state", "until", "owner", "decided by"], rows, "Exceptions")


@command.command("decide")
@click.argument("exception_id")
@click.option("--person", prompt=True, help="The name to sign in with.")
@click.option("--reason", prompt=True, help="Why you decide so.")
@click.option("--refuse", is_flag=True, help="Refuse it instead of approving it.")
@click.password_option(confirmation_prompt=False, help="Asked for when it is not given.")
@server_option
def decide(
    exception_id: str, person: str, reason: str, refuse: bool, password: str, client: Any, as_json: bool
) -> None:
    """Approve or refuse an exception, as yourself."""
    body = {
        "person": person,
        "password": password,
        "decision": "refuse" if refuse else "approve",
        "reason": reason,
    }
    answer = client.post(f"/api/v1/policy-exceptions/{quote(exception_id, safe='')}/decision", body)
    show(answer, as_json, ["exception", "state"], [(answer["exception_id"], answer["state"])])


@command.command("revoke")
@click.argument("exception_id")
@click.option("--reason", required=True, help="Why it ends now.")
@server_option
def revoke(exception_id: str, reason: str, client: Any, as_json: bool) -> None:
    """End an exception before its day."""
    answer = client.post(f"/api/v1/policy-exceptions/{quote(exception_id, safe='')}/revoke", {"reason": reason})
    show(answer, as_json, ["exception", "state"], [(answer["exception_id"], answer["state"])])


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        declared = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as problem:
        raise InvalidInput(f"{file} must be YAML. It cannot be read: {problem}") from None
    if not isinstance(declared, dict):
        raise InvalidInput(f"{file} must hold keys such as policy, purpose and rules. Got {type(declared).__name__}.")
    plain: dict[str, Any] = json.loads(json.dumps(declared, default=str))  # dates as they were written
    return plain


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    policy = answer["policy"]
    rows = [(f"{policy['name']}@{policy['version']}", policy["digest"], ", ".join(answer["invalidated"]) or "none")]
    show(answer, as_json, ["policy", "digest", "approvals voided"], rows)


def _span(one: dict[str, Any]) -> str:
    if not one["valid_from"] and not one["valid_to"]:
        return "always"
    return f"{one['valid_from'] or '…'} to {one['valid_to'] or '…'}"


def _mark(ban: dict[str, Any]) -> str:
    return f"semantic:{ban['semantic']}" if ban["semantic"] else f"source:{ban['source']}"
