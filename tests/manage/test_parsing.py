import datetime

import pytest

from tenure.errors import InvalidInput
from tenure.manage import model_files

GOOD = {"model": "late", "purpose": "warn", "owner": "ops@example.com"}


def test_a_file_is_read_from_json_and_from_a_mapping():
    assert model_files.parse(b'{"model": "late", "purpose": "warn", "owner": "ops@example.com"}') == model_files.parse(
        GOOD
    )


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"purpos": "x"}, "purpos", "Did you mean 'purpose'?"),
        ({"features": {"dep_delay": {"availble": "x"}}}, "features.dep_delay.availble", "Did you mean 'available'?"),
        ({"features": {"a": {"kind": "number"}}}, "features.a.kind", "'number'"),
        ({"features": {"a": {}, "b": None}}, "features.b", "got 'null'"),
        ({"features": ["a"]}, "features", "got 'array'"),
        ({"approval": {"steps": []}}, "approval.steps", "length >= 1"),
        (
            {"approval": {"steps": [{"role": "validator"}, {"rol": "x"}]}},
            "approval.steps[1].rol",
            "Did you mean 'role'?",
        ),
        ({"approval": {"steps": [{"role": "Validator!"}]}}, "approval.steps[0].role", "regex"),
        ({"prediction": {"positive": "late"}}, "prediction.outcome", "required"),
        ({"monitors": {"accuracy": {"at_least": 1.4}}}, "monitors.accuracy.at_least", "<= 1"),
        ({"owner": 3}, "owner", "expected 'str', got 'int'"),
        ({"zzzzzz": 3}, "zzzzzz", "Known keys: action, alerts, approval"),
    ],
)
def test_a_problem_is_told_with_its_path(changed: dict[str, object], where: str, said: str):
    with pytest.raises(InvalidInput) as caught:
        model_files.parse({**GOOD, **changed})
    assert caught.value.where == where
    assert said in caught.value.message
    assert caught.value.message.startswith("The model's file cannot be read: ")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 100_000])
def test_what_is_no_object_is_refused(raw: bytes):
    with pytest.raises(InvalidInput):
        model_files.parse(raw)


def test_a_file_that_is_nested_too_deep_is_refused():
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"x": deep}
    with pytest.raises(InvalidInput, match="nested deeper than 32"):
        model_files.parse(deep)


def test_a_date_that_yaml_made_of_text_is_text_again():
    envelope = {"expires": datetime.date(2027, 6, 30)}
    retraining = {
        "recipe": "flights",
        "when": [{"accuracy": {"drop": 0.03}}],
        "accept": {"better": {}},
        "envelope": envelope,
    }
    file = model_files.parse({**GOOD, "retraining": retraining})
    assert file.retraining is not None
    assert file.retraining.envelope is not None
    assert file.retraining.envelope.expires == "2027-06-30"
