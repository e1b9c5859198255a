"""`tenure lineage …`"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import SCRIPT_WIDTH, Verbs, server_option, show


@click.group("lineage", cls=Verbs)
def command() -> None:
    """Lineage: what something came from, what came of it, and what would be hit if it went."""


@command.command("show")
@click.argument("node")
@click.option("--direction", type=click.Choice(["up", "down", "both"]), default="both", show_default=True)
@click.option("--depth", type=int, default=8, show_default=True, help="How many steps away.")
@server_option
def show_(node: str, direction: str, depth: int, client: Any, as_json: bool) -> None:
    """What a node came from (up) and what came of it (down), as trees.

    NODE is a model (fraud), a version (fraud/3), or kind:id such as dataset:loans@a1b2, run:<id>, endpoint:late.
    """
    kind, identifier = read(node)
    address = f"/api/v1/lineage/{kind}/{quote(identifier, safe='/')}"
    answer = client.get(address, {"direction": direction, "depth": depth})
    if as_json:
        show(answer, as_json)
        return
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    console = Console() if sys.stdout.isatty() else Console(width=SCRIPT_WIDTH)
    named = {key(one["node"]): one for one in answer["nodes"]}
    for way, title in (("up", "came from"), ("down", "led to")):
        if direction in (way, "both"):
            tree = Tree(Text(f"{label(named[key(answer['start'])])} {title}", style="bold"))
            branches: dict[tuple[int, ...], Tree] = {(): tree}
            for path, text, dim in branches_of(answer, way):
                branches[path] = branches[path[:-1]].add(Text(text, style="dim" if dim else ""))
            if not tree.children:
                tree.add(Text("nothing that is known", style="dim"))
            console.print(tree)


@command.command("impact")
@click.argument("what")
@server_option
def impact(what: str, client: Any, as_json: bool) -> None:
    """What would be hit if something went: endpoints, releases, versions, models, changes, aliases, each with why.

    WHAT is a node as for `show`, or column:<name>, source:<name>, package:<name> such as "package:numpy<2.1".
    """
    kind, identifier = read(what)
    answer = client.get("/api/v1/impact", {"kind": kind, "id": identifier})
    rows = [(one["kind"], one["name"], " → ".join(one["why"])) for one in answer["affected"]]
    show(answer, as_json, ["kind", "what", "why"], rows, f"If {answer['about']} goes")
    if answer["unknown"] and not as_json:
        click.echo(f"Not told what they were made with, so perhaps hit as well: {', '.join(answer['unknown'])}.")
    if answer["cut"] and not as_json:
        click.echo("There is more than was walked through; ask about something further down.")


@command.command("export")
@click.argument("node")
@click.option("--direction", type=click.Choice(["up", "down", "both"]), default="both", show_default=True)
@server_option
def export(node: str, direction: str, client: Any, as_json: bool) -> None:
    """Print a node's lineage as events of the OpenLineage standard: JSON, an event a line; a list with --json."""
    kind, identifier = read(node)
    events = client.get(f"/api/v1/openlineage/{kind}/{quote(identifier, safe='/')}", {"direction": direction})
    if as_json:
        show(events, as_json)
        return
    for event in events:
        click.echo(json.dumps(event))


def read(text: str) -> tuple[str, str]:
    """What is meant by a node: `kind:id`, else a version when it holds a slash, else a model."""
    kind, colon, identifier = text.partition(":")
    if colon:
        return kind, identifier
    return ("version" if "/" in text else "model"), text


def key(node: dict[str, str]) -> tuple[str, str]:
    return node["kind"], node["id"]


def label(info: dict[str, Any]) -> str:
    """A node in words, with what tells it from others of its name."""
    kind, name = info["node"]["kind"].replace("_", " "), info["name"]
    about = [info["owner"] if kind in ("release", "run") else "", info["state"]]
    about += ["ended" if info["until_at"] else "", "deleted" if info["gone"] else ""]
    told = ", ".join(word for word in about if word)
    digest = f"@{info['node']['id'].rpartition('@')[2]}" if kind == "dataset" else ""
    return f"{kind} {name}{digest}" + (f" ({told})" if told else "")


def branches_of(answer: dict[str, Any], way: str) -> Iterator[tuple[tuple[int, ...], str, bool]]:
    """Lines of a tree: where each hangs, what it says, whether it is dimmed. What was said before is not said again."""
    named = {key(one["node"]): one for one in answer["nodes"]}
    near, far = ("source", "target") if way == "down" else ("target", "source")
    edges: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for edge in answer["edges"]:
        edges.setdefault(key(edge[near]), []).append(edge)
    missing = {key(one["node"]): one for one in answer["cut"] if one["direction"] == way}
    said = {key(answer["start"])}
    waiting: list[tuple[tuple[int, ...], tuple[str, str]]] = [((), key(answer["start"]))]
    while waiting:
        path, node = waiting.pop(0)
        at = 0
        for edge in edges.get(node, []):
            there, place = key(edge[far]), (*path, at)
            info, again = named[there], there in said
            detail = f" ({edge['detail']})" if edge["detail"] and there[0] != "release" else ""
            told = f"{edge['how']}{detail}"
            text = f"{told} {label(info)}" if way == "down" else f"{label(info)} {told}"
            text += " …shown already" if again else ""
            yield place, text, edge["ended"] or info["ended"] or again
            at += 1
            if not again:
                said.add(there)
                waiting.append((place, there))
        if node in missing:
            least = "at least " if missing[node]["at_least"] else ""
            yield (*path, at), f"… {least}{missing[node]['count']} more, not shown", True
