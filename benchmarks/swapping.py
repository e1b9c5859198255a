"""What a release and a kill cost whoever is being answered: `python -m benchmarks.swapping`.

One gateway, journal on, 32 connections that ask as fast as they are answered. Latencies while nothing happens, then
while a hundred releases swap two compiled versions under that load; how many requests failed. Then the kill switch:
from the moment the table is published to the last answer by the killed version, ten times.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.scoring import answers, compiled, free_port, process, request_body, wait_for
from tenure.records.kills import Constant, Stopped
from tenure.records.routing import Release, Route, RoutingTable
from tenure.serving import routing
from tenure.settings import Settings

CONNECTIONS, SWAPS, PAUSE_S, KILLS = 32, 100, 0.05, 10
TARGET_KILL_S, TARGET_P99_RATIO = 1.0, 2.0


class Caller(asyncio.Protocol):
    """Asks again as soon as it is answered; keeps when, how long it took, the status and the version of each answer."""

    def __init__(self, request: bytes, kept: list[tuple[float, float, int, int]]) -> None:
        self.request, self.kept, self.buffer, self.stopping = request, kept, b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        told = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        if len(body) < int(told[b"content-length"]):
            return
        now = time.perf_counter()
        version = int(told.get(b"tenure-model-version", b"-1"))
        self.kept.append((now, now - self.asked_at, int(head[9:12]), version))
        self.buffer = b""
        if not self.stopping:
            self._ask()

    def _ask(self) -> None:
        self.asked_at = time.perf_counter()
        self.transport.write(self.request)


class Place:
    """The one endpoint, whose table is published again and again."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.epoch = settings, 0

    def publish(self, releases: list[Release], **more: Any) -> None:
        self.epoch += 1
        route = Route(endpoint="e", model="m", releases=releases, fallback=Constant(answer=0.5), **more)
        routing.write_table(self.settings.folder, RoutingTable(epoch=self.epoch, routes={"e": route}))


async def measured(place: Place, one: Release, other: Release) -> dict[str, Any]:
    body = request_body()
    head = "POST /endpoints/e/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    kept: list[tuple[float, float, int, int]] = []
    callers = [Caller(request, kept) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    for caller in callers:
        await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", place.settings.gateway_port)  # type: ignore[misc]
    await asyncio.sleep(1.0)
    kept.clear()
    await asyncio.sleep(SWAPS * PAUSE_S)
    still = list(kept)
    kept.clear()
    for number in range(SWAPS):
        place.publish([other if number % 2 == 0 else one])
        await asyncio.sleep(PAUSE_S)
    swapped = list(kept)
    kills = [await killed(place, kept, one) for _ in range(KILLS)]
    for caller in callers:
        caller.stopping = True
        caller.transport.close()
    return {"still": still, "swapped": swapped, "kills": kills}


async def killed(place: Place, kept: list[tuple[float, float, int, int]], one: Release) -> float:
    """Seconds from publishing a kill to the last answer by the killed version."""
    place.publish([one])
    await asyncio.sleep(0.5)
    kept.clear()
    begun = time.perf_counter()
    place.publish([one], stopped=[Stopped(version=None, reason="measured")])
    await asyncio.sleep(1.5)
    return max((at - begun for at, _, _, version in kept if version > 0), default=0.0)


def p99_ms(kept: list[tuple[float, float, int, int]]) -> float:
    return statistics.quantiles([took for _, took, _, _ in kept], n=100)[98] * 1e3


def main() -> None:
    table = Table(title="Releases and kills under load", caption=__doc__.split("\n\n")[1].replace("\n", " "))
    for name in ("what", "measured", "to reach"):
        table.add_column(name, justify="left" if name == "what" else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, "-m", "benchmarks.scoring", "models", scratch], check=True)
        one, other = (compiled(folder, name) for name in ("logistic", "forest"))
        other = msgspec.structs.replace(other, version=2)
        place = Place(Settings(data=str(folder / "data"), scoring_port=free_port(), spare_scorer=False))
        place.publish([one, msgspec.structs.replace(other, role="challenger", share=0.5)])
        with process("ours", msgspec.json.encode(place.settings).decode()):
            url = f"{place.settings.gateway_url}/endpoints/e/invocations"
            wait_for(lambda: answers(url))
            found = uvloop.run(measured(place, one, other))
    failed = sum(status != 200 for _, _, status, _ in found["swapped"])
    answered = {version for *_, version in found["swapped"]}
    still, swapped = p99_ms(found["still"]), p99_ms(found["swapped"])
    table.add_row("answers/s, nothing happens", f"{len(found['still']) / (SWAPS * PAUSE_S):,.0f}", "")
    table.add_row(f"answers/s, {SWAPS} swaps", f"{len(found['swapped']) / (SWAPS * PAUSE_S):,.0f}", "")
    table.add_row("requests that failed during swaps", str(failed), "0")
    table.add_row("versions that answered", ", ".join(map(str, sorted(answered))), "1, 2")
    table.add_row("p99 without swaps", f"{still:.2f} ms", "")
    table.add_row("p99 during swaps", f"{swapped:.2f} ms ({swapped / still:.2f} ×)", f"≤ {TARGET_P99_RATIO:g} ×")
    table.add_row("kill to the last answer, slowest of ten", f"{max(found['kills']) * 1e3:.0f} ms", "≤ 1 s")
    Console().print(table)
    if failed or answered != {1, 2} or swapped > TARGET_P99_RATIO * still or max(found["kills"]) > TARGET_KILL_S:
        sys.exit("a figure is not what it should be")


if __name__ == "__main__":
    main()
