"""What a process runs in: the interpreter, the machine, the installed packages, the shared libraries it has loaded.

Nothing is executed for it: directories are listed, small files are read.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tenure.records.provenance import Package
from tenure.sdk.repository import address

_FOLDER = re.compile(r"([A-Za-z0-9][\w.]*)-([^-\s]+?)(?:-py[\d.]+)?\.(?:dist|egg)-info")


@lru_cache(maxsize=1)
def machine() -> dict[str, str]:
    """Python, system, distribution, libc and architecture; only what is known here."""
    told = {"python": platform.python_version(), "implementation": platform.python_implementation()}
    if hasattr(os, "uname"):
        names = os.uname()
        told |= {"system": f"{names.sysname} {names.release}", "architecture": names.machine}
    with contextlib.suppress(OSError):
        told["distribution"] = platform.freedesktop_os_release()["PRETTY_NAME"]
    with contextlib.suppress(ValueError, OSError, AttributeError):
        told["libc"] = os.confstr("CS_GNU_LIBC_VERSION") or ""
    return {name: value for name, value in told.items() if value}


def packages(top: Path | None = None) -> list[Package]:
    """Every distribution that an import would find, by name. `top` is the repository that the code lies in."""
    return list(_packages(tuple(_folders()), top))


def _folders() -> list[tuple[str, int]]:
    """The folders of the import path, each with its time of change: another `pip install` changes it."""
    found = []
    for folder in dict.fromkeys(path or os.getcwd() for path in sys.path):
        with contextlib.suppress(OSError):
            found.append((folder, os.stat(folder).st_mtime_ns))
    return found


@lru_cache(maxsize=2)
def _packages(folders: tuple[tuple[str, int], ...], top: Path | None) -> tuple[Package, ...]:
    known: dict[str, Package] = {}
    for folder, _ in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name.endswith((".dist-info", ".egg-info")):
                    package = _package(entry.path, entry.name, top)
                    if package:
                        known.setdefault(package.name, package)  # the first on the path is what is imported
    return tuple(known[name] for name in sorted(known))


def _package(path: str, folder: str, top: Path | None) -> Package | None:
    """The distribution that a folder of metadata describes: by the folder's name, as reading all files takes long."""
    named = _FOLDER.fullmatch(folder)
    if named and (os.path.exists(f"{path}/METADATA") or folder.endswith(".egg-info")):
        name, version = named[1], named[2]
    else:
        name, version = _described(path)
    if not name or not version:
        return None
    return Package(name=re.sub(r"[-_.]+", "-", name).lower(), version=version, origin=_origin(path, top))


def _described(path: str) -> tuple[str, str]:
    """Name and version as the metadata's own file tells them."""
    for file in ("METADATA", "PKG-INFO", ""):
        with contextlib.suppress(OSError, UnicodeError):
            head = Path(path, file).read_text().split("\n\n", 1)[0]
            told = dict(re.findall(r"^(Name|Version): (\S+)\s*$", head, re.MULTILINE))
            return told.get("Name", ""), told.get("Version", "")
    return "", ""


def _origin(path: str, top: Path | None) -> str:
    """Where a distribution came from, as its installer noted it; empty for an index."""
    if not os.path.exists(f"{path}/direct_url.json"):
        is_source = path.endswith(".egg-info") and not path.startswith(_installed())
        return _of_folder(os.path.dirname(path), top, editable=True) if is_source else ""
    try:
        return _of_url(json.loads(Path(path, "direct_url.json").read_bytes()), top)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return "url"


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Where installers put packages."""
    return tuple(filter(None, (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))))


def _of_url(told: dict[str, Any], top: Path | None) -> str:
    """The origin that a `direct_url.json` tells (PEP 610)."""
    url = str(told["url"])
    if "vcs_info" in told:
        kind, commit = told["vcs_info"]["vcs"], told["vcs_info"]["commit_id"]
        pinned = f"{kind}+{address(url)}@{commit}"
        return pinned if re.fullmatch(r"\S{1,500}", pinned) else "url"
    if "dir_info" in told:
        return _of_folder(unquote(urlsplit(url).path), top, editable=bool(told["dir_info"].get("editable")))
    hashes = told.get("archive_info", {}).get("hashes") or {}
    sha256 = str(hashes.get("sha256", ""))
    return f"sha256:{sha256}" if re.fullmatch(r"[0-9a-f]{64}", sha256) else "url"


def _of_folder(folder: str, top: Path | None, *, editable: bool) -> str:
    """Installed from a folder. In place and inside of the code's repository, the commit says what it was."""
    if editable and top is not None and Path(folder).resolve().is_relative_to(top):
        return "repository"
    return "editable" if editable else "folder"
