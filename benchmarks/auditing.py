"""How fast the audit log is: `python -m benchmarks.auditing`. Appended to, walked, searched, and asked as of a date.

A made-up log with right hashes is put into a SQLite (WAL, synchronous NORMAL) at once: runs that end, sign-ins, and a
few models that are registered, promoted and edited.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tenure.manage import histories
from tenure.records.base import Instant
from tenure.store import audit, chain, driver, migrate
from tenure.store.database import Database, Transaction

EVENTS = int(os.environ.get("TENURE_BENCH_EVENTS", "1000000"))
APPENDED = 20_000
REPEATS = 20
START = 1_700_000_000_000_000
STEP_US = 30_000_000
QUESTIONS: dict[str, dict[str, Any]] = {
    "newest": {},
    "by who": {"actor": "p7"},
    "by what (a family)": {"action": "version."},
    "by who and what, rare": {"actor": "p7", "action": "person.created"},
    "about what": {"subject": "m3/1"},
    "why": {"reason": "better than 17"},
    "in a week": {"from_at": START + EVENTS // 2 * STEP_US, "until_at": START + (EVENTS // 2 + 20_000) * STEP_US},
    "what, in a week": {
        "action": "run.",
        "from_at": START + EVENTS // 2 * STEP_US,
        "until_at": START + (EVENTS // 2 + 20_000) * STEP_US,
    },
    "by who and why": {"actor": "p7", "reason": "better"},
    "the middle page": {"before": EVENTS // 2},
}


def events(count: int) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Actor, action, subject and detail of each."""
    draw = random.Random(1)
    for model in range(20):
        yield "ann", "model.created", f"m{model}", {}
        yield "ann", "version.registered", f"m{model}/1", {"digest": "sha256:" + "0" * 64, "files": 2, "run_id": None}
    for number in range(count - 40):
        who, kind = f"p{draw.randrange(50)}", draw.random()
        if kind < 0.7:
            run_id = f"{draw.getrandbits(128):032x}"
            yield who, "run.ended", f"run:{run_id}", {"status": "FINISHED", "metric_points": 5, "sha256": run_id * 2}
        elif kind < 0.95:
            yield who, "person.signed_in", who, {}
        elif kind < 0.999:
            why = {"reason": f"better than {number}", "release": "r", "version": 1, "role": "shadow"}
            yield who, "release.started", f"e{draw.randrange(200)}", why
        else:
            to = {"to": "champion", "before": None, "reason": f"better than {number}"}
            yield who, "version.promoted", f"m{draw.randrange(20)}/1", to


def fill(database: Database) -> None:
    """Put the made-up log in, hashed as the store hashes it."""
    encode = msgspec.json.Encoder().encode

    def rows() -> Iterator[tuple[Any, ...]]:
        previous = chain.GENESIS
        for number, (actor, action, subject, detail) in enumerate(events(EVENTS), start=1):
            at = START + number * STEP_US
            body = encode(chain.Body(number, at, actor, action, subject, detail, previous))
            hashed = chain.chained(previous, body)
            yield number, at, actor, action, subject, body, previous, hashed, chain.reason_of(detail)
            previous = hashed

    def write(tx: Transaction) -> None:
        statement = f"INSERT INTO audit VALUES ({driver.marks(9)})"
        driver.execute_many(tx, statement, rows())  # type: ignore[arg-type]

    database.write(write)


def timed_ms(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def append_ms(database: Database, *, alone: bool) -> float:
    """Mean time of one append: inside one transaction, or each in a transaction of its own."""

    def one(tx: Transaction) -> None:
        detail = {"reason": "a reason of usual length", "version": 3, "role": "champion"}
        audit.append(tx, "release.started", subject="flight-delay", by="ann", at=Instant(START), detail=detail)

    if alone:
        count = APPENDED // 10
        return timed_ms(lambda: [database.write(one) for _ in range(count)]) / count
    return timed_ms(lambda: database.write(lambda tx: [one(tx) for _ in range(APPENDED)])) / APPENDED


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        database = Database(f"sqlite:///{Path(place) / 'tenure.db'}")
        migrate.to_newest(database)
        fill(database)
        table = Table("what", "figure", title=f"The audit log at {EVENTS:,} events")
        found: Any = None

        def walk() -> None:
            nonlocal found
            found = database.read(audit.verify)

        took_ms = timed_ms(walk)
        assert found.first_bad is None
        table.add_row("verify", f"{found.events / took_ms * 1000:,.0f} events/s")
        for name, asked in QUESTIONS.items():
            times = [
                timed_ms(lambda asked=asked: database.read(lambda tx: audit.search(tx, **asked, limit=31)))  # type: ignore[misc]
                for _ in range(REPEATS)
            ]
            table.add_row(f"page: {name}", f"{statistics.median(times):.1f} ms (slowest {max(times):.1f})")
        at = Instant(START + EVENTS // 2 * STEP_US)
        times = [timed_ms(lambda: database.read(lambda tx: histories.look(tx, "m3", at))) for _ in range(REPEATS)]
        table.add_row("as of a date", f"{statistics.median(times):.1f} ms (slowest {max(times):.1f})")
        table.add_row("append, within a transaction", f"{append_ms(database, alone=False):.3f} ms")
        table.add_row("append, a transaction each", f"{append_ms(database, alone=True):.3f} ms")
        Console(width=100).print(table)
        database.close()


if __name__ == "__main__":
    main()
