"""What a version runs in, decided before it is released: the server's packages, an environment of its own, or neither.

Deciding may ask an index and take long, so it comes before the transaction, like the check of the bytes. What was
decided is kept by the digest of the version's files; a release looks it up. The environment itself is made by the
gateway that needs it, since each machine needs its own, and what answered before goes on answering meanwhile.
"""

from __future__ import annotations

import msgspec

from tenure.build import model_versions, provenance
from tenure.deploy import building, locking, requirements
from tenure.errors import Conflict, NotFound
from tenure.records.base import Instant
from tenure.records.environments import Environment, EnvironmentInfo, Lock
from tenure.records.registry import ModelVersionInfo
from tenure.records.routing import RoutingTable
from tenure.settings import Settings
from tenure.store import environments
from tenure.store.database import Transaction
from tenure.store.ground import Ground

LARGEST_BYTES = 1024 * 1024
PATIENCE_S = 20.0
UNTOLD = "it tells no requirements"


def settle(ground: Ground, model: str, version: int, *, now: Instant) -> Environment | None:
    """Decide what a version runs in, keep it, and put its lock where gateways find it; None without pinned files.

    Called before each release, since the server's packages and what the index has may have changed. A lock that was
    made stays: what runs must not change by being looked at. Raises NotFound, and Unavailable when it takes too long.
    """
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    if not info.digest:
        return None
    digest = info.digest
    asked, before = _asked(ground, info), ground.database.read(lambda tx: environments.get(tx, digest))
    if before is not None and before.lock is not None and requirements.lacking(asked):
        decided = before
    else:
        decided = decide(asked, ground.settings)
    if decided != before:
        ground.database.write(lambda tx: environments.put(tx, digest, decided, now))
    if decided.lock is not None:
        building.keep(ground.settings.folder, decided.digest, decided.lock)
    return decided


def admit(ground: Ground, model: str, version: int, *, now: Instant) -> None:
    """Settle what a version runs in. Raises Conflict when nothing that it could run in is to be had."""
    decided = settle(ground, model, version, now=now)
    if decided is not None:
        refuse(decided, model, version)


def decide(asked: requirements.Wanted, settings: Settings) -> Environment:
    """What a version runs in that asks for this.

    The server's packages when they meet it. Else an environment of its own, where the operator says where wheels come
    from. Without that the server's packages once more, if all that differs is the last number of releases.
    """
    known = compared(asked)
    if not known.lacking:
        return known
    if locking.is_configured(settings):
        return _own(asked, known, settings)
    if all(one.is_close for one in known.lacking):
        return known
    return msgspec.structs.replace(
        known,
        kind="refused",
        reason=f"it asks for what the server does not have: {requirements.sayings(known.lacking)}. Start the server "
        "with --wheel-index or --wheel-folder, so that an environment can be made for it, or install these on the "
        "server",
    )


def compared(asked: requirements.Wanted) -> Environment:
    """What a version asks for, held against the server's packages."""
    return Environment(
        kind="server",
        python=asked.python,
        requirements=asked.requirements,
        lacking=requirements.lacking(asked),
        reason="" if asked.is_told else UNTOLD,
    )


def refuse(found: Environment, model: str, version: int) -> None:
    """Raise Conflict when a version runs in nothing that is to be had."""
    if found.kind == "refused":
        raise Conflict(f"Version {version} of {model!r} cannot be put into service: {found.reason}.")


def require(tx: Transaction, info: ModelVersionInfo) -> str:
    """The digest of the environment that a version's release runs in; empty for the server's own packages.

    Raises Conflict for a version that runs in neither.
    """
    found = environments.get(tx, info.digest) if info.digest else None
    if found is None:
        return ""
    refuse(found, info.name, info.version)
    return found.digest


def of_release(tx: Transaction, info: ModelVersionInfo) -> str:
    """The same for a version that is in service already, without a refusal: it goes on as it was."""
    found = environments.get(tx, info.digest) if info.digest else None
    return found.digest if found is not None else ""


def make(ground: Ground, model: str, version: int, *, now: Instant) -> EnvironmentInfo:
    """Decide what a version runs in, and make its environment on this machine if it needs one of its own.

    When that takes longer than `PATIENCE_S`, it goes on and the answer says that it is not built yet.
    """
    decided = settle(ground, model, version, now=now)
    if decided is not None and decided.kind == "own":
        building.within(ground.settings, decided.digest, PATIENCE_S)
    return describe(ground, model, version)


def describe(ground: Ground, model: str, version: int) -> EnvironmentInfo:
    """What was decided for a version; what can be told without asking an index when nothing was."""
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    kept = ground.database.read(lambda tx: shown(tx, ground.settings, info))
    if kept is not None:
        return kept
    return EnvironmentInfo(model=model, version=version, environment=compared(_asked(ground, info)))


def shown(tx: Transaction, settings: Settings, info: ModelVersionInfo) -> EnvironmentInfo | None:
    """What was decided for a version, to be shown; None when nothing was."""
    found = environments.get(tx, info.digest) if info.digest else None
    if found is None:
        return None
    return EnvironmentInfo(
        model=info.name,
        version=info.version,
        environment=found,
        packages=found.lock.packages if found.lock is not None else [],
        is_settled=True,
        is_built=bool(found.digest) and building.is_built(settings.folder, found.digest),
    )


def keep_locks(tx: Transaction, settings: Settings, table: RoutingTable) -> None:
    """Put the locks that a routing table needs where gateways find them, as after a database was restored."""
    routes = table.routes.values()
    spares = [route.spare for route in routes if route.spare is not None]
    for release in (*(release for route in routes for release in route.releases), *spares):
        if release.environment:
            found = environments.get(tx, release.digest)
            if found is not None and found.lock is not None:
                building.keep(settings.folder, found.digest, found.lock)


def _own(asked: requirements.Wanted, known: Environment, settings: Settings) -> Environment:
    found = locking.lock(asked, settings)
    if isinstance(found, Lock):
        return msgspec.structs.replace(known, kind="own", digest=locking.digest(found), lock=found)
    wheels = f"these wheels are missing: {', '.join(found.wheels)}" if found.wheels else ""
    why = "; ".join(part for part in (wheels, found.reason) if part)
    return msgspec.structs.replace(
        known,
        kind="refused",
        missing=found.wheels,
        reason=f"it needs an environment of its own ({requirements.sayings(known.lacking)}), and {why}",
    )


def _asked(ground: Ground, info: ModelVersionInfo) -> requirements.Wanted:
    trained = ground.database.read(lambda tx: provenance.of_version(tx, info)).environment
    opened = ground.opened(info.storage_location)
    texts: dict[str, str] = {}
    for file in info.files:
        if opened is not None and file.path in requirements.FILES and file.size_bytes <= LARGEST_BYTES:
            try:
                texts[file.path] = b"".join(opened.store.read(opened.below(file.path))).decode("utf-8", "replace")
            except NotFound:  # which is said where the bytes are checked
                continue
    return requirements.wanted(texts, trained)
