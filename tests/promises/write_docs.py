"""Pages of `docs/` that are made from the code: settings, commands, routes. `make docs` writes them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from tenure.cli import main as cli
from tenure.settings import HELP, Settings, shown

ROOT = Path(__file__).parents[2]
MADE = "<!-- made by `make docs` -->"


def settings_page() -> str:
    rows = [
        f"| `--{_option(field.name)}` | `TENURE_{field.name.upper()}` | {_default(field)} | {unit} | {text} |"
        for field, (unit, text) in ((field, HELP[field.name]) for field in msgspec.structs.fields(Settings))
    ]
    head = ["| option | variable | default | unit | meaning |", "|---|---|---|---|---|"]
    intro = "An option of `tenure serve` comes first, then the environment, then the default."
    return "\n".join([MADE, "# Settings", "", intro, "", *head, *rows, ""])


def commands_page() -> str:
    parts = [
        MADE,
        "# Commands",
        "",
        "Every command that asks a server takes `--url` (or `TENURE_URL`), `--token` (or `TENURE_TOKEN`) and `--json`.",
        "",
    ]
    for name in cli.COMMANDS:
        parts += list(_command(f"tenure {name}", importlib.import_module(cli.COMMANDS[name][0]).command))
    return "\n".join(parts)


def _command(path: str, command: click.Command) -> Iterator[str]:
    text = re.sub(r"\s+", " ", (command.help or "").strip())
    usage = " ".join(parameter.make_metavar(click.Context(command)) for parameter in _arguments(command))
    yield f"## `{f'{path} {usage}'.strip()}`"
    yield ""
    yield text
    yield ""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(f"{path} {name}", child)
        return
    options = [option for option in command.params if isinstance(option, click.Option)]
    if path == "tenure serve":
        yield "Its options are the [settings](settings.md)."
        yield ""
        return
    for option in options:
        if option.name not in ("url", "token", "as_json"):
            yield f"- `{'/'.join(option.opts)}` {option.help or ''}"
    yield ""


def _arguments(command: click.Command) -> list[click.Argument]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Argument)]


def routes_page() -> str:
    from tenure.api import rooms

    rows = []
    for room in rooms.ROOMS:
        for handler in room.handlers:
            methods = "/".join(sorted(method for method in handler.http_methods if method not in ("OPTIONS", "HEAD")))
            sentence = (handler.fn.__doc__ or "").strip().split("\n\n")[0]
            for path in sorted(handler.paths):
                text = re.sub(r"\s+", " ", sentence)
                rows.append((path, methods, f"| {methods} | `{path}` | {handler.opt['permission'].value} | {text} |"))
    head = ["| method | path | permission | what it does |", "|---|---|---|---|"]
    intro = (
        "Our own REST API. MLflow's protocol is served beside it under its own paths; scoring is on the gateway's "
        "port. `/health` and `/version` answer on both ports. The full schema is at `/api/v1/openapi/openapi.json`."
    )
    return "\n".join([MADE, "# Routes", "", intro, "", *head, *(line for *_, line in sorted(rows)), ""])


def _option(name: str) -> str:
    return ("recipe" if name == "recipes" else name).replace("_", "-")


def _default(field: msgspec.structs.FieldInfo) -> str:
    told = shown(field.default)
    return told if told == "none" else f"`{told}`"


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "routes.md": routes_page}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())


if __name__ == "__main__":
    main()
