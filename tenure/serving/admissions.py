"""Whether a request is admitted: what the model's file asks, by look-ups made when the routing table is taken up.

Who asks, when, from where and what for is asked first, then the values, then what is left of the quota, so that only
what is admitted counts. A rule of the file costs nothing where it is not declared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from tenure.errors import NotAdmitted, OverQuota, ValuesRefused
from tenure.records.admission import HEADERS, AdmissionRules, Admitted, Named, purpose_word
from tenure.records.base import Instant, moment_of, new_id
from tenure.records.frames import RefusalFrame
from tenure.records.people import Principal
from tenure.records.routing import Release, RoutingTable
from tenure.serving.conditions import look_up
from tenure.serving.decoding import Columns
from tenure.serving.quotas import MINUTE_US, Quotas
from tenure.serving.rules import ColumnChecks

Refused = (NotAdmitted, ValuesRefused, OverQuota)
"""What `Admissions.check` raises for a request that the model's file does not let pass."""

JURISDICTION, PURPOSE, CHANNEL = HEADERS["jurisdiction"], HEADERS["purpose"], HEADERS["channel"]
MOST_CHARACTERS = 64
_word = lru_cache(maxsize=1024)(purpose_word)


class Asking(msgspec.Struct, gc=False):
    """A request before its values: at which endpoint, with which headers (lower-case), by whom and when."""

    endpoint: str
    headers: Mapping[str, str]
    principal: Principal
    now: Instant


class Admissions:
    """The rules of every endpoint of one gateway, and how many requests they did not simply let pass."""

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas
        self._rules: dict[str, Rules] = {}
        self._counts: dict[str, Counter[str]] = {}

    def take_up(self, table: RoutingTable) -> None:
        """Make the rules of a table ready. They hold for the next request, also at a release that was there before."""
        self._rules = {
            name: Rules(route.admission, route.releases, self.quotas)
            for name, route in table.routes.items()
            if route.admission is not None
        }

    def check(self, asking: Asking, release: Release, columns: Columns, rows: int) -> tuple[Columns, Admitted | None]:
        """The columns as the model is to see them, and what is journaled of the admission.

        Raises one of `Refused`, or TooLarge for more rows than the quota ever allows.
        """
        rules = self._rules.get(asking.endpoint)
        if rules is None:
            return columns, None
        columns, admitted = rules.check(asking, release, columns, rows)
        if admitted.flagged or admitted.clipped:
            self._count(asking.endpoint, *(["flagged"] * bool(admitted.flagged) + ["clipped"] * bool(admitted.clipped)))
        return columns, admitted

    def refusal(self, asking: Asking, rows: int, problem: NotAdmitted | ValuesRefused | OverQuota) -> RefusalFrame:
        """Count a refusal, and tell of it for the journal: why, and nothing of the values."""
        self._count(asking.endpoint, problem.reason)
        about = self._rules[asking.endpoint].about
        problems = problem.problems if isinstance(problem, ValuesRefused) else ()
        return RefusalFrame(
            refusal_id=new_id(asking.now),
            at=asking.now,
            endpoint=asking.endpoint,
            model=about.model,
            revision=about.revision,
            reason=problem.reason,  # type: ignore[arg-type]
            rows=rows,
            where=[one["where"].rpartition("[")[0] for one in problems],
            caller=asking.principal.name,
            **{name: asking.headers.get(header, "")[:MOST_CHARACTERS] for name, header in HEADERS.items()},
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests were flagged, clipped or refused for which reason, by endpoint, since the start."""
        return {name: dict(counted) for name, counted in self._counts.items()}

    def _count(self, endpoint: str, *what: str) -> None:
        self._counts.setdefault(endpoint, Counter()).update(what)


def as_admitted(columns: Columns, admitted: Admitted | None, answered: Columns) -> Columns:
    """A request's columns as another version takes them, with what was clipped in those that were answered."""
    if admitted is None or not admitted.clipped:
        return columns
    return {**columns, **{name: answered[name] for name in admitted.clipped if name in columns}}


class Rules:
    """One endpoint's rules. Columns are checked by what a release takes, so each has its own look-ups."""

    def __init__(self, about: AdmissionRules, releases: list[Release], quotas: Quotas) -> None:
        use = self._use = about.use
        self.about = about
        self._quotas = quotas
        self._required = frozenset(use.require)
        self._callers = frozenset(use.callers)
        self._jurisdictions = frozenset(use.jurisdictions)
        self._purposes = frozenset(map(purpose_word, use.purposes))
        self._not_for = frozenset(map(purpose_word, use.not_for))
        self._only_place = use.jurisdictions[0] if len(self._jurisdictions) == 1 else None
        self._only_purpose = next(iter(self._purposes)) if len(self._purposes) == 1 else None
        self._allow = look_up(use.allow) if use.allow else None
        self._from = use.valid_from_at if use.valid_from_at is not None else -(2**62)
        self._until = use.valid_until_at if use.valid_until_at is not None else 2**62
        self._limited = use.rows_per_minute is not None or use.rows_per_day is not None
        self._columns = {one.release_id: ColumnChecks(about.columns, one.inputs) for one in releases}
        self._minute = -1
        self._times: dict[str, Any] = {}

    def check(self, asking: Asking, release: Release, columns: Columns, rows: int) -> tuple[Columns, Admitted]:
        headers, use = asking.headers, self._use
        if self._callers and asking.principal.name not in self._callers:
            raise NotAdmitted(
                "The model's file names who may have it score (`use.callers`), and you are not among them. Ask its "
                "owner.",
                reason="caller",
            )
        if not self._from <= asking.now < self._until:
            raise self._not_now()
        place, purpose, channel = headers.get(JURISDICTION), headers.get(PURPOSE), headers.get(CHANNEL)
        place = place.strip() if place else None
        purpose = _word(purpose[:MOST_CHARACTERS]) if purpose else None
        channel = channel.strip() if channel else None
        for named, said in zip(HEADERS, (place, purpose, channel), strict=True):
            if not said and named in self._required:
                raise _missing(named)
        place, purpose, channel = place or self._only_place, purpose or self._only_purpose, channel or None
        if place and self._jurisdictions and place not in self._jurisdictions:
            raise _elsewhere("jurisdiction", "used in", use.jurisdictions)
        if purpose and (purpose in self._not_for or (self._purposes and purpose not in self._purposes)):
            raise _elsewhere("purpose", "used for", use.purposes, use.not_for)
        if self._allow is not None:
            self._hold(asking, {"jurisdiction": place, "purpose": purpose, "channel": channel, "rows": rows})
        checks = self._columns.get(release.release_id)
        if checks is None:  # one that left the table answers until the new one is ready
            checks = self._columns[release.release_id] = ColumnChecks(self.about.columns, release.inputs)
        columns, flagged, clipped = checks.check(columns, rows)
        if self._limited:
            per_minute, per_day = use.rows_per_minute, use.rows_per_day
            caller = asking.principal.name
            self._quotas.take(self.about.model, caller, rows, asking.now, per_minute=per_minute, per_day=per_day)
        return columns, Admitted(
            revision=self.about.revision,
            jurisdiction=_kept(place),
            purpose=_kept(purpose),
            channel=_kept(channel),
            flagged=flagged,
            clipped=clipped,
        )

    def _hold(self, asking: Asking, said: dict[str, Any]) -> None:
        """Ask the condition of the request's facts. What is not true, or cannot be told, is not admitted."""
        assert self._allow is not None
        principal = asking.principal
        facts = {
            **self._times_of(asking.now),
            **said,
            "caller": principal.name,
            "caller_kind": principal.kind,
            "endpoint": asking.endpoint,
        }
        if self._allow(facts) is not True:
            raise NotAdmitted(
                "The model's file says when it may be used (`use.allow`), and this request is outside of it: where, "
                "what for, by which channel, by whom or at what time it asks. The headers Tenure-Jurisdiction, "
                "Tenure-Purpose and Tenure-Channel say the first three. Read the model's file, or ask its owner.",
                reason="allow",
            )

    def _times_of(self, now: int) -> dict[str, Any]:
        """The facts about the time, made once a minute."""
        minute = now // MINUTE_US
        if minute != self._minute:
            moment = moment_of(now)
            self._minute = minute
            self._times = {
                "hour": moment.hour,
                "weekday": moment.isoweekday(),
                "day": moment.day,
                "month": moment.month,
                "date": moment.date().isoformat(),
            }
        return self._times

    def _not_now(self) -> NotAdmitted:
        begins, until = self._use.valid_from_at, self._use.valid_until_at
        since = f" from {moment_of(begins).date()}" if begins is not None else ""
        ends = f" to {moment_of(until - 1).date()}" if until is not None else ""
        return NotAdmitted(
            f"The model's file says that it may be used{since}{ends} (UTC). Ask its owner for a newer one.",
            reason="time",
        )


def _missing(named: Named) -> NotAdmitted:
    header = HEADERS[named].title()
    return NotAdmitted(
        f"A request to this model must say its {named}: send the header {header}.", reason="missing", where=header
    )


def _elsewhere(named: Named, words: str, allowed: list[Any], never: Sequence[str] = ()) -> NotAdmitted:
    only = f" It may be {words} {', '.join(allowed)} only." if allowed else ""
    but = f" It may not be {words} {', '.join(never)}." if never else ""
    header = HEADERS[named].title()
    return NotAdmitted(
        f"This request is not what the model's file allows.{only}{but} The header {header} says another {named}.",
        reason=named,
        where=header,
    )


def _kept(said: str | None) -> str:
    return said[:MOST_CHARACTERS] if said else ""
