"""One seed for every source of randomness that can be reached, and remembered, so that the runs that follow tell it."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from tenure.errors import InvalidInput
from tenure.records.provenance import Seeds

LARGEST = 2**32 - 1
_set: list[Seeds] = []


def seed(value: int) -> Seeds:
    """Seed Python's `random`, numpy and, when they are imported already, torch, tensorflow and cupy.

    The seed is recorded with every run that this process starts from now on, and with the one that is active. Call it
    after the imports and before anything random: neither numpy nor torch can tell a seed that was set otherwise.

    Returns what was seeded. `PYTHONHASHSEED` cannot be set from within: set it where the process is started.

    Raises
    ------
    InvalidInput
        When it is not a whole number between 0 and 4294967295, which is what numpy takes.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= int(value) <= LARGEST:
        raise InvalidInput(f"A seed must be a whole number between 0 and {LARGEST}. Got {value!r}.", where="value")
    number = int(value)
    told = Seeds(value=number, libraries=_seed_all(number), hash_seed=hash_seed())
    _set[:] = [told]
    _tell_active_run(told)
    return told


def seeds_now() -> Seeds:
    """The seed that was set by `seed`, if any, and Python's own for the hashes of texts."""
    return _set[0] if _set else Seeds(hash_seed=hash_seed())


def hash_seed() -> str | None:
    """Python's seed for the hashes of texts: a number, or `random` when none was given."""
    told = os.environ.get("PYTHONHASHSEED", "")
    if sys.flags.hash_randomization and told in ("", "random"):
        return "random"
    return told if re.fullmatch(r"\d{1,10}", told, re.ASCII) else None


def _seed_all(value: int) -> list[str]:
    import random

    random.seed(value)
    seeded = ["random"]
    try:
        import numpy as np
    except ImportError:
        pass
    else:
        np.random.seed(value)  # the global one is what other libraries draw from
        seeded.append("numpy")
    for name in ("torch", "tensorflow", "cupy"):
        library: Any = sys.modules.get(name)
        if library is not None:
            _SEEDERS[name](library)(value)
            seeded.append(name)
    return seeded


_SEEDERS: dict[str, Any] = {
    "torch": lambda library: library.manual_seed,
    "tensorflow": lambda library: library.random.set_seed,
    "cupy": lambda library: library.random.seed,
}


def _tell_active_run(told: Seeds) -> None:
    """The run that is active was started before; mlflow is not imported for it."""
    mlflow: Any = sys.modules.get("mlflow")
    run = mlflow.active_run() if mlflow is not None and hasattr(mlflow, "active_run") else None
    if run is not None:
        from tenure.sdk.provenance import seed_tags

        mlflow.set_tags(seed_tags(told))
