"""Where a run or a version came from, in one sentence and in full."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.provenance import Code, Library, Package, Provenance
from tenure.web.wording import count

SHORT_COMMIT = 10


class Fact(Record):
    """A line of the panel. `is_code` sets it in the letters of code."""

    name: str
    told: str
    is_code: bool = False
    title: str = ""


class ProvenancePanel(Record):
    """`packages` and `libraries` are None when they were not told, or not whole."""

    sentence: str
    is_known: bool
    is_dirty: bool
    code: list[Fact]
    machine: list[Fact]
    data: list[Fact]
    packages: list[Package] | None
    loose: list[Package]
    libraries: list[Library] | None


def panel(found: Provenance) -> ProvenancePanel:
    """What the panel shows of a provenance."""
    packages = found.environment.packages
    return ProvenancePanel(
        sentence=sentence(found),
        is_known=found.is_known,
        is_dirty=found.code.dirty is True,
        code=_code(found.code),
        machine=_machine(found),
        data=[Fact(name=one.name, told=one.sha256 or one.digest, is_code=True, title=one.use) for one in found.data],
        packages=packages,
        loose=[package for package in packages or [] if not package.is_pinned],
        libraries=found.environment.libraries,
    )


def sentence(found: Provenance) -> str:
    """Everything that matters in one sentence.

    >>> from tenure.records.provenance import provenance_of
    >>> tags = {"tenure.code.commit": "abc1234567" * 4, "tenure.code.dirty": "true"}
    >>> sentence(provenance_of({**tags, "tenure.environment.python": "3.11.7"}))
    'From commit abc1234567 with uncommitted changes, Python 3.11.7.'
    """
    if not found.is_known:
        return "The client told nothing about where it came from."
    parts = [_code_words(found.code)]
    if found.environment.python:
        parts.append(f"Python {found.environment.python}")
    if found.environment.packages is not None:
        number = len(found.environment.packages)
        parts.append(f"{count(number)} package{'' if number == 1 else 's'}")
    if found.seeds.value is not None:
        parts.append(f"seed {found.seeds.value}")
    said = ", ".join(part for part in parts if part)
    return f"{said[:1].upper()}{said[1:]}." if said else "Only its data is known."


def _code_words(code: Code) -> str:
    if code.commit:
        state = {True: " with uncommitted changes", False: ", nothing uncommitted", None: ""}[code.dirty]
        return f"from commit {code.commit[:SHORT_COMMIT]}{state}"
    if code.path:
        return f"from {code.path}, {'not committed' if code.dirty else 'no commit known'}"
    return "no commit known"


def _code(code: Code) -> list[Fact]:
    dirty = {True: "yes", False: "none", None: ""}[code.dirty]
    facts = [
        Fact(name="Commit", told=code.commit or "", is_code=True),
        Fact(name="Branch", told=code.branch or ""),
        Fact(name="Repository", told=code.remote or ""),
        Fact(name="Uncommitted changes", told=code.changes or dirty, is_code=bool(code.changes)),
        Fact(name={"notebook": "Notebook"}.get(code.kind or "", "Script"), told=code.path or ""),
        Fact(name="Digest of it", told=code.digest or "", is_code=True),
    ]
    return [fact for fact in facts if fact.told]


def _machine(found: Provenance) -> list[Fact]:
    machine, seeds = found.environment, found.seeds
    python = " ".join(part for part in (machine.implementation, machine.python) if part)
    seeded = f" for {', '.join(seeds.libraries)}" if seeds.libraries else ""
    facts = [
        Fact(name="Python", told=python),
        Fact(name="System", told=", ".join(part for part in (machine.distribution, machine.system) if part)),
        Fact(name="C library", told=machine.libc or ""),
        Fact(name="Architecture", told=machine.architecture or ""),
        Fact(name="Seed", told="" if seeds.value is None else f"{seeds.value}{seeded}"),
        Fact(name="Hash seed", told=seeds.hash_seed or ""),
    ]
    return [fact for fact in facts if fact.told]
