"""Features that are read from a table while a request waits, by a key that it brings.

The database is asked on threads and never on the event loop. What waits for a table while it is being asked becomes the
next question, so that a hundred requests cost two; what was read is kept for a moment. An endpoint without look-ups
costs one look into an empty dict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from tenure.errors import InvalidInput, Unavailable
from tenure.records.base import instant_of
from tenure.records.lookups import Found, LookedUp, LookupRule, Otherwise, Row
from tenure.records.routing import InputColumn, RoutingTable
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Asked, Columns
from tenure.serving.saying import quoted

THREADS = 4
KEYS_A_LOOK = 1_000
KEPT = 100_000
Key = str | int


class Tables(Protocol):
    """Where rows are read by key. Blocks."""

    def read(
        self, source: str, table: str, key: str, columns: Sequence[str], keys: Sequence[Key]
    ) -> dict[Key, Row]: ...


class Filled(msgspec.Struct):
    """What was looked up for a request: values and how they were found, by column."""

    values: Columns
    told: dict[str, LookedUp]


class Group:
    """One table's columns that are wanted together. One question at a time; what comes meanwhile is asked next."""

    def __init__(self, tables: Tables, pool: ThreadPoolExecutor, rules: Sequence[LookupRule], timeout_s: float) -> None:
        first = rules[0]
        as_of = [rule.as_of for rule in rules if rule.as_of is not None]
        self.columns = list(dict.fromkeys([*(rule.column for rule in rules), *as_of]))
        self._place = first.source, first.table, first.key
        self._cache_us = min(rule.cache_us for rule in rules)
        self._tables, self._pool, self._timeout_s = tables, pool, timeout_s
        self._kept: dict[Key, tuple[int, Row | None]] = {}
        self._waiting: dict[Key, asyncio.Future[tuple[int, Row | None]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def rows(self, keys: Iterable[Key], now: int) -> dict[Key, tuple[int, Row | None]]:
        """For each key when it was read (µs UTC) and its row, None when there is none. Raises Unavailable."""
        found: dict[Key, tuple[int, Row | None]] = {}
        waited: dict[Key, asyncio.Future[tuple[int, Row | None]]] = {}
        for key in keys:
            kept = self._kept.get(key)
            if kept is not None and 0 <= now - kept[0] < self._cache_us:
                found[key] = kept
            else:
                waited[key] = self._waiting.get(key) or self._ask_for(key)
        if waited:
            if self._asking is None:
                self._asking = asyncio.get_running_loop().create_task(self._ask(now))
            _, late = await asyncio.wait(waited.values(), timeout=self._timeout_s)
            if late:
                raise Unavailable(
                    f"The look-up in {self._place[0]!r} takes longer than {self._timeout_s:g} s. Try again."
                )
            found |= {key: future.result() for key, future in waited.items()}
        return found

    def _ask_for(self, key: Key) -> asyncio.Future[tuple[int, Row | None]]:
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it any more
        return future

    async def _ask(self, now: int) -> None:
        """Ask for what waits, until nothing does."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            while self._waiting:
                some = list(self._waiting)[:KEYS_A_LOOK]
                asked = {key: self._waiting.pop(key) for key in some}
                at = now + int((loop.time() - begun) * 1_000_000)
                try:
                    look = loop.run_in_executor(self._pool, self._tables.read, *self._place, self.columns, some)
                    rows = await asyncio.wait_for(look, self._timeout_s)
                except TimeoutError:
                    problem = Unavailable(f"The look-up in {self._place[0]!r} takes too long. Try again.")
                    self._fail(asked.values(), problem)
                except Unavailable as problem:
                    self._fail(asked.values(), problem)
                else:
                    self._keep(asked, rows, at)
        finally:
            self._asking = None

    def _keep(self, asked: dict[Key, asyncio.Future[tuple[int, Row | None]]], rows: dict[Key, Row], at: int) -> None:
        for key, future in asked.items():
            read = at, rows.get(key)
            if self._cache_us:
                self._kept.pop(key, None)
                self._kept[key] = read  # in the order of reading, so that the first is the oldest
                if len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
            if not future.done():
                future.set_result(read)

    def _fail(self, futures: Iterable[asyncio.Future[Any]], problem: Unavailable) -> None:
        for future in futures:
            if not future.done():
                future.set_exception(problem)


class EndpointLookups:
    """What is looked up at one endpoint."""

    def __init__(self, rules: Sequence[LookupRule], groups: Sequence[tuple[Group, Sequence[LookupRule]]]) -> None:
        self.rules = rules
        self._groups = groups
        self._taken: dict[Inputs, Inputs] = {}

    def asked_for(self, inputs: Inputs) -> Inputs:
        """What a request brings to a version: what the version takes, keys in the place of what is looked up."""
        if inputs not in self._taken:
            self._taken[inputs] = Inputs(asked_for(inputs.columns, self.rules))
        return self._taken[inputs]

    async def fill(self, inputs: Inputs, asked: Asked, now: int, *, lenient: bool) -> tuple[Columns, Filled]:
        """The columns that a version takes, and what was looked up for them.

        `lenient`: what cannot be read is null, for an answer that stands in for a version's. Raises InvalidInput for
        what is not there or too old where the file says so, Unavailable when a table does not answer.
        """
        given = self.asked_for(inputs).columns_of(asked)
        filled = Filled({}, {})
        types = {column.name: column.type for column in inputs.columns}
        for group, rules in self._groups:
            wanted = [rule for rule in rules if rule.feature in types and not _sent(given, rule)]
            if wanted:
                await self._fill_group(group, wanted, given, asked, now, filled, types, lenient)
        for rule in self.rules:
            if rule.feature in types and _sent(given, rule):
                filled.told[rule.feature] = _all(rule, "sent", asked.rows, now)
        return self.merged(inputs, given, filled), filled

    def again(self, inputs: Inputs, asked: Asked, filled: Filled) -> Columns:
        """The columns that another version takes, of the same request, with what was looked up for it already."""
        return self.merged(inputs, self.asked_for(inputs).columns_of(asked), filled)

    def merged(self, inputs: Inputs, given: Columns, filled: Filled) -> Columns:
        columns = {**given, **filled.values}
        return {column.name: columns[column.name] for column in inputs.columns}

    async def _fill_group(
        self,
        group: Group,
        rules: Sequence[LookupRule],
        given: Columns,
        asked: Asked,
        now: int,
        filled: Filled,
        types: dict[str, str],
        lenient: bool,
    ) -> None:
        keys = [_key(value) for value in given[rules[0].key]]
        try:
            rows = await group.rows({key for key in keys if key is not None}, now)
        except Unavailable:
            if not lenient:
                raise
            for rule in rules:
                filled.values[rule.feature] = [None] * asked.rows
                filled.told[rule.feature] = _all(rule, "unavailable", asked.rows, now)
            return
        for rule in rules:
            values, told = _of_rule(rule, group.columns, keys, rows, now, types[rule.feature], lenient)
            filled.values[rule.feature], filled.told[rule.feature] = values, told


class Lookups:
    """The look-ups of every endpoint of one gateway. `tables` blocks, and is asked on a few threads."""

    def __init__(self, tables: Tables | None, timeout_s: float) -> None:
        self._tables = tables
        self._timeout_s = timeout_s
        self._endpoints: dict[str, EndpointLookups] = {}
        self._groups: dict[tuple[LookupRule, ...], Group] = {}
        self._pool: ThreadPoolExecutor | None = None

    def take_up(self, table: RoutingTable) -> None:
        """Make the look-ups of a table ready. A group that stays keeps what it has read."""
        before, self._groups = self._groups, {}
        self._endpoints = {
            name: EndpointLookups(route.lookups, [self._group(rules, before) for rules in _together(route.lookups)])
            for name, route in table.routes.items()
            if route.lookups
        }

    def at(self, endpoint: str) -> EndpointLookups | None:
        return self._endpoints.get(endpoint)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _group(
        self, rules: tuple[LookupRule, ...], before: dict[tuple[LookupRule, ...], Group]
    ) -> tuple[Group, Sequence[LookupRule]]:
        made = self._groups.get(rules) or before.get(rules)
        if made is None:
            self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="tenure-lookup")
            made = Group(self._tables or _NoTables(), self._pool, rules, self._timeout_s)
        self._groups[rules] = made
        return made, rules


class _NoTables:
    def read(self, source: str, *_: object) -> dict[Key, Row]:
        raise Unavailable(f"This gateway has no look-up source {source!r}.")


def asked_for(columns: Iterable[InputColumn], rules: Sequence[LookupRule]) -> list[InputColumn]:
    """The columns of a request: without those that are looked up, unless they may be sent, and with the keys.

    A key is asked for where a version takes what is looked up by it, and passes where it does not.
    """
    names = {column.name for column in columns}
    by_feature = {rule.feature: rule for rule in rules}
    asked = []
    for column in columns:
        rule = by_feature.get(column.name)
        if rule is None:
            asked.append(column)
        elif rule.override == "allow":
            asked.append(msgspec.structs.replace(column, required=False))
    for key in dict.fromkeys(rule.key for rule in rules):
        needed = any(rule.key == key and rule.feature in names and rule.override == "refuse" for rule in rules)
        asked.append(InputColumn(name=key, type="", required=needed))
    return asked


def judged(rule: LookupRule, value: Any, as_of: int | None, at: int) -> tuple[Found, Otherwise | None]:
    """How a value is found, and what is done instead of using it; None to use it.

    An age that cannot be told, where freshness is asked for, counts as too old; a row from the future as fresh.
    """
    if value is None:
        return "missing", rule.missing
    if rule.fresh_us is not None and (as_of is None or at - as_of > rule.fresh_us):
        return "stale", rule.stale
    return "fresh", None


def _of_rule(
    rule: LookupRule,
    columns: list[str],
    keys: list[Key | None],
    rows: dict[Key, tuple[int, Row | None]],
    now: int,
    kind: str,
    lenient: bool,
) -> tuple[list[Any], LookedUp]:
    place = columns.index(rule.column)
    age_place = columns.index(rule.as_of) if rule.as_of is not None else -1
    values, found, ages, first = [], [], [], now
    for position, key in enumerate(keys):
        at, row = rows[key] if key is not None else (now, None)
        first = min(first, at)
        value = row[place] if row is not None else None
        as_of = _instant(row[age_place]) if row is not None and age_place >= 0 else None
        state, otherwise = judged(rule, value, as_of, now)
        if otherwise == "reject" and not lenient:
            raise InvalidInput(
                f"{quoted(rule.feature)} is looked up by {quoted(rule.key)}, and what is there must be "
                f"{'fresh' if state == 'stale' else 'known'}. It is {state} in row {position}.",
                where=f"{rule.key}[{position}]",
            )
        used = value if otherwise is None else rule.default if otherwise == "default" else None
        values.append(_as_taken(rule, used, kind))
        found.append(state)
        ages.append(as_of)
    return values, LookedUp(source=rule.source, table=rule.table, at=first, found=found, as_of=ages)


def _all(rule: LookupRule, found: Found, rows: int, now: int) -> LookedUp:
    return LookedUp(source=rule.source, table=rule.table, at=now, found=[found] * rows, as_of=[None] * rows)


def _together(rules: Sequence[LookupRule]) -> list[tuple[LookupRule, ...]]:
    """Rules that one question answers."""
    grouped: dict[tuple[str, str, str], list[LookupRule]] = {}
    for rule in rules:
        grouped.setdefault((rule.source, rule.table, rule.key), []).append(rule)
    return [tuple(group) for group in grouped.values()]


def _sent(given: Columns, rule: LookupRule) -> bool:
    """Whether the request brought a value itself, in any row."""
    return rule.feature in given and (
        type(given[rule.feature]) is not list or any(value is not None for value in given[rule.feature])
    )


def _key(value: Any) -> Key | None:
    """A key as tables are asked for it: text or a whole number; nothing else names an entity."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, bool) or value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, int | float) and float(value).is_integer() else None


def _instant(value: Any) -> int | None:
    """When a row was written: a time, ISO text, or microseconds since 1970. Naive is UTC."""
    if isinstance(value, datetime):
        return instant_of(value)
    if isinstance(value, str):
        try:
            return instant_of(datetime.fromisoformat(value))
        except ValueError:
            return None
    return value if type(value) is int else None


def _as_taken(rule: LookupRule, value: Any, kind: str) -> Any:
    """A table's value as the version takes it. Raises Unavailable for one that it cannot take."""
    if value is None:
        return None
    try:
        if kind in ("double", "float"):
            return float(value)
        if kind in ("long", "integer"):
            return _whole(value)
        if kind == "boolean":
            return bool(_whole(value))
        if isinstance(value, Decimal):
            return float(value)
        return str(value) if kind == "string" or not isinstance(value, int | float) else value
    except (TypeError, ValueError):
        raise Unavailable(
            f"The look-up of {quoted(rule.feature)} must find what the version takes ({kind}). Column {rule.column!r} "
            f"of {rule.table!r} holds something else."
        ) from None


def _whole(value: Any) -> int:
    number = int(value)
    if number != value:
        raise ValueError
    return number
