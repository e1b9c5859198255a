"""What it costs to know who asks: `python -m benchmarks.access`.

Microseconds of a permission check and of naming who shows a token; and how many single metrics a second one connection
logs with sign-in required and a token, beside solo mode. The servers take turns of a tenth of a second in an order that
is drawn anew each round, so that a machine whose speed changes changes it for all; the ratio is the median over rounds.
A third server, in solo mode too, takes turns as well: how far it seems from the first is what this cannot tell, since
two processes of the same program are not equally fast; so the token is held against both.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import timeit
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.client import Connection
from benchmarks.servers import tenure
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

POINTS, ROUNDS, TIMES, GRANTS = 1_000, 60, 20_000, 200
TARGET = -0.05


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
    shown = {"host": "127.0.0.1:5000", "authorization": f"Bearer {secret}"}
    headers = {name.encode(): value.encode() for name, value in shown.items()}
    took = timeit.timeit(lambda: gate.at_a_glance(headers, gate.now()) or gate.principal(shown), number=TIMES)
    return took / TIMES * 1e6


def rates(connections: dict[str, Connection]) -> dict[str, list[float]]:
    """Points a second of each connection's turns, by round."""
    runs = {name: new_run(connection) for name, connection in connections.items()}
    found: dict[str, list[float]] = {name: [] for name in connections}
    draw = random.Random(1)
    for round_ in range(ROUNDS):
        for name in draw.sample(list(connections), len(connections)):
            steps = range(round_ * POINTS, (round_ + 1) * POINTS)
            requests = [point(connections[name], runs[name], "loss", step) for step in steps]
            found[name].append(connections[name].per_second(requests))
    return found


def beside(ours: list[float], theirs: list[float]) -> float:
    """By which share one is faster than the other: the median over rounds."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True)) - 1


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
        tenure(folder / "same", *only) as same,
        tenure(folder / "required", *only, "--sign-in", "required") as required,
    ):
        shown = {"solo": Connection(solo.port), "same": Connection(same.port), "token": Showing(required.port, secret)}
        found = rates(shown)
    both = [statistics.mean(pair) for pair in zip(found["solo"], found["same"], strict=True)]
    cost, unsure = beside(found["token"], both), beside(found["same"], found["solo"])
    table.add_row("log-metric, solo", f"{statistics.median(found['solo']):,.0f}/s", "")
    table.add_row("another server in solo mode", f"{statistics.median(found['same']):,.0f}/s ({unsure:+.1%})", "")
    told = f"{statistics.median(found['token']):,.0f}/s ({cost:+.1%})"
    table.add_row("signed in by token, beside both", told, f"{TARGET:+.0%}")
    Console().print(table)
    if cost < TARGET:
        sys.exit(f"knowing who asks costs {-cost:.1%} of the points a second; at most {-TARGET:.0%} it should be")


if __name__ == "__main__":
    main()
