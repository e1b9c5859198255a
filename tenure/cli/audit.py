"""`tenure audit …`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tenure.cli import verifying
from tenure.cli.asking import Verbs, server_option, show, when

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.group("audit", cls=Verbs)
def command() -> None:
    """The audit log: who did what, when and why; whether it still holds; and how things stood at a date."""


def filters(command: Any) -> Any:
    """The options by which events are chosen."""
    for option in reversed(
        [
            click.option("--actor", help="Only what this person or service did."),
            click.option("--action", help="Only actions that begin so, such as 'version.'."),
            click.option("--subject", help="Only what was done to this."),
            click.option("--reason", help="Only events whose reason holds this text."),
            click.option("--since", "from_at", help="Not before this date or time (UTC)."),
            click.option("--until", "until_at", help="Not after this date or time (UTC); a date counts to its end."),
        ]
    ):
        command = option(command)
    return command


command.add_command(verifying.command)


@command.command("log")
@filters
@click.option("--before", type=int, help="Only events older than this sequence number: the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@server_option
def log(client: Any, as_json: bool, limit: int, **chosen: Any) -> None:
    """Events, newest first."""
    events = client.get("/api/v1/audit", {"limit": limit, **_given(chosen)})
    rows = [
        (one["sequence"], when(one["at"]), one["actor"], one["action"], one["subject"], one["detail"].get("reason"))
        for one in events
    ]
    show(events, as_json, ["#", "at (UTC)", "who", "what", "about", "why"], rows, "Audit log")
    if len(events) == limit and not as_json:
        click.echo(f"Older ones: --before {events[-1]['sequence']}")


@command.command("show")
@click.argument("sequence", type=int)
@server_option
def show_(sequence: int, client: Any, as_json: bool) -> None:
    """One event with its details."""
    one = client.get(f"/api/v1/audit/{sequence}")
    rows = [("at (UTC)", when(one["at"])), ("who", one["actor"]), ("what", one["action"]), ("about", one["subject"])]
    rows += list(one["detail"].items())
    rows += [("hash", one["hash"]), ("follows", one["previous_hash"])]
    show(one, as_json, ["", ""], rows, f"Event {sequence}")


@command.command("export")
@click.option("--out", "path", type=NEW_FILE, help="A file.  [default: printed]")
@server_option
def export(path: Path | None, client: Any, as_json: bool) -> None:
    """The whole log as JSON lines: each event's hash and, byte for byte, what was hashed; for `verify --export`."""
    del as_json  # it is JSON either way
    with click.open_file(str(path) if path else "-", "wb") as file:
        for chunk in client.download("/api/v1/audit/export"):
            file.write(chunk)
    if path:
        click.echo(f"Written to {path}: {path.stat().st_size:,} bytes.", err=True)


@command.command("public-key")
@server_option
def public_key(client: Any, as_json: bool) -> None:
    """The public key, in PEM, with which the server's checkpoints and signatures are verified."""
    key = client.get("/api/v1/server")["public_key"]
    if as_json:
        show({"public_key": key}, as_json)
    else:
        click.echo(key, nl=False)


@command.command("checkpoint")
@click.option("--out", "path", type=NEW_FILE, help="A file for the signed envelope, to be kept elsewhere.")
@server_option
def checkpoint(path: Path | None, client: Any, as_json: bool) -> None:
    """Sign how the log ends now. Kept elsewhere, it shows later whether anything before it was cut off or rewritten."""
    made = client.post("/api/v1/audit/checkpoints")
    if path:
        path.write_text(made["envelope"])
    rows = [(made["size"], when(made["at"]), made["head"], made["key_id"])]
    show(made, as_json, ["events", "at (UTC)", "head", "key"], rows, "Checkpoint")


@command.command("checkpoints")
@server_option
def checkpoints(client: Any, as_json: bool) -> None:
    """Every checkpoint that the server signed."""
    found = client.get("/api/v1/audit/checkpoints")
    rows = [(one["size"], when(one["at"]), one["head"], one["key_id"]) for one in found]
    show(found, as_json, ["events", "at (UTC)", "head", "key"], rows, "Checkpoints")


@command.command("verify")
@click.option("--segments", is_flag=True, help="Also hold the files of predictions and outcomes against their digests.")
@click.option("--runs", is_flag=True, help="Also name ended runs that were changed after their end.")
@click.option("--export", "exported", type=FILE, help="Verify this export instead of asking a server.")
@click.option(
    "--checkpoint", "envelopes", type=FILE, multiple=True, help="A checkpoint that was kept; may be repeated."
)
@click.option("--public-key", "keys", type=FILE, multiple=True, help="PEM of the key that signed it; may be repeated.")
@server_option
def verify(
    segments: bool,
    runs: bool,
    exported: Path | None,
    envelopes: tuple[Path, ...],
    keys: tuple[Path, ...],
    client: Any,
    as_json: bool,
) -> None:
    """Walk the whole chain and name the first event that does not fit; exit status 1 when one does not.

    With --export and --public-key no server is needed. Without a checkpoint that was kept elsewhere, a log that was cut
    off or written anew as a whole cannot be told from the true one.
    """
    if (segments or runs) and exported:
        raise click.UsageError("--segments and --runs need the server; --export is verified without one.")
    if exported and envelopes and not keys:
        raise click.UsageError("A --checkpoint is verified with --public-key: what `tenure audit public-key` told.")
    answer = _offline(exported, envelopes, keys) if exported else _online(client, envelopes, keys)
    rows = [("events", answer["events"], _says(answer["problem"], f"event {answer['first_bad']}"))]
    rows += [("checkpoints", answer["checkpoints"], "agree" if answer["checkpoints"] else "none to compare with")]
    problem = answer["problem"]
    if segments:
        found = client.get("/api/v1/audit/verify-segments")
        answer = {**answer, "segments": found}
        problem = problem or found["problem"]
        says = _says(found["problem"], str(found["first_bad"]))
        rows += [("segment files", found["files"], says), ("rows in them", found["rows"], "")]
        rows += [("too new to be told of", found["untold"], "")]
    if runs:
        seen = client.get("/api/v1/audit/verify-runs")
        answer = {**answer, "runs": seen}
        rows += [("ended runs", seen["runs"], f"{len(seen['changed'])} changed after their end")]
        rows += [(f"run {one['run_id']}", "", f"{one['what']} since event {one['event']}") for one in seen["changed"]]
    show(answer, as_json, ["", "count", "says"], rows, "Audit log")
    sys.exit(1 if problem else 0)


@command.command("as-of")
@click.argument("model")
@click.option("--at", required=True, help="A date (its end) or a time, UTC.")
@click.option("--version", type=int, help="Tell of this version too, whether it was in service or not.")
@server_option
def as_of(model: str, at: str, version: int | None, client: Any, as_json: bool) -> None:
    """How a model stood: which versions answered, who approved them and on what evidence."""
    from tenure.cli.histories import show_as_of

    params = _given({"at": at, "version": version})
    show_as_of(client.get(f"/api/v1/models/{quote(model, safe='')}/as-of", params), as_json)


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if value is not None}


def _says(problem: str, where: str) -> str:
    return f"broken at {where}: {problem}" if problem else "whole"


def _offline(exported: Path, envelopes: tuple[Path, ...], keys: tuple[Path, ...]) -> dict[str, Any]:
    import msgspec

    from tenure.manage import checkpoints

    pems = [path.read_text() for path in keys]
    statements = [checkpoints.opened(path.read_bytes(), pems) for path in envelopes]
    with exported.open("rb") as lines:
        answer: dict[str, Any] = msgspec.to_builtins(checkpoints.verify_export(lines, statements))
    return answer


def _online(client: Any, envelopes: tuple[Path, ...], keys: tuple[Path, ...]) -> dict[str, Any]:
    """What the server says of its log, held against checkpoints that were kept elsewhere."""
    from tenure import errors
    from tenure.manage import checkpoints

    answer: dict[str, Any] = client.get("/api/v1/audit/verify")
    pems = [path.read_text() for path in keys]
    if envelopes and not pems:
        pems = [client.get("/api/v1/server")["public_key"]]
    for path in envelopes:
        kept = checkpoints.opened(path.read_bytes(), pems)
        try:
            head = client.get(f"/api/v1/audit/{kept.size}")["hash"]
        except errors.NotFound:
            head = None
        if head != kept.head and not answer["problem"]:
            seen = f"{path.name} saw {kept.size} events with another end"
            answer |= {"first_bad": kept.size, "problem": f"the log was cut off or written anew: {seen}"}
        elif head == kept.head:
            answer["checkpoints"] += 1
    return answer
