"""Pages of `docs/` that are made from the code: settings, commands, routes. `make docs` writes them."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from tenure.cli import main as cli
from tenure.cli.serve import MANY
from tenure.records import model_schema
from tenure.settings import HELP, Settings, shown

ROOT = Path(__file__).parents[2]
MADE = "<!-- made by `make docs` -->"
MODEL_FILE_INTRO = """\
What people declare about a model lives in one YAML file, under version control or written on the model's page.
`tenure apply model.yaml` shows what it changes, asks, and applies it as the next revision; no revision is ever changed,
and each is one audit event. A key that is not known is refused with its path, its line and what was probably meant.
`tenure model file NAME` prints what stands, `tenure model history NAME` who changed what. If somebody else changed the
file since you looked at it, nothing is applied and you are told. Once a version of a governed model was approved, a
file that [loosens a rule](lifecycle.md#the-rules-themselves) is a change request that others sign.

An editor that knows JSON Schema completes and checks the file while you write it. `tenure model schema` prints the
schema; every server has it at `/api/v1/schemas/model-file.json`. In the first line of the file:

```yaml
# yaml-language-server: $schema=http://127.0.0.1:5000/api/v1/schemas/model-file.json
```"""


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


def model_file_page() -> str:
    """Every key of a model's file, part by part, as its JSON Schema tells them."""
    parts = model_schema.schema()["$defs"]
    lines = [MADE, "# The model's file", "", MODEL_FILE_INTRO, ""]
    for name in _in_order(parts, "ModelFile"):
        lines += [
            f"## {name}",
            "",
            parts[name]["description"],
            "",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
        ]
        for key, told in parts[name]["properties"].items():
            needed = key in parts[name]["required"]
            default = "required" if needed else f"`{json.dumps(told['default'], ensure_ascii=False)}`"
            lines.append(f"| `{key}` | {_type(told)} | {default} | {told['description']} |")
        lines.append("")
    return "\n".join(lines)


def model_schema_page() -> str:
    return json.dumps(model_schema.schema(), indent=2, ensure_ascii=False) + "\n"


def _in_order(parts: dict[str, Any], name: str, seen: tuple[str, ...] = ()) -> list[str]:
    """A part and those it holds, each once, in the order in which one meets them."""
    found = [*seen, name]
    for inner in re.findall(r"#/\$defs/(\w+)", json.dumps(parts[name]["properties"])):
        if inner not in found:
            found = _in_order(parts, inner, tuple(found))
    return found


def _type(told: dict[str, Any]) -> str:
    """A type in words: `text`, `list of Step`, `one of a, b`."""
    if "$ref" in told:
        name = told["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in told:
        return " or ".join(_type(one) for one in told["anyOf"] if one.get("type") != "null")
    if "enum" in told or "const" in told:
        return "one of " + ", ".join(f"`{one}`" for one in told.get("enum", [told.get("const")]))
    if told.get("type") == "array":
        return f"list of {_type(told['items'])}" if isinstance(told.get("items"), dict) else "two numbers"
    if told.get("type") == "object":
        return f"by name, each {_type(told['additionalProperties'])}"
    return {"string": "text", "integer": "whole number"}.get(told.get("type", ""), told.get("type", ""))


def _option(name: str) -> str:
    return MANY.get(name, name).replace("_", "-")


def _default(field: msgspec.structs.FieldInfo) -> str:
    told = shown(field.default)
    return told if told == "none" else f"`{told}`"


PAGES = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "routes.md": routes_page,
    "model-file.md": model_file_page,
    "model-file.schema.json": model_schema_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())


if __name__ == "__main__":
    main()
