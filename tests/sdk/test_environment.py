from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tenure.sdk import environment, libraries


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all there is on the import path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def install(site: Path, folder: str, direct_url: object = None, *, text: str = "Name: x\n") -> None:
    made = site / folder
    made.mkdir()
    (made / "METADATA").write_text(text)
    if direct_url is not None:
        (made / "direct_url.json").write_text(direct_url if isinstance(direct_url, str) else json.dumps(direct_url))


def told(top: Path | None = None) -> dict[str, tuple[str, str]]:
    return {package.name: (package.version, package.origin) for package in environment.packages(top)}


def test_the_packages_are_those_that_python_itself_finds() -> None:
    found = {name: version for name, (version, _) in told().items()}
    known: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        known.setdefault(re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(), one.version)
    assert found == known
    assert found["numpy"] == importlib.metadata.version("numpy")


def test_names_are_normalised_and_local_versions_kept(site: Path) -> None:
    install(site, "Typing_Extensions-4.12.2.dist-info")
    install(site, "torch-2.3.0+cu121.dist-info")
    install(site, "backports.tarfile-1.2.0.dist-info")
    install(site, "old-1.0-py3.11.egg-info", {"url": "https://example.org/old", "archive_info": {}})
    assert told() == {
        "typing-extensions": ("4.12.2", ""),
        "torch": ("2.3.0+cu121", ""),
        "backports-tarfile": ("1.2.0", ""),
        "old": ("1.0", "url"),
    }


def test_what_an_installer_left_behind_is_no_package(site: Path) -> None:
    (site / "~umpy-1.0.dist-info").mkdir()
    (site / "pandas-1.0.dist-info").mkdir()
    (site / "nonsense.dist-info").write_text("")
    assert told() == {}


def test_a_package_without_a_version_in_its_folders_name_is_read(site: Path) -> None:
    install(
        site, "flights.egg-info", {"url": "x"}, text="Metadata-Version: 2.1\nName: Flights\nVersion: 7\n\nVersion: 8"
    )
    assert told() == {"flights": ("7", "url")}


def test_where_a_package_came_from_is_told_without_secrets(site: Path, tmp_path: Path) -> None:
    commit, sha256 = "c" * 40, "d" * 64
    inside = (tmp_path / "repository" / "ours").as_uri()
    install(site, "a-1.dist-info", {"url": "https://me:pw@x.org/a", "vcs_info": {"vcs": "git", "commit_id": commit}})
    install(site, "b-1.dist-info", {"url": "file:///b", "dir_info": {"editable": True}})
    install(site, "c-1.dist-info", {"url": "file:///c", "dir_info": {}})
    install(site, "d-1.dist-info", {"url": "https://x.org/d.whl", "archive_info": {"hashes": {"sha256": sha256}}})
    install(site, "e-1.dist-info", {"url": inside, "dir_info": {"editable": True}})
    install(site, "f-1.dist-info", "{")
    install(site, "g-1.dist-info", [1])
    assert {name: origin for name, (_, origin) in told(tmp_path / "repository").items()} == {
        "a": f"git+https://x.org/a@{commit}",
        "b": "editable",
        "c": "folder",
        "d": f"sha256:{sha256}",
        "e": "repository",
        "f": "url",
        "g": "url",
    }


def test_a_package_installed_meanwhile_is_seen(site: Path) -> None:
    install(site, "a-1.dist-info")
    assert list(told()) == ["a"]
    install(site, "b-1.dist-info")
    os.utime(site, ns=(1, 1))
    assert list(told()) == ["a", "b"]


def test_the_machine_is_told_by_what_is_known() -> None:
    found = environment.machine()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["implementation"] == "CPython"
    assert all(found.values())


@pytest.mark.skipif(not libraries.MAPS.exists(), reason="only Linux tells which libraries a process has loaded")
def test_the_libraries_are_those_that_the_process_has_loaded() -> None:
    import numpy as np

    assert np.linalg.inv(np.eye(2)).shape == (2, 2)
    found = {library.name: library for library in libraries.loaded()}
    assert found["libc"].version == "6"
    assert any("blas" in name and library.package and library.digest for name, library in found.items())
    assert not any("cpython" in name for name in found)


def test_a_build_id_is_the_one_that_the_linker_left() -> None:
    path = next(Path("/usr/lib").glob("*/libstdc++.so.6"), None)
    if path is None:
        pytest.skip("no shared C++ library here")
    found = libraries.build_id_of(path.read_bytes()[:4096])
    assert re.fullmatch(r"[0-9a-f]{40}", found)
    if shutil.which("file"):
        told = subprocess.run(["file", "-L", path], capture_output=True, text=True, check=True).stdout
        assert f"BuildID[sha1]={found}" in told


@pytest.mark.parametrize("head", [b"", b"\x7fELF", b"MZ" + b"\0" * 100, b"\x7fELF\x02\x01" + b"\xff" * 200])
def test_a_file_that_is_no_library_has_no_build_id(head: bytes) -> None:
    assert libraries.build_id_of(head) == ""


def test_maps_are_read_with_spaces_and_deleted_files(tmp_path: Path) -> None:
    place = tmp_path / "site-packages" / "my wheel.libs"
    place.mkdir(parents=True)
    (place / "libgomp-a34b3233.so.1.0.0").write_bytes(b"content")
    lines = [
        f"7f00-7f01 r--p 00000000 08:01 42 {' ' * 10}{place}/libgomp-a34b3233.so.1.0.0",
        f"7f01-7f02 r-xp 00000000 08:01 42 {' ' * 10}{place}/libgomp-a34b3233.so.1.0.0",
        "7f02-7f03 r--p 00000000 08:01 43 /usr/lib/libssl.so.3 (deleted)",
        "7f03-7f04 r--p 00000000 08:01 44 /usr/lib/libc-2.31.so",
        "7f04-7f05 r--p 00000000 08:01 45 /x/lib.cpython-311-x86_64-linux-gnu.so",
        "7f05-7f06 rw-p 00000000 00:00 0",
        "7f06-7f07 rw-p 00000000 00:00 0 [heap]",
    ]
    maps = tmp_path / "maps"
    maps.write_text("\n".join([*lines, ""]))
    found = {library.name: library for library in libraries.loaded(maps)}
    assert set(found) == {"libgomp", "libssl", "libc"}
    assert (found["libgomp"].version, found["libgomp"].package) == ("1.0.0", "my_wheel")
    assert found["libgomp"].digest == "sha256:ed7002b439e9ac84"
    assert (found["libssl"].version, found["libssl"].digest) == ("3", "")
    assert found["libc"].version == "2.31"
    assert libraries.loaded(tmp_path / "nowhere") == []


def test_a_library_that_is_loaded_later_is_told_later() -> None:
    before = {library.name for library in libraries.loaded()}
    late = [
        name for name in ("libncurses.so.6", "libsqlite3.so.0", "libexpat.so.1") if name.split(".")[0] not in before
    ]
    for name in late:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        assert name.split(".")[0] in {library.name for library in libraries.loaded()}
        return
    pytest.skip("no further library here")
