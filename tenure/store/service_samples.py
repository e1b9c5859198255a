"""Samples of the service as stored: by the minute for three days, by the hour for ninety."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.records.service_levels import COUNTS, MINUTE_US, ServiceSample
from tenure.store import tables
from tenure.store.database import Transaction

MINUTES_KEPT_DAYS = 3
HOURS_KEPT_DAYS = 90
HOUR_MINUTES = HOUR_US // MINUTE_US
KEY = ("endpoint", "at", "minutes", "gateway", "version", "role", "objective_us")
_table = tables.service_samples
_column = _table.c
_latency = msgspec.json.Decoder(dict[int, int])


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of an endpoint in a span: `timed` are those answered while an objective of latency held, `slow` those of
    them that came too late. `since`: the earliest sample, None without any."""

    answered: int = 0
    failed: int = 0
    refused: int = 0
    rows: int = 0
    timed: int = 0
    slow: int = 0
    since: int | None = None

    def plus(self, before: Totals) -> Totals:
        """Together with those of the span before."""
        return Totals(
            answered=self.answered + before.answered,
            failed=self.failed + before.failed,
            refused=self.refused + before.refused,
            rows=self.rows + before.rows,
            timed=self.timed + before.timed,
            slow=self.slow + before.slow,
            since=self.since if before.since is None else before.since,
        )


def put(tx: Transaction, samples: Iterable[ServiceSample]) -> None:
    """Store samples, each in place of the one with its key: to store them again changes nothing."""
    rows = [_row(one) for one in samples]
    if rows:
        same = sa.and_(*(_column[name] == sa.bindparam(f"this_{name}") for name in KEY))
        tx.execute(sa.delete(_table).where(same), [{f"this_{name}": row[name] for name in KEY} for row in rows])
        tx.execute(sa.insert(_table), rows)


def between(tx: Transaction, endpoint: str, from_at: int, until_at: int) -> list[ServiceSample]:
    """Samples of an endpoint that begin in [from_at, until_at), the earliest first."""
    query = sa.select(_table).where(_column.endpoint == endpoint, _column.at >= from_at, _column.at < until_at)
    query = query.order_by(_column.at, _column.version, _column.gateway, _column.objective_us, _column.role)
    return [_sample(row) for row in tx.execute(query)]


def busiest(tx: Transaction, endpoint: str, version: int, from_at: int, limit: int) -> list[ServiceSample]:
    """The minutes in which a version answered most as the champion, from an instant on; the busiest first."""
    query = sa.select(_table).where(
        _column.endpoint == endpoint,
        _column.at >= from_at,
        _column.minutes == 1,
        _column.version == version,
        _column.role == "champion",
        _column.answered > 0,
    )
    query = query.order_by(_column.answered.desc(), _column.at, _column.gateway).limit(limit)
    return [_sample(row) for row in tx.execute(query)]


def latest_version(tx: Transaction, endpoint: str, from_at: int) -> int | None:
    """The version that answered last as the champion, in a minute from an instant on."""
    query = sa.select(_column.version).where(
        _column.endpoint == endpoint,
        _column.at >= from_at,
        _column.minutes == 1,
        _column.role == "champion",
        _column.answered > 0,
    )
    return tx.execute(query.order_by(_column.at.desc(), _column.version.desc()).limit(1)).scalar()


def of_processes(tx: Transaction, minutes: Collection[int]) -> list[ServiceSample]:
    """What gateways' own processes did in the minutes that begin at these instants."""
    query = sa.select(_table).where(_column.endpoint == "", _column.minutes == 1, _column.at.in_(minutes))
    return [_sample(row) for row in tx.execute(query.order_by(_column.at, _column.gateway))]


def gateways(tx: Transaction, from_at: int) -> set[str]:
    """The names of the gateways that counted anything from an instant on."""
    query = sa.select(_column.gateway).where(_column.endpoint == "", _column.minutes == 1, _column.at >= from_at)
    return {gateway.partition(" ")[0] for gateway in tx.execute(query.distinct()).scalars()}


def latencies_by(
    tx: Transaction, endpoint: str, from_at: int, until_at: int, width_us: int
) -> dict[int, dict[int, int]]:
    """Answered requests by bucket of latency, for spans as in `totals_by`, by their begin."""
    query = sa.select(_column.at, _column.latency).where(
        _column.endpoint == endpoint, _column.at >= from_at, _column.at < until_at, _column.answered > 0
    )
    found: dict[int, dict[int, int]] = {}
    for at, latency in tx.execute(query):
        together = found.setdefault(at // width_us * width_us, {})
        for bucket, count in _latency.decode(latency).items():
            together[bucket] = together.get(bucket, 0) + count
    return found


def totals(tx: Transaction, endpoint: str, begins: Sequence[int], until_at: int, *, objective_us: int) -> list[Totals]:
    """Requests of an endpoint from each of some instants, the latest first, until one; each sample is read once.
    Latency counts where this objective held."""
    found, together, end = [], Totals(), until_at
    for begin in begins:
        together = together.plus(_totals(tx, endpoint, begin, end, objective_us))
        found.append(together)
        end = begin
    return found


def totals_by(
    tx: Transaction, endpoint: str, from_at: int, until_at: int, width_us: int, *, objective_us: int
) -> list[tuple[int, Totals]]:
    """Requests of an endpoint in [from_at, until_at), in spans of one width that begin at multiples of it, by their
    begin; spans without samples are left out. An hour of thinned minutes counts where it begins."""
    span = (_column.at // width_us).label("span")
    within = (_column.endpoint == endpoint, _column.at >= from_at, _column.at < until_at)
    query = sa.select(span, *_sums(objective_us)).where(*within).group_by(span).order_by(span)
    return [(int(place) * width_us, _as_totals(sums)) for place, *sums in tx.execute(query)]


def thin(tx: Transaction, now: Instant, *, most_hours: int = 24) -> bool:
    """Make one sample of the minutes of each hour that is old enough, over all gateways, and forget what is older
    still; False when nothing was due. It works on so many hours at most."""
    # An hour more than three days, so that no window of three days loses minutes at its beginning.
    old = (now - MINUTES_KEPT_DAYS * DAY_US) // HOUR_US * HOUR_US - HOUR_US
    due = sa.select(sa.func.min(_column.at)).where(_column.minutes == 1, _column.at < old)
    worked = False
    for _ in range(most_hours):
        first = tx.execute(due).scalar()
        if first is None:
            break
        _thin_hour(tx, first // HOUR_US * HOUR_US)
        worked = True
    forgotten = sa.delete(_table).where(_column.minutes != 1, _column.at < now - HOURS_KEPT_DAYS * DAY_US)
    return tx.execute(forgotten).rowcount > 0 or worked


def _thin_hour(tx: Transaction, hour: int) -> None:
    within = sa.and_(_column.at >= hour, _column.at < hour + HOUR_US)
    hours: dict[tuple[object, ...], ServiceSample] = {}
    for sample in map(_sample, tx.execute(sa.select(_table).where(within))):  # with an hour that was made before
        key = (sample.endpoint, sample.version, sample.role, sample.objective_us)
        named = msgspec.structs.replace(sample, at=hour, minutes=HOUR_MINUTES, gateway="")
        hours[key] = hours[key].plus(named) if key in hours else named
    tx.execute(sa.delete(_table).where(within))
    put(tx, hours.values())


def _totals(tx: Transaction, endpoint: str, from_at: int, until_at: int, objective_us: int) -> Totals:
    within = (_column.endpoint == endpoint, _column.at >= from_at, _column.at < until_at)
    return _as_totals(tx.execute(sa.select(*_sums(objective_us)).where(*within)).one())


def _sums(objective_us: int) -> tuple[Any, ...]:
    promised = sa.and_(_column.objective_us == objective_us, _column.objective_us > 0)
    return (
        _sum(_column.answered),
        _sum(_column.failed + _column.overloaded),
        _sum(_column.refused),
        _sum(_column.rows),
        _sum(sa.case((promised, _column.answered), else_=0)),
        _sum(sa.case((promised, _column.slow), else_=0)),
        sa.func.min(_column.at),
    )


def _as_totals(sums: Sequence[Any]) -> Totals:
    answered, failed, refused, rows, timed, slow, since = sums
    return Totals(
        answered=int(answered),  # Postgres adds up BIGINT to NUMERIC
        failed=int(failed),
        refused=int(refused),
        rows=int(rows),
        timed=int(timed),
        slow=int(slow),
        since=since,
    )


def _sum(what: Any) -> Any:
    return sa.func.coalesce(sa.func.sum(what), 0)


def _row(sample: ServiceSample) -> dict[str, Any]:
    named = {name: getattr(sample, name) for name in (*KEY, *COUNTS, "resident_bytes", "answers")}
    return {**named, "latency": msgspec.json.encode(sample.latency).decode()}


def _sample(row: Any) -> ServiceSample:
    named: dict[str, Any] = dict(row._mapping)
    return ServiceSample(**{**named, "latency": _latency.decode(named["latency"])})
