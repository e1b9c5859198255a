"""Tiny wheels, made by hand, and wheels of what is installed here: an index in a folder, without a network."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, *requires: str, code: str = "") -> Path:
    """A pure wheel of one module."""
    about = f"{name}-{version}.dist-info"
    headers = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    files = {
        f"{name.replace('-', '_')}/__init__.py": code,
        f"{about}/METADATA": "\n".join([*headers, *(f"Requires-Dist: {one}" for one in requires), ""]),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for place, text in files.items():
            archive.writestr(place, text)
    return path


def repack(folder: Path, name: str) -> Path:
    """A wheel of an installed distribution, from the files that its record lists."""
    found = metadata.distribution(name)
    lines = (found.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")]
    tag = "-".join(".".join(sorted(set(parts))) for parts in zip(*tags, strict=True))
    path = folder / f"{found.name.replace('-', '_')}-{found.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in found.files or []:
            inside = not file.as_posix().startswith("..") and file.suffix != ".pyc"
            if inside and file.name not in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
                archive.write(str(file.locate()), file.as_posix())
        about = next(file.parent.as_posix() for file in found.files or [] if file.name == "METADATA")
        archive.writestr(f"{about}/RECORD", "")
    return path
