"""Small builders: a model with versions whose files are there, with or without governance."""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.build import manifests, model_versions, registered_models
from tenure.manage import changes, facts, model_files, people, profiles
from tenure.manage.passwords import Reauthenticated
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange, NewSignature
from tenure.records.model_files import ModelFile
from tenure.records.people import NewPerson
from tenure.records.profiles import Judged, NumericProfile, Profile
from tenure.records.registry import ModelVersionInfo, NewVersion
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)
MLMODEL = """
flavors: {}
signature:
  inputs: '[{"type": "double", "name": "distance", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""


def make_model(ground: Ground, name: str = "delay") -> str:
    ground.database.write(lambda tx: registered_models.create(tx, name, description=None, tags=[], by="ann", now=NOW))
    return name


def make_version(ground: Ground, name: str = "delay", content: bytes = b"weights") -> ModelVersionInfo:
    """A version with two files in the artifact store, pinned, with a baseline that promises an AUC of 0.8."""
    count = len(ground.database.read(lambda tx: model_versions.of_model(tx, name)))
    place = f"1/models/m-{count:032x}/artifacts"
    ground.artifacts.write(f"{place}/MLmodel", [MLMODEL.encode()])
    ground.artifacts.write(f"{place}/model/weights.bin", [content, b"%d" % count])
    location = f"mlflow-artifacts:/{place}"
    pinned = manifests.pin(ground.artifacts, place)
    new = NewVersion(name=name, source=location, storage_location=location)
    made = ground.database.write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))
    column = NumericProfile(edges=[1.0], counts=[50, 50], n=100)
    judged = Judged(rows=1000, positives=300, roc_auc=0.8, roc_auc_low=0.78, roc_auc_high=0.82, brier=0.15)
    profile = Profile(rows=100, columns={"distance": column}, judged=judged)
    ground.database.write(lambda tx: profiles.record(tx, name, made.version, profile, by="ann", now=NOW))
    return made


def govern(ground: Ground, name: str = "delay", **more: Any) -> None:
    """Put a model under governance: one signature by a validator."""
    file = {
        "model": name,
        "purpose": "warn",
        "owner": "team@example.com",
        "features": {"distance": {"kind": "numeric"}},
        "prediction": {"positive": "late", "outcome": "arr_late"},
        "approval": {"steps": [{"role": "validator"}]},
        **more,
    }
    parsed = msgspec.convert(file, ModelFile)
    ground.database.write(lambda tx: model_files.apply(tx, parsed, by="ann", now=NOW))


def make_validator(ground: Ground, name: str = "vera") -> None:
    new = NewPerson(name=name, printed_name="Vera V.", password="not needed here", roles=["validator"])
    ground.database.write(lambda tx: people.create(tx, new, "no hash", by="ann", now=Instant(NOW - 1)))


def ask_for_approval(ground: Ground, version: ModelVersionInfo) -> Change:
    from tenure.manage import cards
    from tenure.records.cards import Card

    card = Card(scope="all flights", data_dependencies="timetable", input_limits="km above 0", accuracy="see baseline")
    ground.database.write(lambda tx: cards.edit(tx, version.name, version.version, card, by="ann", now=NOW))
    checked = facts.check_bytes(ground, version.name, version.version)
    new = NewChange(kind="approve", model=version.name, version=version.version, reason="it is ready")
    return ground.database.write(lambda tx: changes.open_change(tx, new, by="ann", now=NOW, checked=checked))


def sign(ground: Ground, change: Change, person: str = "vera", meaning: str = "approval") -> Change:
    checked = facts.check_bytes(ground, change.model, change.version)
    account = ground.database.read(lambda tx: people.get(tx, person))
    proof = Reauthenticated(account, "password", NOW)
    new = msgspec.convert(
        {"person": person, "password": "-", "role": "validator", "meaning": meaning, "reason": "looked at it"},
        NewSignature,
    )
    return ground.database.write(
        lambda tx: changes.sign(tx, change.change_id, new, proof=proof, key=ground.key, now=NOW, checked=checked)
    )


def approve(ground: Ground, version: ModelVersionInfo) -> Change:
    """Have a version approved by the signature of `vera`, who must have been made."""
    return sign(ground, ask_for_approval(ground, version))
