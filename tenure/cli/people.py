"""`tenure person …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when
from tenure.errors import NotFound


@click.group("person", cls=Verbs)
def command() -> None:
    """People, services, and the roles that they hold."""


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Everybody, with the roles that they hold."""
    people, services = client.get("/api/v1/people"), client.get("/api/v1/services")
    rows = [
        (one["name"], one["printed_name"], _roles(one), f"locked until {when(one['locked_until_at'])}")
        if one["locked_until_at"]
        else (one["name"], one["printed_name"], _roles(one), "")
        for one in people
    ]
    rows += [(one["name"], one["purpose"], _roles(one), "service") for one in services]
    show({"people": people, "services": services}, as_json, ["name", "printed name", "roles", ""], rows, "People")


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


@command.command("add-service")
@click.argument("name")
@click.option("--purpose", required=True, help="What it is for.")
@click.option("--role", "roles", multiple=True, help="A role that it holds; repeat it for several.")
@server_option
def add_service(name: str, purpose: str, roles: tuple[str, ...], client: Any, as_json: bool) -> None:
    """Add a service: a program that asks in its own name, by tokens."""
    service = client.post("/api/v1/services", {"name": name, "purpose": purpose, "roles": list(roles)})
    show(service, as_json, ["name", "roles"], [(service["name"], ", ".join(roles))])


@command.command("grant")
@click.argument("name")
@click.argument("role")
@click.option("--model", help="Only for this model.  [default: for all]")
@server_option
def grant(name: str, role: str, model: str | None, client: Any, as_json: bool) -> None:
    """Give a person or a service a role. Their sessions end."""
    given = client.post("/api/v1/grants", {"principal": name, "role": role, "model": model})
    show(given, as_json, ["name", "role", "model"], [(name, role, model or "all")])


@command.command("revoke")
@click.argument("name")
@click.argument("role")
@click.option("--model", help="The model that it was given for.  [default: for all]")
@server_option
def revoke(name: str, role: str, model: str | None, client: Any, as_json: bool) -> None:
    """Take a role back. Sessions end, and tokens lose what it gave."""
    held = [one for one in client.get("/api/v1/grants", {"of": name}) if (one["role"], one["model"]) == (role, model)]
    if not held:
        what = f"for the model {model!r}" if model else "for all models"
        raise NotFound(f"{name!r} does not hold the role {role!r} {what}. `tenure person list` shows what they hold.")
    ended = client.post(f"/api/v1/grants/{held[0]['grant_id']}/revoke")
    show(
        ended,
        as_json,
        ["name", "role", "model", "until (UTC)"],
        [(name, role, model or "all", when(ended["until_at"]))],
    )


@command.command("password")
@click.argument("name")
@click.password_option(help="Asked for when it is not given; at least 12 characters.")
@server_option
def password_(name: str, password: str, client: Any, as_json: bool) -> None:
    """Give a person another password. Their sessions end, and a lock is taken off."""
    client.put(f"/api/v1/people/{name}/password", {"password": password})
    show({"name": name}, as_json, ["name", "password"], [(name, "changed")])


@command.command("unlock")
@click.argument("name")
@server_option
def unlock(name: str, client: Any, as_json: bool) -> None:
    """Let a person try again whom too many wrong passwords keep out."""
    person = client.post(f"/api/v1/people/{name}/unlock")
    show(person, as_json, ["name", ""], [(name, "may sign in")])


def _roles(one: dict[str, Any]) -> str:
    return ", ".join(held["role"] + (f" for {held['model']}" if held["model"] else "") for held in one["roles"])
