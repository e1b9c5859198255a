"""What a version runs in, asked over the API, on the command line and on its page."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from tenure.access import Gate
from tenure.api import front, rooms
from tenure.api.mlflow import app as mlflow_app
from tenure.app import MLFLOW_PREFIXES
from tenure.cli import asking
from tenure.cli.versions import command
from tenure.deploy import locking
from tenure.store.ground import Ground
from tenure.web import site

from ..cli.test_versions import Wire
from ..deploy.makers import make_model
from ..deploy.test_environments import version_of
from ..deploy.wheels import make_wheel, repack
from .conftest import Asker

PATH = "/api/v1/models/delay/versions/1/environment"
PAGE = "/models/delay/versions/1"


@pytest.fixture
def with_wheels(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A server with a folder of two wheels, and a model without versions."""
    monkeypatch.setattr(locking, "BASE", ("msgspec",))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    repack(wheels, "msgspec")
    make_wheel(wheels, "aaa", "1.0")
    make_model(ground)
    return replace(ground, settings=msgspec.structs.replace(ground.settings, wheel_folder=str(wheels)))


def run(ask: Asker, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(asking, "Client", lambda _url, token=None: Wire(ask))
    done = CliRunner().invoke(command, ["environment", "delay", "1", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def ask_of(ground: Ground) -> Asker:
    """API, pages and MLflow's protocol on a ground."""
    gate = Gate([5000], ground)
    with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
        warnings.simplefilter("ignore", DeprecationWarning)
        ours = rooms.application(ground, gate, site.handlers, site.on_error)
    return Asker(front.Front(gate, ours, mlflow_app.App(ground), MLFLOW_PREFIXES))


def test_an_environment_is_made_ahead_of_a_release(with_wheels: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    version_of(with_wheels, "aaa==1.0\n")
    ask = ask_of(with_wheels)
    assert "not decided yet" in run(ask, monkeypatch)
    assert "Not decided yet" in ask("GET", PAGE).text
    told = run(ask, monkeypatch, "--build")
    assert "an environment of its own" in told
    assert "built" in told
    assert "package aaa 1.0" in told
    found = ask.ok("GET", PATH)
    assert (found["environment"]["kind"], found["is_built"], found["is_settled"]) == ("own", True, True)
    page = ask("GET", PAGE).text
    assert "They are in place" in page
    assert "aaa==1.0" in page


def test_what_is_missing_is_listed(with_wheels: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    version_of(with_wheels, "aaa==2.0\n")
    ask = ask_of(with_wheels)
    told = run(ask, monkeypatch, "--build")
    assert "missing wheel aaa==2.0" in told
    assert "it cannot run here" in told
    page = ask("GET", PAGE).text
    assert "Missing wheels" in page
    assert "aaa==2.0" in page


def test_the_servers_packages_are_said_to_do(with_wheels: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    version_of(with_wheels, "msgspec\n")
    ask = ask_of(with_wheels)
    assert "the server's packages" in run(ask, monkeypatch, "--build")
    assert "which meet what the version asks for" in ask("GET", PAGE).text.replace("&#39;", "'")


def test_a_release_is_refused_for_want_of_wheels(with_wheels: Ground) -> None:
    version_of(with_wheels, "zzz\n")
    ask = ask_of(with_wheels)
    ask.ok("POST", "/api/v1/endpoints", json={"name": "late", "model": "delay"})
    new = {"version": 1, "role": "challenger", "reason": "try it", "share": 0.1}
    refused = ask("POST", "/api/v1/endpoints/late/releases", json=new)
    assert refused.status_code == 409
    assert "these wheels are missing: zzz" in refused.text
    alias = {"name": "delay", "alias": "champion", "version": "1"}
    refused = ask("POST", "/api/2.0/mlflow/registered-models/alias", json=alias)
    assert "these wheels are missing: zzz" in refused.text
    target = {"to": "shadow", "endpoint": "late"}
    change = {"kind": "deploy", "model": "delay", "version": 1, "reason": "try it", "target": target}
    assert "these wheels are missing: zzz" in ask("POST", "/api/v1/changes", json=change).text
