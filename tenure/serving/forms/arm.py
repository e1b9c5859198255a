"""A version that the gateway answers for by itself: its proven form, verified and tried before it may.

It has the face of a scorer, so that whoever asks need not know which of both answers. What a form does not take, such
as parameters, is asked of the version itself, whose scorer is started for the first such request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from tenure.errors import ModelFailed, TenureError, Unavailable
from tenure.records.routing import Release, ReleaseForm
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Columns
from tenure.serving.forms.refusals import CannotUse, Refused
from tenure.serving.scorers import Fetch, Scorer, State

if TYPE_CHECKING:
    from tenure.serving.forms.loading import Answers

log = logging.getLogger("tenure.gateway")

AT_ONCE_ROWS = 256
"""More rows than that are computed on a thread, since nobody else is answered meanwhile."""
DRAIN_S = 30.0


class Compiled:
    """One version's form. `changed` is called whenever `state` changes; `original` makes the version's scorer."""

    def __init__(
        self,
        release: Release,
        form: ReleaseForm,
        fetch: Fetch,
        changed: Callable[[], None],
        original: Callable[[Release], Scorer],
    ) -> None:
        self.release = release
        self.form = form
        self.inputs = Inputs(release.inputs)
        self.state: State = "starting"
        self.detail = "the gateway is loading the version's form"
        self.example: dict[str, Any] | None = {name: values[0] for name, values in form.probe.items()} or None
        self.answer: Any = form.answers[0] if form.answers else None
        self.ready = False
        self.waiting = 0
        self._fetch = fetch
        self._changed = changed
        self._make_original = original
        self._original: Scorer | None = None
        self._answers: Answers
        self._task = asyncio.get_running_loop().create_task(self._load())

    def answers_now(self, rows: int, params: dict[str, Any] | None) -> bool:
        """Whether `outputs_now` has the answers to so many rows."""
        return params is None and rows <= AT_ONCE_ROWS and self.ready

    def outputs_now(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any] | None:
        """One output per row, at once; None for what takes longer and is to be awaited. Raises as `outputs` does."""
        return self._computed(columns, rows) if self.answers_now(rows, params) else None

    async def outputs(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any]:
        """One output per row. Raises Unavailable (try again) or ModelFailed."""
        if not self.ready:
            raise Unavailable(f"Version {self.release.version} of {self.release.model} is starting. Try again soon.")
        if params:
            return await self._of_original(columns, rows, params)
        if rows <= AT_ONCE_ROWS:
            return self._computed(columns, rows)
        self.waiting += 1
        try:
            return await asyncio.to_thread(self._computed, columns, rows)
        finally:
            self.waiting -= 1

    def look(self) -> None:
        if self._original is not None:
            self._original.look()

    async def stop(self, *, drain: bool = True) -> None:
        """Finish what is being computed, and end the scorer if there is one."""
        deadline = time.monotonic() + (DRAIN_S if drain else 0.0)
        while self.waiting and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self.ready = False
        self._task.cancel()
        if self._original is not None:
            await self._original.stop(drain=drain)

    def _computed(self, columns: Columns, rows: int) -> list[Any]:
        try:
            return self._answers.outputs(columns, rows)
        except Refused as column:
            raise self._failed_at(f"a value of the column {str(column)!r} is none that it takes") from None
        except Exception as problem:
            log.exception("the form of version %d of %s failed", self.release.version, self.release.model)
            raise self._failed_at(f"it failed with {type(problem).__name__}") from None

    def _failed_at(self, why: str) -> ModelFailed:
        return ModelFailed(
            f"Version {self.release.version} of {self.release.model} failed at this input: {why}. Look for values that "
            "the model was not trained for, such as missing ones or categories that it does not know."
        )

    async def _of_original(self, columns: Columns, rows: int, params: dict[str, Any]) -> list[Any]:
        if self._original is None:
            self._original = self._make_original(self.release)
        return await self._original.outputs(columns, rows, params)

    async def _load(self) -> None:
        """Fetch, verify, load and try the form. What fails leaves the version to its scorer."""
        from tenure.serving.forms import loading

        held = msgspec.structs.replace(
            self.release, location=self.form.location, digest=self.form.digest, files=self.form.files, form=None
        )
        try:
            folder = await asyncio.to_thread(self._fetch, held)
            self._answers = await asyncio.to_thread(loading.load, folder, self.form)
        except (TenureError, CannotUse) as problem:
            self._refuse(problem.message if isinstance(problem, TenureError) else str(problem))
        except Exception as problem:
            log.exception("the form of version %d of %s cannot be loaded", self.release.version, self.release.model)
            self._refuse(f"it cannot be loaded ({type(problem).__name__})")
        else:
            self.ready = True
            self.state, self.detail = "serving", f"in the gateway, as {self.form.kind}"
            self._changed()

    def _refuse(self, why: str) -> None:
        log.warning("the form of version %d of %s is not used: %s", self.release.version, self.release.model, why)
        self.state, self.detail = "failed", f"its compiled form is not used: {why}"
        self._changed()
