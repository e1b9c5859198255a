"""Who answers a batch: the version's proven form in this process, or a scorer process, as at the gateway."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
import numpy as np

from tenure.batch.checking import Columns, Mask, Reason
from tenure.batch.environments import Say, make_ready
from tenure.errors import ModelFailed, Unavailable
from tenure.records.batches import BatchOrder
from tenure.records.routing import Release
from tenure.serving.decoding import score_of
from tenure.serving.forms import bulk
from tenure.serving.forms.refusals import CannotUse
from tenure.serving.processes import Processes
from tenure.serving.saying import quoted
from tenure.serving.scorers import BATCH_ROWS, Scorer
from tenure.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger("tenure.batch")
Fetch = Callable[[Release], Path]
Result = TypeVar("Result")
MOST_FAILED = 256
"""Rows of one chunk that a model fails at before it is taken to fail at all of them."""
LOOK_S = 0.1


class Answering(Protocol):
    """`said` tells who answers. `score_says_all`: an output is a number, or the shares of no and yes, so that its score
    says it whole."""

    said: str
    score_says_all: bool

    def refused(self, columns: Columns, rows: int) -> list[Reason]:
        """The rows that the version itself fails at, as far as that is known before it is asked."""

    def outputs(self, columns: Columns, rows: int) -> tuple[pa.Array, list[Reason]]:
        """One answer a row, null where the model failed, and at which rows it did. Raises ModelFailed, Unavailable."""

    def close(self) -> None: ...


def answering(order: BatchOrder, fetch_form: Fetch, fetch: Fetch, settings: Settings, say: Say) -> Answering:
    """The version's form where it has one that can be used here, else a scorer in what the version runs in.

    The folder of `settings` is for environments and the scorer's log. Raises Conflict, Unavailable.
    """
    release = order.release
    if release.form is not None:
        try:
            return OfForm(release, bulk.load(fetch_form(release), release.form))
        except CannotUse as problem:
            log.warning("the form of version %d of %s is not used: %s", release.version, release.model, problem)
    make_ready(order, settings, say)
    return OfScorer(release, fetch, settings)


class OfForm:
    """A proven form, over arrays."""

    def __init__(self, release: Release, form: bulk.Bulk) -> None:
        assert release.form is not None
        self.said = f"compiled form ({release.form.kind})"
        self.score_says_all = form.score_says_all
        self._form = form

    def refused(self, columns: Columns, rows: int) -> list[Reason]:
        found = self._form.refused(self._arrays(columns), rows)
        return [Reason(mask, name, "model", _not_taken(name)) for name, mask in found.items()]

    def outputs(self, columns: Columns, rows: int) -> tuple[pa.Array, list[Reason]]:
        return self._form.outputs(self._arrays(columns), rows), []

    def close(self) -> None:
        pass

    def _arrays(self, columns: Columns) -> dict[str, bulk.Values]:
        return {
            name: _coded(array) if name in self._form.categories else _doubles(array) for name, array in columns.items()
        }


class OfScorer:
    """A scorer process, by the gateway's own hands, on an event loop of its own."""

    score_says_all = False

    def __init__(self, release: Release, fetch: Fetch, settings: Settings) -> None:
        self.said = "scorer process in the version's own packages" if release.environment else "scorer process"
        self._settings = settings
        self._processes = Processes(settings.folder, spare=False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._scorer = self._awaited(self._start(release, fetch))

    def refused(self, columns: Columns, rows: int) -> list[Reason]:
        del columns, rows
        return []

    def outputs(self, columns: Columns, rows: int) -> tuple[pa.Array, list[Reason]]:
        lists = {name: array.to_pylist() for name, array in columns.items()}
        failed: list[int] = []
        told: list[Any] = []
        for start in range(0, rows, BATCH_ROWS):
            part = {name: values[start : start + BATCH_ROWS] for name, values in lists.items()}
            told += self._asked(part, min(BATCH_ROWS, rows - start), start, failed)
        reasons = []
        if failed:
            mask: Mask = np.zeros(rows, dtype=bool)
            mask[failed] = True
            reasons.append(Reason(mask, "", "model", "The version failed at this row; the scorer's log has more."))
        return as_array(told), reasons

    def close(self) -> None:
        self._awaited(self._scorer.stop(drain=False))
        self._processes.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _asked(self, columns: dict[str, list[Any]], rows: int, first: int, failed: list[int]) -> list[Any]:
        """The outputs of some rows; None, and noted in `failed`, where the model fails at one alone."""
        try:
            return self._awaited(self._scorer.outputs(columns, rows))
        except ModelFailed:
            if len(failed) >= MOST_FAILED:
                raise
            if rows == 1:
                failed.append(first)
                return [None]
        half = rows // 2
        left = {name: values[:half] for name, values in columns.items()}
        right = {name: values[half:] for name, values in columns.items()}
        return self._asked(left, half, first, failed) + self._asked(right, rows - half, first + half, failed)

    async def _start(self, release: Release, fetch: Fetch) -> Scorer:
        changed = asyncio.Event()
        scorer = Scorer(release, self._settings, fetch, asyncio.Semaphore(1), self._processes, changed.set)
        deadline = time.monotonic() + 4 * self._settings.scorer_start_timeout_s
        while not scorer.ready:
            if scorer.state == "failed" or time.monotonic() > deadline:
                await scorer.stop(drain=False)
                raise Unavailable(
                    f"Version {release.version} of {release.model} cannot be started here: {scorer.detail}. "
                    f"Its log is in {self._settings.folder / 'logs'}."
                )
            await asyncio.sleep(LOOK_S)
        self._looking = asyncio.get_running_loop().create_task(self._look(scorer))
        return scorer

    async def _look(self, scorer: Scorer) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            scorer.look()

    def _awaited(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def as_array(outputs: Sequence[Any]) -> pa.Array:
    """Answers as a column of numbers, texts, true or false, or lists of numbers; as JSON texts where they are mixed."""
    import pyarrow as pa

    try:
        array = pa.array(outputs)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        array = None
    if array is None or pa.types.is_struct(array.type) or _is_nested(array.type):
        return pa.array([msgspec.json.encode(one).decode() for one in outputs], pa.string())
    return array


def scores_of(outputs: pa.Array) -> pa.Array:
    """The score of each answer, as `serving.decoding.score_of` tells it."""
    import pyarrow as pa

    if pa.types.is_string(outputs.type):
        return pa.nulls(len(outputs), pa.float64())
    if pa.types.is_boolean(outputs.type):
        return outputs.cast(pa.int8()).cast(pa.float64())
    if pa.types.is_integer(outputs.type):
        return outputs.cast(pa.float64(), safe=False)
    if pa.types.is_float64(outputs.type):
        values = outputs.to_numpy(zero_copy_only=False)
        return pa.array(values, mask=~np.isfinite(values))
    if pa.types.is_list(outputs.type) and pa.types.is_float64(outputs.type.value_type) and _are_pairs(outputs):
        values = outputs.flatten().to_numpy(zero_copy_only=False)[1::2]
        return pa.array(values, mask=~np.isfinite(values))
    return pa.array([score_of(one) for one in outputs.to_pylist()], pa.float64())


def _are_pairs(outputs: pa.Array) -> bool:
    import pyarrow.compute as pc

    if outputs.null_count:
        return False
    bounds = pc.min_max(pc.list_value_length(outputs)).as_py()
    return bool(bounds["min"] == bounds["max"] == 2)


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) and (pa.types.is_nested(kind.value_type) or pa.types.is_string(kind.value_type)))


def _doubles(array: pa.Array) -> Any:
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int64())
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _coded(array: pa.Array) -> bulk.Coded:
    encoded = array.dictionary_encode()
    keys = [*encoded.dictionary.to_pylist(), None]
    return bulk.Coded(encoded.indices.fill_null(len(keys) - 1).to_numpy().astype(np.int64), keys)


def _not_taken(name: str) -> str:
    return f"The version fails at a value of the column {quoted(name)}: it was not trained for such a one."
