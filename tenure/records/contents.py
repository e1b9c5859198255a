"""What a version's files are: data that is only read, or code that runs when it is loaded."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Level = Literal["innocuous", "suspicious", "dangerous"]
Kind = Literal["pickle", "code", "data", "unknown"]
State = Literal["scanned", "part", "too_large", "failed"]


class Import(Record):
    """One thing that a pickle brings in when it is loaded. `level` is the scanner's word for it."""

    module: str
    name: str
    level: Level


class Scan(Record):
    """What a scanner read in one file, without loading it.

    `part`: a pickle, or something packed, that could not be read to its end, so what follows is unknown. `scanned`
    without `imports`: whoever unpickles the file runs nothing that it holds.
    """

    scanner: str
    state: State
    imports: list[Import]


class FileContent(Record):
    path: str
    size_bytes: int
    sha256: str
    kind: Kind
    scan: Scan


class Contents(Record):
    """The files of a version. `runs_code`: loading it runs code that the files hold; None when a file is unknown."""

    files: list[FileContent]
    runs_code: bool | None
