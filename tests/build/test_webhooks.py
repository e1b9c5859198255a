"""Webhooks and what they are told, on both databases."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tenure.build import announcements, model_versions, registered_models, webhooks
from tenure.deploy import promotions
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.registry import ModelVersionInfo, NewVersion, Pinned
from tenure.records.tracking import KeyValue
from tenure.records.webhooks import EVENTS, NewWebhook, Webhook, WebhookChange
from tenure.store import audit, outbox, sealing, tables
from tenure.store import webhooks as kept
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_123_456)
LATER = Instant(NOW + 60_000_000)
SECRET = "nobody may read this"
URL = "https://hooks.example/services/T0/B0"
PROMPT = [KeyValue(key="mlflow.prompt.is_prompt", value="true")]


def hook(ground: Ground, *events: str, at: Instant = NOW, **fields: Any) -> Webhook:
    new = NewWebhook(**{"name": "chat", "url": URL, "events": list(events or EVENTS), **fields})
    means = webhooks.means_of(ground)
    return ground.database.write(lambda tx: webhooks.create(tx, new, means, by="ann", now=at))


def change(ground: Ground, webhook_id: str, **fields: Any) -> Webhook:
    told, means = WebhookChange(**fields), webhooks.means_of(ground)
    return ground.database.write(lambda tx: webhooks.update(tx, webhook_id, told, means, by="ann", now=LATER))


def waiting(ground: Ground) -> list[dict[str, Any]]:
    """Bodies in the outbox, the oldest first."""
    with ground.database.reading() as tx:
        return [json.loads(one.body) for one in outbox.due(tx, Instant(LATER + 1), without=(), limit=1000)]


def model(ground: Ground, name: str = "delay", **fields: Any) -> None:
    given = {"description": None, "tags": [], **fields}
    ground.database.write(lambda tx: registered_models.create(tx, name, **given, by="ann", now=NOW))


def version(ground: Ground, name: str = "delay", **fields: Any) -> ModelVersionInfo:
    new = NewVersion(name=name, source="models:/m-1", storage_location="s3://elsewhere/model", **fields)
    pinned = Pinned(files=[], digest="sha256:0", signature=None)
    return ground.database.write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))


def test_a_webhook_is_made_listed_changed_and_removed(each_ground: Ground) -> None:
    first = hook(each_ground, "model_version.created", "registered_model.created", description="To the chat")
    second = hook(each_ground, at=LATER, name="b", status="DISABLED")
    with each_ground.database.reading() as tx:
        page, token = webhooks.search(tx, max_results=1, page_token=None)
        rest, end = webhooks.search(tx, max_results=None, page_token=token)
    assert (page, rest, end) == ([second], [first], None)
    assert first.events == ["model_version.created", "registered_model.created"]
    changed = change(each_ground, first.webhook_id, name="d", description="", events=["prompt.created"])
    assert (changed.name, changed.description, changed.events) == ("d", "", ["prompt.created"])
    assert (changed.url, changed.created_at) == (URL, first.created_at)
    assert changed.updated_at == LATER // 1000 * 1000
    each_ground.database.write(lambda tx: webhooks.delete(tx, first.webhook_id, by="ann", now=LATER))
    with pytest.raises(NotFound, match=first.webhook_id):
        change(each_ground, first.webhook_id, name="e")
    with each_ground.database.reading() as tx:
        events = [one for one in audit.search(tx, action="webhook.") if one.subject == first.webhook_id]
    assert [one.action for one in events] == ["webhook.deleted", "webhook.updated", "webhook.created"]
    assert events[1].detail["changed"] == ["description", "events", "name"]


def test_a_secret_is_sealed_and_told_nowhere(each_ground: Ground) -> None:
    made = hook(each_ground, secret=SECRET)
    other = hook(each_ground, name="other", secret=SECRET)
    assert made.signed
    assert SECRET not in repr(made)
    with each_ground.database.reading() as tx:
        rows = tx.execute(tables.webhooks.select()).all()
        told = [msgspec.json.encode(one).decode() for one in audit.search(tx, action="webhook.")]
        sealed = kept.address(tx, made.webhook_id)
    assert sealed is not None
    assert sealed[1] is not None
    assert all(SECRET.encode() not in bytes(row.secret) for row in rows)
    assert len({bytes(row.secret) for row in rows}) == 2
    assert not any(SECRET in line or "services/T0" in line for line in told)
    assert sealing.unseal(each_ground.key, sealed[1], made.webhook_id) == SECRET
    assert sealing.unseal(each_ground.key, sealed[1], other.webhook_id) is None
    assert sealing.unseal(each_ground.key, b"\0" * 40, made.webhook_id) is None
    assert change(each_ground, made.webhook_id, name="renamed").signed
    assert not change(each_ground, made.webhook_id, secret="").signed
    with pytest.raises(InvalidInput, match="at most 1000") as refusal:
        hook(each_ground, secret="s" * 1001)
    assert "sss" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "-chat"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "n" * 64}, "name"),
        ({"name": "chat\n"}, "name"),
        ({"url": ""}, "url"),
        ({"url": "http://hooks.example"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["model_version.exploded"]}, "events[0]"),
        ({"events": ["prompt.created", "prompt.created"]}, "events[1]"),
        ({"events": ["budget_policy.exceeded"]}, "events[0]"),
        ({"description": "d" * 1001}, "description"),
    ],
)
def test_what_cannot_work_is_refused(ground: Ground, fields: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        hook(ground, **{"events": ["prompt.created"], **fields})
    assert refusal.value.where == where
    made = hook(ground)
    if fields not in ({"url": ""}, {"name": ""}):
        with pytest.raises(InvalidInput):
            change(ground, made.webhook_id, **fields)


def test_everything_that_happens_to_a_model_is_told(each_ground: Ground) -> None:
    hook(each_ground)
    write = each_ground.database.write
    model(each_ground, description="Late arrivals", tags=[KeyValue(key="team", value="ops")])
    made = version(each_ground, run_id="r1", description="first", tags=[KeyValue(key="k", value="v")])
    write(lambda tx: registered_models.set_tag(tx, "delay", "quiet", "1", by="ann", now=NOW))
    write(lambda tx: model_versions.set_tag(tx, "delay", "1", "colour", "green", by="ann", now=NOW))
    write(lambda tx: model_versions.delete_tag(tx, "delay", "1", "colour", by="ann", now=NOW))
    write(lambda tx: promotions.set_alias(tx, "delay", "nightly", made.version, by="ann", now=NOW))
    write(lambda tx: promotions.delete_alias(tx, "delay", "nightly", by="ann", now=NOW))
    write(lambda tx: promotions.delete_alias(tx, "delay", "nightly", by="ann", now=NOW))
    told = waiting(each_ground)
    assert {one["timestamp"] for one in told} == {"2025-06-15T15:06:40.123456+00:00"}
    assert sorted(((one["entity"], one["action"], one["data"]) for one in told), key=str) == [
        ("model_version", "created", {"name": "delay", "version": "1", "description": "first", "source": "models:/m-1",
                                      "run_id": "r1", "tags": {"k": "v"}}),
        ("model_version_alias", "created", {"name": "delay", "alias": "nightly", "version": "1"}),
        ("model_version_alias", "deleted", {"name": "delay", "alias": "nightly"}),
        ("model_version_tag", "deleted", {"name": "delay", "version": "1", "key": "colour"}),
        ("model_version_tag", "set", {"name": "delay", "version": "1", "key": "colour", "value": "green"}),
        ("registered_model", "created", {"name": "delay", "tags": {"team": "ops"}, "description": "Late arrivals"}),
    ]  # fmt: skip


def test_what_happens_to_a_prompt_is_told_as_a_prompts(ground: Ground) -> None:
    hook(ground)
    write = ground.database.write
    text = KeyValue(key="mlflow.prompt.text", value="Hello {{name}}")
    model(ground, "greeting", tags=[*PROMPT, KeyValue(key="_mlflow_prompt_type", value="text")])
    version(ground, "greeting", tags=[*PROMPT, text, KeyValue(key="k", value="v")])
    write(lambda tx: registered_models.set_tag(tx, "greeting", "t", "1", by="ann", now=NOW))
    write(lambda tx: registered_models.delete_tag(tx, "greeting", "t", by="ann", now=NOW))
    write(lambda tx: model_versions.set_tag(tx, "greeting", 1, "t", "2", by="ann", now=NOW))
    write(lambda tx: model_versions.delete_tag(tx, "greeting", 1, "t", by="ann", now=NOW))
    write(lambda tx: promotions.set_alias(tx, "greeting", "best", 1, by="ann", now=NOW))
    write(lambda tx: promotions.delete_alias(tx, "greeting", "best", by="ann", now=NOW))
    told = {f"{one['entity']}.{one['action']}": one["data"] for one in waiting(ground)}
    assert sorted(told) == sorted(event for event in EVENTS if event.startswith("prompt"))
    assert told["prompt.created"]["tags"] == {}
    assert told["prompt_version.created"]["template"] == "Hello {{name}}"
    assert told["prompt_version.created"]["tags"] == {"k": "v"}
    assert told["prompt_tag.set"] == {"name": "greeting", "key": "t", "value": "1"}


def test_a_message_leaves_with_its_change_or_not_at_all(each_ground: Ground) -> None:
    hook(each_ground)

    def fail(tx: Any) -> None:
        registered_models.create(tx, "never", description=None, tags=[], by="ann", now=NOW)
        raise InvalidInput("the change is undone")

    with pytest.raises(InvalidInput):
        each_ground.database.write(fail)
    assert waiting(each_ground) == []
    model(each_ground)
    assert len(waiting(each_ground)) == 1


def test_only_who_listens_and_is_in_service_is_told(each_ground: Ground) -> None:
    hook(each_ground, "model_version.created")
    hook(each_ground, "registered_model.created", status="DISABLED")
    model(each_ground)
    assert waiting(each_ground) == []
    hook(each_ground, "registered_model.created")
    hook(each_ground, "registered_model.created")
    model(each_ground, "other")
    assert len(waiting(each_ground)) == 2


def test_disabling_gives_up_what_waits_and_removing_drops_it(each_ground: Ground) -> None:
    disabled, removed = hook(each_ground, name="disabled"), hook(each_ground, name="removed")
    model(each_ground)
    change(each_ground, disabled.webhook_id, status="DISABLED")
    each_ground.database.write(lambda tx: webhooks.delete(tx, removed.webhook_id, by="ann", now=LATER))
    assert waiting(each_ground) == []
    with each_ground.database.reading() as tx:
        log = webhooks.deliveries(tx, disabled.webhook_id, limit=10)
        assert outbox.log(tx, removed.webhook_id, limit=10) == []
    assert [(one.state, one.attempts) for one in log] == [("given_up", [])]

    def again(tx: Any) -> None:
        webhooks.redeliver(tx, disabled.webhook_id, log[0].message_id, by="ann", now=LATER)

    with pytest.raises(Conflict, match="Enable it first"):
        each_ground.database.write(again)
    change(each_ground, disabled.webhook_id, status="ACTIVE")
    each_ground.database.write(again)
    assert len(waiting(each_ground)) == 1


def test_the_log_is_read_page_by_page(each_ground: Ground) -> None:
    made, other = hook(each_ground), hook(each_ground, name="other")
    for number in range(5):
        model(each_ground, f"m{number}")
    seen, before = [], None
    with each_ground.database.reading() as tx:
        while page := webhooks.deliveries(tx, made.webhook_id, limit=2, before=before):
            seen += page
            before = page[-1].message_id
        with pytest.raises(InvalidInput, match="webhook's log"):
            webhooks.deliveries(tx, other.webhook_id, limit=2, before=before)
    assert len({one.message_id for one in seen}) == 5


def test_every_event_has_an_example_of_the_shape_of_the_real_one() -> None:
    for event in EVENTS:
        told = json.loads(announcements.written(event, announcements.example(event), NOW))
        assert f"{told['entity']}.{told['action']}" == event
        assert "name" in told["data"]
    with pytest.raises(InvalidInput, match="must be one of"):
        announcements.example("model_version.exploded")
