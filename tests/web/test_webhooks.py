"""The pages about webhooks: added, tried, disabled, sent again and removed by forms; a secret never comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tenure.build import registered_models
from tenure.integrate.deliveries import Sender
from tenure.manage import people
from tenure.records.people import NewPerson
from tenure.store.ground import Ground

from ..conftest import NOON, make_ground, wait_until
from ..integrate.receiver import Receiver, receiving
from . import hooks
from .conftest import Client

PASSWORD = "correct horse battery"
SECRET = "nobody may read this"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Ground]:
    made = make_ground(tmp_path)
    made = replace(made, settings=msgspec.structs.replace(made.settings, webhook_allow="127.0.0.1"))
    new = NewPerson(name="vera", printed_name="Vera V.", password=PASSWORD, roles=[])
    made.database.write(lambda tx: people.create(tx, new, people.hashed(PASSWORD), by="owner", now=NOON))
    yield made
    made.database.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


def signed_in(ground: Ground) -> tuple[Client, str]:
    client = Client(ground)
    assert client.post("/sessions", data={"name": "vera", "password": PASSWORD}).status_code == 303
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/webhooks").text)
    assert csrf is not None
    return client, csrf[1]


def test_a_webhook_lives_its_life_by_forms(own: Ground, receiver: Receiver) -> None:
    client, csrf = signed_in(own)
    form = {"csrf": csrf, "name": "chat", "url": receiver.url, "secret": SECRET, "registered_model.created": "on"}
    refused = client.post("/webhooks/add", {**form, "url": "http://10.0.0.1/"})
    assert refused.status_code == 400
    assert "10.0.0.1 is not public" in refused.text
    assert 'value="chat"' in refused.text
    assert "checked" in refused.text
    assert SECRET not in refused.text
    added = client.post("/webhooks/add", form)
    path = added.headers["location"]
    assert added.status_code == 303
    assert "by a secret" in client.get(path).text
    receiver.answers = [401]
    assert "not accepted. It answered 401" in client.post(f"{path}/test", {"csrf": csrf}).text
    assert "The example was accepted. It answered 200" in client.post(f"{path}/test", {"csrf": csrf}).text
    own.database.write(lambda tx: registered_models.create(tx, "m", description=None, tags=[], by="v", now=NOON))
    assert ">waiting<" in client.get(path).text
    sender = Sender()
    wait_until(lambda: not sender.send_due(own, NOON) and not sender.busy(), 10, "it was sent")
    text = client.get(path).text
    message = re.search(r'name="message_id" value="([^"]+)"', text)
    assert message is not None
    assert ">sent<" in text
    assert client.post(f"{path}/redeliver", {"csrf": csrf, "message_id": message[1]}).status_code == 303
    assert client.post(f"{path}/status", {"csrf": csrf, "status": "DISABLED"}).status_code == 303
    refused = client.post(f"{path}/redeliver", {"csrf": csrf, "message_id": message[1]})
    assert (refused.status_code, "Enable it first" in refused.text) == (409, True)
    assert client.post(f"{path}/status", {"csrf": csrf, "status": "ACTIVE"}).status_code == 303
    for page in ("/webhooks", path, "/audit", "/api/v1/webhooks", f"/api/v1{path}", f"/api/v1{path}/deliveries"):
        assert SECRET not in client.get(page).text
    assert client.post(f"{path}/remove", {"csrf": csrf}).status_code == 303
    assert client.get(path).status_code == 404
    assert "Nobody is told so far" in client.get("/webhooks").text


def test_who_is_not_signed_in_reads_and_changes_nothing(pages: Client) -> None:
    text = pages.get("/webhooks").text
    assert "Add a webhook" not in text
    assert "Sign in" in text
    for path in (
        "/add",
        f"/{hooks.BUSY}/test",
        f"/{hooks.BUSY}/status",
        f"/{hooks.BUSY}/remove",
        f"/{hooks.BUSY}/redeliver",
    ):
        assert pages.post(f"/webhooks{path}", {"name": "x"}).status_code == 403


def test_a_form_without_the_sessions_token_is_refused(own: Ground) -> None:
    client, _ = signed_in(own)
    assert client.post("/webhooks/add", {"name": "chat", "url": "https://example.com/"}).status_code == 403


def test_the_log_tells_attempts_and_pages(pages: Client) -> None:
    text = pages.get(f"/webhooks/{hooks.BUSY}").text
    assert hooks.PROBLEM in text
    assert "given up" in text
    assert "and 2 before" in text
    older = re.search(r'href="(/webhooks/[^"]+before=[^"]+)">Older', text)
    assert older is not None
    assert "Newest" in pages.get(older[1].replace("&amp;", "&")).text
    assert pages.get(f"/webhooks/{hooks.BUSY}?before=nonsense").status_code == 400
