"""A server with a year behind it: runs, a governed model with three versions, an endpoint, alerts, a retraining."""

from __future__ import annotations

import math
import random
from datetime import date
from typing import Any

import msgspec

from tenure.build import datasets as build_datasets
from tenure.build import experiments, manifests, metrics, model_versions, registered_models, runs
from tenure.deploy import endpoints, promotions, releases
from tenure.manage import cards, changes, exceptions, facts, model_files, people, profiles, published
from tenure.manage.passwords import Reauthenticated
from tenure.records.base import DAY_US, Instant
from tenure.records.cards import Card
from tenure.records.changes import Change, NewChange, NewSignature
from tenure.records.endpoints import NewEndpoint, NewRelease
from tenure.records.people import NewPerson
from tenure.records.policies import Decision, NewException
from tenure.records.provenance import parts_of
from tenure.records.registry import NewVersion
from tenure.records.retraining import Dossier, RetrainingRun, StepTaken
from tenure.records.tracking import Dataset, DatasetInput, KeyValue, MetricPoint
from tenure.store import alerts, detectors, drift_reports, retraining_runs, service_samples, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from . import hooks, samples

NOW = Instant(1_750_000_000_000_000)
MODEL = "flight-delay"
PASSWORD = "correct horse battery"
PACKAGES, LIBRARIES = "tenure.environment.packages", "tenure.environment.libraries"
RETRAINING = "0190b5a0-0000-7000-8000-00000000000a"
FILE: dict[str, Any] = {
    "model": MODEL,
    "purpose": "Warn travellers of a late arrival before they leave home",
    "owner": "flights@example.com",
    "use": {"jurisdictions": ["US"]},
    "features": {
        **{name: {"kind": "numeric"} for name in samples.NUMERIC},
        "sched_hour": {"kind": "numeric", "range": [0, 23]},
        "carrier": {"kind": "categorical", "source": "timetable"},
        "origin": {"kind": "categorical"},
        "dep_delay": {"available": "after_departure"},
    },
    "prediction": {"positive": "late", "outcome": "arr_late", "outcome_after_hours": 24},
    "value": "case when action and y then 12.0 when action then -2.0 when y then -6.0 else 0 end",
    "segments": ["carrier", "carier"],
    "monitors": {"latency": {"p99_ms": 7.5}},
    "service": {"availability": 0.999, "latency_ms": 50},
    "approval": {"steps": [{"role": "validator"}, {"role": "business-owner"}]},
}
MLMODEL = """
flavors: {}
signature:
  inputs: '[%s]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""


def fill(ground: Ground, *, marked: str = "") -> None:
    """Fill an empty ground. `marked` is put into every text that a client can set."""
    Town(ground, marked).build()


class Town:
    def __init__(self, ground: Ground, marked: str) -> None:
        self.ground = ground
        self.marked = marked
        self.clock = int(NOW)

    def now(self) -> Instant:
        self.clock += 90_000_000
        return Instant(self.clock)

    def text(self, told: str) -> str:
        return f"{told} {self.marked}".strip()

    def write(self, work: Any) -> Any:
        return self.ground.database.write(work)

    def build(self) -> None:
        self.make_people()
        run_ids = self.make_runs()
        self.write(
            lambda tx: registered_models.create(
                tx, MODEL, description=self.text("flights"), tags=[], by="ann", now=self.now()
            )
        )
        file = model_files.parse({**FILE, "purpose": self.text(FILE["purpose"]), "owner": self.text(FILE["owner"])})
        self.write(lambda tx: model_files.apply(tx, file, by="ann", now=self.now()))
        self.make_policies()
        for number in (1, 2, 3):
            self.make_version(number, run_ids[number - 1])
        endpoint = NewEndpoint(name=MODEL, model=MODEL)
        for version in (1, 2):
            self.approve(version)
            self.write(
                lambda tx, version=version: promotions.promote(
                    tx, MODEL, version, to="champion", reason=self.text("approved"), by="ann", now=self.now()
                )
            )
            if version == 1:
                self.write(lambda tx: endpoints.create(tx, endpoint, by="ann", now=self.now()))
        shadow = NewRelease(version=3, role="shadow", reason=self.text("trial of the retrained version"))
        self.write(lambda tx: releases.add(tx, MODEL, shadow, by="tenure-worker", now=self.now()))
        self.loosen()
        self.ask(3)
        self.write(self.watch)
        self.make_bare_model()
        self.write(lambda tx: hooks.fill(tx, self.now(), self.marked))
        self.write(lambda tx: hooks.export(tx, MODEL, self.now(), self.marked))

    def make_people(self) -> None:
        for name, printed, roles in (
            ("ann", "Ann Author", ["author"]),
            ("vera", "Vera Valdés", ["validator"]),
            ("bo", "Bo Owens", ["business-owner"]),
        ):
            new = NewPerson(name=name, printed_name=self.text(printed), password=PASSWORD, roles=roles)
            password_hash = people.hashed(PASSWORD)
            self.write(lambda tx, new=new, kept=password_hash: people.create(tx, new, kept, by="owner", now=self.now()))

    def make_policies(self) -> None:
        """A policy that counts, with a warning and an exception, and one that is yet to begin; all from the day before,
        since pages look at a clock that stands."""
        yesterday = iter(range(int(NOW) - DAY_US, int(NOW), 90_000_000))
        warning = {
            "name": "tested-for-proxies",
            "gates": ["approve"],
            "require": "proxies.exists(one, one.attribute == 'age')",
            "explain": self.text("Run a proxy test for age."),
            "severity": "warn",
        }
        accurate = {
            "name": "very-accurate",
            "gates": ["approve"],
            "require": "baseline.roc_auc >= 0.95",
            "explain": self.text("The AUC is {baseline.roc_auc} and must be at least 0.95; train better."),
        }
        ban = {"semantic": "age", "reason": self.text("Age is nobody's fault"), "jurisdictions": ["US"]}
        told = {"policy": "punctual", "purpose": self.text("Warn reliably"), "rules": [warning, accurate]}
        later = {**told, "policy": "later", "valid_from": "2040-01-01", "forbid": [ban], "rules": []}
        for body in ({**told, "forbid": [ban]}, later):
            policy = published.parse(body)
            self.write(lambda tx, policy=policy: published.publish(tx, policy, by="root", now=Instant(next(yesterday))))
        new = NewPerson(name="root", printed_name=self.text("Root"), password=PASSWORD, roles=["admin"])
        self.write(lambda tx: people.create(tx, new, "no hash", by="owner", now=Instant(next(yesterday))))
        wanted = NewException(
            model=MODEL,
            subject="punctual/very-accurate",
            owner=self.text("bo"),
            reason=self.text("until there is more weather data"),
            expires=date(2040, 1, 1),
        )
        asked = self.write(lambda tx: exceptions.request(tx, wanted, by="ann", now=Instant(next(yesterday))))
        account = self.ground.database.read(lambda tx: people.get(tx, "root"))
        proof = Reauthenticated(account, "password (argon2id)", Instant(next(yesterday)))
        word = Decision(person="root", password="-", decision="approve", reason=self.text("watched every week"))
        self.write(
            lambda tx: exceptions.decide(tx, asked.exception_id, word, proof=proof, now=Instant(next(yesterday)))
        )

    def make_runs(self) -> list[str]:
        return [self.write(lambda tx, index=index: self.make_run(tx, index)) for index in range(7)]

    def make_run(self, tx: Transaction, index: int) -> str:
        if index == 0:
            self.experiment = experiments.create(tx, self.text("flights"), location=None, tags=[], now=self.now())
        dice = random.Random(index)
        started = self.now() // 1000
        tags = [KeyValue(key="team", value=self.text("pricing")), KeyValue(key="mlflow.source.name", value="train.py")]
        tags += [KeyValue(key=key, value=value) for key, value in self.provenance(index).items()]
        run = runs.create(
            tx,
            self.experiment,
            name=self.text(f"forest-{index + 1}"),
            user_id="ann",
            start_time=started,
            tags=tags,
            now=NOW,
        )
        run_id = run.info.run_id
        params = {"max_depth": str(6 + index), "min_samples_leaf": "40", "model": self.text("hist-gradient-boosting")}
        runs.log_params(tx, run_id, params)
        points = [
            MetricPoint(
                key="log_loss",
                value=0.69 * math.exp(-step / 18) + 0.44 + dice.gauss(0, 0.004),
                timestamp=started + step,
                step=step,
            )
            for step in range(60)
        ]
        points += [
            MetricPoint(key="roc_auc", value=0.728 + index * 0.004, timestamp=started),
            MetricPoint(key="brier", value=0.161 - index * 0.001, timestamp=started),
            MetricPoint(key="odd", value=float("nan"), timestamp=started),
        ]
        metrics.log_batch(tx, run_id, points, [], [])
        dataset = Dataset(name=self.text("flights-january"), digest="a1b2c3d4", source_type="local", source="{}")
        given = [DatasetInput(dataset=dataset, tags=[KeyValue(key="mlflow.data.context", value="training")])]
        build_datasets.log_inputs(tx, run_id, given, [])
        if index != 6:
            runs.update(
                tx,
                run_id,
                status="FINISHED",
                end_time=started + 74_000,
                name=None,
                digest=None,
                by="ann",
                now=self.now(),
            )
        return run_id

    def provenance(self, index: int) -> dict[str, str]:
        """What a client with the plugin tells of itself."""
        packages = [
            "numpy==2.1.0",
            f"scikit-learn==1.7.{index}",
            f"flights==0.3.0 @ {'editable' if index else 'repository'}",
        ]
        return {
            "tenure.code.commit": f"{index}4f1c2e9a07" * 3 + "d4b51b2",
            "tenure.code.branch": self.text("trunk"),
            "tenure.code.remote": "https://example.org/team/flights.git",
            "tenure.code.dirty": "true" if index else "false",
            "tenure.code.path": self.text("train.py"),
            "tenure.code.kind": "script",
            "tenure.environment.python": "3.11.7",
            "tenure.environment.implementation": "CPython",
            "tenure.environment.system": "Linux 6.1.0",
            "tenure.seed.value": "42",
            "tenure.seed.libraries": "random, numpy",
            **parts_of([*packages, *(f"package-{number}==1.{number}" for number in range(60))], PACKAGES),
            **parts_of(["libgomp 1.0.0 scikit-learn build:8c1f0a2b3c4d5e6f", "libstdc++ 6.0.30 - -"], LIBRARIES),
        }

    def make_version(self, number: int, run_id: str) -> None:
        place = f"1/models/m-{number:032x}/artifacts"
        kinds = dict.fromkeys(samples.CATEGORICAL, "string")
        inputs = ", ".join(f'{{"name": "{name}", "type": "{kinds.get(name, "double")}"}}' for name in samples.COLUMNS)
        self.ground.artifacts.write(f"{place}/MLmodel", [(MLMODEL % inputs).encode()])
        if number < 3:
            measured = msgspec.json.encode(samples.make_features())
            self.ground.artifacts.write(f"{place}/tenure/features.json", [measured])
        self.ground.artifacts.write(f"{place}/model.pkl", [b"weights" * 5000 + place.encode()])
        pinned = manifests.pin(self.ground.artifacts, place)
        location = f"mlflow-artifacts:/{place}"
        new = NewVersion(
            name=MODEL,
            source=location,
            storage_location=location,
            run_id=run_id,
            description=self.text("gradient boosting"),
        )
        by = "ann" if number == 1 else "tenure-worker"
        self.write(lambda tx: model_versions.register(tx, new, pinned, by=by, now=self.now()))
        profile = samples.make_profile()
        self.write(lambda tx: profiles.record(tx, MODEL, number, profile, by=by, now=self.now()))
        card = Card(
            scope=self.text("Flights that leave the three New York airports"),
            data_dependencies=self.text("Timetable, hourly weather, registry of planes"),
        )
        self.write(lambda tx: cards.edit(tx, MODEL, number, card, by="ann", now=self.now()))

    def ask(self, version: int) -> Change:
        checked = facts.check_bytes(self.ground, MODEL, version)
        new = NewChange(kind="approve", model=MODEL, version=version, reason=self.text("better on the same flights"))
        made: Change = self.write(lambda tx: changes.open_change(tx, new, by="ann", now=self.now(), checked=checked))
        return made

    def loosen(self) -> None:
        """Somebody asks that the model may be used elsewhere, too, which waits for others."""
        stands = self.ground.database.read(lambda tx: model_files.current(tx, MODEL))
        assert stands is not None
        use = msgspec.structs.replace(stands.file.use, jurisdictions=["US", "EU"])
        file = msgspec.structs.replace(stands.file, use=use)
        reason = self.text("Flights from Europe are answered, too.")
        self.write(lambda tx: model_files.apply(tx, file, by="ann", now=self.now(), reason=reason))

    def approve(self, version: int) -> None:
        change = self.ask(version)
        for person, role in (("vera", "validator"), ("bo", "business-owner")):
            checked = facts.check_bytes(self.ground, MODEL, version)
            account = self.ground.database.read(lambda tx, person=person: people.get(tx, person))
            at = self.now()
            proof = Reauthenticated(account, "password (argon2id)", at)
            reason = self.text("The evidence is complete and the interval lies well above the floor.")
            new = NewSignature(person=person, password="-", role=role, meaning="approval", reason=reason)
            self.write(
                lambda tx, new=new, proof=proof, at=at, checked=checked: changes.sign(
                    tx, change.change_id, new, proof=proof, key=self.ground.key, now=at, checked=checked
                )
            )

    def watch(self, tx: Transaction) -> None:
        observed = samples.make_profile(0.5)
        for window in samples.make_year():
            windows.put(tx, msgspec.structs.replace(window, profile=observed), self.now())
        service_samples.put(tx, samples.make_service(NOW))
        drift_reports.put(tx, samples.make_drift_report(text=self.text("temp")))
        alerts.put(tx, samples.make_alert(message=self.text(samples.make_alert().message)))
        drift = samples.make_alert(
            alert_id="0190b5a0-0000-7000-8000-000000000002",
            monitor="drift",
            subject=self.text("temp"),
            state="acknowledged",
            severity="warning",
            message=self.text("The column 'temp' has drifted: PSI excess 0.41 against a floor of 0.1."),
            event_at=samples.at(14),
        )
        alerts.put(tx, drift)
        over = samples.make_alert(
            alert_id="0190b5a0-0000-7000-8000-000000000003",
            state="resolved",
            message=self.text("AUC of version 2 is proven below 0.725."),
            event_at=samples.at(34),
            resolved_event_at=samples.at(37),
        )
        alerts.put(tx, over)
        for detector in samples.make_detectors():
            detectors.put(tx, detector, before=None, now=self.now())
        retraining_runs.put(tx, self.retraining())

    def retraining(self) -> RetrainingRun:
        event_at = samples.at(20)
        names = ("queued", "training", "trained", "shadow", "compared", "review")
        told = (
            "AUC 0.655 (0.640 to 0.670) is proven more than 0.03 below the 0.742 it was approved with",
            "training on 2 April to 20 June, holding out the last 14 days",
            "version 3 registered, with baseline and card",
            "scores beside the champion on the same rows",
            "better by 0.096 (0.078 to 0.114) on 9,412 flights; Brier no worse",
            "waits for two signatures",
        )
        steps = [
            StepTaken(
                name=name,
                at=int(NOW) + index * 3_600_000_000,
                event_at=event_at + index * 3 * DAY_US,
                detail=self.text(detail),
                figures={"rows": 9_412, "auc_difference": 0.096} if name == "compared" else {},
            )
            for index, (name, detail) in enumerate(zip(names, told, strict=True))
        ]
        measured = {"value": 0.751, "low": 0.738, "high": 0.764, "confidence": 0.95}
        dossier = Dossier(
            accuracy_assessment={
                "what_this_is": "Whether the challenger is better on the same flights. Look at the difference.",
                "rows": 9412,
                "challenger_roc_auc": measured,
                "champion_roc_auc": {**measured, "value": 0.655, "low": 0.64, "high": 0.67},
                "decision": self.text("accepted"),
            },
            updates_and_explainability={
                "what_this_is": "What changed in data, variables and importances since the champion was trained.",
                "shifts": [
                    {"column": "temp", "psi": 0.44, "psi_excess": 0.41},
                    {"column": "humid", "psi": 0.12, "psi_excess": 0.09},
                ],
                "importances": {"sched_hour": 0.081, "temp": 0.034, "carrier": 0.021},
            },
            diagnostics={
                "what_this_is": "How it is calibrated, and how it does for parts of the traffic.",
                "calibration": [
                    {"rows": 941, "mean_score": 0.08 * bin + 0.05, "event_rate": 0.081 * bin + 0.048}
                    for bin in range(10)
                ],
            },
            versioning_approval_and_audit={
                "what_this_is": "Digests, signatures and every event of this run.",
                "artifact": "sha256:4f1c…",
                "approved_under": None,
            },
        )
        return RetrainingRun(
            retraining_id=RETRAINING,
            endpoint=MODEL,
            model=MODEL,
            state="review",
            champion_version=2,
            challenger_version=3,
            trigger={"metric": "roc_auc", "value": 0.655, "approved_with": 0.742, "drop": 0.03},
            steps=steps,
            dossier=dossier,
            event_at=event_at,
            started_at=int(NOW),
            ended_at=None,
        )

    def make_bare_model(self) -> None:
        name = "churn-2026 (trial)"
        self.write(lambda tx: registered_models.create(tx, name, description=None, tags=[], by="ann", now=self.now()))
