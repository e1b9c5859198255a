"""What is documented is what there is."""

from __future__ import annotations

import re

import pytest

from tests.promises import write_docs
from tests.promises.write_docs import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_from_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_setting_is_explained() -> None:
    assert set(write_docs.HELP) == set(write_docs.Settings.__struct_fields__)


def test_every_route_says_what_it_does() -> None:
    rows = [line for line in write_docs.routes_page().splitlines() if line.startswith("| ") and "`/" in line]
    silent = [row for row in rows if row.split("|")[4].strip() == ""]
    assert rows
    assert silent == []


def test_every_audit_event_is_documented() -> None:
    """Names that are put together (`f"version.{after}"`) are held to their beginning."""
    page = (ROOT / "docs" / "audit-events.md").read_text()
    told = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", page))
    families = {event.partition(".")[0] for event in told}
    made: set[str] = set()
    for path in (ROOT / "tenure").rglob("*.py"):
        text = path.read_text()
        made |= set(re.findall(rf'"((?:{"|".join(families)})\.[a-z_]+)", subject=', text))
        made |= set(re.findall(r'audit\.append\(\s*\w+,\s*"([a-z_]+\.[a-z_]+)"', text))
        begun = re.findall(r'audit\.append\(\s*\w+,\s*f"([a-z_]+)\.', text)
        assert set(begun) <= families, path
    assert len(made) > 20
    assert made - told == set()


def test_the_architecture_names_every_room() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = [path.name for path in (ROOT / "tenure").iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert [room for room in rooms if f"`{room}/`" not in page] == []


def test_every_dependency_has_its_sentence() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [item for name, items in project["optional-dependencies"].items() if name != "dev" for item in items]
    names = [re.split(r"[<>=\[]", item)[0] for item in [*project["dependencies"], *extras]]
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert [name for name in names if name not in page] == []


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "lock.txt").read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    assert re.search(r"^torch==", lock, re.MULTILINE) is None
