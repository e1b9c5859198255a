"""Where a run came from: code, environment, seeds and data. Clients tell it in tags under `tenure.`.

The tags are written by `sdk/provenance.py` and read here as what they are: claims of a client. What does not read as
it should counts as not told, and what was not told is None or empty, never a guess.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from tenure.records.base import Record
from tenure.records.tracking import DatasetInput

CODE = "tenure.code."
ENVIRONMENT = "tenure.environment."
SEED = "tenure.seed."
PREFIXES = (CODE, ENVIRONMENT, SEED)
SHA256_TAG = "tenure.sha256"
"""The tag of a run's dataset input that holds the digest of all of its bytes: MLflow's own field is too short."""
PART_LENGTH = 5000
"""Characters of a list in one tag. Servers cut what is longer: MLflow's at 8,000, older ones at 5,000."""
PART_COUNT = 40

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PACKAGE = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s@]{1,100})(?: @ (\S{1,500}))?")


class Code(Record):
    """`dirty` says whether there was anything that the commit does not hold; `changes` is the digest of that.

    `path` is the script's or notebook's, relative to its repository if it has one; `digest` is that of the file.
    """

    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: bool | None = None
    changes: str | None = None
    path: str | None = None
    kind: str | None = None
    digest: str | None = None


class Package(Record):
    """An installed distribution. `origin` is empty when it came from an index, so that name and version tell all.

    Else it is a pinned source (`git+https://…@<commit>`, `sha256:…`), `repository` for a folder of the repository
    that the code is from, or `editable` or `folder`: then nobody can tell from the version what was installed.
    """

    name: str
    version: str
    origin: str = ""

    @property
    def is_pinned(self) -> bool:
        return self.origin not in ("editable", "folder", "url")


class Library(Record):
    """A shared library that the process had loaded. `package` is the wheel that brought it; empty for the system's.

    `digest` is the start of its build id or of its SHA-256.
    """

    name: str
    version: str = ""
    package: str = ""
    digest: str = ""


class Environment(Record):
    """`packages` and `libraries` are None when they were not told whole."""

    python: str | None = None
    implementation: str | None = None
    system: str | None = None
    distribution: str | None = None
    libc: str | None = None
    architecture: str | None = None
    packages: list[Package] | None = None
    packages_digest: str | None = None
    libraries: list[Library] | None = None

    @property
    def is_locked(self) -> bool | None:
        """Whether name, version and origin of every package say exactly what was installed; None when not told."""
        return None if self.packages is None else all(package.is_pinned for package in self.packages)


class Seeds(Record):
    """`value` was set by `tenure.seed` for `libraries`; `hash_seed` is Python's for texts, a number or `random`."""

    value: int | None = None
    libraries: list[str] = []
    hash_seed: str | None = None


class DataDigest(Record):
    """A dataset of a run. `sha256` covers all of its bytes; None when only the client's short digest is known."""

    name: str
    digest: str
    sha256: str | None
    use: str


class Provenance(Record):
    code: Code
    environment: Environment
    seeds: Seeds
    data: list[DataDigest] = []

    @property
    def is_known(self) -> bool:
        return self != NOTHING


class Changed(Record):
    """What differs: the same name with another value. None stands for "not told"."""

    name: str
    before: str | None
    after: str | None


class EnvironmentDifference(Record):
    """How a second environment differs from a first.

    `machine` holds Python, system, libc and architecture. `packages_known` and `libraries_known` say whether both
    sides told theirs; if not, nothing is said about them. Several libraries may share a name.
    """

    machine: list[Changed]
    packages_known: bool
    added: list[Package]
    removed: list[Package]
    changed: list[Changed]
    libraries_known: bool
    libraries_changed: list[Changed]

    @property
    def is_same(self) -> bool:
        """Whether both told their packages and nothing that was told differs."""
        differing = (self.machine, self.added, self.removed, self.changed, self.libraries_changed)
        return self.packages_known and not any(differing)


NOTHING = Provenance(code=Code(), environment=Environment(), seeds=Seeds())
MACHINE = ("python", "implementation", "system", "distribution", "libc", "architecture")


def provenance_of(tags: Mapping[str, str], inputs: Iterable[DatasetInput] = ()) -> Provenance:
    """The provenance that the tags of a run or of a logged model tell, with the digests of a run's datasets.

    Of a client without our plugin only what MLflow itself records is known: commit, branch, remote and path.

    >>> provenance_of({"tenure.code.dirty": "true"}).code.dirty
    True
    """
    return Provenance(code=_code(tags), environment=_environment(tags), seeds=_seeds(tags), data=data_of(inputs))


def data_of(inputs: Iterable[DatasetInput]) -> list[DataDigest]:
    """The datasets of a run, by name."""
    found = []
    for given in inputs:
        labels = {tag.key: tag.value for tag in given.tags}
        told = labels.get(SHA256_TAG, "")
        found.append(
            DataDigest(
                name=given.dataset.name,
                digest=given.dataset.digest,
                sha256=told if re.fullmatch(r"[0-9a-f]{64}", told) else None,
                use=labels.get("mlflow.data.context", ""),
            )
        )
    return sorted(found, key=lambda one: (one.name, one.digest))


def environment_difference(before: Environment, after: Environment) -> EnvironmentDifference:
    """What was added, removed and changed from one environment to another, each by name.

    >>> one = Environment(packages=[Package(name="numpy", version="2.0")])
    >>> two = Environment(packages=[Package(name="numpy", version="2.1")])
    >>> environment_difference(one, two).changed
    [Changed(name='numpy', before='2.0', after='2.1')]
    """
    packages_known = before.packages is not None and after.packages is not None
    old = {package.name: package for package in before.packages or []} if packages_known else {}
    new = {package.name: package for package in after.packages or []} if packages_known else {}
    return EnvironmentDifference(
        machine=[
            Changed(name=name, before=getattr(before, name), after=getattr(after, name))
            for name in MACHINE
            if getattr(before, name) != getattr(after, name)
        ],
        packages_known=packages_known,
        added=[new[name] for name in sorted(new.keys() - old.keys())],
        removed=[old[name] for name in sorted(old.keys() - new.keys())],
        changed=[
            Changed(name=name, before=_told(old[name]), after=_told(new[name]))
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ],
        libraries_known=before.libraries is not None and after.libraries is not None,
        libraries_changed=_library_changes(before.libraries, after.libraries),
    )


def parts_of(lines: Iterable[str], prefix: str) -> dict[str, str]:
    """A list as tags: `<prefix>.1`, `<prefix>.2`, … of whole lines, and `<prefix>.digest` over all of it.

    The digest shows a reader that a server has cut a part, or that one is missing. A list too long for
    `PART_COUNT` tags is not told at all.
    """
    parts, length = [[]], 0  # type: list[list[str]], int
    for line in lines:
        if length + len(line) + 1 > PART_LENGTH and parts[-1]:
            parts.append([])
            length = 0
        parts[-1].append(line)
        length += len(line) + 1
    if len(parts) > PART_COUNT:
        return {}
    texts = ["\n".join(part) for part in parts]
    told = {f"{prefix}.{number}": text for number, text in enumerate(texts, start=1)}
    return {f"{prefix}.digest": _digest_of("\n".join(texts)), **told}


def lines_of(tags: Mapping[str, str], prefix: str) -> list[str] | None:
    """A list that `parts_of` put into tags; None when it is not there whole."""
    texts = []
    for number in range(1, PART_COUNT + 1):
        text = tags.get(f"{prefix}.{number}")
        if text is None:
            break
        texts.append(text)
    whole = "\n".join(texts)
    if not texts or tags.get(f"{prefix}.digest") != _digest_of(whole):
        return None
    return whole.split("\n") if whole else []


def package_line(package: Package) -> str:
    """A package as a line of the list, such as `numpy==2.1.0`."""
    return f"{package.name}=={package.version}" + (f" @ {package.origin}" if package.origin else "")


def library_line(library: Library) -> str:
    """A library as a line of the list: name, version, package and digest, a dash for what is not known."""
    return " ".join(part or "-" for part in (library.name, library.version, library.package, library.digest))


def _code(tags: Mapping[str, str]) -> Code:
    told = {key: tags[CODE + key] for key in Code.__struct_fields__ if tags.get(CODE + key)}
    return Code(
        commit=_fitting(_COMMIT, told.get("commit") or tags.get("mlflow.source.git.commit")),
        branch=told.get("branch") or tags.get("mlflow.source.git.branch") or None,
        remote=told.get("remote") or _without_user(tags.get("mlflow.source.git.repoURL")),
        dirty={"true": True, "false": False}.get(told.get("dirty", "")),
        changes=_fitting(_DIGEST, told.get("changes")),
        path=told.get("path") or tags.get("mlflow.source.name") or None,
        kind=told.get("kind"),
        digest=_fitting(_DIGEST, told.get("digest")),
    )


def _environment(tags: Mapping[str, str]) -> Environment:
    packages = lines_of(tags, f"{ENVIRONMENT}packages")
    libraries = lines_of(tags, f"{ENVIRONMENT}libraries")
    known = None if packages is None else _packages(tuple(packages))
    found = None if libraries is None else [_library(line) for line in libraries]
    return Environment(
        **{name: tags.get(ENVIRONMENT + name) or None for name in MACHINE},
        packages=known,
        packages_digest=tags[f"{ENVIRONMENT}packages.digest"] if known is not None else None,
        libraries=None if found is None or None in found else [library for library in found if library],
    )


def _seeds(tags: Mapping[str, str]) -> Seeds:
    value, hashed = tags.get(f"{SEED}value", ""), tags.get(f"{SEED}hash", "")
    return Seeds(
        value=int(value) if re.fullmatch(r"\d{1,20}", value, re.ASCII) else None,
        libraries=[name for name in tags.get(f"{SEED}libraries", "").split(", ") if name],
        hash_seed=hashed if re.fullmatch(r"\d{1,10}|random", hashed, re.ASCII) else None,
    )


@lru_cache(maxsize=64)
def _packages(lines: tuple[str, ...]) -> list[Package] | None:
    """Packages by their lines; None when one cannot be read. Every gate reads those of a version again, 0.2 ms each."""
    read = [_package(line) for line in lines]
    return None if None in read else [package for package in read if package]


def _package(line: str) -> Package | None:
    read = _PACKAGE.fullmatch(line)
    return Package(name=read[1], version=read[2], origin=read[3] or "") if read else None


def _library(line: str) -> Library | None:
    words = line.split(" ")
    if len(words) != len(Library.__struct_fields__) or not words[0]:
        return None
    name, version, package, digest = ("" if word == "-" else word for word in words)
    return Library(name=name, version=version, package=package, digest=digest)


def _library_changes(before: Sequence[Library] | None, after: Sequence[Library] | None) -> list[Changed]:
    if before is None or after is None:
        return []
    old, new = _by_name(before), _by_name(after)
    return [
        Changed(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _by_name(libraries: Sequence[Library]) -> dict[str, str]:
    """Every copy of a library that was loaded, as one text."""
    found: dict[str, list[str]] = {}
    for library in libraries:
        words = [library.version, library.digest, f"of {library.package}" if library.package else ""]
        found.setdefault(library.name, []).append(" ".join(word for word in words if word))
    return {name: ", ".join(sorted(copies)) for name, copies in found.items()}


def _told(package: Package) -> str:
    return package.version + (f" @ {package.origin}" if package.origin else "")


def _fitting(form: re.Pattern[str], text: str | None) -> str | None:
    return text if text and form.fullmatch(text) else None


def _without_user(remote: str | None) -> str | None:
    """A remote's address without who asks there."""
    return re.sub(r"^(\w+://)?[^/@]*@", r"\1", remote) if remote else None


def _digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
