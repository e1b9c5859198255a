"""`tenure model …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import server_option, show


@click.group("model")
def command() -> None:
    """Models: what is registered, who is champion."""


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Every registered model."""
    models = client.get("/api/v1/models")
    rows = [
        (model["name"], "yes" if model["governed"] else "no", model["champion"], ", ".join(model["endpoints"]))
        for model in models
    ]
    show(models, as_json, ["model", "governed", "champion", "endpoints"], rows, "Models")


@command.command("show")
@click.argument("name")
@server_option
def show_(name: str, client: Any, as_json: bool) -> None:
    """One model and its versions."""
    model = client.get(f"/api/v1/models/{name}")
    rows = [(version["version"], version["state"], version["digest"]) for version in model["versions"]]
    show(model, as_json, ["version", "state", "digest"], rows, name)
