"""`tenure serve`. Its options are the settings."""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from tenure import settings as settings_
from tenure.settings import HELP, Settings

MANY = {"recipes": "recipe", "lookups": "lookup", "alert_channels": "alert_channel"}
"""Settings that an option adds to, each time it is given, and that option's name."""


def setting_options(command: Any) -> Any:
    """One option per setting, so that the table in `settings.py` is the only list."""
    for field in reversed(msgspec.structs.fields(Settings)):
        unit, text = HELP[field.name]
        shown = f"{text}  [{unit}; default {settings_.shown(field.default)}]"
        many = field.name in MANY
        name = MANY.get(field.name, field.name)
        command = click.option(
            f"--{name.replace('_', '-')}", field.name, multiple=many, default=None, help=shown, metavar=unit.upper()
        )(command)
    return command


def settings_from(given: dict[str, Any]) -> Settings:
    """Settings from command-line options, then the environment, then defaults."""
    options = {name: value for name, value in given.items() if value not in (None, ())}
    if "alert_channels" in options:
        options["alert_channels"] = settings_.parse_channels(list(options["alert_channels"]))
    if "lookups" in options:
        options["lookups"] = settings_.parse_lookups(list(options["lookups"]))
    if "recipes" in options:
        options["recipes"] = settings_.parse_recipes(list(options["recipes"]))
    return settings_.load(options, os.environ)


@click.command("serve")
@setting_options
def command(**given: Any) -> None:
    """Run a server until Ctrl-C.

    An empty data folder is fine: the database is made and brought to its newest form by itself.
    """
    from tenure import app

    app.serve(settings_from(given))
