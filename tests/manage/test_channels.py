"""Channels of alerts: there when a file is applied, and not taken away under a file's feet."""

from __future__ import annotations

import pytest

from tenure.build import webhooks
from tenure.errors import CannotStart, Conflict, InvalidInput
from tenure.manage import channels, model_files
from tenure.manage.model_files import Applied, Configured
from tenure.records.base import Instant
from tenure.records.model_files import Alerts, Escalation, ModelFile
from tenure.records.webhooks import NewWebhook, Webhook, WebhookChange
from tenure.store import audit
from tenure.store.ground import Ground

NOW = Instant(1_700_000_000_000_000)
DESK = Configured(channels=["desk", "boss"])


def apply(ground: Ground, alerts: Alerts, configured: Configured | None = DESK, **more: bool) -> Applied:
    file = ModelFile(model="flights", purpose="p", owner="o", alerts=alerts)
    return ground.database.write(
        lambda tx: model_files.apply(tx, file, by="ann", now=NOW, configured=configured, **more)
    )


def hook(ground: Ground, name: str = "chat") -> Webhook:
    new = NewWebhook(name=name, url="https://chat.example/", events=["registered_model.created"])
    return ground.database.write(lambda tx: webhooks.create(tx, new, webhooks.means_of(ground), by="ann", now=NOW))


def note(ground: Ground, configured: list[str], dropped: list[str] | None = None) -> None:
    ground.database.write(lambda tx: channels.note(tx, configured, dropped or [], now=NOW))


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_names_a_channel_that_there_is_not_is_refused_with_those_there_are(
    ground: Ground, dry_run: bool
) -> None:
    hook(ground)
    with pytest.raises(InvalidInput, match=r"boss, desk, webhook:chat.*'dest'.*--alert-channel") as problem:
        apply(ground, Alerts(channels=["desk", "dest"]), dry_run=dry_run)
    assert problem.value.where == "alerts.channels[1]"
    with pytest.raises(InvalidInput) as problem:
        apply(ground, Alerts(escalate=[Escalation(after="4h", to="webhook:chats")]), dry_run=dry_run)
    assert problem.value.where == "alerts.escalate[0].to"
    good = Alerts(channels=["desk", "webhook:chat"], escalate=[Escalation(after="4h", to="boss")])
    assert apply(ground, good, dry_run=dry_run).revision == int(not dry_run)


def test_a_webhook_that_is_disabled_is_no_channel(ground: Ground) -> None:
    one, off = hook(ground), WebhookChange(status="DISABLED")
    means = webhooks.means_of(ground)
    ground.database.write(lambda tx: webhooks.update(tx, one.webhook_id, off, means, by="ann", now=NOW))
    with pytest.raises(InvalidInput, match="webhook in service"):
        apply(ground, Alerts(channels=["webhook:chat"]))


def test_what_stands_already_may_be_applied_again_and_not_changed_while_its_channel_is_gone(ground: Ground) -> None:
    apply(ground, Alerts(channels=["gone"]), configured=None)
    assert apply(ground, Alerts(channels=["gone"])).revision == 1
    with pytest.raises(InvalidInput, match="'gone'"):
        apply(ground, Alerts(channels=["gone"], cooldown="4h"))


def test_a_server_does_not_start_without_a_channel_that_a_file_names(ground: Ground) -> None:
    note(ground, ["desk", "boss", "old"])
    apply(ground, Alerts(channels=["desk"], escalate=[Escalation(after="4h", to="boss")]))
    with pytest.raises(CannotStart, match=r"'boss' by flights; 'desk' by flights.*--dropped-channels boss,desk"):
        note(ground, [])
    with pytest.raises(CannotStart, match="'boss' by flights"):
        note(ground, ["new"], ["desk"])
    note(ground, ["boss", "desk"])  # 'old' is named by nobody
    note(ground, ["boss"], ["desk"])
    note(ground, ["boss"])  # it was decided
    with ground.database.reading() as tx:
        told = [event.detail for event in audit.search(tx, action="alert.channels_changed")]
    assert told == [
        {"added": [], "removed": ["desk"], "named_by": {"desk": ["flights"]}},
        {"added": [], "removed": ["old"], "named_by": {}},
        {"added": ["boss", "desk", "old"], "removed": [], "named_by": {}},
    ]


def test_a_channel_that_never_was_there_does_not_keep_a_server_from_starting(ground: Ground) -> None:
    apply(ground, Alerts(channels=["nowhere"]), configured=None)
    note(ground, [])
    note(ground, ["desk"])
    with ground.database.reading() as tx:
        assert len(audit.search(tx, action="alert.channels_changed")) == 1


def test_a_webhook_that_a_file_names_is_not_removed_or_renamed(ground: Ground) -> None:
    one, means = hook(ground), webhooks.means_of(ground)
    apply(ground, Alerts(channels=["webhook:chat"]))
    with pytest.raises(Conflict, match=r"flights.*disable it"):
        ground.database.write(lambda tx: webhooks.delete(tx, one.webhook_id, by="ann", now=NOW))
    renamed, off = WebhookChange(name="talk"), WebhookChange(name="chat", status="DISABLED")
    with pytest.raises(Conflict, match="flights"):
        ground.database.write(lambda tx: webhooks.update(tx, one.webhook_id, renamed, means, by="ann", now=NOW))
    ground.database.write(lambda tx: webhooks.update(tx, one.webhook_id, off, means, by="ann", now=NOW))
    second = hook(ground)
    ground.database.write(lambda tx: webhooks.delete(tx, one.webhook_id, by="ann", now=NOW))
    apply(ground, Alerts(channels=["desk"]))
    ground.database.write(lambda tx: webhooks.delete(tx, second.webhook_id, by="ann", now=NOW))
