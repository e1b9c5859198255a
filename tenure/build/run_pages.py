"""Pages of runs: where each begins and which come before and after, however many runs there are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from tenure.build import experiments, searchable
from tenure.build.pages import not_ours, of_another
from tenure.build.search import parse, parse_order
from tenure.records.base import Record
from tenure.records.search import Ordering, Position
from tenure.store import run_search
from tenure.store.database import Transaction

NUMBERS = frozenset({"start_time", "end_time"})
INT64 = range(-(2**63), 2**63)
START = Position()
END = Position(back=True, seen=None)


class RunPage(Record):
    """Ids of runs, and the tokens of the pages around. `seen`: how many runs come before, None when not known."""

    run_ids: list[str]
    following: str | None
    preceding: str | None
    seen: int | None


class _Token(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """As msgpack, since JSON has no word for the infinities. `order`: what the runs are ordered by."""

    order: list[tuple[str, str, bool]]
    values: list[str | int | float | None]
    back: bool
    seen: int | None


def page(
    tx: Transaction,
    experiment_ids: Sequence[str] | None,
    *,
    text: str | None,
    order_by: Sequence[str] | None,
    view: str | None,
    limit: int,
    token: str | None,
    last: bool = False,
) -> RunPage:
    """One page of at most `limit` runs: the first, the one that a token means, or with `last` the last.

    Raises InvalidInput for a filter, an order or a token that cannot be read, and for a token of another order.
    """
    orderings = parse_order(order_by, searchable.RUNS)
    position = END if last else _read(token, orderings)
    found = run_search.search(
        tx,
        experiments.parse_ids(experiment_ids),
        parse(text, searchable.RUNS),
        orderings,
        experiments.stages_of(view),
        limit + 1,
        position,
    )
    more = len(found) > limit
    ids = (found[-limit:] if position.back else found[:limit]) if more else found
    seen = position.seen
    if position.back:
        seen = None if seen is None else max(seen - len(ids), 0) if more else 0
    begun = bool(position.values)
    before, after = (more, begun) if position.back else (begun, more)

    def around(run_id: str, back: bool) -> str:
        place = seen if back or seen is None else seen + len(ids)
        return _written(Position(values=run_search.values_of(tx, run_id, orderings), back=back, seen=place), orderings)

    return RunPage(
        run_ids=ids,
        following=around(ids[-1], False) if ids and after else None,
        preceding=around(ids[0], True) if ids and before else None,
        seen=seen,
    )


def count(
    tx: Transaction, experiment_ids: Sequence[str] | None, *, text: str | None, view: str | None, most: int
) -> int:
    """How many runs a search finds, counted no further than `most`."""
    return run_search.count(
        tx,
        experiments.parse_ids(experiment_ids),
        parse(text, searchable.RUNS),
        experiments.stages_of(view),
        most,
    )


def _written(position: Position, orderings: Sequence[Ordering]) -> str:
    token = _Token(_order(orderings), position.values, position.back, position.seen)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode()


def _read(token: str | None, orderings: Sequence[Ordering]) -> Position:
    if not token:
        return START
    try:
        place = msgspec.msgpack.decode(base64.b64decode(token.encode(), altchars=b"-_", validate=True), type=_Token)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, ValueError):
        raise not_ours() from None
    if place.order != _order(orderings):
        raise of_another()
    if not _fits(place.values, orderings) or not (place.seen is None or place.seen in INT64):
        raise not_ours()
    return Position(values=place.values, back=place.back, seen=place.seen)


def _order(orderings: Sequence[Ordering]) -> list[tuple[str, str, bool]]:
    return [(one.entity, one.key, one.ascending) for one in orderings]


def _fits(values: list[Any], orderings: Sequence[Ordering]) -> bool:
    """Whether values are such as runs can be ordered by: a token may be anything that somebody made up."""
    left = list(reversed(values))
    try:
        fits = all(_takes(left, one) for one in orderings) and _is_number(left.pop()) and _is_text(left.pop())
    except IndexError:
        return False
    return fits and not left


def _takes(left: list[Any], one: Ordering) -> bool:
    """Take what one ordering needs from the values that are left: its rank, where it has one, and its value."""
    if one.entity == "attribute" and one.key != "end_time":
        value = left.pop()
        return _is_number(value) if one.key in NUMBERS else _is_text(value)
    rank, value = left.pop(), left.pop()
    if rank not in (0, 1, 2) or isinstance(rank, float):
        return False
    if rank:
        return value is None
    if one.entity == "metric":
        return isinstance(value, float) or _is_number(value)
    return _is_number(value) if one.entity == "attribute" else _is_text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in INT64


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value
