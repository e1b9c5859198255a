"""A scorer that runs the tricky model by itself, without mlflow and the libraries that models need.

It starts in a tenth of the time, for tests of what the gateway does with its scorers: how they come, hang, die and give
way. How models are loaded is tested with real ones (`test_gateway.py`, `test_runtimes.py`, the stories).
"""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tenure.records.routing import InputColumn
from tenure.serving import scorer


class TrickyRuntime:
    """The model of a folder's `tricky_model.py`, in the shape of `PyfuncRuntime`."""

    def __init__(self, folder: Path, _inputs: Sequence[InputColumn]) -> None:
        self._model = runpy.run_path(str(folder / "tricky_model.py"))["Tricky"]()

    def predict(self, columns: dict[str, Any], rows: int, _params: dict[str, Any] | None = None) -> list[Any]:
        lists = {name: held if isinstance(held, list) else held.tolist() for name, held in columns.items()}
        found: list[Any] = self._model.predict(None, {"number": [None] * rows, **lists})
        return found

    def example(self) -> None:
        return None


def _module(name: str, **holding: Any) -> None:
    sys.modules[name] = module = ModuleType(name)
    vars(module).update(holding)


if __name__ == "__main__":
    _module("mlflow", __path__=[])
    _module("mlflow.models", set_model=lambda _model: None)
    _module("mlflow.pyfunc", PythonModel=object)
    sys.modules["mlflow"].__dict__.update(models=sys.modules["mlflow.models"], pyfunc=sys.modules["mlflow.pyfunc"])
    _module("tenure.serving.runtimes.pyfunc", PyfuncRuntime=TrickyRuntime)
    scorer.warm_up = lambda _is_awaited: None
    scorer.main()
