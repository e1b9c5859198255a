"""What a version asks for, as its files and its training tell it, and what of it the server's packages do not meet.

Only what the model itself asks for counts: its `requirements.txt`, at the versions that it was trained with where these
were told. Nothing here follows an index address or a path that a model names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tenure.records.base import Record
from tenure.records.environments import Lacking
from tenure.records.provenance import Environment as Trained

REQUIREMENTS = "requirements.txt"
CONSTRAINTS = "constraints.txt"
PYTHON = "python_env.yaml"
FILES = (REQUIREMENTS, CONSTRAINTS, PYTHON)
STAND_INS = {"mlflow": ("mlflow-skinny",), "xgboost": ("xgboost-cpu",), "onnxruntime": ("onnxruntime-gpu",)}
"""Distributions that bring the same modules under another name."""
MLFLOW = ("mlflow", "mlflow-skinny")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_PYTHON = (3, 11)

Installed = Callable[[str], str | None]


class Wanted(Record):
    """`python` is its minor version, such as 3.11. `requirements` and `pins` (`name==version`, of the whole training
    environment) are lines that a resolver reads; `foreign` are lines that name a path or an address.

    `is_told` is False for a version without a list of requirements.
    """

    python: str
    requirements: list[str]
    pins: list[str]
    foreign: list[str]
    is_told: bool


def wanted(files: Mapping[str, str], trained: Trained) -> Wanted:
    """What a version asks for, by the texts of its files and by what its training told.

    >>> wanted({"requirements.txt": "numpy==2.1.0  # fast\\n-i https://x\\n"}, Trained()).requirements
    ['numpy==2.1.0']
    """
    told: dict[str, str] = {
        canonicalize_name(one.name): one.version for one in trained.packages or [] if not one.origin
    }
    requirements, foreign = [], []
    for line in _lines(files.get(REQUIREMENTS, "")):
        try:
            one = Requirement(line)
        except InvalidRequirement:
            foreign.append(line)
            continue
        if one.url:
            foreign.append(f"{one.name} from an address")
        elif one.marker is None or one.marker.evaluate():
            requirements.append(_pinned(one, told))
    return Wanted(
        python=_python(files.get(PYTHON, ""), trained.python),
        requirements=requirements,
        pins=[*_lines(files.get(CONSTRAINTS, "")), *(f"{name}=={version}" for name, version in sorted(told.items()))],
        foreign=foreign,
        is_told=REQUIREMENTS in files,
    )


def lacking(asked: Wanted, installed: Installed | None = None, python: str = HERE) -> list[Lacking]:
    """What the server's packages do not meet, in the order it was asked for.

    MLflow only reads the model's folder, and reads those of its own major version: no more is asked of it.
    """
    look = installed or version_here
    found = []
    if asked.python != python:
        found.append(Lacking(name="python", wanted=asked.python, here=python))
    for line in asked.requirements:
        one = Requirement(line)
        names = (one.name, *STAND_INS.get(canonicalize_name(one.name), ()))
        here = next((version for version in map(look, names) if version is not None), None)
        if not _meets(one, here):
            found.append(Lacking(name=one.name, wanted=str(one.specifier), here=here, is_close=_is_close(one, here)))
    return found + [Lacking(name=line, wanted="", here=None) for line in asked.foreign]


def version_here(name: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def sayings(found: Iterable[Lacking]) -> str:
    """What is lacking, in words."""
    return ", ".join(
        f"{one.name}{one.wanted if one.wanted[:1] in '=<>~!' else ' ' + one.wanted} ({one.here or 'not'} here)"
        if one.wanted
        else f"{one.name} ({one.here or 'not'} here)"
        for one in found
    )


def _meets(one: Requirement, here: str | None) -> bool:
    if here is None:
        return False
    if canonicalize_name(one.name) in MLFLOW:
        majors = {Version(spec.version).major for spec in one.specifier if spec.operator == "=="}
        return majors <= {Version(here).major} or one.specifier.contains(here, prereleases=True)
    return one.specifier.contains(here, prereleases=True)


def _is_close(one: Requirement, here: str | None) -> bool:
    """Whether a single pin and what is here share all but the last number of their releases."""
    pins = list(one.specifier)
    if here is None or len(pins) != 1 or pins[0].operator != "==" or "*" in pins[0].version:
        return False
    try:
        asked, found = Version(pins[0].version), Version(here)
    except InvalidVersion:
        return False
    return (asked.epoch, asked.release[:2]) == (found.epoch, found.release[:2]) and len(asked.release) > 2


def _pinned(one: Requirement, told: Mapping[str, str]) -> str:
    """The requirement, at the version that the training had where it names none."""
    version = next(
        (told[name] for name in (one.name, *STAND_INS.get(canonicalize_name(one.name), ())) if name in told), None
    )
    if version is not None and not any(spec.operator in ("==", "===") for spec in one.specifier):
        one.specifier = SpecifierSet(f"=={version}")
    one.marker = None
    return str(one)


def _python(text: str, trained: str | None) -> str:
    """The minor version that MLflow's python_env.yaml names, else the training's, else the server's."""
    try:
        body = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        body = None
    told = str(body.get("python", "")) if isinstance(body, dict) else ""
    for version in (told, trained or ""):
        if found := re.match(r"(\d+\.\d+)(\.|$)", version):
            return found[1]
    return HERE


def _lines(text: str) -> Sequence[str]:
    """The requirements of a file, without comments, options and hashes: where packages come from is the operator's."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("-")]
