"""A version that asks for other packages than the server's gets its own, or is refused with what is missing."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.build import manifests, model_versions
from tenure.deploy import building, endpoints, environments, locking, promotions, routing
from tenure.errors import Conflict, Unavailable
from tenure.records.endpoints import NewEndpoint
from tenure.records.environments import Lock
from tenure.records.registry import ModelVersionInfo, NewVersion
from tenure.serving import processes, wire
from tenure.store import audit
from tenure.store import environments as kept
from tenure.store.ground import Ground

from .makers import MLMODEL, NOW, make_model
from .wheels import make_wheel, repack


def version_of(ground: Ground, requirements: str | None, name: str = "delay", **files: str) -> ModelVersionInfo:
    """A version whose folder holds these requirements."""
    count = len(ground.database.read(lambda tx: model_versions.of_model(tx, name)))
    place = f"1/models/m-{count:032x}/artifacts"
    ground.artifacts.write(f"{place}/MLmodel", [MLMODEL.encode() + b"# %d" % count])
    for path, text in ({} if requirements is None else {"requirements.txt": requirements} | files).items():
        ground.artifacts.write(f"{place}/{path}", [text.encode()])
    location = f"mlflow-artifacts:/{place}"
    new = NewVersion(name=name, source=location, storage_location=location)
    pinned = manifests.pin(ground.artifacts, place)
    return ground.database.write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def grounded(ground: Ground, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A ground with a folder of wheels, whose scorers need nothing but msgspec."""
    monkeypatch.setattr(locking, "BASE", ("msgspec",))
    make_model(ground)
    repack(wheels, "msgspec")
    return replace(ground, settings=msgspec.structs.replace(ground.settings, wheel_folder=str(wheels)))


def settle(ground: Ground, version: ModelVersionInfo) -> Any:
    return environments.settle(ground, version.name, version.version, now=NOW)


def promote(ground: Ground, version: ModelVersionInfo) -> None:
    ground.database.write(
        lambda tx: promotions.promote(tx, version.name, version.version, to="champion", reason="new", by="ann", now=NOW)
    )


def make_endpoint(ground: Ground) -> None:
    ground.database.write(lambda tx: endpoints.create(tx, NewEndpoint(name="late", model="delay"), by="a", now=NOW))


@pytest.mark.parametrize("requirements", ["msgspec\nnumpy>=2\n", None])
def test_what_the_server_meets_runs_in_its_packages(ground: Ground, requirements: str | None) -> None:
    make_model(ground)
    found = settle(ground, version_of(ground, requirements))
    assert (found.kind, found.digest, found.lacking) == ("server", "", [])
    assert bool(found.reason) == (requirements is None)


def test_without_wheels_a_version_that_asks_for_more_is_refused_with_the_list(ground: Ground) -> None:
    make_model(ground)
    make_endpoint(ground)
    version = version_of(ground, "msgspec==0.0.1\nnot-here-at-all\n")
    assert settle(ground, version).kind == "refused"
    with pytest.raises(Conflict, match=r"msgspec==0\.0\.1 \(0\..* here\), not-here-at-all \(not here\)"):
        promote(ground, version)
    assert ground.database.read(lambda tx: routing.in_service(tx, "late")) == []


def test_without_wheels_a_version_lives_with_another_last_number(ground: Ground) -> None:
    make_model(ground)
    here = [int(part) for part in locking_version("msgspec").split(".")[:3]]
    close = f"msgspec=={here[0]}.{here[1]}.{here[2] + 1}"
    found = settle(ground, version_of(ground, close))
    assert (found.kind, [one.is_close for one in found.lacking]) == ("server", [True])


def locking_version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_a_version_gets_an_environment_of_its_own(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0", "bbb>=1")
    make_wheel(wheels, "bbb", "1.5")
    make_endpoint(grounded)
    version = version_of(grounded, "aaa==1.0\n")
    found = settle(grounded, version)
    assert (found.kind, found.missing) == ("own", [])
    assert found.lock is not None
    assert [one for one in found.lock.packages if not one.startswith("msgspec")] == ["aaa==1.0", "bbb==1.5"]
    promote(grounded, version)
    routing.publish(grounded)
    (release,) = grounded.database.read(routing.table).routes["late"].releases
    assert release.environment == found.digest
    (told,) = [one for one in grounded.database.read(audit.search) if one.action == "release.started"]
    assert told.detail["environment"] == found.digest
    folder = grounded.settings.folder
    assert not building.is_built(folder, found.digest)
    building.build(grounded.settings, found.digest)
    assert building.is_built(folder, found.digest)
    assert environments.describe(grounded, version.name, version.version).is_built
    python = processes.environment_folder(folder, found.digest) / "bin" / "python"
    said = subprocess.check_output([python, "-I", "-c", "import aaa, bbb; print(bbb.__file__)"], text=True)
    assert said.startswith(str(folder / "environments" / found.digest))


def test_the_lock_and_its_digest_are_the_same_for_the_same_wheels(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0")
    one, two = (settle(grounded, version_of(grounded, "aaa")) for _ in range(2))
    assert one.digest == two.digest
    make_wheel(wheels, "aaa", "2.0")
    assert settle(grounded, version_of(grounded, "aaa")).digest != one.digest


def test_what_was_locked_stays_when_the_wheels_change(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0")
    version = version_of(grounded, "aaa")
    before = settle(grounded, version)
    make_wheel(wheels, "aaa", "2.0")
    assert settle(grounded, version) == before


def test_missing_wheels_are_all_listed_by_name_and_version(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0", "bbb>=1", "ccc==3.0")
    make_wheel(wheels, "ddd", "2.0")
    make_wheel(wheels, "fff", "1.0").rename(wheels / "fff-1.0-cp27-cp27m-win32.whl")
    make_endpoint(grounded)
    version = version_of(grounded, "aaa\nddd==1.0\neee>=3\nfff\n")
    found = settle(grounded, version)
    assert found.kind == "refused"
    assert sorted(found.missing) == ["bbb", "ccc", "ddd==1.0", "eee>=3", "fff"]
    with pytest.raises(Conflict, match=r"these wheels are missing: .*ddd==1\.0"):
        promote(grounded, version)


def test_pins_of_the_training_say_which_versions_are_missing(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0", "bbb")
    make_wheel(wheels, "bbb", "2.0")
    version = version_of(grounded, "aaa", **{"constraints.txt": "bbb==1.7\n"})
    assert settle(grounded, version).missing == ["bbb==1.7"]


def test_wheels_that_contradict_each_other_are_told_in_words(grounded: Ground, wheels: Path) -> None:
    for name, pin in (("aaa", "1.0"), ("bbb", "2.0")):
        make_wheel(wheels, name, "1.0", f"ccc=={pin}")
        make_wheel(wheels, "ccc", pin)
    found = settle(grounded, version_of(grounded, "aaa\nbbb\n"))
    assert (found.kind, found.missing) == ("refused", [])
    assert "ccc" in found.reason


def test_what_no_index_has_and_a_python_that_is_not_here_are_refused(grounded: Ground) -> None:
    found = settle(grounded, version_of(grounded, "./mine.whl\n"))
    assert "it asks for what no index has: ./mine.whl" in found.reason
    found = settle(grounded, version_of(grounded, "msgspec", **{"python_env.yaml": "python: 3.99.1\n"}))
    assert "Python 3.99 is not installed on this machine" in found.reason


def test_a_source_distribution_is_never_built(grounded: Ground, wheels: Path, tmp_path: Path) -> None:
    import io
    import tarfile

    evil = f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom setuptools import setup\nsetup(name='aaa', version='1.0')\n"
    with tarfile.open(wheels / "aaa-1.0.tar.gz", "w:gz") as archive:
        for name, text in (("setup.py", evil), ("PKG-INFO", "Metadata-Version: 1.0\nName: aaa\nVersion: 1.0\n")):
            entry = tarfile.TarInfo(f"aaa-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    found = settle(grounded, version_of(grounded, "aaa"))
    assert (found.kind, found.missing) == ("refused", ["aaa"])
    assert not (tmp_path / "ran").exists()


def test_a_wheel_that_changed_after_it_was_locked_is_not_installed(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0")
    found = settle(grounded, version_of(grounded, "aaa"))
    make_wheel(wheels, "aaa", "1.0", code="print('not what was locked')")
    shutil.rmtree(grounded.settings.folder / "environments" / ".cache")  # which still has what was locked
    with pytest.raises(Unavailable, match="cannot be made"):
        building.build(grounded.settings, found.digest)
    assert not building.is_built(grounded.settings.folder, found.digest)
    assert list((grounded.settings.folder / "environments").glob(".draft-*")) == []


def test_who_asks_at_once_builds_once(grounded: Ground, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(wheels, "aaa", "1.0")
    found = settle(grounded, version_of(grounded, "aaa"))
    left = grounded.settings.folder / "environments" / f".draft-{found.digest[:16]}-of-one-that-was-killed"
    left.mkdir()
    filled: list[Path] = []
    fill = building._fill
    monkeypatch.setattr(building, "_fill", lambda *given: (filled.append(given[2]), fill(*given)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: building.build(grounded.settings, found.digest), range(4)))
    assert len(filled) == 1
    assert not left.exists()


def test_uv_that_is_late_is_ended(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0")
    settings = msgspec.structs.replace(grounded.settings, environment_timeout_s=0.0001)
    with pytest.raises(Unavailable, match="--environment-timeout-s"):
        settle(replace(grounded, settings=settings), version_of(grounded, "aaa"))


def test_a_lock_that_is_gone_comes_back_with_the_next_table(grounded: Ground, wheels: Path) -> None:
    make_wheel(wheels, "aaa", "1.0")
    make_endpoint(grounded)
    version = version_of(grounded, "aaa")
    found = settle(grounded, version)
    promote(grounded, version)
    file = grounded.settings.folder / "environments" / f"{found.digest}.json"
    file.unlink()
    with pytest.raises(Unavailable, match="is gone"):
        building.build(grounded.settings, found.digest)
    routing.publish(grounded)
    assert msgspec.json.decode(file.read_bytes(), type=Lock) == found.lock


def test_an_address_with_a_password_is_told_to_nobody(ground: Ground) -> None:
    make_model(ground)
    settings = msgspec.structs.replace(ground.settings, wheel_index="http://ann:s3cret@127.0.0.1:1/simple")
    assert "s3cret" not in " ".join(locking.sources(settings))
    assert locking.said("error: it failed\n cause: Failed to fetch: http://ann:s3cret@127.0.0.1:1/simple/a/") == (
        "Failed to fetch: the index"
    )


def test_a_scorer_of_an_own_environment_sees_nothing_of_the_servers_packages(grounded: Ground, wheels: Path) -> None:
    """It is lent our code, imports msgspec from its own environment, and has neither mlflow nor pandas."""
    make_wheel(wheels, "aaa", "1.0")
    found = settle(grounded, version_of(grounded, "aaa"))
    building.build(grounded.settings, found.digest)
    model = grounded.settings.folder / "model"
    model.mkdir()
    started = processes.Processes(grounded.settings.folder, spare=False).take(found.digest)
    try:
        started.line.setblocking(True)
        log = str(model.parent / "model.log")
        started.line.sendall(wire.packed(wire.Load(folder=str(model), files=[], inputs=[], log=log)))
        with started.line.makefile("rb") as file:
            told = msgspec.msgpack.decode(file.read(int.from_bytes(file.read(4), "little")), type=wire.Refused)
        assert told.reason == "the model cannot be loaded: ModuleNotFoundError"
        assert "No module named 'mlflow'" in Path(log).read_text()
    finally:
        started.end()


def test_what_was_decided_is_kept_on_both_databases(each_ground: Ground) -> None:
    from tenure.records.environments import Environment

    one, two = Environment(kind="server"), Environment(kind="refused", reason="no wheel", missing=["a==1"])
    each_ground.database.write(lambda tx: kept.put(tx, "sha256:a", one, NOW))
    each_ground.database.write(lambda tx: kept.put(tx, "sha256:a", two, NOW))
    assert each_ground.database.read(lambda tx: kept.get(tx, "sha256:a")) == two
    assert each_ground.database.read(lambda tx: kept.get(tx, "sha256:b")) is None
