"""`tenure endpoint …`"""

from __future__ import annotations

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
