"""Where new experiments keep artifacts is the operator's to say; what lies there is opened here too."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from tenure.app import open_ground
from tenure.build import experiments, model_versions
from tenure.deploy import fetching
from tenure.errors import CannotStart
from tenure.manage import facts
from tenure.records.routing import Release
from tenure.settings import Settings
from tenure.store.ground import Ground
from tests.api.mlflow.conftest import MLMODEL, Wire
from tests.conftest import NOON


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def direct_wire(ground: Ground, shared: Path) -> Wire:
    """The application with a shared folder as its default artifact root, which clients write into themselves."""
    settings = msgspec.structs.replace(ground.settings, default_artifact_root=str(shared))
    return Wire(dataclasses.replace(ground, settings=settings))


def written(location: str, name: str, content: bytes) -> None:
    """What a client does with a location that it reaches itself."""
    file = Path(location, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def location_of(wire: Wire, run_id: str) -> str:
    return str(wire.get("runs/get", run_id=run_id).json()["run"]["info"]["artifact_uri"])


def test_the_default_experiment_lies_below_the_root_that_is_given_at_the_first_start(tmp_path: Path) -> None:
    from tests.conftest import make_ground

    made = make_ground(tmp_path / "plain")
    with made.database.reading() as tx:
        assert experiments.get(tx, "0").artifact_location == "mlflow-artifacts:/0"
    made.database.write(lambda tx: experiments.seed(tx, NOON, root="/elsewhere/"))
    with made.database.reading() as tx:  # what is there already keeps its place
        assert experiments.get(tx, "0").artifact_location == "mlflow-artifacts:/0"
    made.database.close()


def test_runs_and_models_of_new_experiments_lie_below_the_root(direct_wire: Wire, shared: Path) -> None:
    made = direct_wire.experiment()
    run_id = direct_wire.run(made)
    model = direct_wire.post("logged-models", experiment_id=made, name="m").json()["model"]["info"]

    assert direct_wire.get("experiments/get", experiment_id=made).json()["experiment"]["artifact_location"] == (
        f"{shared}/{made}"
    )
    assert location_of(direct_wire, run_id) == f"{shared}/{made}/{run_id}/artifacts"
    assert model["artifact_uri"] == f"{shared}/{made}/models/{model['model_id']}/artifacts"


def test_what_a_client_wrote_below_the_root_is_listed_read_and_pinned(direct_wire: Wire, tmp_path: Path) -> None:
    run_id = direct_wire.run(direct_wire.experiment())
    location = location_of(direct_wire, run_id)
    written(location, "model/MLmodel", MLMODEL)
    written(location, "model/model.skops", b"the model")

    listed = direct_wire.get("artifacts/list", run_id=run_id, path="model").json()
    assert [file["path"] for file in listed["files"]] == ["model/MLmodel", "model/model.skops"]
    asked = {"run_id": run_id, "path": "model/MLmodel"}
    assert direct_wire.call("GET", "/get-artifact", query=asked).content == MLMODEL
    direct_wire.post("registered-models/create", name="delay")
    answer = direct_wire.post("model-versions/create", name="delay", source=f"runs:/{run_id}/model", run_id=run_id)
    assert answer.status == 200
    uri = direct_wire.get("model-versions/get-download-uri", name="delay", version="1").json()["artifact_uri"]
    assert uri == f"{location}/model"
    asked = {"name": "delay", "version": "1", "path": "model.skops"}
    assert direct_wire.call("GET", "/model-versions/get-artifact", query=asked).content == b"the model"

    ground = direct_wire.ground
    version = ground.database.read(lambda tx: model_versions.get(tx, "delay", 1))
    assert [file.path for file in version.files] == ["MLmodel", "model.skops"]
    assert [column.name for column in version.inputs] == ["distance", "carrier"]
    assert facts.check_bytes(ground, "delay", 1).problems == []
    release = Release(
        release_id="r",
        model="delay",
        version=1,
        role="champion",
        share=1.0,
        location=version.storage_location,
        digest=version.digest or "",
        files=version.files,
        inputs=version.inputs,
    )
    fetched = fetching.fetch(ground.roots, tmp_path / "models")(release)
    assert (fetched / "model.skops").read_bytes() == b"the model"
    written(location, "model/model.skops", b"another")  # behind the server's back
    assert facts.check_bytes(ground, "delay", 1).problems == [
        "model.skops has other content than when it was registered"
    ]


def test_a_small_file_that_a_page_sends_lies_with_the_run_and_never_replaces_a_pinned_one(direct_wire: Wire) -> None:
    run_id = direct_wire.run(direct_wire.experiment())
    location = location_of(direct_wire, run_id)
    upload = "/ajax-api/2.0/mlflow/upload-artifact"

    def send(path: str, content: bytes) -> int:
        return direct_wire.call("POST", upload, query={"run_id": run_id, "path": path}, body=content).status

    assert send("model/MLmodel", MLMODEL) == 200
    assert Path(location, "model/MLmodel").read_bytes() == MLMODEL
    direct_wire.post("registered-models/create", name="delay")
    direct_wire.post("model-versions/create", name="delay", source=f"runs:/{run_id}/model", run_id=run_id)
    assert send("model/MLmodel", b"another") == 409
    assert send("model/notes.txt", b"new files may come") == 200
    assert Path(location, "model/MLmodel").read_bytes() == MLMODEL


def test_the_proxied_way_does_not_replace_a_file_that_is_pinned_by_its_other_name(ground: Ground) -> None:
    """The operator may let both roots lie on one folder."""
    settings = msgspec.structs.replace(ground.settings, default_artifact_root=f"file://{ground.artifacts.base}")
    wire = Wire(dataclasses.replace(ground, settings=settings))
    made = wire.experiment()
    run_id = wire.run(made)
    assert wire.put(f"{made}/{run_id}/artifacts/model/MLmodel", MLMODEL).status == 200
    wire.post("registered-models/create", name="delay")
    assert wire.post("model-versions/create", name="delay", source=f"runs:/{run_id}/model").status == 200
    assert wire.put(f"{made}/{run_id}/artifacts/model/MLmodel", b"another").status == 409


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_source_may_step_back_inside_its_runs_folder_and_not_out_of_it(direct_wire: Wire, scheme: str) -> None:
    made = direct_wire.experiment()
    run_id, other = direct_wire.run(made), direct_wire.run(made)
    location = location_of(direct_wire, run_id)
    written(location, "model/MLmodel", MLMODEL)
    direct_wire.post("registered-models/create", name="delay")

    def registered(path: str) -> int:
        source = f"{scheme}{location}/{path}"
        return direct_wire.post("model-versions/create", name="delay", source=source, run_id=run_id).status

    assert registered("plots/../model/.") == 200
    version = direct_wire.ground.database.read(lambda tx: model_versions.get(tx, "delay", 1))
    assert version.storage_location == f"{location}/model"
    assert [file.path for file in version.files] == ["MLmodel"]
    for path in ("..", f"../../{other}/artifacts", "../../../..", "plots/%2e%2e/model", "plots/%252e%252e/model"):
        assert registered(path) == 400, path


def test_a_link_below_the_root_leads_nowhere(direct_wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    run_id = direct_wire.run(direct_wire.experiment())
    location = Path(location_of(direct_wire, run_id))
    location.mkdir(parents=True)
    (location / "file").symlink_to(tmp_path / "secret")
    (location / "folder").symlink_to(tmp_path)

    assert "files" not in direct_wire.get("artifacts/list", run_id=run_id).json()
    assert "files" not in direct_wire.get("artifacts/list", run_id=run_id, path="folder").json()
    for path in ("file", "folder/secret"):
        asked = {"run_id": run_id, "path": path}
        assert direct_wire.call("GET", "/get-artifact", query=asked).status == 404
    upload = {"run_id": run_id, "path": "folder/new"}
    assert direct_wire.call("POST", "/ajax-api/2.0/mlflow/upload-artifact", query=upload, body=b"1").status == 400
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in ("new", "secret")) == ["secret"]


@pytest.mark.parametrize(
    "location", ["/etc", "file:///etc", "s3://bucket/a", "{shared}-beside", "file://{shared}-beside", "hdfs://h/a"]
)
def test_a_location_outside_the_roots_is_recorded_and_not_opened(
    direct_wire: Wire, shared: Path, location: str
) -> None:
    location = location.format(shared=shared)
    made = direct_wire.post("experiments/create", name="far", artifact_location=location).json()["experiment_id"]
    run_id = direct_wire.run(made)

    assert location_of(direct_wire, run_id) == f"{location}/{run_id}/artifacts"
    assert direct_wire.get("artifacts/list", run_id=run_id).status == 400
    assert direct_wire.call("GET", "/get-artifact", query={"run_id": run_id, "path": "passwd"}).status == 400


def test_no_root_may_reach_the_database_or_the_data_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared/tenure.db"
    for given in (
        {"database_url": url, "default_artifact_root": f"{tmp_path}/shared"},
        {"artifacts_url": str(tmp_path)},
    ):
        with pytest.raises(CannotStart, match="own files"):
            open_ground(Settings(data=f"{tmp_path}/data", **given))


def test_a_location_that_no_url_can_be_is_refused(wire: Wire) -> None:
    assert wire.post("experiments/create", name="x", artifact_location="s3://[").status == 400


def test_an_odd_spelling_of_a_location_does_not_unpin_a_file(each_wire: Wire) -> None:
    wire = each_wire
    made = wire.post("experiments/create", name="odd", artifact_location="mlflow-artifacts:///a%20b//c").json()
    run_id = wire.run(made["experiment_id"])
    folder = f"a b/c/{run_id}/artifacts/model"
    assert wire.put(f"{folder}/MLmodel", MLMODEL).status == 200
    wire.post("registered-models/create", name="delay")
    answer = wire.post("model-versions/create", name="delay", source=f"runs:/{run_id}/model")
    assert answer.status == 200
    version = wire.ground.database.read(lambda tx: model_versions.get(tx, "delay", 1))
    assert [file.path for file in version.files] == ["MLmodel"]
    assert wire.put(f"{folder}/MLmodel", b"another").status == 409
