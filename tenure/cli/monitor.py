"""`tenure monitor …`"""

from __future__ import annotations

import click

from tenure.cli import windows
from tenure.cli.asking import Verbs


@click.group("monitor", cls=Verbs)
def command() -> None:
    """Windows: how good the answers were; and predictions of models that answer elsewhere."""


for one in windows.commands:
    command.add_command(one)
