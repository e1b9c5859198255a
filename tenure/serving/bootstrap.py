"""Starts a module of ours in another environment's Python: `python -P bootstrap.py tenure.serving.scorer …`.

Of this installation it lends the package `tenure` alone. Put on the path, the folder that holds it would bring every
other package of the server along.
"""

import importlib.util
import runpy
import sys
from pathlib import Path


def lend(package: Path) -> None:
    """Make a package importable by its folder, and nothing beside it."""
    places = [str(package)]
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=places
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[package.name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    lend(Path(__file__).resolve().parents[1])
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
