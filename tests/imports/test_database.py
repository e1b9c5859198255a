"""MLflow's database as it is read: what every column means, in new releases and in old ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.errors import CannotStart, InvalidInput, Unavailable
from tenure.imports import opening
from tenure.imports.database import DatabaseSource
from tenure.imports.places import Places
from tenure.imports.source import Owner, Unreadable, plain
from tests.imports.mlflow_database import HUGE, MlflowDatabase, filled


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[MlflowDatabase]:
    made = filled(tmp_path)
    yield made
    made.close()


def opened(mlflow: MlflowDatabase) -> DatabaseSource:
    return DatabaseSource(mlflow.url, Places())


def test_runs_come_with_all_that_belongs_to_them(mlflow: MlflowDatabase) -> None:
    source = opened(mlflow)
    (chunk,) = source.runs(["101"])
    assert [run.sent.run_id for run in chunk] == [mlflow.run_id(number) for number in (1, 2, 3)]
    first, _, deleted = (run.sent for run in chunk)
    assert (first.name, first.user_id, first.status, first.end_time) == ("run 1", "ada", "FINISHED", 6001)
    assert (first.params, first.tags) == ({"depth": "1"}, {"mlflow.runName": "run 1", "empty": ""})
    (given,) = first.datasets
    assert (given.dataset.name, given.dataset.schema, given.tags[0].value) == ("toy", '{"a": 1}', "training")
    assert [(link.model_id, link.step) for link in first.models_made] == [(mlflow.model_id(1), 4)]
    assert (deleted.lifecycle_stage, deleted.deleted_time) == ("deleted", 9000)
    assert chunk[0].points == 53


def test_nan_is_told_by_its_mark_and_the_largest_number_stays_a_number(mlflow: MlflowDatabase) -> None:
    source = opened(mlflow)
    (chunk,) = source.runs(["101"])
    (series,) = source.points(chunk)
    odd = next(one for one in series if one.key == "odd")
    assert dict(zip(odd.steps, odd.values, strict=True)) == {0: None, 1: 2.0, 2: -HUGE}
    assert sum(len(one.values) for one in series) == 55


def test_versions_know_their_logged_model_and_deleted_ones_keep_their_number(mlflow: MlflowDatabase) -> None:
    (model,) = opened(mlflow).registered_models()
    assert [(one.version, one.deleted) for one in model.versions] == [(1, False), (2, True), (3, False)]
    assert model.versions[0].model_id == mlflow.model_id(1)
    assert dict(model.aliases) == {"blue": 3}


def test_what_is_not_moved_is_counted_and_named(mlflow: MlflowDatabase) -> None:
    assert [(one.what, one.count, list(one.examples)) for one in opened(mlflow).leftovers()] == [
        ("prompts", 1, ["greeting"]),
        ("traces", 1, []),
    ]


def test_a_table_that_nobody_knows_is_named_too(mlflow: MlflowDatabase) -> None:
    mlflow.connection.executescript("CREATE TABLE novelties (id INTEGER); INSERT INTO novelties VALUES (1), (2);")
    found = [(one.what, one.count) for one in opened(mlflow).leftovers()]
    assert ("rows of the table novelties", 2) in found


def test_a_database_of_mlflow_2_is_read_too(mlflow: MlflowDatabase) -> None:
    mlflow.like_mlflow_2()
    source = opened(mlflow)
    (chunk,) = source.runs(["101"])
    assert [run.sent.deleted_time for run in chunk] == [None, None, None]
    assert len(chunk[0].sent.datasets) == 1
    assert list(source.logged_models(["101"])) == []
    (model,) = source.registered_models()
    assert model.versions[0].storage_location == f"models:/{mlflow.model_id(1)}"
    assert source.totals(["101"])["metric points"] == 55


def test_reading_leaves_the_database_as_it_was(mlflow: MlflowDatabase) -> None:
    source = opened(mlflow)
    before = mlflow.path.read_bytes()
    list(source.runs(["101"]))
    source.close()
    assert mlflow.path.read_bytes() == before
    assert {path.name for path in mlflow.path.parent.iterdir()} == {"mlflow.db", "mlruns"}


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        ("mlruns", "mlflow server"),
        ("file:///srv/mlruns", "mlflow server"),
        ("sqlite:////nowhere/mlflow.db", "no database file"),
        ("mysql://me:secret@db/mlflow", "pymysql"),
        ("oracle://db/mlflow", "only sqlite"),
    ],
)
def test_a_source_that_cannot_be_opened_says_what_to_do(origin: str, says: str) -> None:
    with pytest.raises((InvalidInput, CannotStart), match=says) as told:
        opening.open_source(origin)
    assert "secret" not in str(told.value)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.db").touch()
    with pytest.raises(InvalidInput, match="no MLflow tables"):
        opening.open_source(f"sqlite:///{tmp_path / 'other.db'}")


def test_credentials_are_not_part_of_an_address(mlflow: MlflowDatabase) -> None:
    assert opened(mlflow).address == mlflow.url
    with pytest.raises(Unavailable) as told:
        opening.open_source("postgresql://me:secret@127.0.0.1:1/mlflow")
    assert "secret" not in told.value.message
    assert plain("postgresql://me:secret@db/mlflow") == "postgresql://db/mlflow"


def test_files_are_listed_at_any_depth_and_a_place_elsewhere_says_why(mlflow: MlflowDatabase) -> None:
    places, owner = Places(), Owner("run", mlflow.run_id(1))
    location = f"{mlflow.artifacts}/101/{mlflow.run_id(1)}/artifacts"
    assert places.sizes(location, owner) == {"notes/a b.txt": 5}
    assert b"".join(places.read(location, "notes/a b.txt", owner)) == b"run 1"
    assert places.sizes(f"{mlflow.artifacts}/101/none/artifacts", owner) == {}
    for elsewhere, why in (
        ("/of/another/machine/1/x/artifacts", "not on this machine"),
        ("mlflow-artifacts:/1/x/artifacts", "--artifacts-from"),
        ("dbfs:/1/x", "dbfs"),
    ):
        with pytest.raises(Unreadable, match=why):
            places.sizes(elsewhere, owner)


def test_the_destination_of_a_proxy_stands_for_its_locations(mlflow: MlflowDatabase) -> None:
    places = Places(str(mlflow.artifacts))
    run_id = mlflow.run_id(1)
    found = places.sizes(f"mlflow-artifacts:/101/{run_id}/artifacts", Owner("run", run_id))
    assert found == {"notes/a b.txt": 5}
