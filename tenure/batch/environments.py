"""What a version without a form runs in on this machine: the packages that were locked for it, as at the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tenure.deploy import building, locking, requirements
from tenure.errors import Conflict, Unavailable
from tenure.records.batches import BatchOrder
from tenure.records.environments import Environment
from tenure.settings import Settings

Say = Callable[[str], None]


class Wheels(NamedTuple):
    """Where packages come from on this machine: an index, a folder, or both."""

    wheel_index: str = ""
    wheel_folder: str = ""


def make_ready(order: BatchOrder, settings: Settings, say: Say) -> None:
    """Make what the order's version runs in unless it is there, below the folder of `settings`.

    Raises Unavailable when it cannot be made here, Conflict when this machine's packages are others than those in
    which the version runs at the gateway.
    """
    if order.release.environment:
        _make(order, settings, say)
    elif order.environment is not None:
        _compare(order, order.environment)


def _make(order: BatchOrder, settings: Settings, say: Say) -> None:
    digest, locked = order.release.environment, order.environment.lock if order.environment else None
    if building.is_built(settings.folder, digest):
        return
    if locked is None or locking.digest(locked) != digest:
        raise Unavailable(f"{_named(order)} runs in packages of its own, whose lock is gone. Deploy it again.")
    if not locking.is_configured(settings):
        raise Unavailable(
            f"{_named(order)} runs in packages of its own ({len(locked.packages)}, Python {locked.python}). Say where "
            "their wheels come from: --wheel-index or --wheel-folder."
        )
    say("The environment that the version asks for is being made.")
    building.keep(settings.folder, digest, locked)
    building.build(settings, digest)


def _compare(order: BatchOrder, decided: Environment) -> None:
    """What the server meets must be met here too, and as closely as there."""
    asked = requirements.Wanted(
        python=decided.python or requirements.HERE,
        requirements=decided.requirements,
        pins=[],
        foreign=[],
        is_told=True,
    )
    at_server = {one.name for one in decided.lacking}
    found = [one for one in requirements.lacking(asked) if not one.is_close and one.name not in at_server]
    if found:
        raise Conflict(
            f"{_named(order)} must run here in the packages that it runs in at the gateway. "
            f"It asks for {requirements.sayings(found)}. Install these beside this command, or score on the server."
        )


def _named(order: BatchOrder) -> str:
    return f"Version {order.release.version} of {order.release.model}"
