"""What is told about the running code, of real git repositories."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenure.records.provenance import Code
from tenure.sdk import repository
from tenure.sdk.repository import Source, address, code_of, remote_of

IDENTITY = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=quiet()
    )
    return done.stdout.strip()


def quiet() -> dict[str, str]:
    return {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a script in a folder, committed and clean."""
    folder = (tmp_path / "project").resolve()
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print('train')\n")
    (folder / "features.py").write_text("SEASON = 1\n")
    (folder / ".gitignore").write_text("ignored/\n")
    git(folder, "init", "-q", "-b", "trunk")
    git(folder, "remote", "add", "origin", "https://ann:secret@example.org/team/project.git")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def told(project: Path, script: str = "src/train.py") -> Code:
    path = project / script
    return code_of(Source("script", path, path.parent))[0]


def test_a_clean_repository_is_told_by_its_commit(project: Path) -> None:
    code = told(project)
    assert code.commit == git(project, "rev-parse", "HEAD")
    assert (code.branch, code.dirty, code.changes) == ("trunk", False, None)
    assert code.remote == "https://example.org/team/project.git"
    assert (code.path, code.kind) == ("src/train.py", "script")
    assert code.digest is not None


def test_every_kind_of_change_makes_it_dirty_and_changes_the_digest(project: Path) -> None:
    seen = set()
    edits = [
        lambda: (project / "features.py").write_text("SEASON = 2\n"),
        lambda: (project / "features.py").write_text("SEASON = 3\n"),
        lambda: (project / "new file.py").write_text("untracked\n"),
        lambda: (project / "new file.py").write_text("untracked, changed\n"),
        lambda: (project / "new file.py").chmod(0o755),
        lambda: git(project, "mv", "features.py", "other ö.py"),
        (project / "src" / "train.py").unlink,
        lambda: (project / "link").symlink_to("other ö.py"),
    ]
    for edit in edits:
        edit()
        code = told(project)
        assert code.dirty is True
        assert code.changes not in {None, *seen}
        seen.add(code.changes)


def test_the_same_changes_have_the_same_digest_whether_staged_or_not(project: Path) -> None:
    (project / "features.py").write_text("SEASON = 2\n")
    before = told(project).changes
    git(project, "add", ".")
    assert told(project).changes == before
    git(project, "checkout", "-q", "HEAD", "--", ".")
    assert told(project).dirty is False


def test_a_script_that_git_ignores_is_not_covered_by_the_commit(project: Path) -> None:
    (project / "ignored").mkdir()
    (project / "ignored" / "train.py").write_text("print('hidden')\n")
    assert told(project).dirty is False
    code = told(project, "ignored/train.py")
    assert code.dirty is True
    assert code.changes is not None


def test_a_detached_head_has_a_commit_and_no_branch(project: Path) -> None:
    git(project, "checkout", "-q", "--detach")
    code = told(project)
    assert code.commit is not None
    assert code.branch is None


def test_a_repository_without_a_commit_has_a_branch_and_is_dirty(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("print()\n")
    code = told(tmp_path, "train.py")
    assert (code.commit, code.branch, code.dirty) == (None, "trunk", True)


def test_a_work_tree_is_told_like_its_repository(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    code = told(tmp_path / "tree")
    assert (code.branch, code.dirty) == ("side", False)


def test_a_repository_within_the_repository_makes_the_digest_unknown(project: Path) -> None:
    (project / "nested").mkdir()
    git(project / "nested", "init", "-q")
    (project / "nested" / "file").write_text("x")
    code = told(project)
    assert code.dirty is True
    assert code.changes is None


def test_outside_of_a_repository_the_script_is_told_by_path_and_digest(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print()\n")
    code = told(tmp_path, "train.py")
    assert code.path == str(tmp_path / "train.py")
    assert code.digest == "sha256:" + hashlib.sha256(b"print()\n").hexdigest()
    assert (code.commit, code.dirty) == (None, None)


def test_without_git_nothing_is_run_and_nothing_is_guessed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    monkeypatch.setattr(repository, "_begin", lambda *_: pytest.fail("git was called"))
    code = told(project)
    assert code.path == "src/train.py"
    assert (code.commit, code.dirty, code.remote) == (None, None, None)


@pytest.mark.parametrize("script", ["exit 3", "exec sleep 30"])
def test_a_git_that_fails_or_hangs_is_left_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(repository, "DEADLINE_S", 0.3)
    began = time.monotonic()
    code = told(project)
    assert time.monotonic() - began < 5
    assert (code.commit, code.dirty) == (None, None)


def test_git_of_a_hook_is_asked_about_the_right_repository(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert told(project).branch == "trunk"


def test_no_lock_is_taken_and_no_hook_runs(project: Path) -> None:
    trap = project / ".git" / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {project}/caught\n")
    trap.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(trap))
    index = (project / ".git" / "index").stat().st_mtime_ns
    (project / "features.py").touch()
    assert told(project).dirty is False
    assert (project / ".git" / "index").stat().st_mtime_ns == index
    assert not (project / "caught").exists()


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://token@example.org/a", "https://example.org/a"),
        ("https://ann:p@ss@example.org/a", "https://example.org/a"),
        ("https://example.org/a?access_token=secret#x", "https://example.org/a"),
        ("ssh://git@example.org:22/a", "ssh://example.org:22/a"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("ext::sh -c secret", None),
        ("", None),
    ],
)
def test_an_address_is_told_without_who_asks(url: str, plain: str | None) -> None:
    assert address(url) == plain


def test_origin_is_told_before_other_remotes() -> None:
    assert remote_of("remote.fork.url https://x.org/a\nremote.origin.url https://y.org/b\n") == "https://y.org/b"
    assert remote_of("remote.fork.url https://x.org/a\n") == "https://x.org/a"
    assert remote_of("") is None


def test_a_script_of_the_environment_stands_for_the_folder_it_was_started_in(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setattr(
        sys.modules["__main__"], "__file__", str(Path(sys.executable).parent / "torchrun"), raising=False
    )
    monkeypatch.chdir(project / "src")
    source = repository.source_now()
    assert source.folder == project / "src"
    code, top = code_of(source)
    assert (code.path, code.dirty, top) == ("torchrun", False, project)


class Shell:
    """What an IPython kernel shows of itself."""

    kernel = object()

    def __init__(self, **names: str) -> None:
        self.user_ns = names


def test_a_notebook_is_told_by_its_own_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = project / "src" / "explore.ipynb"
    notebook.write_text("{}")
    monkeypatch.chdir(project)
    for shell, variable in ((Shell(__vsc_ipynb_file__=str(notebook)), ""), (Shell(), "src/explore.ipynb")):
        monkeypatch.setattr(repository, "_shell", lambda shell=shell: shell)
        monkeypatch.setenv("JPY_SESSION_NAME", variable)
        source = repository.source_now()
        assert source == Source("notebook", notebook, project / "src")
        assert code_of(source)[0].path == "src/explore.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1")
    assert repository.source_now() == Source("notebook", None, project)


def test_git_is_asked_once_for_a_script_and_again_for_a_notebook(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(repository, "_cache", {})
    monkeypatch.setattr(repository, "code_of", lambda source: (asked.append(source), (Code(), None))[1])
    for kind, times in (("script", 1), ("notebook", 3)):
        asked.clear()
        monkeypatch.setattr(repository, "source_now", lambda kind=kind: Source(kind, None, project))
        monkeypatch.setattr(repository, "SESSION_CACHE_S", -1.0)
        for _ in range(3):
            repository.code_now()
        assert len(asked) == times
