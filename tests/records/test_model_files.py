"""The model's file as text: its schema is what the server reads, a problem has its line, what is written reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.records import model_files, model_schema, model_yaml, yaml_text
from tenure.records.model_file_help import HELP

DEMO = (Path(__file__).parents[2] / "tenure" / "demo" / "flight-delay.yaml").read_text()
SHORT = "model: m\npurpose: p\nowner: o\n"


def accepts(declared: Any) -> bool:
    return jsonschema.Draft202012Validator(model_schema.schema()).is_valid(declared)


def test_every_key_has_a_meaning_and_no_meaning_is_left_over() -> None:
    parts = model_schema.schema()["$defs"]
    assert {f"{name}.{key}" for name, part in parts.items() for key in part["properties"]} == set(HELP)


def test_the_schema_is_one_and_takes_the_file_of_the_demo() -> None:
    jsonschema.Draft202012Validator.check_schema(model_schema.schema())
    assert accepts(yaml.safe_load(DEMO))


@pytest.mark.parametrize(
    "more",
    [
        "purpos: x",
        "approval: {steps: []}",
        "approval: {steps: [{role: Validator}]}",
        "monitors: {window_days: 0}",
        "value: 3",
    ],
)
def test_schema_and_server_refuse_the_same(more: str) -> None:
    declared = yaml.safe_load(SHORT + more)
    assert not accepts(declared)
    with pytest.raises(InvalidInput):
        model_yaml.read(SHORT + more)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (SHORT + "features:\n  a: {kind: numeric}\n  b:\n    availble: x\n", "features.b.availble (line 7)"),
        (
            SHORT + "approval:\n  steps:\n  - role: v\n  - {role: v, signatures: 0}\n",
            "approval.steps[1].signatures (line 7)",
        ),
        ("model: m\npurpose: p\n", "owner"),
        ("model: [", "line 1, column 9"),
        (SHORT + "features: &all {a: {}}\nx: *all\n", "line 5, column 4"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        model_yaml.read(text)
    assert refused.value.where == where


@pytest.mark.parametrize(
    "text", ["", "- a", "3", "null", "\x00", "a: !!python/object:os.system {}", "[" * 2000, "? {a: b}\n: c"]
)
def test_a_text_that_is_no_file_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        model_yaml.read(text)
    assert "must" in refused.value.message or "cannot be read" in refused.value.message


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(InvalidInput, match="may have 512 KiB"):
        model_yaml.read("#" * (yaml_text.LONGEST + 1))


def test_what_is_written_reads_back_the_same() -> None:
    file = model_yaml.read(DEMO)
    assert model_yaml.read(yaml_text.written(file)) == file


names = st.text(min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    purpose=names,
    features=st.dictionaries(names, st.sampled_from(["numeric", "text", None]), max_size=4),
    at=st.floats(0, 1),
)
def test_any_file_survives_being_written_and_read(purpose: str, features: dict[str, Any], at: float) -> None:
    file = model_files.ModelFile(
        model="m",
        purpose=purpose,
        owner="o",
        features={name: model_files.Feature(kind=kind) for name, kind in features.items()},
        monitors=model_files.Monitors(accuracy=model_files.AtLeast(at_least=at)),
    )
    assert model_yaml.read(yaml_text.written(file)) == file


def test_what_stands_at_its_default_is_not_written() -> None:
    file = model_files.ModelFile(model="m", purpose="p", owner="o", action="score >= 0.5")
    assert yaml.safe_load(yaml_text.written(file)) == {"model": "m", "purpose": "p", "owner": "o"}


def test_the_schema_tells_defaults_as_the_records_have_them() -> None:
    told = model_schema.schema()["$defs"]["Monitors"]["properties"]
    defaults = msgspec.to_builtins(model_files.Monitors())
    assert {key: part["default"] for key, part in told.items()} == defaults


@pytest.mark.parametrize(
    ("phrase", "yearly"), [("1 per 3 months", 4), ("6 per year", 6), ("1 per 2 quarters", 2), ("1 per month", 12)]
)
def test_a_budget_may_be_a_phrase_and_is_written_as_what_it_means(phrase: str, yearly: float) -> None:
    file = model_yaml.read(SHORT + f"monitors: {{false_alerts: {phrase}, accuracy: {{at_least: 0.6, window: 4w}}}}")
    assert file.monitors.false_alerts_per_year == yearly
    assert file.monitors.accuracy is not None
    assert file.monitors.accuracy.window_days == 28
    again = yaml_text.written(file)
    assert phrase not in again
    assert "window_days: 28" in again
    assert model_yaml.read(again) == file


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("{}", "give 'availability', 'latency_ms' or both"),
        ("{availability: 99.9}", "must be a share below 1. Got 99.9; write 0.999 for 99.9 %"),
        ("{availability: 1}", "1 leaves no budget for errors"),
        ("{latency_ms: 50, latency_share: 99}", "write 0.99 for 99 %"),
        ("{latency_ms: 0}", "> 0"),
        ("{latency_ms: 50, over_days: 3}", ">= 7"),
        ("{latency_ms: 50, p99_ms: 3}", "p99_ms"),
    ],
)
def test_a_promise_that_cannot_be_is_refused(service: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        model_yaml.read(SHORT + f"service: {service}")
    assert says in refusal.value.message


def test_a_promise_has_its_defaults_and_is_optional() -> None:
    file = model_yaml.read(SHORT + "service: {latency_ms: 50}")
    assert file.service == model_files.Service(latency_ms=50, latency_share=0.99, over_days=30)
    assert model_yaml.read(SHORT).service is None
    told = model_schema.schema()["$defs"]["Service"]["properties"]
    assert told["latency_share"]["exclusiveMaximum"] == 1


@pytest.mark.parametrize(
    ("monitors", "says"),
    [
        ("{false_alerts: often}", "match"),
        ("{false_alerts: 1 per year, false_alerts_per_year: 9}", "not both"),
        ("{accuracy: {at_least: 0.6, window: 10d}}", "multiple of 'window_days', 7"),
        ("{accuracy: {at_least: 0.6, window: 60w}}", "at most 366 days"),
        ("{latency: {p99_ms: 0}}", "> 0"),
    ],
)
def test_a_monitor_that_cannot_be_is_refused(monitors: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        model_yaml.read(SHORT + f"monitors: {monitors}")
    assert says in refusal.value.message
