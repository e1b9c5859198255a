"""`tenure admin …`"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tenure.cli.asking import Verbs, server_option, show, when
from tenure.errors import InvalidInput

KINDS = ("run", "logged_model", "experiment")
"""Experiments last: they go when nothing is left in them."""
AT_ONCE = 50
SHOWN = 10
UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


@click.group("admin", cls=Verbs)
def command() -> None:
    """Keep a server in order."""


@command.command("gc")
@click.option("--older-than", metavar="TIME", help="Deleted at least so long ago, as 7d or 12h.  [default: as set]")
@click.option("--experiment", metavar="NAME", help="Only what belongs to this experiment (its name or id).")
@click.option("--run", "runs", multiple=True, metavar="ID", help="Only this run; repeat it for several.")
@click.option("--dry-run", is_flag=True, help="Report, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@server_option
def gc(
    older_than: str | None,
    experiment: str | None,
    runs: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    client: Any,
    as_json: bool,
) -> None:
    """Remove for good what was deleted, with its files, once its retention is over.

    Compiled forms and environments of versions that were deleted or retired as long ago go too. First comes a report of
    what would go and what stays, then a question. What a registered version needs stays. Whatever breaks off is
    finished by the next call.
    """
    older_than_s = None if older_than is None else seconds(older_than)
    asked = {"older_than_s": older_than_s, "experiment": experiment, "run": list(runs) or None}
    found, held, later = _look(client, {name: value for name, value in asked.items() if value is not None}, runs)
    orphans, young = ([], 0) if experiment or runs else _orphans(client)
    leftovers = [] if experiment or runs else _leftovers(client, older_than_s)
    if not as_json:
        _report(found, held, later, orphans, young, leftovers)
    due = [one for items in found.values() for one in items]
    if dry_run or not (due or orphans or leftovers):
        if as_json:
            show({"removable": due, "held": held, "orphans": orphans, "leftovers": leftovers}, True)
        return
    if not yes:
        what = f"{len(due):,} items, {len(orphans):,} orphaned folders and {len(leftovers):,} forms and environments"
        click.confirm(f"Remove {what} for good?", abort=True)
    done = _remove(client, found, older_than_s, as_json)
    swept = _sweep(client, [one["folder"] for one in orphans])
    cleared = _clear(client, [one["digest"] for one in leftovers], older_than_s)
    _conclude({**done, "swept": swept, "cleared": cleared, "held": held}, as_json)
    sys.exit(1 if done["left"] else 0)


@command.command("rotate-key")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def rotate_key(data: Path, yes: bool) -> None:
    """Have another key sign from the server's next start on.

    The old public key stays in keys/, so that everything it signed is still verified; its private key is removed.
    Sessions end.
    """
    from tenure.store import keys

    if not (data / "keys" / "signing.pem").exists():
        raise InvalidInput(f"{data} holds no signing key: it is no data folder of a server.", where="--data")
    if not yes:
        click.confirm("Replace the signing key? People sign in again after the next start.", abort=True)
    before = keys.open_key(data).key_id
    after = keys.rotate(data).key_id
    click.echo(f"{before} signed until now.\n{after} signs from the next start of the server on.")


def seconds(text: str) -> float:
    """`1d12h` as seconds.

    >>> seconds("1d12h"), seconds("90m"), seconds("0s")
    (129600.0, 5400.0, 0.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidInput(f"A time must read like 7d, 12h, 90m or 1d12h. Got {text!r}.", where="--older-than")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _look(client: Any, asked: dict[str, Any], runs: tuple[str, ...]) -> tuple[dict[str, list[Any]], list[Any], int]:
    """What is due of each kind, what of it is held, and how much was deleted later."""
    found: dict[str, list[Any]] = {}
    held: list[Any] = []
    later = 0
    for kind in KINDS[:1] if runs else KINDS:
        found[kind] = []
        for page in _pages(client, "/api/v1/deleted", {**asked, "kind": kind}):
            found[kind] += page["items"]
            held += page["held"]
            later = max(later, page["later"])
    return found, held, later


def _orphans(client: Any) -> tuple[list[Any], int]:
    pages = list(_pages(client, "/api/v1/orphans", {}))
    return [one for page in pages for one in page["items"]], sum(page["young"] for page in pages)


def _leftovers(client: Any, older_than_s: float | None) -> list[Any]:
    asked = {} if older_than_s is None else {"older_than_s": older_than_s}
    found: list[Any] = client.get("/api/v1/leftovers", asked)["items"]
    return found


def _pages(client: Any, path: str, params: dict[str, Any]) -> Iterator[Any]:
    after: str | None = ""
    while after is not None:
        page = client.get(path, {**params, "after": after})
        yield page
        after = page["after"]


def _report(
    found: dict[str, list[Any]], held: list[Any], later: int, orphans: list[Any], young: int, leftovers: list[Any]
) -> None:
    rows = [
        (
            f"{kind.replace('_', ' ')}s",
            f"{len(items):,}",
            f"{sum(one['points'] for one in items):,}",
            f"{sum(one['files'] for one in items):,}",
            f"{sum(one['bytes'] for one in items):,}",
            when(min((one["deleted_at"] for one in items), default=None)),
        )
        for kind, items in found.items()
    ]
    others = {"orphaned folders": orphans}
    for kind in ("form", "environment"):
        others["compiled forms" if kind == "form" else "environments"] = [o for o in leftovers if o["kind"] == kind]
    for name, items in others.items():
        files, size = sum(one["files"] for one in items), sum(one["bytes"] for one in items)
        oldest = when(min((one["changed_at"] for one in items), default=None))
        rows.append((name, f"{len(items):,}", "", f"{files:,}", f"{size:,}", oldest))
    show(
        None,
        False,
        ["what", "count", "metric points", "files", "bytes", "oldest (UTC)"],
        rows,
        "To be removed for good",
    )
    broken = sum(one["unfinished"] for items in found.values() for one in items)
    if broken:
        click.echo(f"{broken:,} of these were begun by an earlier call that broke off.")
    beyond = [one for items in found.values() for one in items if not one["reached"]]
    _lines("Files that this server does not reach, and that stay where they are", [one["location"] for one in beyond])
    _lines(
        "Forms and environments",
        [
            f"{one['kind']} {one['digest'][:12]}: {one['bytes']:,} bytes, {one['why']}"
            + (f" ({', '.join(one['versions'])})" if one["versions"] else "")
            for one in leftovers
        ],
    )
    _lines("Held", [f"{one['kind'].replace('_', ' ')} {one['id']} ({one['name']}): {one['why']}" for one in held])
    if later:
        click.echo(f"\n{later:,} more were deleted too recently.")
    if young:
        click.echo(f"{young:,} folders that nothing owns changed within the last day and are left alone.")


def _lines(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{title}: {len(lines):,}")
        for line in lines[:SHOWN]:
            click.echo(f"  {line}")
        if len(lines) > SHOWN:
            click.echo("  …")


def _remove(client: Any, found: dict[str, list[Any]], older_than_s: float | None, silent: bool) -> dict[str, Any]:
    """Have all of it removed, in requests of a few seconds each; what is not finished is asked for again."""
    from rich.console import Console
    from rich.progress import Progress

    told: dict[str, Any] = {"removed": dict.fromkeys(found, 0), "points": 0, "files": 0, "bytes": 0, "left": []}
    console = Console(stderr=True)
    with Progress(console=console, disable=silent or not console.is_terminal) as bars:
        for kind, items in found.items():
            task = bars.add_task(f"{kind.replace('_', ' ')}s", total=len(items))
            ids = [one["id"] for one in items]
            for start in range(0, len(ids), AT_ONCE):
                _remove_part(client, kind, ids[start : start + AT_ONCE], older_than_s, told)
                bars.update(task, completed=min(start + AT_ONCE, len(ids)))
    return told


def _remove_part(client: Any, kind: str, ids: list[str], older_than_s: float | None, told: dict[str, Any]) -> None:
    waiting = ids
    while waiting:
        body = {"kind": kind, "ids": waiting, "older_than_s": older_than_s}
        answer = client.post("/api/v1/deleted/remove", body)
        told["removed"][kind] += len(answer["done"])
        for name in ("points", "files", "bytes"):
            told[name] += answer[name]
        moved = answer["done"] or answer["points"] or answer["files"]
        told["left"] += [f"{kind} {one['id']}: {one['why']}" for one in answer["held"]]
        if not moved:  # restored meanwhile, or an experiment that holds something that stays
            told["left"] += [f"{kind} {one}: it is no longer deleted, or not empty" for one in answer["unfinished"]]
        waiting = answer["unfinished"] if moved else []


def _sweep(client: Any, folders: list[str]) -> dict[str, int]:
    told = {"folders": 0, "files": 0, "bytes": 0}
    for start in range(0, max(1, len(folders)), AT_ONCE):  # once in any case: uploads that broke off go too
        answer = client.post("/api/v1/orphans/sweep", {"folders": folders[start : start + AT_ONCE]})
        for name in told:
            told[name] += answer[name]
    return told


def _clear(client: Any, digests: list[str], older_than_s: float | None) -> dict[str, int]:
    told = {"forms": 0, "environments": 0, "files": 0, "bytes": 0}
    for start in range(0, len(digests), AT_ONCE):
        body = {"digests": digests[start : start + AT_ONCE], "older_than_s": older_than_s}
        answer = client.post("/api/v1/leftovers/remove", body)
        for name in told:
            told[name] += answer[name]
    return told


def _conclude(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(told, True)
        return
    counts = ", ".join(f"{count:,} {kind.replace('_', ' ')}s" for kind, count in told["removed"].items())
    swept, cleared = told["swept"], told["cleared"]
    files, size = (sum(one[name] for one in (told, swept, cleared)) for name in ("files", "bytes"))
    click.echo(
        f"Removed {counts}, {cleared['forms']:,} compiled forms, {cleared['environments']:,} environments; "
        f"{told['points']:,} metric points, {files:,} files, {size:,} bytes."
    )
    _lines("Left", told["left"])
