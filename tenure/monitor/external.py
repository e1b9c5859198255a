"""Predictions of a model that Tenure does not serve: uploaded as a file, they take the way of every other prediction.

They are journaled as if the version had answered here, with the release "external" and no latency, and the worker takes
them into the lake. A row's id follows from the caller's reference and its event time, so that a file that is sent again
changes nothing. Outcomes name their prediction by that reference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import numpy as np

from tenure.errors import InvalidInput
from tenure.monitor.outcome_columns import Column, event_times
from tenure.monitor.outcomes import HELD_BYTES, ROWS_A_FRAME
from tenure.monitor.rows import NO_LATENCY
from tenure.records.base import Instant, new_id
from tenure.records.external import PredictionsAccepted
from tenure.records.frames import PredictionFrame
from tenure.serving.decoding import REFERENCE_CHARACTERS, score_of
from tenure.serving.journal import Journal, framed

RELEASE = "external"
JOURNAL = "uploads"
"""The process that journals them: apart from outcomes, which are taken in after all predictions."""
REFERENCE, PREDICTION, EVENT_TIME = "reference", "prediction", "event_time"
SAME = {"score": PREDICTION, "prediction_id": REFERENCE, "id": REFERENCE}
"""Other names of columns: an id of the other system's own is a reference here."""


class Sending(msgspec.Struct, frozen=True):
    """Who sends what for which endpoint and version, and when."""

    endpoint: str
    model: str
    version: int
    by: str
    now: Instant


def accept(
    journal: Callable[[], Journal], sending: Sending, blocks: Iterator[Any], folder: Path
) -> PredictionsAccepted:
    """Write blocks of predictions to the journal once all of them are read; nothing is stored when one does not fit.

    Columns: `prediction` (a number, a text, or a list of chances), `reference` (each once), perhaps `event_time`, and
    features. Raises InvalidInput with the row.
    """
    rows = 0
    with tempfile.SpooledTemporaryFile(HELD_BYTES, dir=str(folder)) as held:
        for block in blocks:
            for frame in _frames(sending, block, rows):
                held.write(framed(frame))
            rows += block.num_rows
        if not rows:
            raise InvalidInput("A file must hold at least one prediction. Got none.", where="predictions")
        held.seek(0)
        journal().copy_now(cast(BinaryIO, held))
    return PredictionsAccepted(accepted=rows, version=sending.version)


def _frames(sending: Sending, block: Any, first: int) -> Iterator[PredictionFrame]:
    names = [SAME.get(name, name) for name in block.column_names]
    _check_names(names)
    table = block.rename_columns(names)
    references = _references(table.column(REFERENCE), first)
    events = _events(table, sending.now, first)
    outputs = [_output(one) for one in table.column(PREDICTION).to_pylist()]
    inputs = [name for name in names if name not in (REFERENCE, PREDICTION, EVENT_TIME)]
    features = {name: table.column(name).to_pylist() for name in inputs}
    for start in range(0, table.num_rows, ROWS_A_FRAME):
        part = slice(start, start + ROWS_A_FRAME)
        yield PredictionFrame(
            prediction_id=new_id(sending.now),
            at=sending.now,
            endpoint=sending.endpoint,
            release_id=RELEASE,
            model=sending.model,
            version=sending.version,
            role="champion",
            rows=len(references[part]),
            event_at=events[part],
            reference=references[part],
            columns={name: [_plain(value) for value in values[part]] for name, values in features.items()},
            output=[_plain(one) for one in outputs[part]],
            score=[score_of(one) for one in outputs[part]],
            latency_us=NO_LATENCY,
            caller=sending.by,
            idempotent=True,
        )


def _output(given: Any) -> Any:
    """A prediction as it was said: chances, which a flat file cannot hold, come as JSON text such as `[0.2, 0.8]`."""
    if isinstance(given, str) and given[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(given)
        except msgspec.DecodeError:
            return given
    return given


def _check_names(names: list[str]) -> None:
    if len(set(names)) < len(names) or not {REFERENCE, PREDICTION} <= set(names):
        raise InvalidInput(
            "The columns must be `prediction` (or `score`), `reference` (or `prediction_id`), perhaps `event_time`, "
            f"and the features, each once. Got {', '.join(names[:20]) or 'none'}."
        )


def _references(column: Column, first: int) -> list[str]:
    found = [None if one is None else str(one) for one in column.to_pylist()]
    for row, one in enumerate(found):
        if one is None or not 0 < len(one) <= REFERENCE_CHARACTERS:
            raise InvalidInput(
                f"Every prediction must have a reference of 1 to {REFERENCE_CHARACTERS} characters, by which its "
                f"outcome finds it. Got {'none' if one is None else len(one)}.",
                where=f"predictions[{first + row}].reference",
            )
    return cast(list[str], found)


def _events(table: Any, now: Instant, first: int) -> list[int]:
    column = table.column(EVENT_TIME).combine_chunks() if EVENT_TIME in table.column_names else None
    instants, wrong = event_times(column, now, table.num_rows)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidInput(
            "An event time must be ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970.",
            where=f"predictions[{first + row}].event_time",
        )
    found: list[int] = instants.tolist()
    return found


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has no word for, such as a date, as text, and NaN as missing."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return str(value)
