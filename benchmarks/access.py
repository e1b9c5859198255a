"""What it costs to know who asks: `python -m benchmarks.access`.

Microseconds of a permission check and of naming who shows a token; and how many single metrics a second one connection
logs with sign-in required and a token, beside solo mode. Rounds alternate between the two servers, each round as many
points; the median round of each counts.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import timeit
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.client import Connection
from benchmarks.servers import Running, tenure
from benchmarks.tracking import new_run, point
from tenure import access
from tenure.build import experiments
from tenure.manage import roles, services, tokens
from tenure.records.people import NewService, Permission, RoleHeld
from tenure.records.tokens import NewToken
from tenure.settings import Settings
from tenure.store import migrate
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.ground import Ground
from tenure.store.keys import open_key

POINTS, ROUNDS, TIMES, GRANTS = 2000, 9, 20_000, 200


class Showing(Connection):
    """A connection that shows a token with every request."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(port)
        self._secret = secret.encode()

    def request(self, path: str, fields: dict[str, object]) -> bytes:
        head, _, rest = super().request(path, fields).partition(b"\r\n")
        return b"%s\r\nauthorization: Bearer %s\r\n%s" % (head, self._secret, rest)


def opened(folder: Path) -> Ground:
    """The ground of a server, before it starts."""
    settings = Settings(data=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    migrate.to_newest(database)
    database.write(lambda tx: experiments.seed(tx, 0))
    return Ground(settings, database, ArtifactStore(settings.artifacts), open_key(folder))


def new_token(ground: Ground) -> str:
    """The secret of a new service that may train."""
    now = ground.clock()

    def make(tx: object) -> str:
        services.create(tx, NewService(name="ci", purpose="trains", roles=["data-scientist"]), by="owner", now=now)
        new = NewToken(label="bench", permissions=[Permission.READ, Permission.TRACK], principal="ci")
        return tokens.create(tx, new, by=access.OWNER, now=now).secret

    return ground.database.write(make)


def check_us() -> float:
    """A permission check of a principal with many grants, refused everywhere and granted for the model."""
    held = [RoleHeld(role="engineer", since_at=1, model=f"model-{number}") for number in range(GRANTS)]
    principal = roles.principal_of("ada", "person", held)
    took = timeit.timeit(lambda: access.require(principal, Permission.MANAGE, "model-7"), number=TIMES)
    return took / TIMES * 1e6


def token_us(gate: access.Gate, secret: str) -> float:
    """Naming who asks by a token that was shown a moment ago."""
    headers = {"host": "127.0.0.1:5000", "authorization": f"Bearer {secret}"}
    gate.principal(headers)
    took = timeit.timeit(lambda: gate.at_once(headers) or gate.principal(headers), number=TIMES)
    return took / TIMES * 1e6


def rates(solo: Running, required: Running, secret: str) -> tuple[float, float]:
    """Points a second, in solo mode and with a token: the median rounds."""
    plain, showing = Connection(solo.port), Showing(required.port, secret)
    found: dict[str, list[float]] = {"solo": [], "required": []}
    for round_ in range(ROUNDS):
        pairs = [("solo", plain), ("required", showing)]
        for name, connection in pairs if round_ % 2 else reversed(pairs):
            run_id = new_run(connection)
            requests = [point(connection, run_id, "loss", step) for step in range(POINTS)]
            found[name].append(connection.per_second(requests))
    return statistics.median(found["solo"]), statistics.median(found["required"])


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TENURE_BENCH_FOLDER")) as folder:
        report(Path(folder))


def report(folder: Path) -> None:
    ground = opened(folder / "required")
    secret = new_token(ground)
    gate = access.Gate([5000], ground, required=True)
    table = Table("what", "measured", "budget", title="Who asks", title_justify="left", box=None)
    table.add_row(f"permission check, {GRANTS} grants for single models", f"{check_us():.2f} µs", "20 µs")
    table.add_row("who shows a token, found out a moment ago", f"{token_us(gate, secret):.2f} µs", "")
    ground.database.close()
    only = ("--only", "control")
    with (
        tenure(folder / "solo", *only) as solo,
        tenure(folder / "required", *only, "--sign-in", "required") as required,
    ):
        before, after = rates(solo, required, secret)
    table.add_row("log-metric, solo", f"{before:,.0f}/s", "")
    table.add_row("log-metric, signed in by token", f"{after:,.0f}/s ({after / before - 1:+.1%})", "-5 %")
    Console().print(table)


if __name__ == "__main__":
    main()
