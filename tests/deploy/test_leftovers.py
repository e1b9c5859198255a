"""Forms and environments go with the last version that needs them, and not before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from tenure.build import model_versions
from tenure.deploy import building, leftovers, locking
from tenure.records.base import DAY_US, Instant
from tenure.records.environments import Environment, Lock
from tenure.records.forms import FormReport
from tenure.records.leftovers import Cleared, Clearing, Leftovers
from tenure.records.registry import ModelVersionInfo
from tenure.records.routing import PinnedFile, ReleaseForm
from tenure.serving.processes import environment_folder
from tenure.store import audit, environments, forms, tables
from tenure.store.ground import Ground
from tenure.store.roots import FORMS_FOLDER

from .makers import NOW, make_model, make_version
from .test_environments import make_endpoint, promote

LATER = Instant(NOW + 40 * DAY_US)
LOCK = Lock(python="3.11", platform="here", text="pricing==1.5\n")


class Town:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        make_model(ground)

    def form(self, version: ModelVersionInfo, content: bytes = b"program") -> str:
        """A proven form of a version; its folder, of which a gateway has a copy too."""
        digest = f"{len(content):064x}"
        self.ground.artifacts.write(f"{FORMS_FOLDER}/{digest}/program", [content])
        copy = self.ground.settings.folder / "models" / digest
        copy.mkdir(parents=True, exist_ok=True)
        (copy / "program").write_bytes(content)
        file = PinnedFile(path="program", size_bytes=len(content), sha256=digest)
        proven = ReleaseForm(
            kind="linear", location="", digest=f"sha256:{digest}", files=[file], probe={}, answers=[], tolerance=0.0
        )
        write, name, number = self.ground.database.write, version.name, version.version
        write(lambda tx: forms.ask(tx, name, number, version.digest or "", by="ann", now=NOW))
        asked = self.ground.database.read(lambda tx: forms.get(tx, name, number))
        assert asked is not None
        write(lambda tx: forms.lease(tx, asked, "w", NOW + DAY_US, NOW))
        report = FormReport(kind="linear", reason="", candidates=[], tolerance=0.0)
        assert write(lambda tx: forms.settle(tx, asked, "w", report, proven, now=NOW))
        return digest

    def environment(self, version: ModelVersionInfo) -> str:
        """An environment of its own for a version, made."""
        digest, folder = locking.digest(LOCK), self.ground.settings.folder
        decided = Environment(kind="own", digest=digest, lock=LOCK)
        self.ground.database.write(lambda tx: environments.put(tx, version.digest or "", decided, NOW))
        building.keep(folder, digest, LOCK)
        (environment_folder(folder, digest) / "bin").mkdir(parents=True, exist_ok=True)
        (environment_folder(folder, digest) / "bin" / "python").write_bytes(b"12345")
        return digest

    def ends(self, version: ModelVersionInfo, at: Instant = NOW) -> None:
        """Retire a version."""
        column = tables.model_versions.c
        change = sa.update(tables.model_versions).where(column.version == version.version)
        self.ground.database.write(lambda tx: tx.execute(change.values(state="retired", last_updated_time=at // 1000)))

    def may_go(self, now: Instant = LATER, older_than_s: float | None = None) -> Leftovers:
        return leftovers.of(self.ground, older_than_s=older_than_s, now=now)

    def digests(self, now: Instant = LATER) -> set[str]:
        return {one.digest for one in self.may_go(now).items}

    def clear(self, *digests: str, now: Instant = LATER) -> Cleared:
        return leftovers.remove(self.ground, Clearing(digests=list(digests)), by="ann", now=now)


@pytest.fixture
def town(each_ground: Ground) -> Town:
    return Town(each_ground)


def test_both_go_when_their_version_was_retired_long_enough_ago(town: Town) -> None:
    version = make_version(town.ground)
    form, environment = town.form(version), town.environment(version)
    assert town.digests() == set()
    town.ends(version)
    assert (town.digests(Instant(NOW + DAY_US)), town.may_go(Instant(NOW + DAY_US)).later) == (set(), 2)
    assert {one.digest for one in town.may_go(Instant(NOW + DAY_US), older_than_s=0).items} == {form, environment}
    told = {one.kind: (one.versions, one.files) for one in town.may_go().items}
    assert told == {"form": (["delay/1"], 2), "environment": (["delay/1"], 2)}
    freed = town.clear(form, environment, "unknown")
    assert (freed.forms, freed.environments, freed.files) == (1, 1, 4)
    assert freed.bytes > 2 * len(b"program") + len(b"12345")
    assert town.ground.artifacts.files(FORMS_FOLDER) == []
    assert not building.is_built(town.ground.settings.folder, environment)
    assert town.ground.database.read(lambda tx: forms.get(tx, "delay", 1)) is None
    assert town.ground.database.read(lambda tx: environments.get(tx, version.digest or "")) is None
    assert town.may_go() == Leftovers(items=[])
    (event,) = town.ground.database.read(lambda tx: audit.search(tx, action="leftovers.removed"))
    assert (event.detail["forms"], event.detail["environments"], event.detail["bytes"]) == (1, 1, freed.bytes)


def test_what_another_version_needs_stays_though_one_was_retired(town: Town) -> None:
    first, second = make_version(town.ground), make_version(town.ground)
    form = {town.form(first), town.form(second)}
    environment = {town.environment(first), town.environment(second)}
    assert (len(form), len(environment)) == (1, 1)
    town.ends(first)
    assert town.digests() == set()
    assert town.clear(*form, *environment) == Cleared(forms=0, environments=0, files=0, bytes=0)
    town.ends(second)
    assert town.digests() == form | environment


def test_what_is_in_service_stays_whatever_its_state(town: Town) -> None:
    version = make_version(town.ground)
    town.form(version)
    make_endpoint(town.ground)
    promote(town.ground, version)
    town.ends(version)
    assert town.digests() == set()


def test_a_deleted_versions_form_goes(town: Town) -> None:
    version = make_version(town.ground)
    form = town.form(version)
    town.ground.database.write(lambda tx: model_versions.delete(tx, "delay", 1, by="ann", now=NOW))
    assert town.digests() == {form}


def test_what_no_version_tells_of_goes_after_a_day(town: Town) -> None:
    digest = "f" * 64
    town.ground.artifacts.write(f"{FORMS_FOLDER}/{digest}/program", [b"left by what broke off"])
    path = Path(town.ground.artifacts.base, FORMS_FOLDER, digest, "program")
    os.utime(path, ns=(NOW * 1000, NOW * 1000))
    assert leftovers.of(town.ground, older_than_s=0, now=Instant(NOW + DAY_US - 1)).items == []
    assert town.digests(Instant(NOW + DAY_US)) == {digest}
    assert town.clear(digest).forms == 1
    assert not path.exists()
