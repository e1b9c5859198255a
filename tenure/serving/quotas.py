"""How many rows each caller has had scored in this minute and on this day, held in memory and kept over restarts."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from tenure.errors import OverQuota, TenureError, TooLarge
from tenure.records.base import DAY_US, SECOND_US
from tenure.serving import routing

log = logging.getLogger("tenure.gateway")
MINUTE_US = 60 * SECOND_US
Key = tuple[str, str]


class Used(msgspec.Struct, array_like=True):
    """What one caller has had of one model: rows in the minute and on the day that are named by their number."""

    model: str
    caller: str
    minute: int = 0
    in_minute: int = 0
    day: int = 0
    in_day: int = 0


class Quotas:
    """The counters of one gateway. Nothing waits between looking and counting, so no two requests share what is left.

    Minutes and days are those of the clock in UTC. Rows are counted when a request is admitted, whatever becomes of it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / "routing" / "quotas" / f"{name}.json"
        self._used: dict[Key, Used] = {}
        self._changed = False

    def take(
        self, model: str, caller: str, rows: int, now: int, *, per_minute: int | None, per_day: int | None
    ) -> None:
        """Count a request's rows. Raises OverQuota, and counts nothing, when there are not so many left; TooLarge when
        there never are."""
        used = self._used.get((model, caller))
        if used is None:
            used = self._used[model, caller] = Used(model, caller)
        minute, day = now // MINUTE_US, now // DAY_US
        if used.minute != minute:
            used.minute, used.in_minute = minute, 0
        if used.day != day:
            used.day, used.in_day = day, 0
        if per_day is not None and used.in_day + rows > per_day:
            raise _over("day", rows, per_day, (day + 1) * DAY_US - now)
        if per_minute is not None and used.in_minute + rows > per_minute:
            raise _over("minute", rows, per_minute, (minute + 1) * MINUTE_US - now)
        used.in_minute += rows
        used.in_day += rows
        self._changed = True

    def load(self) -> None:
        """Go on from what the gateway before this one had counted. What cannot be read counts as nothing."""
        try:
            told = msgspec.json.decode(self._path.read_bytes(), type=list[Used])
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError):
            log.exception("what callers have used of their quotas cannot be read; it is counted anew")
            return
        self._used = {(used.model, used.caller): used for used in told}

    def keep(self, now: int) -> None:
        """Write what changed since the last time, without what is over; a full disk is logged and stops nothing."""
        if not self._changed:
            return
        self._used = {key: used for key, used in self._used.items() if used.day >= now // DAY_US}
        self._changed = False
        try:
            routing.write_whole(self._path, msgspec.json.encode(list(self._used.values())))
        except TenureError as problem:
            self._changed = True
            log.warning("what callers have used of their quotas is not kept: %s", problem.message)


def _over(span: str, rows: int, most: int, left_us: int) -> OverQuota | TooLarge:
    if rows > most:
        return TooLarge(
            f"A request to this model may hold at most {most} rows: each caller may have so many scored in a {span}. "
            f"Got {rows}. Send several."
        )
    seconds = -(-left_us // SECOND_US)
    return OverQuota(
        f"Each caller may have {most} rows scored in a {span} by this model, and these {rows} would be more. Ask again "
        f"in {seconds} s, or ask the model's owner for a larger quota.",
        retry_after_s=seconds,
    )
