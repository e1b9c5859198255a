"""A release's files on this machine: all of them, verified, or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tenure.deploy import fetching
from tenure.errors import Conflict, NotFound
from tenure.records.routing import Release
from tenure.store.ground import Ground

from .makers import make_model, make_version


@pytest.fixture
def release(ground: Ground) -> Release:
    make_model(ground)
    version = make_version(ground)
    assert version.digest is not None
    return Release(
        release_id="r",
        model=version.name,
        version=1,
        role="champion",
        share=1.0,
        location=version.storage_location,
        digest=version.digest,
        files=version.files,
        inputs=version.inputs,
    )


def place(release: Release) -> str:
    """The key of a release's folder."""
    return release.location.removeprefix("mlflow-artifacts:/")


def test_the_folder_holds_exactly_the_pinned_files(ground: Ground, release: Release, tmp_path: Path) -> None:
    folder = fetching.fetch(ground.roots, tmp_path / "models")(release)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {file.path for file in release.files} == {"MLmodel", "model/weights.bin"}
    assert folder.name == release.digest.removeprefix("sha256:")


def test_a_file_that_is_not_what_was_pinned_is_refused_and_nothing_is_left(
    ground: Ground, release: Release, tmp_path: Path
) -> None:
    ground.artifacts.write(f"{place(release)}/model/weights.bin", [b"something else"])
    with pytest.raises(Conflict, match=r"weights\.bin.*pinned are") as refusal:
        fetching.fetch(ground.roots, tmp_path / "models")(release)
    assert refusal.value.where == "model/weights.bin"
    assert list((tmp_path / "models").iterdir()) == []


def test_a_file_that_is_gone_is_named(ground: Ground, release: Release, tmp_path: Path) -> None:
    ground.artifacts.delete([f"{place(release)}/model/weights.bin"])
    with pytest.raises(NotFound, match=r"weights\.bin"):
        fetching.fetch(ground.roots, tmp_path / "models")(release)
    assert list((tmp_path / "models").iterdir()) == []


def test_many_may_ask_for_the_same_release_at_once(ground: Ground, release: Release, tmp_path: Path) -> None:
    local = fetching.fetch(ground.roots, tmp_path / "models")
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(local, [release] * 24))
    assert len(folders) == 1
    assert [path.name for path in (tmp_path / "models").iterdir()] == [folders.pop().name]


def test_what_is_there_already_is_not_copied_again(ground: Ground, release: Release, tmp_path: Path) -> None:
    local = fetching.fetch(ground.roots, tmp_path / "models")
    first = local(release)
    ground.artifacts.delete([f"{place(release)}/{file.path}" for file in release.files])
    assert local(release) == first
