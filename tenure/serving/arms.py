"""Which scorers stand behind each endpoint right now, and how one table of routes turns into the next.

A new table takes effect in two halves. What it takes away is gone at once: that is the kill switch. What it adds
answers only when its scorer has loaded and been tried; until then the champion before it keeps answering. A champion
that was replaced stays warm for a while, so that going back to it is as quick as going on was.

A version whose form was proven is answered for by the gateway itself. Its scorer, where one runs, keeps answering until
the form is loaded and tried, and is started only when the form cannot be used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tenure.errors import NotFound, Unavailable
from tenure.records.journaling import AUDIT, JournalMode
from tenure.records.kills import Constant, Rule
from tenure.records.routing import GatewayStatus, Release, ReleaseHealth, Route, RoutingTable
from tenure.serving import fallbacks, routing
from tenure.serving.decoding import Columns
from tenure.serving.fallbacks import Instead
from tenure.serving.forms.arm import Compiled
from tenure.serving.processes import Processes
from tenure.serving.scorers import Fetch, Scorer
from tenure.settings import Settings

log = logging.getLogger("tenure.gateway")

Version = tuple[str, int, str]


@dataclass(frozen=True)
class Arm:
    release: Release
    scorer: Scorer | Compiled | Instead

    def answers_now(self, rows: int, params: dict[str, Any] | None) -> bool:
        """Whether `outputs_now` has the answers to so many rows."""
        return not isinstance(self.scorer, Scorer) and self.scorer.answers_now(rows, params)

    def outputs_now(self, columns: Columns, rows: int, params: dict[str, Any] | None) -> list[Any] | None:
        """The answers, where the gateway has them without waiting for a scorer; else None."""
        return None if isinstance(self.scorer, Scorer) else self.scorer.outputs_now(columns, rows, params)


@dataclass(frozen=True)
class Endpoint:
    """What answers at an endpoint: the champion first, then challengers; and what scores in the shadow.

    `shared` is what the traffic is shared out over: a challenger that is still starting has its place there, so that
    no key changes its arm for another's sake; the champion answers for it. Without a champion nothing answers, and
    `reason` says why.
    """

    name: str
    model: str
    answering: tuple[Arm, ...]
    shadows: tuple[Arm, ...]
    shared: tuple[Release, ...] = ()
    reason: str = ""
    journal: JournalMode = AUDIT

    @cached_property
    def is_prompt(self) -> bool:
        """Whether no process of its own answers here, and no answer leaves whose frame may be lost."""
        in_gateway = not any(isinstance(arm.scorer, Scorer) for arm in self.answering)
        return in_gateway and self.journal.mode != "drop-and-count"

    @property
    def champion(self) -> Arm:
        """Raises Unavailable without one."""
        if not self.answering:
            raise Unavailable(f"Endpoint {self.name!r} cannot answer. {self.reason}")
        return self.answering[0]

    def propensity(self, arm: Arm) -> float:
        """The probability with which this arm answers a request that names no version, 0–1.

        The champion's is what the challengers that are ready leave.
        """
        if len(self.answering) == 1:
            return 1.0
        if arm is self.answering[0]:
            return max(0.0, 1.0 - sum(other.release.share for other in self.answering[1:]))
        return arm.release.share

    def arm(self, key: str) -> Arm:
        """The arm that answers a routing key. Raises Unavailable without a champion."""
        if not self.answering:
            raise Unavailable(f"Endpoint {self.name!r} cannot answer. {self.reason}")
        if len(self.answering) == 1:
            return self.answering[0]
        chosen = routing.choose_arm(self.name, self.shared, key)
        return next((arm for arm in self.answering if arm.release is chosen), self.answering[0])


class Arms:
    """The scorers of one gateway: started, swapped and stopped as tables come. `on_change` follows every change."""

    def __init__(self, settings: Settings, fetch: Fetch, on_change: Callable[[], None]) -> None:
        self.table = routing.EMPTY
        self._settings = settings
        self._fetch = fetch
        self._on_change = on_change
        self._starts = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        self._processes = Processes(settings.folder, spare=settings.spare_scorer, memory_mib=settings.scorer_memory_mib)
        self._scorers: dict[Version, Scorer] = {}
        self._forms: dict[tuple[Version, str], Compiled] = {}
        self._live: dict[str, Endpoint] = {}
        self._resting: dict[str, tuple[Release, float]] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def model_of(self, name: str) -> str | None:
        """The model that answers at a name; None for a name that no route has."""
        found = self._live.get(name)
        return found.model if found is not None else None

    def endpoints(self) -> list[Endpoint]:
        """All, by name."""
        return [self._live[name] for name in sorted(self._live)]

    def endpoint(self, name: str) -> Endpoint:
        """Raises NotFound for a name that no route has."""
        found = self._live.get(name)
        if found is None:
            raise NotFound(
                f"There is no endpoint {name[:64]!r}. It may have been removed, or its name is spelt differently; "
                "GET /api/v1/endpoints on the control port lists all."
            )
        return found

    def apply(self, table: RoutingTable) -> None:
        """Take up a table: start what is new, drop what is gone, keep the old champion until the new one is ready."""
        self._rest_replaced(table)
        self.table = table
        for release in self._routed():
            key = _version(release), release.form.digest if release.form else ""
            if release.form is not None and key not in self._forms:
                self._forms[key] = Compiled(release, release.form, self._fetch, self._settle, self._scorer)
        self._settle()

    def look(self) -> None:
        """Called a few times a second: what waits too long, what hangs, and what has been kept warm long enough."""
        over = [name for name, (_, until) in self._resting.items() if until <= time.monotonic()]
        for name in over:
            del self._resting[name]
        if over:
            self._settle()
        for scorer in self._all():
            scorer.look()

    def health(self) -> list[ReleaseHealth]:
        """How every release of the table is."""
        return [self._health(route, release) for route in self.table.routes.values() for release in route.releases]

    def status(self, gateway: str, pid: int, now: int, notes: dict[str, str]) -> GatewayStatus:
        """What this gateway says about itself; `notes` adds to the detail of a release by its id."""
        health = [
            entry if entry.release_id not in notes else _noted(entry, notes[entry.release_id])
            for entry in self.health()
        ]
        return GatewayStatus(gateway=gateway, pid=pid, epoch=self.table.epoch, releases=health, written_at=now)

    async def stop(self) -> None:
        """Finish what scorers have begun, then end them."""
        self.table, self._live, self._resting = routing.EMPTY, {}, {}
        scorers = self._all()
        self._scorers, self._forms = {}, {}
        await asyncio.gather(*(scorer.stop() for scorer in scorers), *self._stopping)
        self._processes.close()

    def _settle(self) -> None:
        """Make the live endpoints from the table and the scorers as they are now, and stop what nobody needs."""
        for release in self._routed():
            form = self._form(release)
            if (form is None or form.state == "failed") and _version(release) not in self._scorers:
                self._scorers[_version(release)] = self._scorer(release)
        self._live = {
            name: replace(self._endpoint(route, self._live.get(name)), journal=route.journal)
            for name, route in self.table.routes.items()
        }
        live = [arm.scorer for endpoint in self._live.values() for arm in endpoint.answering]
        standing = [self._standing(release) for release in self._routed()]
        for version, scorer in list(self._scorers.items()):
            if scorer not in live and scorer not in standing:
                self._let_go(self._scorers.pop(version))
        wanted = {id(self._form(release)) for release in self._routed()} | {id(scorer) for scorer in live}
        for key, form in list(self._forms.items()):
            if id(form) not in wanted:
                self._let_go(self._forms.pop(key))
        self._on_change()

    def _all(self) -> list[Scorer | Compiled]:
        return [*self._scorers.values(), *self._forms.values()]

    def _routed(self) -> list[Release]:
        """What must be loaded: what is in service, what would answer instead, and what is kept warm."""
        routes = self.table.routes.values()
        spares = [route.spare for route in routes if route.spare is not None]
        resting = [release for release, _ in self._resting.values()]
        return [*(release for route in routes for release in route.releases), *spares, *resting]

    def _rest_replaced(self, table: RoutingTable) -> None:
        """Keep the champions warm that a new table replaces by others, one for each endpoint."""
        until = time.monotonic() + self._settings.keep_warm_s
        for name, route in table.routes.items():
            before = self.table.routes.get(name)
            replaced = routing.champion_of(before) if before is not None else None
            champion = routing.champion_of(route)
            if replaced is not None and champion is not None and _version(replaced) != _version(champion):
                self._resting[name] = replaced, until
        for name in self._resting.keys() - table.routes.keys():
            del self._resting[name]

    def _scorer(self, release: Release) -> Scorer:
        return Scorer(release, self._settings, self._fetch, self._starts, self._processes, self._settle)

    def _form(self, release: Release) -> Compiled | None:
        return self._forms.get((_version(release), release.form.digest)) if release.form else None

    def _standing(self, release: Release) -> Scorer | Compiled:
        """Who answers for a release: its form when that is ready or there is no scorer, else the scorer."""
        form, scorer = self._form(release), self._scorers.get(_version(release))
        if form is not None and (form.ready or scorer is None):
            return form
        assert scorer is not None
        return scorer

    def _let_go(self, scorer: Scorer | Compiled) -> None:
        task = asyncio.get_running_loop().create_task(scorer.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    def _endpoint(self, route: Route, before: Endpoint | None) -> Endpoint:
        routed = routing.champion_of(route)
        if fallbacks.is_stopped(route, routed):
            return self._instead(route, routed)
        champion, reason = self._champion(route, before)
        if champion is None:
            return Endpoint(route.endpoint, route.model, (), (), reason=reason)
        alive = [release for release in route.releases if not fallbacks.is_stopped(route, release)]
        ready = [arm for arm in map(self._arm, alive) if arm.scorer.ready]
        return Endpoint(
            route.endpoint,
            route.model,
            answering=(champion, *(arm for arm in ready if arm.release.role == "challenger")),
            shadows=tuple(arm for arm in ready if arm.release.role == "shadow"),
            shared=(champion.release, *(release for release in route.releases if release.role == "challenger")),
        )

    def _instead(self, route: Route, champion: Release | None) -> Endpoint:
        """What answers while the champion, or the whole endpoint, is stopped. Nothing is scored in the shadow then."""
        arm: Arm | None = None
        if isinstance(route.fallback, Constant | Rule):
            arm = Arm(fallbacks.as_release(route, champion), Instead(route.fallback, champion))
        elif route.spare is not None and not fallbacks.names(route, route.spare):
            arm = self._arm(route.spare)
        if arm is None or not arm.scorer.ready:
            reason = "It was stopped on purpose, and nothing is ready to answer instead. Ask whoever runs it."
            return Endpoint(route.endpoint, route.model, (), (), reason=reason)
        return Endpoint(route.endpoint, route.model, answering=(arm,), shadows=(), shared=(arm.release,))

    def _champion(self, route: Route, before: Endpoint | None) -> tuple[Arm | None, str]:
        """Who answers as champion: the table's when it is ready, else who did before; or why nobody does."""
        release = routing.champion_of(route)
        if release is None:
            return None, f"It has no champion. Promote an approved version of {route.model} first."
        arm = self._arm(release)
        if arm.scorer.ready:
            return arm, ""
        if before is not None and before.answering and before.answering[0].scorer.ready:
            last = before.answering[0]
            if last.release.role == "champion" and not fallbacks.is_stopped(route, last.release):
                return last, ""
        if arm.scorer.state == "failed":
            return None, f"Version {release.version} of {release.model} failed: {arm.scorer.detail}."
        return None, f"Version {release.version} of {release.model} is starting. Try again in a few seconds."

    def _arm(self, release: Release) -> Arm:
        return Arm(release, self._standing(release))

    def _health(self, route: Route, release: Release) -> ReleaseHealth:
        scorer, form = self._standing(release), self._form(release)
        said = [
            scorer.detail,
            form.detail if form is not None and form is not scorer and form.state == "failed" else "",
        ]
        return ReleaseHealth(
            release_id=release.release_id,
            endpoint=route.endpoint,
            version=release.version,
            role=release.role,
            state="starting" if scorer.state == "stopped" else scorer.state,
            detail="; ".join(filter(None, said)),
        )


def _version(release: Release) -> Version:
    """What one scorer process stands for: releases of the same bytes share it."""
    return release.model, release.version, release.digest + release.environment


def _noted(health: ReleaseHealth, note: str) -> ReleaseHealth:
    return ReleaseHealth(
        release_id=health.release_id,
        endpoint=health.endpoint,
        version=health.version,
        role=health.role,
        state=health.state,
        detail=f"{health.detail}; {note}" if health.detail else note,
    )
