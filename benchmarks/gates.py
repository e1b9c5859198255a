"""What a gate costs: `python -m benchmarks.gates`.

A governed model whose version takes 30 features and comes from a run that told its code, data and packages, on a SQLite
of its own, under the built-in policy and two published ones with 20 rules and 5 bans. Evaluated as at a release: what
counts is looked up, facts are gathered, every rule is asked.
Also the pure parts apart: judging facts at hand, and finding what is in force among 200 published versions.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from tenure.app import open_ground
from tenure.build import datasets, experiments, logged_models, manifests, model_versions, registered_models, runs
from tenure.manage import facts, gates, in_force, model_files, profiles, published
from tenure.records.base import DAY_US, Instant
from tenure.records.policies import PublishedPolicy
from tenure.records.profiles import Judged, NumericProfile, Profile
from tenure.records.provenance import parts_of
from tenure.records.registry import NewVersion
from tenure.records.tracking import Dataset, DatasetInput, KeyValue
from tenure.settings import Settings
from tenure.store import migrate
from tenure.store.ground import Ground

MODEL = "mortgage"
FEATURES = 30
RULES = 20
PACKAGES = 150
ROUNDS = 1000
TARGET_P99_MS = 5.0
NOW = Instant(1_767_225_600_000_000)
MLMODEL = """
flavors: {}
signature:
  inputs: '[%s]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""
REQUIRES = (
    "features.all(f, f.forbidden == false && !('race' in f.semantics))",
    "baseline.roc_auc >= 0.6 && baseline.judged_rows >= 1000",
    "size(card.missing) < 9 && governed",
    "features.exists(f, f.name == 'feature_29') && !features.exists(f, f.kind == 'text')",
    "features.all(f, !has(f.source) || f.source != 'bureau') && 'US' in jurisdictions",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ground = open_ground(Settings(data=folder))
        migrate.to_newest(ground.database)
        fill(ground)
        gc.freeze()  # as control does once it is there: no collection looks at what imports made
        rows = {
            "gate evaluation, all of it": measured(lambda: whole(ground)),
            "facts gathered": measured(lambda: ground.database.read(lambda tx: gathered(ground, tx))),
            "rules asked of facts at hand": measured(judging(ground)),
            "the same, one failing thirty times": measured(judging(ground, failing=True)),
            "in force among 200 versions": measured(looking_up()),
        }
        ground.database.close()
    table = Table(
        title=f"{FEATURES} features, {RULES} published rules beside the built-in ones; ms over {ROUNDS} rounds"
    )
    for column in ("", "median", "p95", "p99", "max"):
        table.add_column(column, justify="left" if not column else "right")
    for name, took in rows.items():
        cuts = statistics.quantiles(took, n=100)
        table.add_row(name, *(f"{value:.3f}" for value in (cuts[49], cuts[94], cuts[98], max(took))))
    Console().print(table)
    p99 = statistics.quantiles(rows["gate evaluation, all of it"], n=100)[98]
    if p99 > TARGET_P99_MS:
        sys.exit(f"gate evaluation p99 is {p99:.2f} ms, above {TARGET_P99_MS} ms")


def measured(work: Callable[[], Any]) -> list[float]:
    """Milliseconds of each round, after fifty that are not counted."""
    took = []
    for number in range(ROUNDS + 50):
        began = time.perf_counter()
        work()
        if number >= 50:
            took.append((time.perf_counter() - began) * 1000)
    return took


def whole(ground: Ground) -> None:
    evaluation = ground.database.read(lambda tx: gates.evaluate(tx, "deploy", MODEL, 1, now=NOW))
    assert len(evaluation.rules) == RULES + 5
    assert [one.rule for one in evaluation.rules if not one.passed] == ["approved"]


def gathered(_ground: Ground, tx: Any) -> Any:
    return facts.gather(tx, MODEL, 1, None, published.for_model(tx, MODEL, NOW), released=True)


def judging(ground: Ground, *, failing: bool = False) -> Callable[[], None]:
    found, force = ground.database.read(lambda tx: (gathered(ground, tx), published.for_model(tx, MODEL, NOW)))
    if failing:
        told = policy(0)
        told["rules"].append(
            {**told["rules"][0], "name": "failing", "require": "features.all(f, f.source == 'bureau')"}
        )
        first, *others = force.policies
        force = force._replace(policies=(msgspec.structs.replace(first, body=published.parse(told)), *others))

    def judge() -> None:
        said = gates.judge("deploy", found, NOW, force)
        assert [one.rule for one in said.rules if one.stops] == ["approved", *(["failing"] if failing else [])]

    return judge


def looking_up() -> Callable[[], None]:
    about = in_force.About(MODEL, ["US"], ["credit"])
    versions = [
        PublishedPolicy(
            name=f"policy-{number % 20}",
            version=number // 20 + 1,
            digest=str(number),
            body=published.parse({**policy(0), "policy": f"policy-{number % 20}"}),
            published_by="root",
            published_at=NOW - DAY_US,
        )
        for number in range(200)
    ]

    def look() -> None:
        assert len(in_force.in_force(versions, [], about, NOW).policies) == 20

    return look


def policy(number: int) -> dict[str, Any]:
    """A policy with half of the rules."""
    rules = [
        {
            "name": f"rule-{at}",
            "gates": ["deploy"],
            "require": f"({REQUIRES[at % len(REQUIRES)]}) && version < {1000 + 100 * number + at}",  # each its own
            "explain": "Look at {baseline.roc_auc}.",
        }
        for at in range(RULES // 2)
    ]
    bans = [{"semantic": f"kind-{at}", "reason": "a law"} for at in range(5)]
    return {"policy": f"lending-{number}", "purpose": "Lend fairly", "rules": rules, "forbid": bans if number else []}


def fill(ground: Ground) -> None:
    write = ground.database.write
    write(lambda tx: experiments.seed(tx, NOW))
    write(lambda tx: registered_models.create(tx, MODEL, description=None, tags=[], by="ann", now=NOW))
    names = [f"feature_{number}" for number in range(FEATURES)]
    features: dict[str, Any] = {name: {"kind": "numeric", "source": "bank", "semantic": "amount"} for name in names}
    features["raw"] = {"semantic": "money"}
    features[names[0]] = {"kind": "numeric", "derived_from": ["raw", names[1]]}
    file = model_files.parse(
        {
            "model": MODEL,
            "purpose": "Decide on loans",
            "owner": "ann",
            "use": {"jurisdictions": ["US"], "purposes": ["credit"]},
            "features": features,
            "approval": {"steps": [{"role": "validator"}]},
        }
    )
    write(lambda tx: model_files.apply(tx, file, by="ann", now=NOW))
    place = "1/models/m-1/artifacts"
    inputs = ", ".join(f'{{"name": "{name}", "type": "double"}}' for name in names)
    ground.artifacts.write(f"{place}/MLmodel", [(MLMODEL % inputs).encode()])
    location = f"mlflow-artifacts:/{place}"
    run_id, model_id = write(trained)
    new = NewVersion(name=MODEL, source=location, storage_location=location, run_id=run_id, model_id=model_id)
    pinned = manifests.pin(ground.artifacts, place)
    write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))
    column = NumericProfile(edges=[float(edge) for edge in range(40)], counts=[10] * 41, n=410)
    judged = Judged(rows=5000, positives=900, roc_auc=0.8, roc_auc_low=0.78, roc_auc_high=0.82, brier=0.1)
    profile = Profile(rows=410, columns=dict.fromkeys(names, column), judged=judged)
    write(lambda tx: profiles.record(tx, MODEL, 1, profile, by="ann", now=NOW))
    for number in range(2):
        body = published.parse(policy(number))
        write(lambda tx, body=body: published.publish(tx, body, by="root", now=Instant(NOW - DAY_US)))


def trained(tx: Any) -> tuple[str, str]:
    """A run as the plugin tells of it, and the model that it logged."""
    told = {
        "tenure.code.commit": "c" * 40,
        "tenure.code.dirty": "false",
        **parts_of([f"package-{number}==1.{number}" for number in range(PACKAGES)], "tenure.environment.packages"),
    }
    tags = [KeyValue(key=key, value=value) for key, value in told.items()]
    run_id = runs.create(tx, "0", name="r", user_id="ann", start_time=1, tags=tags, now=NOW).info.run_id
    dataset = Dataset(name="january", digest="d1", source_type="local", source="{}")
    datasets.log_inputs(tx, run_id, [DatasetInput(dataset=dataset, tags=[])], [])
    logged = logged_models.create(
        tx, "0", name="m", model_type=None, source_run_id=run_id, params=[], tags=tags, now=NOW
    )
    return run_id, logged.info.model_id


if __name__ == "__main__":
    main()
