"""Start-up: how long until commands answer and a server is healthy, and what it weighs.

The floor of the same run is an interpreter that starts and ends (`python -c pass`); memory is PSS, so that what
processes share is counted once.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.servers import free_port

RUNS = 5


def main() -> None:
    floor = _median([sys.executable, "-c", "pass"])
    print(f"start-up, median of {RUNS} runs; floor (an empty interpreter) {floor:.3f} s")
    for name, command in (
        ("import tenure", [sys.executable, "-c", "import tenure"]),
        ("tenure --help", [sys.executable, "-m", "tenure", "--help"]),
    ):
        seconds = _median(command)
        print(f"  {name:<28} {seconds:6.3f} s  {seconds / floor:5.1f} × floor")
    taken = [_server() for _ in range(RUNS)]
    seconds = statistics.median(seconds for seconds, _ in taken)
    print(f"  serve, empty folder → /health {seconds:5.3f} s  {seconds / floor:5.1f} × floor")
    print(f"  memory of all its processes  {statistics.median(mib for _, mib in taken):6.0f} MiB (PSS)")
    alone = statistics.median(_server("--only", "control")[0] for _ in range(RUNS))
    print(f"  serve --only control → /health {alone:5.3f} s")


def _median(command: list[str]) -> float:
    def once() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    once()
    return statistics.median(once() for _ in range(RUNS))


def _server(*options: str) -> tuple[float, float]:
    """Seconds until what listens answers, and MiB of memory once all is up and two seconds have passed."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        started = time.perf_counter()
        command = [sys.executable, "-m", "tenure", "serve", "--data", data, "--port", str(port), *options]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            for each in (port,) if options else (port, port + 1):
                while not _healthy(each):
                    time.sleep(0.005)
            seconds = time.perf_counter() - started
            time.sleep(2)
            return seconds, sum(pss_kib(process) for process in family(server.pid)) / 1024
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
