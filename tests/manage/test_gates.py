"""What a gate asks of the database: each thing once, whatever the version came from."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tenure.build import datasets, logged_models, manifests, model_versions, runs
from tenure.manage import gates
from tenure.records.registry import NewVersion
from tenure.records.tracking import Dataset, DatasetInput, KeyValue
from tenure.store import driver
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from .makers import MODEL, NOW, apply_file, approve, make_ready, make_version
from .rules import publish

BAN: dict[str, Any] = {"semantic": "race", "reason": "a law", "condition": "governed"}
MOST_STATEMENTS = 11
MOST_OF_ITS_RUN = 4


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, each_ground: Ground) -> list[str]:
    """Every statement that goes to the database, through SQLAlchemy or by the driver itself."""
    found: list[str] = []
    execute = driver.execute

    def counted(tx: Transaction, statement: str, values: Any = ()) -> Any:
        found.append(statement)
        return execute(tx, statement, values)

    monkeypatch.setattr(driver, "execute", counted)
    engine = each_ground.database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda _connection, _cursor, said, *_: found.append(said))
    return found


def evaluate(ground: Ground, version: int, told: list[str]) -> list[str]:
    """The statements of one evaluation, as at a release."""
    told.clear()
    ground.database.read(lambda tx: gates.evaluate(tx, "deploy", MODEL, version, now=NOW))
    return list(told)


def register_of_run(ground: Ground) -> int:
    """A version of a run that read a dataset and logged a model."""

    def make(tx: Transaction) -> int:
        tags = [KeyValue(key="tenure.code.commit", value="c" * 40)]
        run_id = runs.create(tx, "0", name="r", user_id="ann", start_time=1, tags=tags, now=NOW).info.run_id
        dataset = Dataset(name="january", digest="d1", source_type="local", source="{}")
        datasets.log_inputs(tx, run_id, [DatasetInput(dataset=dataset, tags=[])], [])
        logged = logged_models.create(
            tx, "0", name="m", model_type=None, source_run_id=run_id, params=[], tags=[], now=NOW
        )
        new = NewVersion(
            name=MODEL, source="x", storage_location="s3://x", run_id=run_id, model_id=logged.info.model_id
        )
        return model_versions.register(tx, new, manifests.NOTHING, by="ann", now=NOW).version

    return ground.database.write(make)


def test_an_approved_version_costs_a_bounded_number_of_statements(each_ground: Ground, told: list[str]) -> None:
    version = make_ready(each_ground)
    publish(each_ground, rule={"gates": ["approve", "deploy"]}, forbid=[BAN])
    approve(each_ground, version)
    statements = evaluate(each_ground, version, told)
    assert len(statements) <= MOST_STATEMENTS
    assert len(set(statements)) == len(statements)


def test_more_policies_and_versions_cost_no_more_statements(each_ground: Ground, told: list[str]) -> None:
    version = make_version(each_ground)
    apply_file(each_ground)
    before = evaluate(each_ground, version, told)
    for number in range(3):
        publish(each_ground, policy=f"lending-{number}", rule={"gates": ["deploy"]}, forbid=[BAN])
        make_version(each_ground)
    assert len(evaluate(each_ground, version, told)) == len(before)


def test_a_run_and_its_model_cost_a_few_more(each_ground: Ground, told: list[str]) -> None:
    make_ready(each_ground)
    statements = evaluate(each_ground, register_of_run(each_ground), told)
    assert len(statements) <= MOST_STATEMENTS + MOST_OF_ITS_RUN


def test_what_counts_is_looked_up_anew_each_time(each_ground: Ground) -> None:
    """What is kept of stored texts is kept by the text: neither a policy nor a file that was replaced counts on."""
    version = make_ready(each_ground)

    def rules() -> list[str]:
        said = each_ground.database.read(lambda tx: gates.evaluate(tx, "deploy", MODEL, version, now=NOW))
        return [one.expression for one in said.rules if one.policy.startswith("lending")]

    publish(each_ground, rule={"gates": ["deploy"], "require": "governed"})
    assert rules() == ["governed"]
    publish(each_ground, rule={"gates": ["deploy"], "require": "!governed"})
    assert rules() == ["!governed"]
    apply_file(each_ground, use={"jurisdictions": ["FR"]})
    found = each_ground.database.read(lambda tx: gates.evaluate(tx, "deploy", MODEL, version, now=NOW))
    assert found.facts["jurisdictions"] == ["FR"]
