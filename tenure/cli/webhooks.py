"""`tenure webhook …`"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import Verbs, server_option, show, when


@click.group("webhook", cls=Verbs)
def command() -> None:
    """Webhooks: who is told of what happens in the registry."""


@command.command("list")
@server_option
def list_(client: Any, as_json: bool) -> None:
    """Every webhook, and how its newest message went."""
    found = client.get("/api/v1/webhooks")
    rows = [
        (
            one["webhook"]["webhook_id"],
            one["webhook"]["name"],
            one["webhook"]["status"].lower(),
            one["webhook"]["url"],
            ", ".join(one["webhook"]["events"]),
            _went(one["last"]),
            one["waiting"],
        )
        for one in found
    ]
    show(found, as_json, ["webhook", "name", "status", "goes to", "events", "newest", "waiting"], rows, "Webhooks")


@command.command("add")
@click.argument("name")
@click.argument("address")
@click.option("--event", "events", multiple=True, required=True, help="Such as model_version.created; repeat it.")
@click.option("--description", help="What it is for.")
@click.option("--secret", envvar="TENURE_WEBHOOK_SECRET", help="Signs every message; better given by the variable.")
@server_option
def add(
    name: str,
    address: str,
    events: tuple[str, ...],
    description: str | None,
    secret: str | None,
    client: Any,
    as_json: bool,
) -> None:
    """Have messages sent to an address (https://…) when something happens. The secret is never shown again."""
    body = {"name": name, "url": address, "events": list(events), "description": description, "secret": secret}
    made = client.post("/api/v1/webhooks", body)
    show(made, as_json, ["webhook", "name", "signed"], [(made["webhook_id"], made["name"], made["signed"])])


@command.command("test")
@click.argument("webhook_id")
@click.option("--event", help="Which event an example is sent of; its first one when not given.")
@server_option
def test(webhook_id: str, event: str | None, client: Any, as_json: bool) -> None:
    """Send an example now, and say how it was answered."""
    answer = client.post(f"{_path(webhook_id)}/test", {"event": event})
    told = "accepted" if answer["success"] else "NOT accepted"
    row = (told, answer["status_code"], f"{answer['took_ms']} ms", answer["problem"])
    show(answer, as_json, ["example", "status", "took", "problem"], [row])


@command.command("log")
@click.argument("webhook_id")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True, help="Most messages shown.")
@server_option
def log(webhook_id: str, limit: int, client: Any, as_json: bool) -> None:
    """What was sent or waits, the newest first, with every attempt."""
    found = client.get(f"{_path(webhook_id)}/deliveries", {"limit": limit})
    rows = []
    for one in found:
        tried = [(when(each["at"]), each["status_code"], each["problem"]) for each in one["attempts"]] or [("", "", "")]
        rows.append((one["message_id"], one["event"], _state(one), *tried[0]))
        rows += [("", "", "", *each) for each in tried[1:]]
    show(found, as_json, ["message", "event", "state", "tried (UTC)", "status", "problem"], rows, "Deliveries")


@command.command("redeliver")
@click.argument("webhook_id")
@click.argument("message_id")
@server_option
def redeliver(webhook_id: str, message_id: str, client: Any, as_json: bool) -> None:
    """Send a message of the log once more, under the same id."""
    client.post(f"{_path(webhook_id)}/deliveries/{quote(message_id, safe='')}/redeliver")
    show({"redelivered": message_id}, as_json, ["sent again"], [(message_id,)])


@command.command("remove")
@click.argument("webhook_id")
@server_option
def remove(webhook_id: str, client: Any, as_json: bool) -> None:
    """Remove a webhook with its log; messages that wait for it are dropped."""
    client.delete(_path(webhook_id))
    show({"removed": webhook_id}, as_json, ["removed"], [(webhook_id,)])


def _path(webhook_id: str) -> str:
    return f"/api/v1/webhooks/{quote(webhook_id, safe='')}"


def _state(delivery: dict[str, Any]) -> str:
    next_at = delivery["next_at"]
    return f"waits until {when(next_at)}" if next_at else str(delivery["state"]).replace("_", " ")


def _went(delivery: dict[str, Any] | None) -> str:
    return "" if delivery is None else f"{delivery['state'].replace('_', ' ')}, {when(delivery['created_at'])}"
