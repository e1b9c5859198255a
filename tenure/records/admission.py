"""What a model's file asks of every scoring request, as it travels in the routing table: look-ups, and no language.

Whoever scores finds no expression here that must be read, and nothing that must be asked of a database.
"""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Named = Literal["jurisdiction", "purpose", "channel"]
Outside = Literal["reject", "clip", "flag"]
Reason = Literal["caller", "time", "missing", "jurisdiction", "purpose", "allow", "range", "null", "kind", "quota"]
"""Why a request was refused: by which key of the model's file."""

HEADERS: dict[Named, str] = {
    "jurisdiction": "tenure-jurisdiction",
    "purpose": "tenure-purpose",
    "channel": "tenure-channel",
}
"""Where a request says where, what for and by which way it asks. Each may be left out, unless the file requires it."""


class RequestFacts(Record):
    """What a condition on a request may look at: this and nothing else, so that every answer is a look-up.

    The first three are what the caller says, the purpose as `purpose_word` writes it; without a header they are not
    there. `caller` and `caller_kind` (owner,
    person, service or nobody) are who was authenticated. The times are UTC on the gateway's own clock, never an event
    time that a caller could choose: `weekday` is 1 for Monday to 7 for Sunday, `date` such as 2027-06-30.
    `rows` is how many rows the request holds.
    """

    jurisdiction: str | None
    purpose: str | None
    channel: str | None
    caller: str
    caller_kind: str
    endpoint: str
    hour: int
    weekday: int
    day: int
    month: int
    date: str
    rows: int


class Asking(Record):
    """The root of the names in a condition: `request.hour >= 5`."""

    request: RequestFacts


class Condition(Record):
    """A condition as a tree: `parts` are joined by `and`, `or` or `not`; else a fact is held against `values`.

    `or` without parts never holds.
    """

    op: Literal["and", "or", "not", "has", "in", "==", "!=", "<", "<=", ">", ">="]
    fact: str = ""
    values: list[str | int] = []
    parts: list[Condition] = []


NEVER = Condition(op="or")


def purpose_word(text: str) -> str:
    """A purpose as purposes are compared: small letters, a dash for what lies between words.

    >>> purpose_word("Crew  scheduling")
    'crew-scheduling'
    """
    return "-".join(text.lower().replace("_", " ").replace("-", " ").split())


class UseRules(Record):
    """What is asked of a request before its values are looked at. `valid_until_at` is the first instant after."""

    jurisdictions: list[str] = []
    purposes: list[str] = []
    not_for: list[str] = []
    callers: list[str] = []
    require: list[Named] = []
    allow: Condition | None = None
    valid_from_at: int | None = None
    valid_until_at: int | None = None
    rows_per_minute: int | None = None
    rows_per_day: int | None = None


class ColumnRule(Record):
    """What is asked of a column's values, both ends of the range included. `kind` counts where the version's own
    signature does not say what it takes."""

    name: str
    kind: str | None = None
    low: float | None = None
    high: float | None = None
    outside: Outside = "flag"
    null: Literal["allow", "reject"] = "allow"


class AdmissionRules(Record):
    """A model's file as the gateway holds requests against it; `revision` says which one."""

    model: str
    revision: int
    use: UseRules
    columns: list[ColumnRule] = []


class Admitted(Record):
    """With what a request was admitted, as it is journaled: by which revision, and what it said of itself.

    `flagged`: rows outside a column's range, by column. `clipped`: what was sent in rows that were clipped, by column
    and row; the columns of the frame hold what the model saw.
    """

    revision: int
    jurisdiction: str = ""
    purpose: str = ""
    channel: str = ""
    flagged: dict[str, list[int]] = {}
    clipped: dict[str, dict[int, float]] = {}
