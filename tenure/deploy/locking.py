"""Locking: the exact packages that a version's own environment is made of, found by uv where the operator allows.

A child process looks them up: it has none of our secrets, follows no address but the operator's, runs no code of a
package (wheels only) and has a limit of time. It never downloads a Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tenure.deploy.requirements import HERE, MLFLOW, Wanted
from tenure.errors import Unavailable
from tenure.records.digests import digest_of
from tenure.records.environments import Lock, Missing
from tenure.settings import Settings

BASE = ("msgspec>=0.20", "mlflow-skinny>=3.12,<4", "pandas>=2.2", "numpy>=2.0")
"""What a scorer itself needs; a model's own requirement on one of them takes its place."""
PASSED = ("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "TMPDIR")
ROUNDS = 100
"""How many missing wheels are looked for, one at a time, before the list is left as it is."""
MISSING_FORMS = (
    re.compile(r"there (?:is|are) no versions? of ([\w.-]+)"),
    re.compile(r"([\w.-]+)(?:[=<>!~]=?\S*)? was not found"),
    re.compile(r"only (?:the following versions of )?([\w.-]+?)(?:[=<>!~]=?\S*)? (?:is|are) available"),
    re.compile(r"([\w.-]+)(?:[=<>!~]=?\S*)? has no (?:usable |compatible )?wheels"),
)


def is_configured(settings: Settings) -> bool:
    """Whether the operator says where wheels come from."""
    return bool(settings.wheel_index or settings.wheel_folder)


def lock(wanted: Wanted, settings: Settings) -> Lock | Missing:
    """Resolve what a version wants, and what a scorer needs, to exact wheels. Raises Unavailable when uv is late."""
    if wanted.foreign:
        return Missing(wheels=[], reason=f"it asks for what no index has: {', '.join(wanted.foreign)}")
    if interpreter(wanted.python, settings) is None:
        return Missing(wheels=[], reason=f"Python {wanted.python} is not installed on this machine")
    asked, missing = _asked(wanted, BASE), []  # type: list[str], list[str]
    for _ in range(ROUNDS):
        done = _compile(asked, wanted, missing, settings)
        if done.returncode == 0:
            break
        found = _first_missing(done.stderr)
        if found is None or found in missing:
            return Missing(wheels=_wheels(missing, asked, wanted.pins), reason=said(done.stderr))
        missing.append(found)
    if missing:
        return Missing(wheels=_wheels(missing, asked, wanted.pins), reason="")
    return Lock(python=wanted.python, platform=sysconfig.get_platform(), text=done.stdout)


def digest(locked: Lock) -> str:
    """What an environment is known by: its packages with their hashes, the Python and the platform."""
    return digest_of(locked).removeprefix("sha256:")


def interpreter(python: str, settings: Settings) -> str | None:
    """The path of a Python of that minor version on this machine; None when there is none."""
    if python == HERE:
        return sys.executable
    done = run(["python", "find", python, "--no-python-downloads", "--no-project"], settings)
    return done.stdout.strip() if done.returncode == 0 else None


def run(arguments: Sequence[str], settings: Settings) -> subprocess.CompletedProcess[str]:
    """Run uv. Raises Unavailable when it takes too long, or is not there."""
    from uv import find_uv_bin

    command = [find_uv_bin(), *arguments]
    try:
        return subprocess.run(  # noqa: S603  uv, by its full path
            command,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=settings.environment_timeout_s,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"An environment must be ready within {settings.environment_timeout_s:g} s (--environment-timeout-s), and "
            "was not. Try again: what was fetched is kept."
        ) from None
    except OSError as problem:
        raise Unavailable(f"uv, which makes environments, cannot be started: {problem.strerror}.") from None


def sources(settings: Settings) -> list[str]:
    """Options of uv that say where wheels come from. The index's address goes by the environment instead."""
    folder = ["--find-links", str(Path(settings.wheel_folder).resolve())] if settings.wheel_folder else []
    return ["--only-binary", ":all:", *folder, *([] if settings.wheel_index else ["--no-index", "--offline"])]


def _environment(settings: Settings) -> dict[str, str]:
    """What uv sees. An index's address may hold a password, so it stands in no list of processes."""
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    own = settings.folder / "environments"
    index = {"UV_DEFAULT_INDEX": settings.wheel_index} if settings.wheel_index else {}
    quiet = {"UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never"}
    return {**passed, **index, **quiet, "UV_CACHE_DIR": str(own / ".cache"), "HOME": str(own)}


def _asked(wanted: Wanted, base: Sequence[str]) -> list[str]:
    """The lines to resolve: the model's, with mlflow-skinny for mlflow, whose modules are the same, and the base."""
    lines = []
    for line in wanted.requirements:
        one = Requirement(line)
        if canonicalize_name(one.name) in MLFLOW:
            one.name, one.extras = "mlflow-skinny", set()
        lines.append(str(one))
    named = {canonicalize_name(Requirement(line).name) for line in lines}
    return [*lines, *(line for line in base if canonicalize_name(Requirement(line).name) not in named)]


def _compile(
    asked: Sequence[str], wanted: Wanted, left_out: Sequence[str], settings: Settings
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        files = {"requirements.in": asked, "pins": wanted.pins, "left-out": left_out}
        for name, lines in files.items():
            Path(folder, name).write_text("\n".join([*lines, ""]), encoding="utf-8")
        options = ["--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        given = ["--constraints", f"{folder}/pins", "--excludes", f"{folder}/left-out", f"{folder}/requirements.in"]
        python = ["--python-version", wanted.python, "--python", sys.executable]
        return run(["pip", "compile", *sources(settings), *options, *python, *given], settings)


def _first_missing(errors: str) -> str | None:
    """The package that the first sentence of uv's reason says is not to be had; None when it says something else."""
    reason = " ".join(errors.partition("cause:")[2].split())
    sentence = reason.removeprefix("Because ").partition(", we can conclude")[0]
    found = [match for form in MISSING_FORMS if (match := form.search(sentence))]
    return canonicalize_name(min(found, key=lambda match: match.start())[1]) if found else None


def said(errors: str) -> str:
    """uv's reason without addresses, which may hold passwords and names of machines."""
    reason = errors.partition("cause:")[2] or errors
    return re.sub(r"\w+://\S+", "the index", " ".join(reason.split()))[:1000]


def _wheels(names: Sequence[str], asked: Sequence[str], pins: Sequence[str]) -> list[str]:
    """Each missing wheel with the version that was asked for, where one was."""
    versions: dict[str, str] = {}
    for line in (*asked, *pins):
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        name = canonicalize_name(one.name)
        if "==" not in versions.get(name, ""):
            versions[name] = str(one.specifier) or versions.get(name, "")
    return [f"{name}{versions.get(name, '')}" for name in names]
