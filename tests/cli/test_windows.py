"""The table of windows says the hour where windows are of hours, and the day alone where they are of days."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from tenure.cli.main import tenure
from tenure.records.base import HOUR_US, moment_of
from tenure.sdk.client import Client

from ..web import samples


@pytest.mark.parametrize(("hours", "form"), [(0, "%Y-%m-%d"), (5, "%Y-%m-%d %H:%M")])
def test_times_say_the_hour_where_there_is_one(monkeypatch: pytest.MonkeyPatch, hours: int, form: str) -> None:
    made = samples.make_year(1)[0]
    start = made.start_at + hours * HOUR_US
    if hours:
        made = msgspec.structs.replace(made, start_at=start, end_at=start + HOUR_US)
    monkeypatch.setattr(Client, "get", lambda *_: [msgspec.to_builtins(made)])
    done = CliRunner().invoke(tenure, ["monitor", "windows", "flight-delay"], catch_exceptions=False)
    line = done.output.splitlines()[2]
    assert line.split("  ")[0] == moment_of(start).strftime(form)
