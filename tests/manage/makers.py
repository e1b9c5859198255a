"""Small builders: a governed model with one complete version, and people who may sign."""

from __future__ import annotations

from typing import Any

from tenure.build import manifests, model_versions, registered_models
from tenure.manage import cards, changes, facts, model_files, people, profiles
from tenure.manage.passwords import Reauthenticated
from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.records.changes import Change, NewChange, NewSignature
from tenure.records.people import NewPerson
from tenure.records.profiles import CategoricalProfile, Judged, NumericProfile, Profile
from tenure.records.registry import NewVersion
from tenure.store.ground import Ground

BEFORE = Instant(1_750_000_000_000_000)
NOW = Instant(BEFORE + 1_000_000)
MODEL = "late"
MLMODEL = """
flavors: {}
signature:
  inputs: '[%s]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
"""
FILE: dict[str, Any] = {
    "model": MODEL,
    "purpose": "Warn of a late arrival",
    "owner": "pricing@example.com",
    "use": {"jurisdictions": ["US"]},
    "features": {
        "wind": {"kind": "numeric"},
        "carrier": {"kind": "categorical"},
        "dep_delay": {"available": "after_departure"},
        "age": {"semantic": "age", "forbidden": {"in": ["US"], "reason": "policy P-12"}},
        "years": {"semantic": "age"},
    },
    "prediction": {"positive": "late", "outcome": "arr_late"},
    "approval": {"steps": [{"role": "validator"}, {"role": "business-owner"}]},
    "retraining": {
        "recipe": "flights",
        "when": [{"accuracy": {"drop": 0.03}}],
        "accept": {"better": {}},
        "envelope": {"expires": "2027-06-30", "score_psi_max": 0.1},
        "then": "promote",
    },
}
CARD = Card(scope="Flights from New York", data_dependencies="Timetable and weather")
JUDGED = Judged(rows=1000, positives=300, roc_auc=0.8, roc_auc_low=0.78, roc_auc_high=0.82, brier=0.15)


def apply_file(ground: Ground, *, by: str = "ann", reason: str | None = None, **changed: Any) -> None:
    file = model_files.parse({**FILE, **changed})
    ground.database.write(lambda tx: model_files.apply(tx, file, by=by, now=NOW, reason=reason))


def make_profile(columns: tuple[str, ...] = ("wind", "carrier"), rows: int = 100) -> Profile:
    kinds = {
        "carrier": CategoricalProfile(levels=["AA", "B6"], counts=[60, 40], n=100),
    }
    wind = NumericProfile(edges=[10.0], counts=[50, 50], n=100, min=0.0, max=38.5)
    return Profile(rows=rows, columns={name: kinds.get(name, wind) for name in columns}, judged=JUDGED)


def make_version(ground: Ground, columns: tuple[str, ...] = ("wind", "carrier"), *, by: str = "ann") -> int:
    """A registered version with its files in the store and its baseline recorded."""
    name = MODEL

    def known() -> int:
        found = ground.database.read(lambda tx: [one.name for one in registered_models.list_all(tx)])
        if name not in found:
            ground.database.write(
                lambda tx: registered_models.create(tx, name, description=None, tags=[], by=by, now=BEFORE)
            )
        return len(ground.database.read(lambda tx: model_versions.of_model(tx, name)))

    place = f"1/models/m-{known():032x}/artifacts"
    kinds = {"carrier": "string"}
    inputs = ", ".join(f'{{"name": "{column}", "type": "{kinds.get(column, "double")}"}}' for column in columns)
    ground.artifacts.write(f"{place}/MLmodel", [(MLMODEL % inputs).encode()])
    ground.artifacts.write(f"{place}/model.pkl", [b"weights of " + place.encode()])
    pinned = manifests.pin(ground.artifacts, place)
    new = NewVersion(name=name, source=f"mlflow-artifacts:/{place}", storage_location=f"mlflow-artifacts:/{place}")
    made = ground.database.write(lambda tx: model_versions.register(tx, new, pinned, by=by, now=BEFORE))
    profile = make_profile(columns)
    ground.database.write(lambda tx: profiles.record(tx, name, made.version, profile, by=by, now=BEFORE))
    return made.version


def write_card(ground: Ground, version: int, card: Card = CARD) -> None:
    ground.database.write(lambda tx: cards.edit(tx, MODEL, version, card, by="ann", now=NOW))


def make_people(ground: Ground) -> None:
    """vera and vic validate, bo owns the business, ann builds and holds both roles too."""
    roles = {
        "vera": ["validator"],
        "vic": ["validator"],
        "bo": ["business-owner"],
        "both": ["validator", "business-owner"],
        "ann": ["validator", "business-owner"],
    }
    for name, held in roles.items():
        new = NewPerson(name=name, printed_name=f"{name.title()} Person", password="not needed here", roles=held)

        def create(tx: Any, new: NewPerson = new) -> None:
            people.create(tx, new, "no hash", by="owner", now=BEFORE)

        ground.database.write(create)


def make_ready(ground: Ground) -> int:
    """A version that passes every rule of the gate, and people to sign it."""
    make_people(ground)
    version = make_version(ground)
    apply_file(ground)
    write_card(ground, version)
    return version


def ask(ground: Ground, version: int, kind: Any = "approve", *, by: str = "ann", at: Instant = NOW) -> Change:
    checked = facts.check_bytes(ground, MODEL, version)
    new = NewChange(kind=kind, model=MODEL, version=version, reason="it is ready")
    return ground.database.write(lambda tx: changes.open_change(tx, new, by=by, now=at, checked=checked))


def sign(ground: Ground, change: Change, person: str, role: str, meaning: Any = "approval") -> Change:
    checked = None if change.kind == "revise" else facts.check_bytes(ground, change.model, change.version)
    account = ground.database.read(lambda tx: people.get(tx, person))
    proof = Reauthenticated(account, "password (argon2id)", Instant(NOW + 5))
    new = NewSignature(person=person, password="-", role=role, meaning=meaning, reason="looked at it")
    before = len(ground.database.read(lambda tx: changes.get(tx, change.change_id)).signatures)
    at = Instant(NOW + 10 + before)
    return ground.database.write(
        lambda tx: changes.sign(tx, change.change_id, new, proof=proof, key=ground.key, now=at, checked=checked)
    )


def approve(ground: Ground, version: int) -> Change:
    change = ask(ground, version)
    sign(ground, change, "vera", "validator")
    return sign(ground, change, "bo", "business-owner")


def state_of(ground: Ground, version: int) -> str:
    return ground.database.read(lambda tx: model_versions.get(tx, MODEL, version)).state
