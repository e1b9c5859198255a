"""What was found in a file is kept once, whoever finds it at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tenure.records.contents import Import, Scan
from tenure.records.routing import PinnedFile
from tenure.store import scans
from tenure.store.database import Database, Transaction
from tenure.store.ground import Ground

from ..conftest import NOON

SCANNER = "reader 1"
FILES = [PinnedFile(path=f"{at}.pkl", size_bytes=1, sha256=f"{at:064x}") for at in range(3)]
PLAIN = {(file.sha256, ".pkl"): Scan(scanner=SCANNER, state="scanned", imports=[]) for file in FILES}
OTHER = {
    key: Scan(scanner=SCANNER, state="scanned", imports=[Import(module="os", name="system", level="dangerous")])
    for key in reversed(PLAIN)
}


def test_the_first_that_is_kept_stands(each_ground: Ground) -> None:
    for found in (PLAIN, OTHER, {}):
        each_ground.database.write(lambda tx, found=found: scans.add(tx, found, NOON))
    assert each_ground.database.read(lambda tx: scans.of_files(tx, FILES, SCANNER)) == PLAIN


def test_two_processes_that_scan_the_same_files_at_once_both_succeed(each_ground: Ground) -> None:
    """Each keeps its own in a transaction that is still open when the other begins, where the database allows it."""
    other = Database(each_ground.settings.database)
    several = threading.Barrier(2)

    def keep(database: Database, found: dict[scans.Key, Scan]) -> None:
        def add(tx: Transaction) -> None:
            if not each_ground.database.is_sqlite:  # which has one writer, so that there is nothing to meet in
                several.wait(20)
            for key in sorted(found):
                scans.add(tx, {key: found[key]}, NOON)
            scans.add(tx, found, NOON)

        database.write(add)

    with ThreadPoolExecutor(2) as both:
        for ended in [both.submit(keep, each_ground.database, PLAIN), both.submit(keep, other, OTHER)]:
            ended.result(30)
    other.close()
    kept = each_ground.database.read(lambda tx: scans.of_files(tx, FILES, SCANNER))
    assert kept in (PLAIN, OTHER), "one of the two, whole"
