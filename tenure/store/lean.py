"""Keeps model frameworks out of the server's own processes, whatever a library would like to load."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

FRAMEWORKS = frozenset({"pandas", "mlflow", "sklearn", "torch", "tensorflow", "pydantic"})


class _Refusing(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        del path, target
        if fullname in FRAMEWORKS:
            raise ModuleNotFoundError(f"{fullname} is not for this process: it is lean by rule.", name=fullname)


def refuse_frameworks() -> None:
    """From now on, importing a model framework fails in this process as if it were not installed. So does pydantic,
    which mlflow brings along and Litestar loads when it is there, although our records are msgspec's.

    pyarrow loads pandas as soon as it is there, at the first list that becomes a column: a second of start-up and
    70 MB in each process that has no use for it. It does without when pandas cannot be found.
    """
    if not any(isinstance(finder, _Refusing) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusing())
