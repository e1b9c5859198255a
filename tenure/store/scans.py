"""What scanners found in files. A file is known by its digest, so that the same bytes are looked into once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import msgspec
from sqlalchemy.dialects import postgresql, sqlite

from tenure.records.base import Instant
from tenure.records.contents import Scan
from tenure.records.routing import PinnedFile
from tenure.store import driver, tables
from tenure.store.database import Transaction

Key = tuple[str, str]
"""SHA-256 and suffix of a file: a scanner reads the same bytes in another way under another suffix."""
CHUNK = 500


def add(tx: Transaction, found: Mapping[Key, Scan], now: Instant) -> None:
    """Keep what was found; what is known already stays as it is.

    Another control process may keep the same at the same moment: the first one stands. Both go by one order, so that
    neither waits for the other.
    """
    rows = [
        {
            "sha256": sha256,
            "suffix": suffix,
            "scanner": scan.scanner,
            "body": msgspec.json.encode(scan).decode(),
            "scanned_at": now,
        }
        for (sha256, suffix), scan in sorted(found.items(), key=lambda one: one[0])
    ]
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    if rows:
        tx.execute(insert(tables.file_scans).on_conflict_do_nothing(), rows)


def of_files(tx: Transaction, files: Sequence[PinnedFile], scanner: str) -> dict[Key, Scan]:
    """What this scanner found in these files; those that it has not looked into are left out."""
    known = _known(tx, [file.sha256 for file in files])
    keys = {(file.sha256, PurePosixPath(file.path).suffix.lower()) for file in files}
    return {key: known[(*key, scanner)] for key in keys if (*key, scanner) in known}


def _known(tx: Transaction, digests: Sequence[str]) -> dict[tuple[str, str, str], Scan]:
    found = {}
    for start in range(0, len(digests), CHUNK):
        part = digests[start : start + CHUNK]
        rows = driver.execute(
            tx,
            f"SELECT sha256, suffix, scanner, body FROM file_scans WHERE sha256 IN ({driver.marks(len(part))})",  # noqa: S608 - places
            part,
        )
        for sha256, suffix, scanner, body in rows.fetchall():
            found[sha256, suffix, scanner] = msgspec.json.decode(body, type=Scan)
    return found
