"""`tenure token …`"""

from __future__ import annotations

from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("token", cls=Verbs)
def command() -> None:
    """Tokens: what a program shows instead of a password."""


@command.command("create")
@click.argument("label")
@click.option("--may", "permissions", multiple=True, required=True, help="A permission, such as track; repeat it.")
@click.option("--for", "principal", help="The service that it is for.  [default: yourself]")
@click.option("--model", "models", multiple=True, help="Only for this model; repeat it for several.")
@click.option("--days", type=float, default=90, show_default=True, help="Days until it expires; at most 366.")
@server_option
def create(
    label: str,
    permissions: tuple[str, ...],
    principal: str | None,
    models: tuple[str, ...],
    days: float,
    client: Any,
    as_json: bool,
) -> None:
    """Make a token. It is printed once, alone on a line, and kept nowhere.

    For yourself, set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD: a token cannot make tokens.
    """
    body = {"label": label, "permissions": list(permissions), "models": list(models), "days": days}
    issued = client.post("/api/v1/tokens", {**body, "principal": principal})
    if as_json:
        show(issued, True)
    else:
        click.echo(issued["secret"])
        token = issued["token"]
        click.echo(
            f"For {token['principal']}, until {when(token['expires_at'])} UTC. It is not shown again; revoke it with "
            f"`tenure token revoke {token['token_id']}`.",
            err=True,
        )


@command.command("list")
@click.option("--of", help="Of this person or service.  [default: all that you may see]")
@server_option
def list_(of: str | None, client: Any, as_json: bool) -> None:
    """Tokens, newest first: your own, or everybody's if you administer."""
    tokens = client.get("/api/v1/tokens", {"of": of} if of else None)
    rows = [
        (
            one["token_id"],
            one["principal"],
            one["label"],
            ", ".join(one["permissions"]),
            ", ".join(one["models"]) or "all",
            "revoked" if one["revoked_at"] else when(one["expires_at"]),
            when(one["last_used_at"]),
        )
        for one in tokens
    ]
    columns = ["token", "of", "label", "may", "models", "until (UTC)", "last used"]
    show(tokens, as_json, columns, rows, "Tokens")


@command.command("revoke")
@click.argument("token_id")
@server_option
def revoke(token_id: str, client: Any, as_json: bool) -> None:
    """Take a token's power away, everywhere, within a second."""
    token = client.post(f"/api/v1/tokens/{token_id}/revoke")
    show(token, as_json, ["token", "of", "label"], [(token_id, token["principal"], token["label"])], "Revoked")
