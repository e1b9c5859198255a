"""How a command takes decisions about what depends on a version that goes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click


def decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `decisions`, from --accept and --replace; the server names what must be decided about."""

    @click.option("--accept", multiple=True, metavar="DEPENDENT", help="Accept that it is hit, such as endpoint:late.")
    @click.option(
        "--replace",
        multiple=True,
        metavar="DEPENDENT=HOW",
        help='It is taken care of before, and by what: "endpoint:late=version 4 takes over".',
    )
    @functools.wraps(command)
    def deciding(*args: Any, accept: tuple[str, ...], replace: tuple[str, ...], **given: Any) -> Any:
        decisions = [{"dependent": one, "decide": "accept"} for one in accept]
        return command(*args, decisions=[*decisions, *map(_replaced, replace)], **given)

    return deciding


def _replaced(text: str) -> dict[str, str]:
    dependent, equals, note = text.partition("=")
    if not equals:
        raise click.BadParameter(f"must read DEPENDENT=HOW. Got {text!r}.", param_hint="--replace")
    return {"dependent": dependent, "decide": "replace", "note": note}
