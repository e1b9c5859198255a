"""Where a version came from, as facts that a policy can ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tenure.build import datasets, logged_models, manifests, model_versions, registered_models, runs
from tenure.manage import cel, facts, published
from tenure.records.facts import Facts
from tenure.records.provenance import parts_of, provenance_of
from tenure.records.registry import NewVersion
from tenure.records.tracking import Dataset, DatasetInput, KeyValue
from tenure.store.ground import Ground

from .makers import MODEL, NOW, ask, make_ready, sign

COMMIT = "c" * 40
CLEAN = "code.dirty == false && size(code.commit) >= 40"
TOLD = {
    "tenure.code.commit": COMMIT,
    "tenure.code.dirty": "false",
    "tenure.seed.value": "42",
    **parts_of(["numpy==2.1.0", "ours==1.0 @ repository"], "tenure.environment.packages"),
}


def labels(tags: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in tags.items()]


def make_version(ground: Ground, of_run: dict[str, str], of_model: dict[str, str] | None = None) -> tuple[str, int]:
    """A run with these tags and one dataset, perhaps with a logged model, registered."""

    def make(tx: Any) -> tuple[str, int]:
        run_id = runs.create(tx, "0", name="r", user_id="ann", start_time=1, tags=labels(of_run), now=NOW).info.run_id
        dataset = Dataset(name="january", digest="d1", source_type="local", source="{}")
        given = DatasetInput(dataset=dataset, tags=[KeyValue(key="tenure.sha256", value="e" * 64)])
        datasets.log_inputs(tx, run_id, [given], [])
        model_id = None
        if of_model is not None:
            model_id = logged_models.create(
                tx, "0", name="m", model_type=None, source_run_id=run_id, params=[], tags=labels(of_model), now=NOW
            ).info.model_id
        registered_models.create(tx, "bare", description=None, tags=[], by="ann", now=NOW)
        new = NewVersion(name="bare", source="x", storage_location="s3://x", run_id=run_id, model_id=model_id)
        return run_id, model_versions.register(tx, new, manifests.NOTHING, by="ann", now=NOW).version

    made: tuple[str, int] = ground.database.write(make)
    return made


def gathered(ground: Ground, version: int, model: str = "bare") -> Facts:
    return ground.database.read(lambda tx: facts.gather(tx, model, version, None, published.for_model(tx, model, NOW)))


def holds(expression: str, found: Facts) -> bool:
    return cel.ask(expression, msgspec.to_builtins(found)).held


def test_a_policy_can_demand_a_clean_commit_and_exact_packages(ground: Ground) -> None:
    _, version = make_version(ground, TOLD)
    found = gathered(ground, version)
    for expression in (
        CLEAN,
        "environment.locked",
        "environment.packages['numpy'].startsWith('2.')",
        "data.all(one, size(one.sha256) == 64)",
        "seed == 42",
    ):
        assert holds(expression, found), expression
    assert not holds("environment.packages['numpy'] == '1.26'", found)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"tenure.code.commit": COMMIT},
        {"tenure.code.commit": COMMIT, "tenure.code.dirty": "true"},
        {"tenure.code.dirty": "false"},
        {"mlflow.source.git.commit": COMMIT},
        {"tenure.code.commit": "main", "tenure.code.dirty": "false"},
    ],
)
def test_what_is_not_known_or_not_clean_fails(ground: Ground, told: dict[str, str]) -> None:
    _, version = make_version(ground, told)
    found = gathered(ground, version)
    assert not holds(CLEAN, found)
    assert not holds("environment.locked", found)


def test_packages_that_are_not_exact_are_not_locked(ground: Ground) -> None:
    _, version = make_version(ground, parts_of(["a==1 @ editable"], "tenure.environment.packages"))
    environment = gathered(ground, version).environment
    assert environment is not None
    assert environment.locked is False


def test_what_the_logged_model_tells_comes_before_its_run(ground: Ground) -> None:
    later = {**TOLD, "tenure.seed.value": "43"}
    _, version = make_version(ground, TOLD, later)
    found = gathered(ground, version)
    assert found.seed == 43
    assert found.data is not None
    assert found.data[0].sha256 == "e" * 64


def test_a_version_whose_run_is_gone_has_no_facts_of_it(ground: Ground) -> None:
    version = make_ready(ground)
    found = gathered(ground, version, MODEL)
    assert (found.code, found.environment, found.data, found.seed) == (None, None, None, None)


def test_an_approval_is_void_when_the_run_tells_something_else_meanwhile(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make_ready(ground)
    told = dict(TOLD)
    monkeypatch.setattr(facts.provenance, "of_version", lambda *_: provenance_of(told))
    change = ask(ground, version)
    told["tenure.code.dirty"] = "true"
    assert sign(ground, change, "vera", "validator").state == "invalidated"
