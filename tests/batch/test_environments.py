"""What a version without a form runs in where the command runs: the server's lock, or nothing else in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.batch import environments
from tenure.deploy import building, locking
from tenure.deploy.requirements import HERE, Wanted, version_here
from tenure.errors import Conflict, Unavailable
from tenure.records.batches import BatchOrder, NewBatch
from tenure.records.environments import Environment, Lacking, Lock
from tenure.serving import processes
from tenure.settings import Settings
from tests.deploy.wheels import make_wheel

from .makers import Scene

Make = Callable[..., BatchOrder]


@pytest.fixture
def order(scene: Scene) -> Make:
    """An order of the scene's endpoint, with what is known of its version's environment."""

    def make(environment: Environment | None, digest: str = "") -> BatchOrder:
        told = scene.client.post("/api/v1/endpoints/delay/batches", NewBatch(dry_run=True))
        given = msgspec.convert(told, BatchOrder)
        release = msgspec.structs.replace(given.release, environment=digest)
        return msgspec.structs.replace(given, release=release, environment=environment)

    return make


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "wheels").mkdir()
    return Settings(data=str(tmp_path / "cache"), wheel_folder=str(tmp_path / "wheels"))


def locked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Lock:
    monkeypatch.setattr(locking, "BASE", ())
    make_wheel(Path(settings.wheel_folder), "pricing", "1.5", code="FACTOR = 1.5\n")
    wanted = Wanted(python=HERE, requirements=["pricing==1.5"], pins=[], foreign=[], is_told=True)
    found = locking.lock(wanted, settings)
    assert isinstance(found, Lock)
    return found


def own(lock: Lock) -> tuple[Environment, str]:
    digest = locking.digest(lock)
    return Environment(kind="own", python=HERE, digest=digest, lock=lock), digest


def test_the_servers_lock_is_made_here_once(order: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    given = order(*own(locked(settings, monkeypatch)))
    said: list[str] = []
    environments.make_ready(given, settings, said.append)
    assert building.is_built(settings.folder, given.release.environment)
    made = processes.environment_folder(settings.folder, given.release.environment)
    [module] = made.rglob("pricing/__init__.py")
    assert module.read_text() == "FACTOR = 1.5\n"
    again = msgspec.structs.replace(settings, wheel_folder="")
    environments.make_ready(given, again, said.append)
    assert said == ["The environment that the version asks for is being made."]


def test_without_wheels_it_says_where_to_take_them_from(
    order: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = order(*own(locked(settings, monkeypatch)))
    with pytest.raises(Unavailable, match=rf"\(1, Python {HERE}\)\. Say where .* --wheel-index or --wheel-folder"):
        environments.make_ready(given, msgspec.structs.replace(settings, wheel_folder=""), print)
    assert not building.is_built(settings.folder, given.release.environment)


def test_a_lock_that_is_not_the_releases_is_not_made(
    order: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locked(settings, monkeypatch)
    _, digest = own(lock)
    other, _ = own(msgspec.structs.replace(lock, text=lock.text.replace("1.5", "1.6")))
    for environment in (other, None):
        with pytest.raises(Unavailable, match="whose lock is gone"):
            environments.make_ready(order(environment, digest), settings, print)


@pytest.mark.parametrize(
    ("asked", "lacking", "told"),
    [
        ([f"numpy=={version_here('numpy')}"], [], None),
        (["numpy==1.26.0"], [], r"numpy==1\.26\.0 \("),
        (["numpy==1.26.0"], [Lacking(name="numpy", wanted="==1.26.0", here="2.0.0")], None),
        (["not-installed-anywhere"], [], r"not-installed-anywhere \(not here\)"),
    ],
)
def test_what_the_server_has_must_be_here_too(
    order: Make, settings: Settings, asked: list[str], lacking: Any, told: str | None
) -> None:
    given = order(Environment(kind="server", python=HERE, requirements=asked, lacking=lacking))
    if told is None:
        environments.make_ready(given, settings, print)
        return
    with pytest.raises(Conflict, match=told):
        environments.make_ready(given, settings, print)


def test_what_was_never_decided_is_left_to_the_command(order: Make, settings: Settings) -> None:
    environments.make_ready(order(None), settings, print)
