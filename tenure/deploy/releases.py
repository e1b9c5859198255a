"""Releases: which version is in service where, in which role, since when and why."""

from __future__ import annotations

from tenure.build import model_versions
from tenure.deploy import compiling, environments, routing
from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tenure.manage import changes, decisions, guards
from tenure.records.base import Instant, new_id
from tenure.records.changes import Change, NewChange, Target
from tenure.records.endpoints import Endpoint, NewRelease, ReleaseInfo
from tenure.records.registry import OUT_OF_SERVICE, ModelVersionInfo
from tenure.store import audit, endpoints, releases
from tenure.store.database import Transaction

MOST_CHALLENGERS = 3


def add(tx: Transaction, endpoint: str, new: NewRelease, *, by: str, now: Instant) -> ReleaseInfo:
    """Put a version into service as challenger or shadow.

    A challenger answers clients, so it must be approved when its model is under governance; a shadow answers nobody.
    There it is recorded as a change request. Raises Conflict when the version is in service there already, NotAllowed
    for a champion and where people must sign.
    """
    if new.role == "champion":
        raise NotAllowed(
            "A champion is released by promotion alone: POST /api/v1/models/{name}/versions/{version}/promote.",
            where="role",
        )
    place = found(tx, endpoint)
    if new.role == "challenger":
        _check_share(tx, place, new.share)
    record(tx, place, new, by=by, now=now)
    return start(tx, place, new, by=by, now=now)


def record(tx: Transaction, endpoint: Endpoint, new: NewRelease, *, by: str, now: Instant) -> None:
    """Record a release of a governed model as a change request. Raises NotAllowed where people must sign for it."""
    if guards.is_governed(tx, endpoint.model):
        _startable(tx, endpoint, new.version)
        part = new.share if new.role != "champion" and new.share < 1 else 0.0
        target = Target(to=new.role, endpoint=endpoint.name, share=part)
        asked = NewChange(kind="deploy", model=endpoint.model, version=new.version, reason=new.reason, target=target)
        changes.record(tx, asked, by=by, now=now)


def check(tx: Transaction, endpoint: Endpoint, new: NewRelease) -> None:
    """Raise Conflict or InvalidInput when a release could not be opened as things stand.

    A champion may take the place of another, and of what the version itself does at the endpoint otherwise.
    """
    if new.role == "challenger":
        _check_share(tx, endpoint, new.share)
    if new.role != "champion":
        _startable(tx, endpoint, new.version)
        return
    loadable(tx, endpoint.model, new.version)
    if any(
        (one.version, one.role) == (new.version, "champion") for one in releases.open_ones(tx, endpoint=endpoint.name)
    ):
        raise Conflict(f"Version {new.version} of {endpoint.model!r} is the champion of {endpoint.name!r} already.")


def add_shadow(tx: Transaction, endpoint: str, version: int, *, reason: str, by: str, now: Instant) -> ReleaseInfo:
    """Let a version score the endpoint's traffic after the answers have left."""
    return add(tx, endpoint, NewRelease(version=version, role="shadow", reason=reason), by=by, now=now)


def _check_share(tx: Transaction, endpoint: Endpoint, share: float) -> None:
    """A challenger takes its share from the champion, who must keep some; at most so many challenge at once."""
    if not 0 < share < 1:
        raise InvalidInput(
            f"The share of a challenger must lie between 0 and 1. Got {share}. Write 0.1 for 10 %.", where="share"
        )
    others = [one for one in releases.open_ones(tx, endpoint=endpoint.name) if one.role == "challenger"]
    if len(others) >= MOST_CHALLENGERS:
        raise Conflict(
            f"At most {MOST_CHALLENGERS} versions may challenge at once, so that each gets enough traffic. "
            f"In service: {', '.join(str(one.version) for one in others)}. End one of them first."
        )
    given = sum(one.share for one in others)
    if given + share >= 1:
        raise InvalidInput(
            f"The shares of all challengers must leave something to the champion: less than 1 together. "
            f"{given:g} is given already; got {share:g}.",
            where="share",
        )


def end(tx: Transaction, endpoint: str, release_id: str, *, reason: str, by: str, now: Instant) -> ReleaseInfo:
    """Take a challenger or a shadow out of service. A champion ends only when another is promoted."""
    release = releases.get(tx, release_id)
    if release is None or release.endpoint != endpoint:
        raise NotFound(f"The endpoint {endpoint!r} has no release {release_id!r}.")
    if release.until_at is not None:
        raise Conflict(f"The release {release_id!r} of {endpoint!r} has ended already.")
    if release.role == "champion":
        raise NotAllowed(
            f"Version {release.version} is the champion of {endpoint!r} and is not ended by itself, since nobody would "
            "answer. Promote another version instead."
        )
    close(tx, release, reason=reason, by=by, now=now)
    routing.bump(tx)
    ended = releases.get(tx, release_id)
    assert ended is not None
    return ended


def start(tx: Transaction, endpoint: Endpoint, new: NewRelease, *, by: str, now: Instant) -> ReleaseInfo:
    """Open a release of any role, count the epoch up, and say so in the audit log.

    The version is compiled as soon as a worker has a hand free; until then, and if no form is proven, a scorer answers.
    """
    version = _startable(tx, endpoint, new.version)
    environment = environments.require(tx, version)
    if new.role != "shadow":
        guards.check_release(tx, endpoint.model, new.version, now=now)
    release = ReleaseInfo(
        release_id=new_id(now),
        endpoint=endpoint.name,
        model=endpoint.model,
        version=new.version,
        role=new.role,
        share=1.0 if new.role == "champion" else new.share or 1.0,
        reason=new.reason,
        released_by=by,
        from_at=now,
        until_at=None,
    )
    releases.add(tx, release)
    compiling.ask(tx, version, by=by, now=now)
    routing.bump(tx)
    detail = {"release": release.release_id, "version": new.version, "role": new.role, "share": release.share}
    detail |= {"digest": version.digest, "reason": new.reason}
    detail |= {"environment": environment} if environment else {}
    audit.append(tx, "release.started", subject=endpoint.name, by=by, at=now, detail=detail)
    return release


def close(tx: Transaction, release: ReleaseInfo, *, reason: str, by: str, now: Instant) -> None:
    """End an open release of any role and say so in the audit log. The caller counts the epoch up."""
    releases.end(tx, release.release_id, now)
    detail = {"release": release.release_id, "version": release.version, "role": release.role, "reason": reason}
    audit.append(tx, "release.ended", subject=release.endpoint, by=by, at=now, detail=detail)


def take_out(tx: Transaction, change: Change, *, now: Instant) -> None:
    """A version that is suspended or retired answers nowhere any more: end all its releases.

    Raises Conflict, so that nothing is signed, for a retirement whose decisions do not fit what there is.
    """
    words = {"suspend": "suspended", "retire": "retired"}
    decisions.check_carried_out(tx, change)
    ended = [one for one in releases.open_ones(tx) if (one.model, one.version) == (change.model, change.version)]
    for release in ended:
        close(tx, release, reason=f"{words[change.kind]}: {change.reason}", by=change.opened_by, now=now)
    routing.bump(tx)  # also when nothing ended: it may be what answers instead of a killed version


def _startable(tx: Transaction, endpoint: Endpoint, number: int) -> ModelVersionInfo:
    """The version, if it may be loaded and is not in service at the endpoint already. Raises Conflict."""
    version = loadable(tx, endpoint.model, number)
    for release in releases.open_ones(tx, endpoint=endpoint.name):
        if release.version == number:
            raise Conflict(
                f"Version {number} of {endpoint.model!r} is in service at {endpoint.name!r} already, as {release.role}."
            )
    return version


def loadable(tx: Transaction, model: str, version: int) -> ModelVersionInfo:
    """The version, if a scorer may load it; else Conflict, with what must change first."""
    info = model_versions.get(tx, model, version)
    if not info.digest or not info.files:
        raise Conflict(
            f"Version {version} of {model!r} must have its files in this server's artifact store, pinned when it was "
            "registered; it has none. Log the model to this server and register it again."
        )
    if info.state in OUT_OF_SERVICE:
        raise Conflict(f"Version {version} of {model!r} is {info.state} and may not be put into service.")
    return info


def check_not_in_service(tx: Transaction, model: str, version: int | None = None) -> None:
    """Raise Conflict when a version (or any version of a model) is in service: it is neither deleted nor renamed."""
    for release in releases.open_ones(tx):
        if release.model == model and version in (None, release.version):
            raise Conflict(
                f"Version {release.version} of {model!r} is in service at the endpoint {release.endpoint!r}, as "
                f"{release.role}. Promote another version or end its release first."
            )


def found(tx: Transaction, endpoint: str) -> Endpoint:
    """The endpoint of that name. Raises NotFound."""
    known = endpoints.get(tx, endpoint)
    if known is None:
        raise NotFound(f"There is no endpoint {endpoint!r}. GET /api/v1/endpoints lists those there are.")
    return known
