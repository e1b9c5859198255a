"""A location is opened below a root that the operator gave, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import CannotStart
from tenure.store.artifacts import ArtifactStore
from tenure.store.roots import Roots, normalised


def roots(tmp_path: Path, default: str = "mlflow-artifacts:/") -> Roots:
    return Roots(ArtifactStore(str(tmp_path / "proxied")), default)


@pytest.mark.parametrize(
    ("location", "key"),
    [
        ("mlflow-artifacts:/", ""),
        ("mlflow-artifacts:/1/run/artifacts", "1/run/artifacts"),
        ("mlflow-artifacts:///1//run/", "1/run"),
        ("mlflow-artifacts:/a%20b", "a b"),
        ("mlflow-artifacts://host/1/run", None),
        ("mlflow-artifacts:/1/../2", None),
        ("mlflow-artifacts:/1/%2e%2e/2", None),
        ("mlflow-artifacts:/1/%252e%252e/2", None),
        ("mlflow-artifacts:/1?x=2", None),
        ("mlflow-artifacts:/1#2", None),
        ("mlflow-artifacts:/1%3Fx", None),
        ("mlflow-artifacts:/1\\2", None),
        ("mlflow-artifacts:/1%002", None),
        ("/etc/passwd", None),
        ("file:///etc/passwd", None),
        ("s3://bucket/a", None),
        ("s3://[", None),
        ("", None),
        (None, None),
    ],
)
def test_without_another_root_only_proxied_locations_are_opened(
    tmp_path: Path, location: str | None, key: str | None
) -> None:
    opened = roots(tmp_path).opened(location)
    assert (opened.key if opened else None) == key


def test_the_servers_own_address_as_default_root_is_the_proxied_root(tmp_path: Path) -> None:
    route = "http://Tracking:5000/api/2.0/mlflow-artifacts/artifacts"
    known = roots(tmp_path, route)

    for location in (f"{route}/1/run", f"{route}//1/run/", "mlflow-artifacts:/1/run"):
        opened = known.opened(location)
        assert opened is not None
        assert (opened.store.base, opened.key) == (str(tmp_path / "proxied"), "1/run"), location
        assert set(known.spellings(opened.store, "1/run")) == {"mlflow-artifacts:/1/run", f"{route}/1/run"}
    for outside in (route.replace("5000", "5001"), f"{route}/../x", f"{route}/%2e%2e/x", f"{route}2/x"):
        assert known.opened(outside) is None
    assert roots(tmp_path, "http://elsewhere/models").opened("http://elsewhere/models/1") is None


def test_a_folder_as_default_root_is_opened_however_it_is_spelled(tmp_path: Path) -> None:
    known = roots(tmp_path, str(tmp_path / "shared"))

    for location in (f"{tmp_path}/shared/3/run", f"file://{tmp_path}/shared/3/run/", f"{tmp_path}//shared/3//run"):
        opened = known.opened(location)
        assert opened is not None
        assert (opened.store.base, opened.key) == (str(tmp_path / "shared"), "3/run")
        assert known.canonical(location) == f"{tmp_path}/shared/3/run"
    for outside in (f"{tmp_path}/shared2/3", f"{tmp_path}/shared/../3", f"file://host{tmp_path}/shared/3", "shared/3"):
        assert known.opened(outside) is None
        assert known.canonical(outside) == outside


def test_a_bucket_as_default_root_is_opened_below_its_prefix(tmp_path: Path) -> None:
    known = roots(tmp_path, "s3://bucket/models")

    opened = known.opened("s3://bucket/models/3/run%20x")
    assert opened is not None
    assert (opened.store.base, opened.key) == ("s3://bucket/models", "3/run%20x")
    for outside in ("s3://bucket/model", "s3://other/models/3", "gs://bucket/models/3", "s3://bucket/models/3?a=b"):
        assert known.opened(outside) is None


def test_a_root_of_a_kind_that_is_not_read_here_is_recorded_and_never_opened(tmp_path: Path) -> None:
    known = roots(tmp_path, "hdfs://host:8020/models")
    assert (known.default, known.opened("hdfs://host:8020/models/1")) == ("hdfs://host:8020/models/", None)


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("mlflow-artifacts:/", "mlflow-artifacts:/"),
        ("mlflow-artifacts:/team", "mlflow-artifacts:/team/"),
        ("mlflow-artifacts://other:5000/team", "mlflow-artifacts://other:5000/team/"),
        ("s3://bucket", "s3://bucket/"),
        ("mlruns", f"{Path.cwd()}/mlruns/"),
        ("/srv/mlruns/", "/srv/mlruns/"),
        ("file:///srv/mlruns", "file:///srv/mlruns/"),
    ],
)
def test_a_default_root_becomes_absolute_and_ends_in_a_slash(given: str, root: str) -> None:
    assert normalised(given) == root


@pytest.mark.parametrize("given", ["s3://bucket/a?token=b", "file:///srv#x", "file://host/srv", "s3://["])
def test_a_default_root_with_a_query_or_a_host_of_its_own_is_refused(given: str) -> None:
    with pytest.raises(CannotStart, match="default artifact root"):
        normalised(given)


def test_no_root_may_hold_the_servers_own_files(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="own files"):
        roots(tmp_path, str(tmp_path)).check_apart(tmp_path / "data")
    with pytest.raises(CannotStart, match="own files"):
        roots(tmp_path, "/").check_apart(tmp_path / "data")
    roots(tmp_path, str(tmp_path / "data" / "shared")).check_apart(tmp_path / "data")


@given(st.text(max_size=30))
def test_the_one_spelling_of_a_location_means_the_same_file(path: str) -> None:
    known = Roots(ArtifactStore("memory:///"), "mlflow-artifacts:/")
    opened = known.opened(f"mlflow-artifacts:/{path}")
    if opened is not None:
        assert known.opened(known.canonical(f"mlflow-artifacts:/{path}")) == opened
        assert known.canonical(f"mlflow-artifacts:/{path}") in known.spellings(*opened)
