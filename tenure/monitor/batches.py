"""Batches: a file that is scored as a whole, by one version, where the command runs; its predictions come in parts.

A part lies beside the lake until all are there. Then each is looked into, moved into the lake as it is, and registered
in the transaction that tells the audit log. A part that comes again takes the place of the one before, so whoever was
cut off sends what it is not sure of once more.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tenure.deploy import admission, endpoints, routing
from tenure.errors import Conflict, InvalidInput, NotAllowed, NotFound, OverQuota, Unavailable
from tenure.monitor import batch_files
from tenure.records.admission import HEADERS, AdmissionRules, Admitted
from tenure.records.base import DAY_US, Instant, new_id
from tenure.records.batches import (
    MOST_ROWS,
    BatchEnd,
    BatchInfo,
    BatchOrder,
    BatchPart,
    NewBatch,
    PartPlace,
)
from tenure.records.people import Permission, Principal
from tenure.records.routing import PinnedFile, Release
from tenure.serving.admissions import Asking, Rules
from tenure.serving.quotas import Quotas
from tenure.serving.routing import write_whole
from tenure.store import audit, batches, environments, kills, releases
from tenure.store.database import Transaction
from tenure.store.ground import Ground

if TYPE_CHECKING:
    from tenure.monitor.intake import EndpointIntake

SILENT_US = 30 * DAY_US
"""An open batch that nothing comes for is given up, with what it left on the disk."""
BY = "tenure-control"
PARTS_A_LOOK = 64


def get(tx: Transaction, endpoint: str, batch_id: str) -> BatchInfo:
    """A batch of an endpoint. Raises NotFound."""
    found = batches.get(tx, batch_id)
    if found is None or found.endpoint != endpoint:
        raise NotFound(
            f"There is no batch {batch_id[:64]!r} at endpoint {endpoint!r}. `tenure batch list {endpoint}` shows all."
        )
    return msgspec.structs.replace(found, champion=endpoints.champion_version(tx, endpoint))


def list_of(tx: Transaction, endpoint: str, limit: int) -> list[BatchInfo]:
    """Batches of an endpoint, newest first. Raises NotFound."""
    endpoints.get(tx, endpoint)
    return batches.of_endpoint(tx, endpoint, limit)


def admitted(tx: Transaction, endpoint: str, new: NewBatch, principal: Principal, now: Instant) -> Admitted | None:
    """Hold a batch against the model's file: who, when, where, what for. Its values are held to it row by row.

    Raises NotAdmitted. Quotas count rows as they come.
    """
    about = admission.of_model(tx, endpoints.get(tx, endpoint).model)
    if about is None:
        return None
    asked = msgspec.structs.replace(about.use, rows_per_minute=None, rows_per_day=None)
    rules = Rules(AdmissionRules(model=about.model, revision=about.revision, use=asked), [], Quotas(Path(), "batches"))
    said = {"jurisdiction": new.jurisdiction, "purpose": new.purpose, "channel": new.channel}
    headers = {HEADERS[name]: text for name, text in said.items() if text}  # type: ignore[index]
    release = _champion(tx, endpoint)
    asking = Asking(endpoint, headers, principal, now)
    return rules.check(asking, release, {}, new.rows)[1]  # type: ignore[arg-type]  # a condition on rows that nobody knows does not hold


def order(ground: Ground, tx: Transaction, batch: BatchInfo) -> BatchOrder:
    """What a batch is scored with. Locations stay here: files are asked for by path."""
    release = releases.get(tx, batch.release_id)
    if release is None:
        raise NotFound(f"The release {batch.release_id} that the batch began with is gone. Start the batch anew.")
    return _ordered(ground, tx, batch, routing.as_routed(tx, release))


def opened(
    ground: Ground, tx: Transaction, endpoint: str, new: NewBatch, *, principal: Principal, now: Instant
) -> BatchOrder:
    """Open a batch with the endpoint's champion; with `dry_run` only say what it would be scored with.

    Raises NotAdmitted for what the model's file does not allow, Unavailable without a champion.
    """
    terms = admitted(tx, endpoint, new, principal, now)
    release = _champion(tx, endpoint)
    batch = BatchInfo(
        batch_id=new_id(now),
        endpoint=endpoint,
        model=release.model,
        version=release.version,
        release_id=release.release_id,
        state="open",
        source=new.source,
        rows=0,
        rejected=0,
        opened_by=principal.name,
        opened_at=now,
        changed_at=now,
        admitted=terms,
        champion=release.version,
    )
    if not new.dry_run:
        batches.add(tx, batch)
        detail = {"batch": batch.batch_id, "version": batch.version, "release": batch.release_id, "source": new.source}
        audit.append(tx, "batch.opened", subject=f"endpoint:{endpoint}", by=principal.name, at=now, detail=detail)
    return _ordered(ground, tx, batch, release)


def begin_part(
    ground: Ground, endpoint: str, batch_id: str, place: PartPlace, *, principal: Principal, now: Instant
) -> batch_files.Draft:
    """What takes a part of an open batch as it comes; `keep_part` makes it one when it is whole.

    Raises Conflict when the batch is not open, OverQuota, Unavailable on a full disk.
    """
    spanned = place.until_row - place.first_row
    if not (place.first_row >= 0 and place.until_row <= MOST_ROWS and 0 < place.rows <= spanned):
        raise InvalidInput(f"A part must be about some rows of the first {MOST_ROWS:,}.", where="first_row")
    ground.database.read(lambda tx: _hold(tx, _mine(tx, endpoint, batch_id, principal), place, now))
    return batch_files.Draft(batch_files.folder(ground, batch_id), place.first_row)


def keep_part(
    ground: Ground,
    endpoint: str,
    batch_id: str,
    place: PartPlace,
    draft: batch_files.Draft,
    *,
    principal: Principal,
    now: Instant,
) -> BatchInfo:
    """Keep a part that came whole. Raises Conflict when the batch was ended meanwhile."""
    part = BatchPart(**msgspec.structs.asdict(place), sha256=draft.sha256, size_bytes=draft.size_bytes)
    draft.keep(part)

    def write(tx: Transaction) -> BatchInfo:
        _mine(tx, endpoint, batch_id, principal)
        batches.put_part(tx, batch_id, part, now)
        return get(tx, endpoint, batch_id)

    return ground.database.write(write)


def look_ahead(ground: Ground, endpoint: str, batch_id: str, *, principal: Principal) -> BatchInfo:
    """Look into the parts that are there by now, so that the end need not. What is wrong is said at the end."""
    batch = ground.database.read(lambda tx: _mine(tx, endpoint, batch_id, principal))
    parts = ground.database.read(lambda tx: batches.parts(tx, batch_id))
    fresh = [part for part in parts if batch_files.known(ground, batch_id, part) is None][:PARTS_A_LOOK]
    for part, one in zip(fresh, batch_files.looked_at(ground, batch, fresh), strict=True):
        with contextlib.suppress(Unavailable):
            write_whole(batch_files.note(ground, batch_id, part), msgspec.json.encode((part.sha256, one)))
    return batch


def finish(
    ground: Ground, endpoint: str, batch_id: str, end: BatchEnd, *, principal: Principal, now: Instant
) -> BatchInfo:
    """Make a batch's predictions part of the lake and tell the audit log, in one transaction.

    Asked again with the same end, it answers the same. Raises InvalidInput naming the part that is not what it must be.
    """
    batch, parts = ground.database.read(lambda tx: (get(tx, endpoint, batch_id), batches.parts(tx, batch_id)))
    if batch.state == "done" and end == BatchEnd(
        rows=batch.rows,
        rejected=batch.rejected,
        input_sha256=batch.input_sha256 or "",
        output_sha256=batch.output_sha256 or "",
    ):
        return batch
    from tenure.monitor import intake  # here, since it brings numpy, which control starts without

    ground.database.read(lambda tx: _mine(tx, endpoint, batch_id, principal))
    _check_whole(parts, end)
    files, hours = batch_files.moved(ground, batch, parts, batch_files.looked_into(ground, batch, parts))
    part = intake.EndpointIntake(endpoint, files=list(files), predictions=files, hours=hours)
    _join_waiting(ground, part, batch_id)

    def write(tx: Transaction) -> BatchInfo:
        if not batches.settle(tx, batch_id, end, now):
            raise Conflict(f"The batch {batch_id} is not open any more.")
        if files:
            intake.store(tx, part, now)
        detail = {
            **msgspec.structs.asdict(end),
            "batch": batch_id,
            "model": batch.model,
            "version": batch.version,
            "release": batch.release_id,
            "files": len(files),
            "predictions": sum(file.row_count for file in files),
        }
        audit.append(tx, "batch.scored", subject=f"endpoint:{endpoint}", by=principal.name, at=now, detail=detail)
        return get(tx, endpoint, batch_id)

    done = ground.database.write(write)
    shutil.rmtree(batch_files.folder(ground, batch_id), ignore_errors=True)
    return done


def require_may_abandon(batch: BatchInfo, principal: Principal) -> None:
    """Raise NotAllowed unless it is the principal's own batch, or the principal manages its model."""
    if batch.opened_by != principal.name and not principal.may(Permission.MANAGE, batch.model):
        raise NotAllowed(f"The batch was opened by {batch.opened_by}, who may give it up, as who manages its model.")


def abandon(ground: Ground, endpoint: str, batch_id: str, *, by: str, now: Instant) -> BatchInfo:
    """Give up an open batch: nothing of it reaches the lake. Raises Conflict when it is not open."""

    def write(tx: Transaction) -> BatchInfo:
        batch = get(tx, endpoint, batch_id)
        _abandon(tx, batch, by=by, now=now)
        return get(tx, endpoint, batch_id)

    given_up = ground.database.write(write)
    shutil.rmtree(batch_files.folder(ground, batch_id), ignore_errors=True)
    return given_up


def abandon_silent(ground: Ground, *, now: Instant) -> int:
    """Give up batches that nothing came for in thirty days; how many."""
    silent = ground.database.read(lambda tx: batches.silent_since(tx, now - SILENT_US))
    for batch in silent:
        abandon(ground, batch.endpoint, batch.batch_id, by=BY, now=now)
    return len(silent)


def content(ground: Ground, endpoint: str, release_id: str, path: str, *, form: bool) -> Iterator[bytes]:
    """One pinned file of a version that is or was in service here, or of its form. Raises NotFound."""

    def load(tx: Transaction) -> Release:
        found = releases.get(tx, release_id)
        if found is None or found.endpoint != endpoint:
            raise NotFound(f"There is no release {release_id[:64]!r} at endpoint {endpoint!r}.")
        return routing.as_routed(tx, found)

    release = ground.database.read(load)
    location, files = _place_of(release, form=form)
    if path not in {file.path for file in files}:
        raise NotFound(f"Version {release.version} of {release.model} has no file {path[:200]!r} there.", where="path")
    store = ground.opened(location)
    if store is None:
        raise NotFound(f"The files of version {release.version} of {release.model} are outside every artifact root.")
    return iter(store.store.read(store.below(path)))


def _place_of(release: Release, *, form: bool) -> tuple[str, list[PinnedFile]]:
    if not form:
        return release.location, release.files
    if release.form is None:
        raise NotFound(f"Version {release.version} of {release.model} has no form that was proven.")
    return release.form.location, release.form.files


def _champion(tx: Transaction, endpoint: str) -> Release:
    model = endpoints.get(tx, endpoint).model
    release = routing.champion(tx, endpoint)
    if release is None:
        raise Unavailable(f"Endpoint {endpoint!r} has no champion. Promote an approved version of {model} first.")
    _check_not_stopped(tx, endpoint, release.version)
    return release


def _check_not_stopped(tx: Transaction, endpoint: str, version: int) -> None:
    """A killed version scores no batch either. Raises Unavailable."""
    if any(one.version in (None, version) for one in kills.standing(tx, endpoint=endpoint)):
        raise Unavailable(
            f"Version {version} was stopped at {endpoint!r} on purpose and scores nothing until that is lifted: "
            f"`tenure endpoint kills {endpoint}`. What is scored already is kept; the same command goes on then."
        )


def _ordered(ground: Ground, tx: Transaction, batch: BatchInfo, release: Release) -> BatchOrder:
    about = admission.of_model(tx, release.model)
    replace = msgspec.structs.replace
    form = replace(release.form, location="") if release.form else None
    most = ground.settings.max_body_mib * 1024 * 1024 - batch_files.SPARE_BYTES
    return BatchOrder(
        batch=batch,
        release=replace(release, location="", form=form),
        columns=about.columns if about else [],
        admitted=batch.admitted,
        most_part_bytes=max(most, batch_files.SPARE_BYTES // 2),
        environment=environments.get(tx, release.digest),
    )


def _mine(tx: Transaction, endpoint: str, batch_id: str, principal: Principal) -> BatchInfo:
    """An open batch of whoever asks. Raises NotFound, NotAllowed, Conflict."""
    batch = get(tx, endpoint, batch_id)
    if batch.opened_by != principal.name:
        raise NotAllowed(f"The batch was opened by somebody else ({batch.opened_by}), who alone may go on with it.")
    if batch.state != "open":
        raise Conflict(f"The batch {batch_id} is {batch.state}. Start a new one: `tenure score … --restart`.")
    _check_not_stopped(tx, endpoint, batch.version)
    return batch


def _hold(tx: Transaction, batch: BatchInfo, part: PartPlace, now: Instant) -> None:
    """Raise OverQuota when a part is more than is left of what the caller's batches may have on this day."""
    about = admission.of_model(tx, batch.model)
    most = about.use.rows_per_day if about else None
    if most is None:
        return
    midnight = now // DAY_US * DAY_US
    known = next((one.rows for one in batches.parts(tx, batch.batch_id) if one.first_row == part.first_row), 0)
    had = batches.rows_since(tx, batch.model, batch.opened_by, midnight) - known
    if had + part.rows > most:
        raise OverQuota(
            f"The model's file lets a caller have {most:,} rows scored on a day, and {had:,} came in batches today. "
            "Go on tomorrow (UTC) with the same command, or ask the model's owner.",
            retry_after_s=(midnight + DAY_US - now) // 1_000_000 + 1,
        )


def _check_whole(parts: Sequence[BatchPart], end: BatchEnd) -> None:
    predictions = sum(part.rows for part in parts)
    overlap = any(part.until_row > after.first_row for part, after in pairwise(parts))
    if overlap or predictions != end.rows - end.rejected or (parts and parts[-1].until_row > end.rows):
        raise InvalidInput(
            f"The parts must hold each row once that was not rejected: {end.rows - end.rejected:,}. They hold "
            f"{predictions:,}. Run the command again, which sends what is missing.",
            where="rows",
        )


def _join_waiting(ground: Ground, part: EndpointIntake, batch_id: str) -> None:
    """Outcomes that were told before the batch was scored."""
    from tenure.monitor import intake, progress

    lake = progress.lake_of(ground)
    with ground.database.reading() as tx:
        if not intake.is_awaited(tx, part.endpoint):
            return
        for number, file in enumerate(part.predictions):
            table = lake.read([file], columns=["prediction_id", "event_at", "reference"])
            intake.join_waiting(tx, lake, f"batch-{batch_id}-{number}", part, table)


def _abandon(tx: Transaction, batch: BatchInfo, *, by: str, now: Instant) -> None:
    if not batches.abandon(tx, batch.batch_id, now):
        raise Conflict(f"Only an open batch can be given up. This one is {batch.state}.")
    detail = {"batch": batch.batch_id, "rows": batch.rows}
    audit.append(tx, "batch.abandoned", subject=f"endpoint:{batch.endpoint}", by=by, at=now, detail=detail)
