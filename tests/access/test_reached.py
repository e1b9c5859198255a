"""A real server that wants to know everybody, from its set-up link to a revoked token; and what does not start."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tenure.errors import CannotStart, NotSignedIn
from tenure.sdk.client import Client
from tenure.settings import Settings
from tenure.supervisor import check_sign_in
from tests.conftest import free_port, wait_until

PASSWORD = "correct horse battery"
REACHED = {"host": "0.0.0.0", "sign_in": "required", "allowed_hosts": "tenure.example.com"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host": "0.0.0.0"}, "--sign-in required"),
        ({"host": "192.0.2.1", "allowed_hosts": "a.example"}, "--sign-in required"),
        ({"allowed_hosts": "a.example"}, "With --allowed-hosts others reach"),
        ({"public_url": "https://a.example"}, "With --public-url others reach"),
        ({"host": "::", "sign_in": "required"}, "needs --allowed-hosts"),
        ({**REACHED, "allowed_hosts": "*.example.com"}, "wildcard"),
        ({**REACHED, "allowed_hosts": "https://tenure.example.com"}, "without scheme"),
        ({**REACHED, "public_url": "https://tenure.example.com/x"}, "without a path"),
        ({**REACHED, "public_url": "https://other.example.com"}, "must hold the host of --public-url"),
    ],
)
def test_what_others_reach_does_not_start_while_it_trusts_whoever_asks(given: dict[str, str], says: str):
    with pytest.raises(CannotStart, match=re.escape(says)):
        check_sign_in(Settings(**given))  # type: ignore[arg-type]


def test_what_may_start():
    check_sign_in(Settings())
    check_sign_in(Settings(sign_in="required"))
    reached = Settings(**REACHED, public_url="https://tenure.example.com")  # type: ignore[arg-type]
    check_sign_in(reached)
    assert reached.hosts == ("tenure.example.com",)
    assert (reached.control_url, reached.shown_url) == ("http://127.0.0.1:5000", "https://tenure.example.com")
    bound = Settings(host="192.0.2.1", sign_in="required", allowed_hosts="A.example:80")
    assert bound.hosts == ("192.0.2.1:5000", "192.0.2.1:5001", "a.example:80")


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server on all addresses of this machine, and the link that it printed."""
    port, data = free_port(), tmp_path_factory.mktemp("reached")
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(data), "--port", str(port), "--host", "0.0.0.0"]
    told = Path(data / "stderr")
    with told.open("wb") as stderr:
        more = ["--sign-in", "required", "--allowed-hosts", "tenure.example.com"]
        process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=stderr)
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(b"Tenure"), told.read_text()
            found = re.search(r"/set-up\?token=(\S+)", told.read_text())
            assert found is not None, told.read_text()
            yield f"http://127.0.0.1:{port}", found[1]
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


def test_the_whole_way_from_the_link_to_a_revoked_token(reached: tuple[str, str], monkeypatch: pytest.MonkeyPatch):
    url, secret = reached
    scoring = url[: url.rindex(":")] + f":{int(url.rsplit(':', 1)[1]) + 1}"
    for address in (f"{url}/api/v1/models", f"{url}/api/2.0/mlflow/experiments/search?max_results=1"):
        assert httpx.get(address).status_code == 401
    assert httpx.post(f"{scoring}/endpoints/x/invocations", json={}).status_code == 401
    assert httpx.get(f"{url}/health", headers={"host": "tenure.example.com"}).status_code == 200
    assert httpx.get(f"{url}/health", headers={"host": "evil.example"}).status_code == 403
    with pytest.raises(NotSignedIn), Client(url) as stranger:
        stranger.get("/api/v1/models")
    first = {"token": secret, "name": "root", "printed_name": "Root", "password": PASSWORD}
    assert httpx.post(f"{url}/api/v1/set-up", json=first).status_code == 201
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "root")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    with Client(url) as root:
        root.post("/api/v1/services", {"name": "ci", "purpose": "trains", "roles": ["engineer"]})
        asked = {"label": "x", "permissions": ["read", "track", "score"], "principal": "ci"}
        issued = root.post("/api/v1/tokens", asked)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", issued["secret"])
        with Client(url) as ci:
            assert ci.get("/api/v1/account")["name"] == "ci"
        bearer = {"authorization": f"Bearer {issued['secret']}"}
        wait_until(lambda: _scores(scoring, bearer) == 404, 2, "the gateway knows the token")
        root.post(f"/api/v1/tokens/{issued['token']['token_id']}/revoke")
        wait_until(lambda: _scores(scoring, bearer) == 401, 1, "the gateway refuses what was revoked")
    assert httpx.get(f"{url}/api/v1/models", headers=bearer).status_code == 401


def _scores(scoring: str, headers: dict[str, str]) -> int:
    """404 is what a principal gets who may score at an endpoint that is not there."""
    return httpx.post(f"{scoring}/endpoints/x/invocations", json={}, headers=headers).status_code
