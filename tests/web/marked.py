"""Markup in every text that the town leaves plain: notes, names, tags, labels, files, and what is read out of files."""

from __future__ import annotations

import msgspec

from tenure.access import OWNER
from tenure.build import datasets, experiments, logged_models, manifests, model_versions, registered_models, runs
from tenure.manage import comments, contents, grants, people, services, tokens
from tenure.records.base import Instant
from tenure.records.changes import NewComment
from tenure.records.people import NewGrant, NewPerson, NewService, Permission
from tenure.records.registry import NewVersion
from tenure.records.tokens import NewToken
from tenure.records.tracking import Dataset, DatasetInput, KeyValue, ModelOutput
from tenure.store import changes
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from . import samples, town

NOW = Instant(town.NOW + 1)
SCRIPT_URL = "javascript:alert(3)//"


def fill(ground: Ground, marked: str) -> None:
    """Put markup where `town.fill(ground, marked=...)` puts none. Needs a town."""
    admin = NewPerson(name="ada", printed_name=f"Ada {marked}", password=town.PASSWORD, roles=["admin", "engineer"])
    ground.database.write(lambda tx: people.create(tx, admin, people.hashed(town.PASSWORD), by="owner", now=NOW))
    locations = ground.database.write(lambda tx: _tracking(tx, marked))
    _files(ground, locations, marked)
    ground.database.write(lambda tx: _registry(tx, marked))
    ground.database.write(lambda tx: _access(tx, marked))
    [first, *_] = ground.database.read(lambda tx: changes.search(tx, state="open"))
    comment = NewComment(text=f"I wonder {marked}")
    ground.database.write(lambda tx: comments.add(tx, first.change.change_id, comment, by=OWNER, now=NOW))
    _contents(ground, marked)


def _tracking(tx: Transaction, marked: str) -> tuple[str, str]:
    told = [KeyValue(key=key, value=f"{key} {marked}") for key in ("mlflow.note.content", "team")]
    experiment = experiments.create(tx, f"marked {marked}", location=None, tags=told, now=NOW)
    tags = [
        *told,
        KeyValue(key="mlflow.user", value=marked),
        KeyValue(key="mlflow.source.name", value=marked),
        KeyValue(key="mlflow.source.git.commit", value=marked),
        KeyValue(key="mlflow.source.git.repoURL", value=SCRIPT_URL + marked),
        KeyValue(key="tenure.code.remote", value=SCRIPT_URL + marked),
        KeyValue(key="tenure.code.commit", value=marked),
        *(
            KeyValue(key=f"tenure.{name}", value=marked)
            for name in (
                "code.branch",
                "code.path",
                "code.kind",
                "code.dirty",
                "environment.python",
                "environment.implementation",
                "environment.system",
                "environment.packages",
                "environment.libraries",
                "seed.value",
                "seed.libraries",
            )
        ),
    ]
    run = runs.create(tx, experiment, name=marked, user_id=marked, start_time=int(NOW) // 1000, tags=tags, now=NOW)
    run_id = run.info.run_id
    runs.log_params(tx, run_id, {"formula": marked, "link": SCRIPT_URL})
    dataset = Dataset(
        name=f"data {marked}"[:400],
        digest="abc",
        source_type=marked[:30],
        source=SCRIPT_URL + marked,
        schema=marked,
        profile=marked,
    )
    context = [KeyValue(key="mlflow.data.context", value=marked)]
    datasets.log_inputs(tx, run_id, [DatasetInput(dataset=dataset, tags=context)], [])
    model = logged_models.create(
        tx,
        experiment,
        name="marked",
        model_type=marked,
        source_run_id=run_id,
        params=[KeyValue(key="alpha", value=marked)],
        tags=told,
        now=NOW,
    )
    datasets.log_outputs(tx, run_id, [ModelOutput(model_id=model.info.model_id, step=0)])
    return str(run.info.artifact_uri), str(model.info.artifact_uri)


def _files(ground: Ground, locations: tuple[str, str], marked: str) -> None:
    """Names and contents of files; the name is the part of the markup that a path can hold."""
    named = "<img src=x onerror=alert(1)>\"' onmouseover='alert(2)"
    signature = msgspec.json.encode([{"name": marked, "type": marked}]).decode()
    mlmodel = {"flavors": {marked: {marked: marked}}, "signature": {"inputs": signature}, "mlflow_version": marked}
    features = samples.make_features()
    features = msgspec.structs.replace(features, notes=[marked])
    for location in locations:
        opened = ground.opened(location)
        assert opened is not None
        for path, content in {
            f"{named}.txt": marked.encode(),
            f"{named}/inside.txt": b"x",
            "rows.csv": f'{marked},b\n"{marked}",2\n'.encode(),
            "notes.json": msgspec.json.encode({marked: marked}),
            "MLmodel": msgspec.json.encode(mlmodel),
            "tenure/features.json": msgspec.json.encode(features),
            "page.html": marked.encode(),
        }.items():
            opened.store.write(opened.below(path), [content])


def _registry(tx: Transaction, marked: str) -> None:
    told = [KeyValue(key="team", value=marked), KeyValue(key="link", value=SCRIPT_URL)]
    registered_models.create(tx, "marked", description=marked, tags=told, by="ann", now=NOW)
    for tag in told:
        model_versions.set_tag(tx, town.MODEL, 1, tag.key, tag.value, by="ann", now=NOW)


def _access(tx: Transaction, marked: str) -> None:
    services.create(tx, NewService(name="ci", purpose=f"trains {marked}"), by="owner", now=NOW)
    grants.give(tx, NewGrant(principal="ci", role="data-scientist"), by="owner", now=NOW)
    new = NewToken(label=marked[:100], permissions=[Permission.READ], principal="ci")
    tokens.create(tx, new, by=OWNER, now=NOW)


def _contents(ground: Ground, marked: str) -> None:
    """A version whose pickle names a global that is markup, looked into."""
    place = "1/models/m-marked/artifacts"
    ground.artifacts.write(f"{place}/MLmodel", [b"flavors: {}"])
    ground.artifacts.write(f"{place}/model.pkl", [f"cos{marked}\n{marked}\n.".encode()])
    where = f"mlflow-artifacts:/{place}"
    new = NewVersion(name="marked", source=where, storage_location=where, description=marked)
    pinned = manifests.pin(ground.artifacts, place)
    ground.database.write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))
    contents.look_into(ground, "marked", 1)
