"""`tenure endpoint …`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import Verbs, number, server_option, show, when
from tenure.errors import InvalidInput


@click.group("endpoint", cls=Verbs)
def command() -> None:
    """Endpoints: make one, see how it does, score."""


@command.command("create")
@click.argument("name")
@click.argument("model")
@server_option
def create(name: str, model: str, client: Any, as_json: bool) -> None:
    """Make an endpoint for a model; its champion answers there."""
    endpoint = client.post("/api/v1/endpoints", {"name": name, "model": model})
    show(endpoint, as_json, ["endpoint", "scores at"], [(endpoint["name"], endpoint["scoring_url"])])


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Every endpoint."""
    endpoints = client.get("/api/v1/endpoints")
    rows = [(one["name"], one["model"], one["scoring_url"]) for one in endpoints]
    show(endpoints, as_json, ["endpoint", "model", "scores at"], rows, "Endpoints")


@command.command("show")
@click.argument("name")
@server_option
def show_(name: str, client: Any, as_json: bool) -> None:
    """The releases of an endpoint and how their processes are."""
    endpoint = client.get(f"/api/v1/endpoints/{name}")
    states = {health["release_id"]: health["state"] for health in endpoint["health"]}
    rows = [
        (one["role"], one["version"], states.get(one["release_id"], ""), when(one["from_at"]), when(one["until_at"]))
        for one in endpoint["releases"]
    ]
    show(endpoint, as_json, ["role", "version", "state", "from (UTC)", "until (UTC)"], rows, endpoint["scoring_url"])


@command.command("report")
@click.argument("name")
@server_option
def report(name: str, client: Any, as_json: bool) -> None:
    """Month by month: traffic, accuracy with interval, value, alerts."""
    months = client.get(f"/api/v1/endpoints/{name}/report", {"by": "month"})
    rows = [
        (
            when(month["start_at"])[:7],
            f"{month['predictions']:,}",
            f"{month['outcomes']:,}",
            number(month["event_rate"]),
            number(month["roc_auc"]["value"]),
            f"{number(month['roc_auc']['low'])}-{number(month['roc_auc']['high'])}",
            number(month["value"], 0),
            ", ".join(map(str, month["versions"])),
            month["alerts"],
        )
        for month in months
    ]
    columns = ["month", "predictions", "outcomes", "event rate", "AUC", "95 %", "value", "versions", "alerts"]
    show(months, as_json, columns, rows, name)


@command.command("harm")
@click.argument("name")
@server_option
def harm(name: str, client: Any, as_json: bool) -> None:
    """Detectors of harm: what each is held against, how near an alarm it is, and what it found."""
    found = client.get(f"/api/v1/endpoints/{name}/detectors")
    rows = [
        (
            one["version"],
            one["detector"],
            one["state"],
            number((one["reference"] or {}).get("mean")),
            number((one["reference"] or {}).get("mu0")),
            f"{one['memory']['rows']:,}",
            number(one["points"][-1]["statistic"], 1) if one["points"] else "",
            number(one["points"][-1]["threshold"], 1) if one["points"] else "",
            _found(one["alarm"]),
            "; ".join(_rival(other) for other in one["compared"]),
        )
        for one in found
    ]
    columns = ["version", "loss", "state", "usual", "no harm up to", "rows", "log M", "alarm at", "found", "beside"]
    show(found, as_json, columns, rows, f"Detectors of harm at {name}; losses on the scale of 0 to 1")


def _found(alarm: dict[str, Any] | None) -> str:
    if alarm is None:
        return ""
    interval = f"{number(alarm['low'])}-{number(alarm['high'])}"
    return f"since {when(alarm['began_at'])}: {number(alarm['mean'])} ({interval}), was {number(alarm['reference'])}"


def _rival(other: dict[str, Any]) -> str:
    told = ", ".join(when(at) for at in other["alarms_at"][-3:]) or "nothing"
    return f"{other['detector']}: {other['problem'] or told}"


@command.command("estimates")
@click.argument("name")
@server_option
def estimates(name: str, client: Any, as_json: bool) -> None:
    """How good the latest window is estimated to be before its outcomes come, and how past estimates fared."""
    records = client.get(f"/api/v1/endpoints/{name}/estimates")
    windows = client.get(f"/api/v1/endpoints/{name}/windows", {"role": "champion", "limit": 1})
    told = windows[0]["estimated"] if windows else None
    fared = {(one["version"], one["metric"]): one for one in records}
    rows = [
        (
            one["metric"],
            number(one["value"]) if not one["reason"] else "cannot estimate: " + one["reason"],
            f"{number(one['low'])}-{number(one['high'])}" if not one["reason"] else "",
            number(one["truth"]),
            _fared(fared.get((windows[0]["version"], one["metric"]))),
        )
        for one in (told["estimates"] if told else [])
    ]
    said = (told["reason"] if told else "") or "nothing to estimate yet"
    title = f"{name}, window from {when(windows[0]['start_at'])}" if rows else f"{name}: cannot estimate, {said}"
    show({"latest": told, "records": records}, as_json, ["metric", "estimate", "95 %", "truth", "record"], rows, title)


def _fared(record: dict[str, Any] | None) -> str:
    return f"{record['held']} of {record['checked']} held the truth" if record else "none checked yet"


@command.command("drift")
@click.argument("name")
@click.option("--against", type=click.Choice(["training", "previous", "season"]), help="One reference; else all.")
@click.option("--column", help="One column, with every statistic.")
@click.option("--version", type=int, help="A version's latest window; else the latest of all.")
@click.option("--role", type=click.Choice(["champion", "challenger", "shadow"]), default="champion", show_default=True)
@server_option
def drift(
    name: str, against: str | None, column: str | None, version: int | None, role: str, client: Any, as_json: bool
) -> None:
    """How far each column of the latest window has moved, from each reference, the worst first."""
    query = {"role": role} | ({"version": version} if version is not None else {})
    told = client.get(f"/api/v1/endpoints/{name}/drift", query)
    compared = [one for one in told["comparisons"] if against in (None, one["against"])]
    title = f"{name}, version {told['version']}, {when(told['start_at'])} to {when(told['end_at'])} UTC"
    if column is not None:
        rows = [
            (one["against"], *_statistic_row(line))
            for one in compared
            for place in one["columns"]
            if place["column"] == column
            for line in place["statistics"]
        ]
        columns = ["against", "statistic", "value", "threshold", "p", "q", "n before", "n now"]
        show(told, as_json, columns, rows, f"{title}: {column}")
        return
    rows = [(one["against"], *_drift_row(place)) for one in compared for place in one["columns"]]
    rows += [(one["against"], "", "", "", "", "", one["reason"]) for one in compared if one["reason"]]
    rows += [(one["name"], "", one["state"], number(one["value"]), "", "", one["words"]) for one in told["together"]]
    rows += [("schema", one["column"], one["problem"], "", "", "", one["words"]) for one in told["schema"]]
    show(told, as_json, ["against", "column", "state", "PSI", "KS", "q", "in words"], rows, title)


def _drift_row(place: dict[str, Any]) -> tuple[Any, ...]:
    lines = {line["name"]: line for line in place["statistics"]}
    ks = number(lines["ks"]["value"]) if "ks" in lines else ""
    q = f"{lines['psi']['q_value']:.2g}"
    return place["column"], place["state"], number(lines["psi"]["value"]), ks, q, place["words"]


def _statistic_row(line: dict[str, Any]) -> tuple[Any, ...]:
    p, q = ("" if line[name] is None else f"{line[name]:.2g}" for name in ("p_value", "q_value"))
    threshold = f"q < {line['threshold']:.2g}" if line["kind"] == "test" else number(line["threshold"])
    return line["name"], number(line["value"]), threshold, p, q, f"{line['n_reference']:,}", f"{line['n_current']:,}"


@command.command("kill")
@click.argument("name")
@click.option("--version", type=int, default=None, help="Only this version; without it, whatever answers.")
@click.option("--reason", required=True, help="Why it must stop.")
@server_option
def kill(name: str, version: int | None, reason: str, client: Any, as_json: bool) -> None:
    """Stop a version, or the whole endpoint, at once; the fallback answers instead, or 503."""
    _taken(client.post(f"/api/v1/endpoints/{name}/kills", {"version": version, "reason": reason}), as_json)


@command.command("lift")
@click.argument("name")
@click.argument("kill_id", required=False)
@click.option("--reason", required=True, help="Why it may answer again.")
@server_option
def lift(name: str, kill_id: str | None, reason: str, client: Any, as_json: bool) -> None:
    """End a kill: what the releases say answers again. Without KILL_ID the one that stands."""
    place = f"/api/v1/endpoints/{name}/kills"
    if kill_id is None:
        standing = [one["kill_id"] for one in client.get(place) if one["lifted_at"] is None]
        if len(standing) != 1:
            raise InvalidInput(f"Name the kill to lift. Standing at {name!r}: {', '.join(standing) or 'none'}.")
        kill_id = standing[0]
    _taken(client.post(f"{place}/{kill_id}/lift", {"reason": reason}), as_json)


@command.command("kills")
@click.argument("name")
@server_option
def list_kills(name: str, client: Any, as_json: bool) -> None:
    """What was killed at an endpoint, by whom and why, newest first."""
    found = client.get(f"/api/v1/endpoints/{name}/kills")
    rows = [
        (one["version"] or "all", one["kill_id"], when(one["killed_at"]), one["reason"], when(one["lifted_at"]))
        for one in found
    ]
    show(found, as_json, ["version", "kill", "since (UTC)", "why", "lifted (UTC)"], rows, f"Kills at {name}")


@command.command("fallback")
@click.argument("name")
@click.option("--constant", default=None, help="The same answer for every row, as JSON: 0.5, or '\"unknown\"'.")
@click.option("--version", type=int, default=None, help="Another version of the model, kept warm from now on.")
@click.option(
    "--rule",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="A JSON file with `cases` (column, op, values, answer) and `otherwise`.",
)
@click.option("--none", "nothing", is_flag=True, help="Answer 503.")
@click.option("--reason", default=None, help="Why; needed to change it.")
@server_option
def fallback(
    name: str,
    constant: str | None,
    version: int | None,
    rule: Path | None,
    nothing: bool,
    reason: str | None,
    client: Any,
    as_json: bool,
) -> None:
    """Show, or name, what is answered instead of a killed version."""
    place = f"/api/v1/endpoints/{name}/fallback"
    if [constant is None, version is None, rule is None, not nothing].count(False) > 1:
        raise InvalidInput("Give one of --constant, --version, --rule and --none.")
    asked: dict[str, Any] | None = None
    if constant is not None:
        asked = {"kind": "constant", "answer": _json(constant, "--constant")}
    elif version is not None:
        asked = {"kind": "version", "version": version}
    elif rule is not None:
        asked = {"kind": "rule"} | _json(rule.read_text(), str(rule))
    if asked is None and not nothing:
        found = client.get(place)
    elif reason is None:
        raise InvalidInput("Say why, with --reason.")
    else:
        found = client.put(place, {"fallback": asked, "reason": reason})
    told = "503" if found is None else json.dumps({k: v for k, v in found.items() if k != "kind"})
    show(found, as_json, ["kind", "what"], [(found["kind"] if found else "none", told)], f"Instead of {name}")


@command.command("journal")
@click.argument("name")
@click.option("--mode", type=click.Choice(["audit", "sample", "drop-and-count"]), default=None, help="How to journal.")
@click.option("--fraction", type=float, default=1.0, help="Of the requests, for the mode sample: 0.1 for 10 %.")
@click.option("--reason", default=None, help="Why; needed to change it.")
@server_option
def journal(name: str, mode: str | None, fraction: float, reason: str | None, client: Any, as_json: bool) -> None:
    """Show, or set, what is journaled of the answers: all of them, a sample, or whatever the disk takes."""
    place = f"/api/v1/endpoints/{name}/journal"
    if mode is None:
        found = client.get(place)
    elif reason is None:
        raise InvalidInput("Say why, with --reason.")
    else:
        found = client.put(place, {"journal": {"mode": mode, "fraction": fraction}, "reason": reason})
    show(found, as_json, ["mode", "fraction"], [(found["mode"], found["fraction"])], f"Journal of {name}")


@command.command("export")
@click.argument("name")
@click.argument("address", required=False)
@click.option("--what", type=click.Choice(["request", "response"]), multiple=True, help="Repeat it; both without it.")
@click.option("--share", type=float, default=1.0, help="Of the requests: 0.1 for 10 %.")
@click.option("--secret", envvar="TENURE_EXPORT_SECRET", help="Signs every event; better given by the variable.")
@click.option("--none", "nothing", is_flag=True, help="Export nothing any more.")
@click.option("--reason", default=None, help="Why; needed to change it.")
@server_option
def export(
    name: str,
    address: str | None,
    what: tuple[str, ...],
    share: float,
    secret: str | None,
    nothing: bool,
    reason: str | None,
    client: Any,
    as_json: bool,
) -> None:
    """Show, or set, where requests and answers are sent as CloudEvents (https://…). The secret is never shown again."""
    place = f"/api/v1/endpoints/{name}/export"
    if address and nothing:
        raise InvalidInput("Give an address or --none, not both.")
    if address is None and not nothing:
        found = client.get(place)
    elif reason is None:
        raise InvalidInput("Say why, with --reason.")
    else:
        asked = {"url": address, "what": list(what) or ["request", "response"], "share": share, "secret": secret}
        found = client.put(place, asked | {"reason": reason})
    columns = ["url", "what", "share", "signed", "sent", "waiting", "failed", "dropped", "problem"]
    rows = [[", ".join(found[one]) if one == "what" else found[one] for one in columns]] if found else []
    show(found, as_json, ["goes to", *columns[1:]], rows, f"Export of {name}")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as problem:
        raise InvalidInput(f"{where} must be JSON: {problem}. A text needs quotes of its own.") from None


def _taken(taken: dict[str, Any], as_json: bool) -> None:
    """A kill or its end, and which gateways go by it already. Ends with status 1 when one has not said so."""
    kill = taken["kill"]
    what = f"version {kill['version']}" if kill["version"] else "everything"
    state = "lifted" if kill["lifted_at"] else "stopped"
    rows = [(what, state, ", ".join(taken["acknowledged"]) or "none runs", ", ".join(taken["waiting"]) or "none")]
    show(taken, as_json, ["what", "state", "gateways that follow", "not yet"], rows, kill["endpoint"])
    if taken["waiting"]:
        raise SystemExit(1)


@command.command("score")
@click.argument("name")
@click.argument("values", nargs=-1)
@server_option
def score(name: str, values: tuple[str, ...], client: Any, as_json: bool) -> None:
    """Score one row given as COLUMN=VALUE …; numbers are sent as numbers."""
    answer = client.score(name, dict(_pair(value) for value in values))
    told = {"predictions": answer.predictions, "prediction_id": answer.prediction_id, "version": answer.version}
    show(
        told, as_json, ["prediction", "id", "version"], [(answer.predictions[0], answer.prediction_id, answer.version)]
    )


def _pair(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidInput(f"A value must read COLUMN=VALUE. Got {text!r}.")
    try:
        return name, float(value)
    except ValueError:
        return name, value
