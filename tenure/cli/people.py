"""`tenure person …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import server_option, show


@click.group("person")
def command() -> None:
    """People who sign."""


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Everybody, with the roles that they hold."""
    people = client.get("/api/v1/people")
    rows = [(one["name"], one["printed_name"], ", ".join(held["role"] for held in one["roles"])) for one in people]
    show(people, as_json, ["name", "printed name", "roles"], rows, "People")


@command.command("add")
@click.argument("name")
@click.option("--printed-name", required=True, help="The name as it stands beside signatures.")
@click.option("--role", "roles", multiple=True, help="A role that this person holds; repeat it for several.")
@click.password_option(help="Asked for when it is not given; at least 12 characters.")
@server_option
def add(name: str, printed_name: str, roles: tuple[str, ...], password: str, client: Any, as_json: bool) -> None:
    """Add a person. Roles count for changes that are opened afterwards."""
    body = {"name": name, "printed_name": printed_name, "password": password, "roles": list(roles)}
    person = client.post("/api/v1/people", body)
    show(person, as_json, ["name", "roles"], [(person["name"], ", ".join(roles))])
