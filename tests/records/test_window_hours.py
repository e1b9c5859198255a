"""Windows of hours in a model's file: what is taken, and what is refused in words that help."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from tenure.errors import InvalidInput
from tenure.records import model_schema, model_yaml, yaml_text
from tenure.records.base import HOUR_US
from tenure.records.model_files import WINDOW_HOURS, DriftMonitor, Monitors

SHORT = "model: m\npurpose: p\nowner: o\nmonitors:\n"


@pytest.mark.parametrize("hours", WINDOW_HOURS)
def test_widths_divide_a_day_and_read_back(hours: int) -> None:
    file = model_yaml.read(f"{SHORT}  window_hours: {hours}\n  drift: {{against: [season], season: hour_of_week}}\n")
    assert file.monitors.window_us == hours * HOUR_US
    assert 24 % hours == 0
    assert "window_days" not in yaml_text.written(file)
    assert model_yaml.read(yaml_text.written(file)) == file


@pytest.mark.parametrize("wrong", ["0", "5", "-1", "25", "'an hour'", "1.5", "true"])
def test_other_widths_are_refused_by_schema_and_server(wrong: str) -> None:
    text = f"{SHORT}  window_hours: {wrong}\n"
    with pytest.raises(InvalidInput) as told:
        model_yaml.read(text)
    assert str(told.value.where).startswith("monitors")
    assert not jsonschema.Draft202012Validator(model_schema.schema()).is_valid(yaml.safe_load(text))


def test_a_width_of_days_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidInput, match="window_days: 2"):
        model_yaml.read(f"{SHORT}  window_hours: 48\n")


@pytest.mark.parametrize("days", [1, 7])
def test_both_widths_are_refused_with_their_line_also_before_a_server_is_asked(days: int) -> None:
    text = f"{SHORT}  window_days: {days}\n  window_hours: 1\n"
    for read in (model_yaml.mapping, model_yaml.read):
        with pytest.raises(InvalidInput, match="not both") as told:
            read(text)
        assert told.value.where == "monitors.window_hours (line 6)"


def test_an_hour_of_the_week_needs_windows_of_hours() -> None:
    with pytest.raises(ValueError, match="window_hours"):
        Monitors(window_days=1, drift=DriftMonitor(season="hour_of_week"))
    assert (
        Monitors(window_hours=6, drift=DriftMonitor(against=("season",), season="day_type")).window_words == "6 hours"
    )
    assert (Monitors().window_words, Monitors(window_days=1).window_words) == ("7 days", "1 day")
