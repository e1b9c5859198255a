"""`tenure model …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("model", cls=Verbs)
def command() -> None:
    """Models: what is registered, who is champion, what is declared."""


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


@command.command("file")
@click.argument("name")
@click.option("--revision", type=click.IntRange(min=1), help="An earlier revision; the current one when left out.")
@server_option
def file(name: str, revision: int | None, client: Any, as_json: bool) -> None:
    """Print a model's file as YAML, to be changed and applied again."""
    import msgspec

    from tenure.records import yaml_text
    from tenure.records.model_files import ModelFile

    applied = client.get(f"/api/v1/models/{name}/file", {"revision": revision} if revision else None)
    if as_json:
        show(applied, as_json)
        return
    click.echo(yaml_text.written(msgspec.convert(applied["file"], ModelFile)), nl=False)


@command.command("history")
@click.argument("name")
@server_option
def history(name: str, client: Any, as_json: bool) -> None:
    """Every revision of a model's file: who applied it, when, and what it changed."""
    revisions = client.get(f"/api/v1/models/{name}/file/history")
    rows = [
        (
            one["applied"]["revision"],
            when(one["applied"]["applied_at"]),
            one["applied"]["applied_by"],
            "\n".join(one["changes"]),
        )
        for one in revisions
    ]
    show(revisions, as_json, ["revision", "applied (UTC)", "by", "changes"], rows, f"The file of {name}")


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a model's file, for editors. Needs no server.

    In the first line of a model.yaml, `# yaml-language-server: $schema=model-file.schema.json` names it.
    """
    import json

    from tenure.records import model_schema

    click.echo(json.dumps(model_schema.schema(), indent=2, ensure_ascii=False))
