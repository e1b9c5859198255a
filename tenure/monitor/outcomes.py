"""Outcomes are checked, and are on disk before they are answered; the worker joins them to their predictions.

Overrides take the same way, with who decided and why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from tenure.errors import InvalidInput, RowsRefused
from tenure.monitor.uploads import OVERRIDES
from tenure.records.base import Instant
from tenure.records.frames import OutcomeFrame, OverrideFrame
from tenure.records.outcomes import Accept, OutcomesAccepted, RowProblem
from tenure.serving.journal import Journal, framed

if TYPE_CHECKING:
    from tenure.monitor.outcome_classes import Classes
    from tenure.monitor.outcome_columns import Checked

OUTCOMES_NAME = "control"  # the process that journals outcomes
ROWS_A_FRAME = 1_000
HELD_BYTES = 8 * 1024 * 1024
"""Of frames that wait until all rows are checked: so many in memory, the others in a file that has no name."""
REASON_CHARACTERS = 500
PERSON_CHARACTERS = 200


class Sending(msgspec.Struct, frozen=True):
    """Who sends what for which endpoint, and when; `accept` says what a row that does not fit does to the others."""

    endpoint: str
    kind: str
    by: str
    now: Instant
    accept: Accept = "all"


def accept(
    journal: Callable[[], Journal],
    sending: Sending,
    blocks: Iterator[Any],
    folder: Path,
    classes: Callable[[], Classes],
) -> OutcomesAccepted:
    """Check blocks of rows and write them to the journal, once all of them are checked.

    Raises RowsRefused, and nothing is stored, when rows do not fit, unless those that do are to be stored anyway.
    `journal` is asked for when there is something to be written. `folder`: a place on the disk for what does not fit in
    memory meanwhile. `classes` is asked for, once at most, when a value may be the name of one.
    """
    from tenure.monitor.outcome_columns import MOST_TOLD, checked  # here, since it brings numpy

    accepted = wrong = first = 0
    known = cache(classes)
    problems: list[RowProblem] = []
    with tempfile.SpooledTemporaryFile(HELD_BYTES, dir=str(folder)) as held:
        for block in blocks:
            found = checked(block, sending.now, first, sending.kind, known)
            extra = _decided(block, found, sending, first) if sending.kind == OVERRIDES else None
            problems += found.problems[: MOST_TOLD - len(problems)]
            wrong += found.wrong
            accepted += len(found.value)
            first += block.num_rows
            if not wrong or sending.accept == "valid":
                _hold(held, found, sending, extra)
        if wrong and (sending.accept == "all" or not accepted):
            raise _refused(problems, wrong, first)
        held.seek(0)
        if accepted:
            journal().copy_now(cast(BinaryIO, held))
    return OutcomesAccepted(accepted=accepted, refused=wrong, problems=problems)


def _hold(held: Any, found: Checked, sending: Sending, extra: tuple[list[str], list[str]] | None) -> None:
    key, value, event_at = found.key.to_pylist(), found.value.tolist(), found.event_at.tolist()
    for start in range(0, len(key), ROWS_A_FRAME):
        part = slice(start, start + ROWS_A_FRAME)
        frame: OutcomeFrame | OverrideFrame = OutcomeFrame(
            at=sending.now,
            endpoint=sending.endpoint,
            key=key[part],
            value=value[part],
            event_at=event_at[part],
            caller=sending.by,
        )
        if extra is not None:
            given = msgspec.structs.asdict(frame)
            frame = OverrideFrame(**given, reason=extra[0][part], decided_by=extra[1][part])
        held.write(framed(frame))


def _decided(block: Any, found: Checked, sending: Sending, first: int) -> tuple[list[str], list[str]]:
    """Why and by whom each row that fits was decided; rows that do not say so leave `found`."""
    names = block.column_names
    reasons = block.column("reason").to_pylist()
    people = block.column("decided_by").to_pylist() if "decided_by" in names else [None] * block.num_rows
    fits: list[bool] = []
    kept: tuple[list[str], list[str]] = ([], [])
    for row in found.rows.tolist():
        reason, person = str(reasons[row - first] or "").strip(), str(people[row - first] or sending.by).strip()
        problem = _misfit(reason, person)
        fits.append(problem is None)
        if problem is None:
            kept[0].append(reason)
            kept[1].append(person)
        else:
            found.wrong += 1
            found.problems.append(RowProblem(row=row, where=f"{sending.kind}[{row}].{problem[0]}", message=problem[1]))
    if not all(fits):
        import numpy as np
        import pyarrow as pa

        mask = np.array(fits, bool)
        found.key, found.value = found.key.filter(pa.array(mask)), found.value[mask]
        found.event_at, found.rows = found.event_at[mask], found.rows[mask]
        found.problems.sort(key=lambda one: one.row)
    return kept


def _misfit(reason: str, person: str) -> tuple[str, str] | None:
    if not 0 < len(reason) <= REASON_CHARACTERS:
        return "reason", f"An override must say why, in 1 to {REASON_CHARACTERS} characters. Got {len(reason)}."
    if len(person) > PERSON_CHARACTERS:
        return "decided_by", f"Who decided must be told in {PERSON_CHARACTERS} characters at most. Got {len(person)}."
    return None


def _refused(problems: list[RowProblem], wrong: int, rows: int) -> InvalidInput:
    first = problems[0]
    others = f" {wrong - 1:,} of the other {rows - 1:,} rows do not fit either." if wrong > 1 else ""
    return RowsRefused(
        f"{first.message}{others} Nothing was stored; with ?accept=valid the rows that fit are.",
        where=first.where,
        problems=[msgspec.to_builtins(one) for one in problems],
    )
