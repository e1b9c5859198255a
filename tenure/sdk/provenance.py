"""Tells with every run and every logged model where it came from, without a line in the training code.

MLflow asks the class here, found by its entry point `mlflow.run_context_provider`, whenever it starts a run or makes
a logged model. `TENURE_PROVENANCE=off` keeps it silent. Under pytest it is silent unless `TENURE_PROVENANCE=on`: a
test that compares the tags of a run must not depend on the machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import lru_cache

import msgspec

from tenure.records.provenance import (
    CODE,
    ENVIRONMENT,
    SEED,
    Library,
    Package,
    Seeds,
    library_line,
    package_line,
    parts_of,
)
from tenure.sdk import environment, libraries, repository, seeds

VARIABLE = "TENURE_PROVENANCE"
ON, OFF = ("on", "1", "true", "yes"), ("off", "0", "false", "no")
LONGEST = 1000


class RunContext:
    """A run context provider, as MLflow calls it. Whatever goes wrong is left out: it never disturbs a training."""

    def in_context(self) -> bool:
        return is_wanted()

    def tags(self) -> dict[str, str]:
        """Everything that is known now, as tags."""
        return tags()


def is_wanted() -> bool:
    asked = os.environ.get(VARIABLE, "").lower()
    return asked in ON or (asked not in OFF and "PYTEST_CURRENT_TEST" not in os.environ)


def tags() -> dict[str, str]:
    """What is known about code, environment and seeds of this process, as tags under `tenure.`."""
    told: dict[str, str] = {}
    parts: list[Callable[[], dict[str, str]]] = [_code_and_packages, _machine, _libraries, _seeds]
    for part in parts:
        with contextlib.suppress(Exception):
            told |= part()
    return told


def seed_tags(told: Seeds) -> dict[str, str]:
    """Seeds as tags."""
    found = {"value": told.value, "libraries": ", ".join(told.libraries), "hash": told.hash_seed}
    return {SEED + name: str(value) for name, value in found.items() if value not in (None, "")}


def _code_and_packages() -> dict[str, str]:
    """Together, since a package that is installed from the code's own repository is pinned by the commit."""
    code, top = repository.code_now()
    words = {True: "true", False: "false"}
    told = {
        CODE + name: words.get(value, str(value))[:LONGEST]
        for name, value in msgspec.structs.asdict(code).items()
        if value is not None
    }
    with contextlib.suppress(Exception):
        told |= _packages(tuple(environment.packages(top)))
    return told


def _machine() -> dict[str, str]:
    return {ENVIRONMENT + name: value[:LONGEST] for name, value in environment.machine().items()}


def _libraries() -> dict[str, str]:
    return _loaded(tuple(libraries.loaded()))


@lru_cache(maxsize=2)
def _packages(found: tuple[Package, ...]) -> dict[str, str]:
    return parts_of(map(package_line, found), f"{ENVIRONMENT}packages")


@lru_cache(maxsize=2)
def _loaded(found: tuple[Library, ...]) -> dict[str, str]:
    return parts_of(map(library_line, found), f"{ENVIRONMENT}libraries") if found else {}


def _seeds() -> dict[str, str]:
    return seed_tags(seeds.seeds_now())
