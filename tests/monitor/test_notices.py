"""Who is told of alerts: at once, again while nobody acknowledges, and when they are over; never while muted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from tenure.build import webhooks
from tenure.monitor import alerts, incidents, mutes, notices
from tenure.monitor.series import series_of
from tenure.records.alerts import Alert
from tenure.records.base import HOUR_US, Instant
from tenure.records.incidents import NewMute, Notice, Told
from tenure.records.model_files import Alerts, Escalation, ModelFile
from tenure.records.webhooks import NewWebhook
from tenure.store import alerts as stored
from tenure.store import notices as kept
from tenure.store import outbox
from tenure.store.ground import Ground

from ..web import samples
from .year import ENDPOINT, MODEL, Traffic

NOW = Instant(1_750_000_000_000_000)
POLICY = Alerts(channels=["desk"], escalate=[Escalation(after="4h", to="boss"), Escalation(after="1d", to="desk")])


class Town:
    """An endpoint whose model's file names channels, and alerts that are put there by hand."""

    def __init__(self, ground: Ground, policy: Alerts = POLICY) -> None:
        names = {"desk": "json://127.0.0.1/", "boss": "json://127.0.0.1/"}
        self.ground = replace(ground, settings=msgspec.structs.replace(ground.settings, alert_channels=names))
        self.traffic = Traffic(self.ground)
        self.traffic.apply(ModelFile(model=MODEL, purpose="Warn travellers", owner="ann", alerts=policy))

    def fire(self, number: int, **changes: object) -> Alert:
        made = samples.make_alert(alert_id=f"{number:036d}", opened_at=NOW, changed_at=NOW, **changes)
        self.ground.database.write(lambda tx: stored.put(tx, made))
        return made

    def tell(self, now: int = NOW) -> list[Told]:
        """What is new in the outbox after a look of the worker."""
        before = {one.message_id for one in self.waiting()}
        notices.tell_due(self.ground, Instant(now))
        new = [one for one in self.waiting() if one.message_id not in before]
        return [msgspec.json.decode(one.body, type=Body).data for one in new]

    def waiting(self) -> list[outbox.Message]:
        with self.ground.database.reading() as tx:
            return outbox.due(tx, Instant(2**62), without=[], limit=1000, channel=outbox.NOTICE)

    def told(self, alert: Alert) -> list[tuple[int, str]]:
        with self.ground.database.reading() as tx:
            return [(one.step, one.channel) for one in kept.of_alerts(tx, [alert.alert_id]).get(alert.alert_id, [])]


class Body(msgspec.Struct):
    data: Told


@pytest.fixture
def town(ground: Ground) -> Iterator[Town]:
    made = Town(ground)
    yield made
    made.traffic.close()


def test_alerts_of_one_incident_are_one_message_and_are_told_once(each_ground: Ground) -> None:
    town = Town(each_ground)
    drift = town.fire(1, monitor="drift", subject="temp")
    town.fire(2)
    [told] = town.tell()
    assert told.event == "firing"
    assert told.headline == "flights: temp (drift), and with it roc_auc (accuracy)"
    assert "tenure monitor rows" in told.text
    assert [one.subject for one in told.alerts] == ["temp", "roc_auc"]
    assert town.told(drift) == [(0, "desk")]
    assert town.tell(NOW + HOUR_US) == []
    town.traffic.close()


def test_what_nobody_acknowledges_goes_to_the_next_and_what_somebody_does_stays(town: Town) -> None:
    alert = town.fire(1)
    town.tell()
    assert town.tell(NOW + 4 * HOUR_US - 1) == []
    [told] = town.tell(NOW + 4 * HOUR_US)
    assert (told.event, told.escalation) == ("escalated", 1)
    assert town.told(alert) == [(0, "desk"), (1, "boss")]
    town.ground.database.write(
        lambda tx: alerts.acknowledge(tx, alert.alert_id, reason="on it", by="ann", now=Instant(NOW + 5 * HOUR_US))
    )
    assert town.tell(NOW + 48 * HOUR_US) == []


def test_who_was_told_hears_that_it_is_over_and_nobody_else(town: Town) -> None:
    alert = town.fire(1)
    town.tell()
    unheard = samples.make_alert(alert_id="9" * 36, state="resolved")
    town.ground.database.write(lambda tx: stored.put(tx, unheard))
    over = msgspec.structs.replace(alert, state="resolved", resolved_event_at=alert.event_at + 1)
    town.ground.database.write(lambda tx: stored.put(tx, over))
    [told] = town.tell(NOW + 1)
    assert told.event == "resolved"
    assert [one.alert_id for one in told.alerts] == [alert.alert_id]
    assert town.tell(NOW + 2) == []


def test_of_what_is_muted_nobody_is_told_until_the_mute_ends(town: Town) -> None:
    town.ground.database.write(
        lambda tx: mutes.mute(tx, ENDPOINT, NewMute(lasts="2h", reason="known", subject="roc_auc"), by="ann", now=NOW)
    )
    alert = town.fire(1)
    assert town.tell() == []
    with town.ground.database.reading() as tx:
        [card] = incidents.search(tx, now=NOW)
    assert (card.muted, card.state) == (True, "firing")
    [told] = town.tell(NOW + 2 * HOUR_US)
    assert [one.alert_id for one in told.alerts] == [alert.alert_id]


def test_a_channel_that_is_not_there_is_noted_and_not_tried_for_ever(ground: Ground) -> None:
    town = Town(ground, Alerts(channels=["nowhere", "webhook:none"]))
    alert = town.fire(1)
    assert town.tell() == []
    assert not notices.tell_due(town.ground, Instant(NOW + 1))
    with town.ground.database.reading() as tx:
        found = kept.of_alerts(tx, [alert.alert_id])[alert.alert_id]
    assert [(one.channel, one.message_id) for one in found] == [("nowhere", None), ("webhook:none", None)]
    assert all("no" in (one.problem or "") for one in found)
    town.traffic.close()


def test_a_webhook_by_its_name_is_told_whatever_else_it_listens_to(ground: Ground) -> None:
    town = Town(ground, Alerts(channels=["webhook:chat"]))
    new = NewWebhook(name="chat", url="https://chat.example/", events=["registered_model.created"])
    means = webhooks.means_of(town.ground)
    hook = town.ground.database.write(lambda tx: webhooks.create(tx, new, means, by="ann", now=NOW))
    town.fire(1)
    notices.tell_due(town.ground, NOW)
    with town.ground.database.reading() as tx:
        [one] = webhooks.deliveries(tx, hook.webhook_id, limit=10)
    assert one.event == "alert.firing"
    assert msgspec.json.decode(one.body)["data"]["model"] == MODEL
    town.traffic.close()


def test_pending_and_acknowledged_alerts_are_not_told_of() -> None:
    for state in ("pending", "acknowledged"):
        assert notices.due(samples.make_alert(state=state), [], POLICY, NOW) == []


def test_an_escalation_without_channels_waits_from_the_opening() -> None:
    policy = Alerts(escalate=[Escalation(after="30m", to="boss")])
    alert = samples.make_alert(opened_at=NOW)
    assert notices.due(alert, [], policy, Instant(NOW + HOUR_US // 2 - 1)) == []
    assert [one.channel for one in notices.due(alert, [], policy, Instant(NOW + HOUR_US // 2))] == ["boss"]


def test_a_channel_that_is_named_twice_is_told_once() -> None:
    policy = Alerts(channels=["desk", "desk"])
    assert len(notices.due(samples.make_alert(), [], policy, NOW)) == 1
    done = Notice(alert_id="-", step=0, channel="desk", told_at=NOW)
    assert notices.due(samples.make_alert(), [done], policy, NOW) == []


def test_a_series_ends_with_the_alerts_own_window_and_holds_its_versions_alone() -> None:
    year = samples.make_year(23)
    alert = samples.make_alert(monitor="drift", subject="temp")
    proof = msgspec.structs.replace(alert.evidence, measure="psi_excess", threshold=0.1, direction="above")
    alert = msgspec.structs.replace(alert, evidence=proof)
    series = series_of(alert, list(reversed(year)))
    assert series.points[-1].end_at == proof.window_end_at
    assert [one.start_at for one in series.points] == sorted(one.start_at for one in series.points)
    by_start = {one.start_at: one for one in year if one.role == "champion"}
    column = next(one for one in by_start[series.points[3].start_at].drift if one.column == "temp")
    assert series.points[3].value == column.psi_excess


def test_a_measure_that_windows_do_not_hold_is_told_by_the_alerts_own_figure() -> None:
    alert = samples.make_alert()
    odd = msgspec.structs.replace(alert, evidence=msgspec.structs.replace(alert.evidence, measure="burn_rate"))
    [point] = [one for one in series_of(odd, samples.make_year(21)).points if one.value is not None] or [None]
    assert point is not None
    assert point.value == alert.evidence.value
