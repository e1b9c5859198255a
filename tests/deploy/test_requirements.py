"""What a version asks for, and what of it is not met."""

from __future__ import annotations

import pytest

from tenure.deploy import requirements
from tenure.deploy.requirements import HERE, lacking, sayings, wanted
from tenure.records.environments import Lacking
from tenure.records.provenance import Environment, Package

NOT_TOLD = Environment()
TRAINED = Environment(
    python="3.11.4",
    packages=[Package(name="numpy", version="2.1.3"), Package(name="ours", version="1.0", origin="editable")],
)


def found(text: str, here: dict[str, str], **files: str) -> list[Lacking]:
    asked = wanted({"requirements.txt": text, **files}, NOT_TOLD)
    return lacking(asked, here.get)


@pytest.mark.parametrize(
    ("asked", "here"),
    [
        ("numpy==2.1.3", "2.1.3"),
        ("numpy>=2", "2.1.3"),
        ("numpy", "1.0"),
        ("numpy==2.1.3", "2.1.3+cpu"),
        ("numpy~=2.1", "2.4"),
        ("numpy>=2", "2.2.0rc1"),
        ("numpy==9; python_version < '3'", "2.1.3"),
    ],
)
def test_what_is_met_is_not_lacking(asked: str, here: str) -> None:
    assert found(asked, {"numpy": here}) == []


@pytest.mark.parametrize(
    ("asked", "here", "is_close"),
    [
        ("numpy==2.1.3", "2.1.4", True),
        ("numpy==2.1.3", "2.2.0", False),
        ("numpy==2.1", "2.1.1", False),
        ("numpy>=3", "2.1.3", False),
        ("numpy==2.1.3", "1!2.1.4", False),
        ("numpy", None, False),
    ],
)
def test_what_is_not_met_is_told_with_what_is_here(asked: str, here: str | None, is_close: bool) -> None:
    (one,) = found(asked, {} if here is None else {"numpy": here})
    assert (one.name, one.here, one.is_close) == ("numpy", here, is_close)


@pytest.mark.parametrize(
    ("asked", "here", "count"),
    [
        ("mlflow==3.1.0", {"mlflow-skinny": "3.17.2"}, 0),
        ("mlflow", {"mlflow-skinny": "3.17.2"}, 0),
        ("mlflow==2.20.0", {"mlflow-skinny": "3.17.2"}, 1),
        ("xgboost==3.2.0", {"xgboost-cpu": "3.2.0"}, 0),
        ("mlflow==3.1.0", {}, 1),
    ],
)
def test_stand_ins_and_mlflow_of_the_same_major_version_will_do(asked: str, here: dict[str, str], count: int) -> None:
    assert len(found(asked, here)) == count


def test_comments_options_and_hashes_are_no_requirements() -> None:
    text = (
        "--index-url https://x/simple\n# why\nnumpy==2.1.3 \\\n  --hash=sha256:aa\n-c constraints.txt\nscipy  # fast\n"
    )
    assert wanted({"requirements.txt": text}, NOT_TOLD).requirements == ["numpy==2.1.3", "scipy"]


def test_constraints_and_the_packages_of_the_training_pin() -> None:
    files = {"requirements.txt": "numpy\nours\n", "constraints.txt": "idna<4\n"}
    asked = wanted(files, TRAINED)
    assert asked.requirements == ["numpy==2.1.3", "ours"]
    assert asked.pins == ["idna<4", "numpy==2.1.3"]


@pytest.mark.parametrize("line", ["./mine.whl", "code/", "git+https://host/x", "mine @ https://user:secret@host/x.whl"])
def test_what_names_a_path_or_an_address_is_foreign_and_lacking(line: str) -> None:
    asked = wanted({"requirements.txt": line}, NOT_TOLD)
    assert (len(asked.foreign), asked.requirements) == (1, [])
    assert len(lacking(asked, {}.get)) == 1
    assert "secret" not in sayings(lacking(asked, {}.get))


@pytest.mark.parametrize(
    ("told", "trained", "python"),
    [
        ("python: 3.12.1\nbuild_dependencies: []\n", "3.11.4", "3.12"),
        ("python: '3.10'\n", None, "3.10"),
        ("", "3.13.0", "3.13"),
        ("", None, HERE),
        ("python: [", None, HERE),
        ("a: &a [*a]", None, HERE),
        ("- 1", "nonsense", HERE),
    ],
)
def test_the_python_is_that_of_the_file_else_of_the_training(told: str, trained: str | None, python: str) -> None:
    assert wanted({"python_env.yaml": told}, Environment(python=trained)).python == python


def test_another_python_is_lacking() -> None:
    (one,) = lacking(wanted({"python_env.yaml": "python: 3.9.1"}, NOT_TOLD), {}.get)
    assert (one.name, one.wanted, one.here) == ("python", "3.9", HERE)
    assert sayings([one]) == f"python 3.9 ({HERE} here)"


def test_what_is_installed_here_is_found() -> None:
    assert requirements.version_here("msgspec")
    assert requirements.version_here("no-such-distribution") is None
