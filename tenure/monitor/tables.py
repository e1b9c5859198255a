"""Frames of the journal as tables of the lake, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeGuard, TypeVar

import msgspec
import numpy as np

from tenure.records.base import SECOND_US, iso
from tenure.records.batches import FEATURE_PREFIX
from tenure.records.frames import Packed, PredictionFrame, RefusalFrame
from tenure.store.lake import Table, timestamps

T = TypeVar("T")
_Held = list[Any] | Packed


def of_predictions(frames: Sequence[PredictionFrame]) -> Table:
    """One row a prediction, with its features: what champions and challengers answered at one endpoint."""
    import pyarrow as pa

    table = of_shadows(frames)
    table = table.append_column("reference", pa.array(_references(frames), pa.string()))
    table = table.append_column("caller", _repeated(pa.array([frame.caller for frame in frames]), frames))
    if any(frame.admitted for frame in frames):
        for name, column in _admitted(frames).items():
            table = table.append_column(name, column)
    if any(frame.looked_up for frame in frames):
        table = table.append_column("looked_up", pa.array(_looked_up(frames), pa.string()))
    for name, held in _features(frames):
        column = _column(held, frames)
        if column is not None:
            table = table.append_column(FEATURE_PREFIX + name, column)
    return table


def of_shadows(frames: Sequence[PredictionFrame]) -> Table:
    """One row a score, without features: those stand with the prediction of the same id that was answered."""
    import pyarrow as pa

    encode = msgspec.json.encode
    return pa.table(
        {
            "prediction_id": pa.array(list(chain.from_iterable(frame.row_ids for frame in frames))),
            "at": _repeated(timestamps([frame.at for frame in frames]), frames),
            "event_at": timestamps(list(chain.from_iterable(frame.event_at for frame in frames))),
            "release_id": _repeated(pa.array([frame.release_id for frame in frames]), frames),
            "model": _repeated(pa.array([frame.model for frame in frames]), frames),
            "version": _repeated(pa.array([frame.version for frame in frames], pa.int32()), frames),
            "role": _repeated(pa.array([frame.role for frame in frames]), frames),
            "score": pa.array(list(chain.from_iterable(_plain(frame.score) for frame in frames)), pa.float64()),
            "propensity": _repeated(pa.array([frame.propensity for frame in frames], pa.float64()), frames),
            "sampling_fraction": _repeated(pa.array([frame.sampled for frame in frames], pa.float64()), frames),
            "latency_us": _repeated(pa.array([frame.latency_us for frame in frames], pa.int64()), frames),
            "output": pa.array([encode(one).decode() for frame in frames for one in _plain(frame.output)]),
        }
    )


def of_refusals(frames: Sequence[RefusalFrame]) -> Table:
    """One row a request that was not admitted. Its id and time stand where a prediction's do."""
    import pyarrow as pa

    told = timestamps([frame.at for frame in frames])
    names = ("model", "reason", "caller", "jurisdiction", "purpose", "channel")
    return pa.table(
        {
            "prediction_id": pa.array([frame.refusal_id for frame in frames]),
            "at": told,
            "event_at": told,
            "file_revision": pa.array([frame.revision for frame in frames], pa.int32()),
            "rows": pa.array([frame.rows for frame in frames], pa.int32()),
            "columns": pa.array([_json(frame.where) for frame in frames], pa.string()),
            **{name: pa.array([getattr(frame, name) or None for frame in frames], pa.string()) for name in names},
        }
    )


def _admitted(frames: Sequence[PredictionFrame]) -> dict[str, Any]:
    """With what each row was admitted: the file's revision, what the request said of itself, `flagged` as a JSON list
    of columns and `clipped` as a JSON object of what was sent."""
    import pyarrow as pa

    told = [frame.admitted for frame in frames]
    columns = {
        name: _repeated(pa.array([(one and getattr(one, name)) or None for one in told], pa.string()), frames)
        for name in ("jurisdiction", "purpose", "channel")
    }
    rows = [(frame.admitted, row) for frame in frames for row in range(frame.rows)]
    flagged = [[name for name, at in one.flagged.items() if row in at] if one else [] for one, row in rows]
    sent = [{name: at[row] for name, at in one.clipped.items() if row in at} if one else {} for one, row in rows]
    return {
        "file_revision": _repeated(pa.array([one and one.revision for one in told], pa.int32()), frames),
        **columns,
        "flagged": pa.array([_json(names) if names else None for names in flagged], pa.string()),
        "clipped": pa.array([_json(values) if values else None for values in sent], pa.string()),
    }


def _looked_up(frames: Sequence[PredictionFrame]) -> list[str | None]:
    """Of each row what was read from tables: a JSON object by feature of its source, table, age and how it was found.

    The values are features as any other. `as_of` is when the table's row was written, `at` when it was read: what is
    trained on these rows later sees what was known then, and nothing of what the table says now.
    """
    told: list[str | None] = []
    for frame in frames:
        for row in range(frame.rows):
            of_row = {
                name: {
                    "source": one.source,
                    "table": one.table,
                    "found": one.found[row],
                    "at": iso(one.at),
                    "as_of": None if (as_of := one.as_of[row]) is None else iso(as_of),
                    "age_s": None if as_of is None else (one.at - as_of) / SECOND_US,
                }
                for name, one in (frame.looked_up or {}).items()
            }
            told.append(_json(of_row) if of_row else None)
    return told


def _repeated(per_frame: Any, frames: Sequence[PredictionFrame]) -> Any:
    """A value of each frame for each of its rows."""
    return per_frame.take(np.repeat(np.arange(len(frames)), [frame.rows for frame in frames]))


def _references(frames: Iterable[PredictionFrame]) -> list[str | None]:
    unnamed: list[str | None] = [None]
    return list(chain.from_iterable(frame.reference or unnamed * frame.rows for frame in frames))


def _features(frames: Sequence[PredictionFrame]) -> Iterator[tuple[str, tuple[_Held | None, ...]]]:
    """Each feature and what every frame holds of it; None where a frame has it not.

    Frames mostly hold one row of many features, so that a look of Python's at each cell would be most of the intake.
    """
    absent: dict[str, _Held | None] = dict.fromkeys(chain.from_iterable(frame.columns for frame in frames))
    names = list(absent)
    of_frames = (frame.columns if list(frame.columns) == names else absent | frame.columns for frame in frames)
    return zip(names, zip(*(columns.values() for columns in of_frames), strict=True), strict=True)


def _column(held: Sequence[_Held | None], frames: Sequence[PredictionFrame]) -> Any:
    """A feature of all rows; None when it is of no kind that a column can have."""
    if _all_of(held, list):
        return _feature(list(chain.from_iterable(held)))
    if _all_of(held, Packed):
        return _unpacked(held)
    rows = zip(held, frames, strict=True)
    return _feature(list(chain.from_iterable(_plain(one) if one else [None] * frame.rows for one, frame in rows)))


def _unpacked(held: Sequence[Packed]) -> Any:
    """A feature that every frame has packed, without taking it apart."""
    import pyarrow as pa

    found = np.concatenate([np.frombuffer(one.values, np.dtype(one.dtype)) for one in held])
    kind = _PACKED.get(found.dtype.kind)
    return None if kind is None else pa.array(found.astype(kind, copy=False), from_pandas=True)  # NaN is null


def _all_of(held: Sequence[object], kind: type[T]) -> TypeGuard[Sequence[T]]:
    return set(map(type, held)) == {kind}


_PACKED = {"f": np.float64, "i": np.int64, "b": np.bool_}


def _plain(held: _Held) -> list[Any]:
    """Values as Python's own; NaN that was packed is None."""
    if not isinstance(held, Packed):
        return held
    found = np.frombuffer(held.values, np.dtype(held.dtype))
    if held.width:
        found = found.reshape(-1, held.width)
    if found.dtype.kind == "f" and np.isnan(found).any():
        return np.where(np.isnan(found), None, found.astype(object)).tolist()  # type: ignore[no-any-return, call-overload]
    return found.tolist()  # type: ignore[no-any-return]


def _feature(values: list[Any]) -> Any:
    """Values as a column of bool, int64, double or string; None when every one is missing.

    What is of mixed or nested kind becomes JSON text, so that nothing that was sent is lost.
    """
    import pyarrow as pa

    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _as_json(values)
    kind = column.type
    if pa.types.is_null(kind):
        return None
    plain = (
        pa.types.is_boolean(kind) or pa.types.is_int64(kind) or pa.types.is_float64(kind) or pa.types.is_string(kind)
    )
    return column if plain else _as_json(values)


def _as_json(values: list[Any]) -> Any:
    import pyarrow as pa

    return pa.array(
        [None if one is None else one if isinstance(one, str) else _json(one) for one in values], pa.string()
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
