"""Outcomes are checked, and are on disk before they are answered; the worker joins them to their predictions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tenure.errors import InvalidInput, TooLarge
from tenure.records import parsing
from tenure.records.base import Instant, instant_of
from tenure.records.frames import BY_REFERENCE, OutcomeFrame
from tenure.records.outcomes import Outcome, OutcomeBatch, OutcomesAccepted
from tenure.serving.decoding import REFERENCE_CHARACTERS
from tenure.serving.journal import Journal

OUTCOMES_NAME = "control"  # the process that journals outcomes
ROWS_A_FRAME = 1_000
PREDICTION_ID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?::(0|[1-9][0-9]{0,8}))?")
FIRST_SURE_US = 10**14  # 1973: smaller numbers are seconds or milliseconds in disguise
LAST_US = 9_223_372_036_854_775  # 2262, where nanoseconds of 64 bits end


def parse(body: bytes) -> OutcomeBatch:
    """A JSON body as a batch. Raises InvalidInput with the path of what does not fit, such as `outcomes[3].value`."""
    return parsing.parse(body, OutcomeBatch, named="A batch of outcomes")


def accept(
    journal: Journal, endpoint: str, batch: OutcomeBatch, *, by: str, now: Instant, max_rows: int = 100_000
) -> OutcomesAccepted:
    """Check a batch and write it to the journal. All of it is accepted or, with InvalidInput, nothing."""
    told = batch.outcomes
    if not told:
        raise InvalidInput("A batch must hold at least one outcome. Got an empty list.", where="outcomes")
    if len(told) > max_rows:
        raise TooLarge(f"A batch may hold {max_rows:,} outcomes. Got {len(told):,}; send several.", where="outcomes")
    frames = [
        _frame(endpoint, told[start : start + ROWS_A_FRAME], start, by, now)
        for start in range(0, len(told), ROWS_A_FRAME)
    ]
    for frame in frames:
        journal.append_now(frame)
    return OutcomesAccepted(accepted=len(told))


def _frame(endpoint: str, told: Sequence[Outcome], first: int, by: str, now: Instant) -> OutcomeFrame:
    named = [(one, f"outcomes[{first + row}]") for row, one in enumerate(told)]
    return OutcomeFrame(
        at=now,
        endpoint=endpoint,
        key=[_key(one, where) for one, where in named],
        value=[_value(one, where) for one, where in named],
        event_at=[event_time(one.event_time, now, f"{where}.event_time") for one, where in named],
        caller=by,
    )


def _key(one: Outcome, where: str) -> str:
    if (one.prediction_id is None) == (one.reference is None):
        got = "both" if one.reference is not None else "neither"
        raise InvalidInput(
            f"An outcome must name its prediction by either `prediction_id` or `reference`. Got {got}.", where=where
        )
    if one.reference is not None:
        if not 0 < len(one.reference) <= REFERENCE_CHARACTERS:
            raise InvalidInput(
                f"A reference must have 1 to {REFERENCE_CHARACTERS} characters. Got {len(one.reference)}.",
                where=f"{where}.reference",
            )
        return BY_REFERENCE + one.reference
    found = PREDICTION_ID.fullmatch((one.prediction_id or "").lower())
    if found is None:
        raise InvalidInput(
            "A prediction id must be what the answer's header Tenure-Prediction-Id says, with `:` and the row's number "
            "for a batch, such as 0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b:0.",
            where=f"{where}.prediction_id",
        )
    return f"{found[1]}:{found[2] or 0}"


def _value(one: Outcome, where: str) -> float:
    value = float(one.value)
    if not math.isfinite(value):
        raise InvalidInput(
            f"An outcome's value must be a finite number or true/false. Got {value}.", where=f"{where}.value"
        )
    return value


def event_time(given: Any, now: Instant, where: str) -> int:
    """When it happened: ISO 8601 (UTC where no offset is given) or microseconds since 1970; now when not given."""
    if given is None:
        return now
    if isinstance(given, str):
        try:
            instant: int = instant_of(datetime.fromisoformat(given))
        except (ValueError, OverflowError):
            instant = LAST_US + 1
        if abs(instant) <= LAST_US:
            return instant
    elif FIRST_SURE_US <= given <= LAST_US:
        return int(given)
    raise InvalidInput(
        "An event time must be ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970, "
        "before the year 2262.",
        where=where,
    )
