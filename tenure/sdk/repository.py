"""Which code is running: the script or notebook, and the state of the git repository that it lies in.

Git is asked by three short commands at once, without locks, hooks or network. What it does not answer within
`DEADLINE_S` is not told.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any, NamedTuple

from tenure.records.provenance import Code

DEADLINE_S = 2.0
LARGEST_DIGESTED = 64 * 1024 * 1024
SESSION_CACHE_S = 10.0
"""In a notebook code changes between two runs, so git is asked again; a script's code was read when it began."""
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
_POINTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES")


class Source(NamedTuple):
    """What is running and where: `kind` is script, notebook or session (nothing that lies in a file)."""

    kind: str
    path: Path | None
    folder: Path


class Entry(NamedTuple):
    """A path that differs from the commit; `submodule` is git's word on one, `N...` for other paths."""

    path: bytes
    submodule: str


class _Told(NamedTuple):
    code: Code
    top: Path | None
    at: float


_cache: dict[Source, _Told] = {}


def code_now() -> tuple[Code, Path | None]:
    """What is known about the code that is running, and the top of its repository if it lies in one."""
    source = source_now()
    told = _cache.get(source)
    if told is None or (source.kind != "script" and time.monotonic() - told.at > SESSION_CACHE_S):
        told = _Told(*code_of(source), time.monotonic())
        _cache[source] = told
    return told.code, told.top


def source_now() -> Source:
    """The notebook, else the script, else the session in its folder. A script that is installed in the environment,
    such as pytest or torchrun, says nothing about the project: then the folder counts in which it was started."""
    here = Path.cwd()
    if _is_notebook():
        path = _notebook(here)
        return Source("notebook", path, path.parent if path else here)
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file:
        return Source("session", None, here)
    path = Path(os.path.realpath(file))
    return Source("script", path, here if _is_installed(path) else path.parent)


def code_of(source: Source) -> tuple[Code, Path | None]:
    """The same of any source."""
    top = next((folder for folder in (source.folder, *source.folder.parents) if (folder / ".git").exists()), None)
    name, digest = _named(source, top)
    code = Code(path=name, kind=source.kind, digest=digest)
    if top is None or shutil.which("git") is None:
        return code, top
    inside = source.path is not None and source.path.is_relative_to(top) and not _is_installed(source.path)
    return _asked(code, top, name if inside else None), top


def remote_of(configured: str) -> str | None:
    """The address of `origin`, or of the first remote, without user, password, query and fragment.

    `configured` holds a line `remote.<name>.url <address>` for each. Helpers' addresses (`ext::…`) are not told.

    >>> remote_of("remote.origin.url https://me:secret@example.org/team/flights.git")
    'https://example.org/team/flights.git'
    >>> remote_of("remote.origin.url git@example.org:team/flights.git")
    'example.org:team/flights.git'
    """
    found = re.findall(r"^remote\.(.+)\.url (.+)$", configured, re.MULTILINE)
    chosen = next((url for name, url in found if name == "origin"), found[0][1] if found else "")
    return address(chosen)


def address(url: str) -> str | None:
    """An address without user, password, query and fragment; None for one that a helper resolves."""
    if not url or "::" in url or any(ord(letter) < 33 for letter in url):
        return None
    scheme, separator, rest = url.partition("://")
    plain = re.split(r"[?#]", rest if separator else url, maxsplit=1)[0]
    host, slash, path = plain.partition("/")
    return (scheme + separator if separator else "") + host.rpartition("@")[2] + slash + path


def entries_of(status: bytes) -> tuple[dict[str, str], list[Entry]]:
    """Headers and changed paths of `git status --porcelain=v2 --branch -z`."""
    headers, entries = {}, []
    for line in status.split(b"\0"):
        kind, _, rest = line.partition(b" ")
        if kind == b"#":
            key, _, value = rest.decode("utf-8", "replace").partition(" ")
            headers[key] = value
        elif kind in (b"1", b"u"):
            fields = rest.split(b" ", 7 if kind == b"1" else 9)
            entries.append(Entry(fields[-1], fields[1].decode()))
        elif kind == b"?":
            entries.append(Entry(rest, "N..."))
    return headers, entries


def changes_digest(top: Path, entries: list[Entry]) -> str | None:
    """SHA-256 over what every changed path holds now: a line `<kind> <digest> <path>` each, by path.

    With the commit it says exactly which code ran. None when a path cannot be read, is a submodule or a repository
    of its own, or when all of them together hold more than `LARGEST_DIGESTED` bytes.
    """
    whole, left = hashlib.sha256(), LARGEST_DIGESTED
    for entry in sorted(entries):
        held = _held(os.fsencode(top) + b"/" + entry.path, left)
        if held is None or entry.submodule != "N...":
            return None
        kind, digest, size = held
        left -= size
        whole.update(f"{kind} {digest} ".encode() + entry.path + b"\n")
    return f"sha256:{whole.hexdigest()}"


def file_digest(path: Path, largest: int = LARGEST_DIGESTED) -> str | None:
    """SHA-256 of a file; None when it cannot be read or is larger."""
    held = _held(os.fsencode(path), largest)
    return f"sha256:{held[1]}" if held and held[0] in ("file", "program") else None


def _asked(code: Code, top: Path, name: str | None) -> Code:
    """What git tells of a repository; `name` is the source's path in it."""
    until = time.monotonic() + DEADLINE_S
    status = _begin(top, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames")
    remotes = _begin(top, "config", "--get-regexp", r"^remote\..*\.url$")
    tracked = _begin(top, "ls-files", "-z", "--", f":(literal){name}") if name else None
    found, urls = _answer(status, until), _answer(remotes, until)
    known = _answer(tracked, until) if tracked else b"yes"
    remote = remote_of(urls.decode("utf-8", "replace")) if urls else None
    if found is None:
        return _with(code, remote=remote)
    headers, entries = entries_of(found)
    if name and known == b"" and os.fsencode(name) not in {entry.path for entry in entries}:
        entries.append(Entry(os.fsencode(name), "N..."))  # git ignores it, but it runs and no commit holds it
    commit = headers.get("branch.oid", "")
    branch = headers.get("branch.head", "")
    return _with(
        code,
        commit=commit if re.fullmatch(r"[0-9a-f]{40,64}", commit) else None,
        branch=branch if branch and branch != "(detached)" else None,
        remote=remote,
        dirty=None if known is None else bool(entries),
        changes=changes_digest(top, entries) if entries and known is not None else None,
    )


def _with(code: Code, **more: Any) -> Code:
    return Code(path=code.path, kind=code.kind, digest=code.digest, **more)


def _begin(top: Path, *arguments: str) -> subprocess.Popen[bytes] | None:
    kept = {name: value for name, value in os.environ.items() if name not in _POINTING}
    with contextlib.suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - git with fixed words; the one path among them is taken literally
            [*_GIT, *arguments],
            cwd=top,
            env={**kept, **_QUIET},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    return None


def _answer(asked: subprocess.Popen[bytes] | None, until: float) -> bytes | None:
    """What a command said; None when it failed or took too long."""
    if asked is None:
        return None
    try:
        said, _ = asked.communicate(timeout=max(until - time.monotonic(), 0.01))
    except (subprocess.TimeoutExpired, OSError):
        asked.kill()
        asked.communicate()
        return None
    return said if asked.returncode == 0 else None


def _held(path: bytes, largest: int) -> tuple[str, str, int] | None:
    """What stands at a path: kind, digest and size. None for what cannot be read or is larger than `largest`."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(path)
            return "link", hashlib.sha256(target).hexdigest(), len(target)
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            return None
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return "program" if found.st_mode & 0o100 else "file", digest, found.st_size
    except FileNotFoundError:
        return "gone", "-", 0
    except OSError:
        return None


def _named(source: Source, top: Path | None) -> tuple[str | None, str | None]:
    """The source's path, as short as it can be said, and the digest of the file."""
    path = source.path
    if path is None:
        return None, None
    if _is_installed(path):
        return path.name, None
    if top is not None and path.is_relative_to(top):
        return path.relative_to(top).as_posix(), file_digest(path)
    return str(path), file_digest(path)


def _is_notebook() -> bool:
    shell = _shell()
    return shell is not None and hasattr(shell, "kernel")


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


def _notebook(here: Path) -> Path | None:
    """The notebook's file, as the editors that run one tell it to the kernel. A server is never asked."""
    told = getattr(_shell(), "user_ns", {}).get("__vsc_ipynb_file__")
    given = [told, *(os.environ.get(name) for name in ("JPY_SESSION_NAME", "IPYNB_FILE", "__vsc_ipynb_file__"))]
    for name in (str(one) for one in given if one and str(one).endswith(".ipynb")):
        for path in (here / name, here / Path(name).name):
            if path.is_file():
                return path.resolve()
    return None


def _is_installed(path: Path) -> bool:
    """Whether a script came with the environment instead of with a project."""
    places = {sysconfig.get_path(name) for name in ("scripts", "purelib", "platlib", "stdlib")}
    return any(path.is_relative_to(place) for place in places if place)
