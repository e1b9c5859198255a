"""A client's path is a key below the root, or it is refused."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import CannotStart, InvalidInput, NotFound, TenureError, Unavailable
from tenure.store.artifacts import ArtifactStore, safe_key
from tenure.store.local_files import DRAFTS

TRICKS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "a/..",
    "a/../b",
    "a//b",
    "a/./b",
    "a\\b",
    "C:/x",
    "a\x00b",
    "a\nb",
    "a?b",
    "a#b",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("encodings", [0, 1, 2])
def test_a_path_with_a_trick_in_it_is_refused(path: str, encodings: int) -> None:
    for _ in range(encodings):
        path = quote(path, safe="")
    with pytest.raises(InvalidInput):
        safe_key(path)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidInput):
        safe_key("a\udc80")


@given(st.text(max_size=40))
def test_whatever_is_let_through_stays_below_the_root(path: str) -> None:
    try:
        key = safe_key(path)
    except InvalidInput:
        return
    root = Path("/root/of/all")
    assert (root / key).resolve().is_relative_to(root)


def test_a_file_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path))
    content = bytes(range(256)) * 20_000
    pieces = (content[start : start + 70_000] for start in range(0, len(content), 70_000))
    assert store.write("a/b/c.bin", pieces) == len(content)
    assert store.sha256("a/b/c.bin") == (len(content), hashlib.sha256(content).hexdigest())
    assert b"".join(store.read("a/b/c.bin")) == content
    assert [file.key for file in store.files("a")] == ["a/b/c.bin"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no artifact 'x/y'"):
        ArtifactStore(str(tmp_path)).read("x/y")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """A store beside which lies a secret."""
    (tmp_path / "secret").write_text("secret")
    return ArtifactStore(str(tmp_path / "root"))


def drafts(store: ArtifactStore) -> list[Path]:
    folder = Path(store.base, DRAFTS)
    return list(folder.iterdir()) if folder.is_dir() else []


def test_a_level_tells_folders_and_files_and_all_files_are_told_at_any_depth(store: ArtifactStore) -> None:
    for key in ("b", "a/x", "a/b/c/deep"):
        store.write(key, [b"12"])

    assert (store.level("")[0], [file.key for file in store.level("")[1]]) == (["a"], ["b"])
    assert (store.level("a")[0], [file.key for file in store.level("a")[1]]) == (["a/b"], ["a/x"])
    assert [file.key for file in store.files("")] == ["a/b/c/deep", "a/x", "b"]
    assert store.level("none") == store.level("b") == ([], [])
    assert store.files("none") == store.files("b") == []


def test_no_link_is_followed_neither_to_a_file_nor_through_a_folder(store: ArtifactStore, tmp_path: Path) -> None:
    root = Path(store.base)
    (root / "file").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")

    for key in ("file", "folder/secret", "loop", "loop/x"):
        with pytest.raises(NotFound):
            store.read(key)
        with pytest.raises(NotFound):
            store.size(key)
    assert store.level("") == ([], [])
    assert store.files("folder") == []
    for key in ("folder/new", "folder/deep/new", "loop/x"):
        with pytest.raises(InvalidInput, match="no part of it may be a link"):
            store.write(key, [b"1"])
    store.delete(["folder/secret"])
    store.write("file", [b"in place of the link"])

    assert (tmp_path / "secret").read_text() == "secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret"]
    assert drafts(store) == []


def test_what_is_no_plain_file_is_not_there(store: ArtifactStore) -> None:
    os.mkfifo(Path(store.base, "pipe"))  # opening one would wait for a writer for ever
    Path(store.base, "folder").mkdir()
    for key in ("pipe", "folder"):
        with pytest.raises(NotFound):
            store.read(key)
    assert [file.key for file in store.files("")] == []


@pytest.mark.parametrize("key", ["a/b", "a", "n" * 256, "/".join(["long" * 40] * 40)])
def test_what_cannot_be_stored_is_refused_and_leaves_nothing(store: ArtifactStore, key: str) -> None:
    store.write("a" if key == "a/b" else "a/b", [b"kept"])
    with pytest.raises(InvalidInput):
        store.write(key, [b"1"])
    assert drafts(store) == []
    assert len(store.files("")) == 1


def test_drafts_are_out_of_a_clients_reach(store: ArtifactStore) -> None:
    draft = store.draft("a")
    name = drafts(store)[0].name
    for call in (store.read, store.size, store.draft):
        with pytest.raises(InvalidInput):
            call(f"{DRAFTS}/{name}")
    assert store.level("") == ([], [])
    draft.drop()
    draft.drop()
    assert drafts(store) == []


def test_a_draft_of_a_killed_server_is_swept_and_a_living_one_is_not(store: ArtifactStore) -> None:
    killed = "import os, sys; from tenure.store.artifacts import ArtifactStore; "
    killed += "ArtifactStore(sys.argv[1]).draft('a').write([b'half']); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed, store.base], check=False)
    living = store.draft("b")
    assert len(drafts(store)) == 2

    store.sweep()
    assert len(drafts(store)) == 1
    living.write([b"whole"])
    living.keep()
    assert [file.key for file in store.files("")] == ["b"]
    assert drafts(store) == []


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of this process may have at most 100 KB: the kernel refuses what a full disk would refuse."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_what_the_disk_refuses_is_told_and_what_was_there_stays(store: ArtifactStore) -> None:
    store.write("a", [b"before"])
    with pytest.raises(Unavailable, match="Nothing was stored"):
        store.write("a", [b"x" * 60_000] * 3)

    assert b"".join(store.read("a")) == b"before"
    assert drafts(store) == []


def test_of_two_that_write_one_key_at_once_one_is_there_whole(store: ArtifactStore) -> None:
    def write(content: bytes) -> None:
        for _ in range(20):
            store.write("a/b", [content] * 50)

    threads = [threading.Thread(target=write, args=(letter * 1000,)) for letter in (b"x", b"y", b"z")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            content = b"".join(store.read("a/b"))
        except NotFound:
            continue
        assert (len(content), len(set(content))) == (50_000, 1)
    assert drafts(store) == []


def test_a_file_may_come_while_its_emptied_folder_goes(store: ArtifactStore) -> None:
    failures: list[TenureError] = []

    def write() -> None:
        for count in range(200):
            try:
                store.write(f"a/b/{count % 2}", [b"1"])
            except TenureError as failure:
                failures.append(failure)

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        store.delete(["a/b/0", "a/b/1"])
    thread.join()
    assert failures == []


def test_deleting_takes_the_folders_that_become_empty(store: ArtifactStore) -> None:
    for key in ("a/b/c", "a/d", "e/f/g"):
        store.write(key, [b"1"])
    store.delete(["a/b/c", "e/f/g", "none/x", "a/d/x"])

    assert sorted(path.name for path in Path(store.base).iterdir() if path.name != DRAFTS) == ["a"]
    assert [file.key for file in store.files("")] == ["a/d"]


def test_a_part_of_a_file_is_read_without_the_rest(store: ArtifactStore) -> None:
    content = os.urandom(3_000_000)
    store.write("a", [content])
    opened = store.open("a")
    assert opened.size_bytes == len(content)
    assert b"".join(opened.chunks(1_500_000, 1_200_000)) == content[1_500_000:2_700_000]


def test_a_folder_that_cannot_be_made_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="artifact folder"):
        ArtifactStore(str(tmp_path / "file" / "folder"))
