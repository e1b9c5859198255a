"""Who is told of alerts: at once, again when nobody acknowledged, and when they are over.

What is still to be told follows from what is stored, so a worker that is killed tells nothing twice and leaves nothing
out: the note that a channel was told and the message in the outbox are one transaction. Alerts of one incident that are
due at one look are one message. Escalation follows the real clock, since it waits for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from tenure.build.announcements import message, written
from tenure.errors import NotFound
from tenure.monitor import incidents, service_levels, service_series, wordings
from tenure.monitor.series import needs_reports, series_of
from tenure.records.alerts import Alert
from tenure.records.base import Instant
from tenure.records.incidents import ChannelInfo, Incident, Notice, Series, ToldOf, Trial
from tenure.records.model_files import WEBHOOK, Alerts, span_us
from tenure.settings import Settings
from tenure.store import alerts as stored
from tenure.store import audit, drift_reports, endpoints, model_files, mutes, notices, outbox, windows
from tenure.store import webhooks as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

MOST_AT_ONCE = 1000
DRAWN_WINDOWS = 30
OVER = -1
NO_ALERTS = Alerts()


class Due(NamedTuple):
    """That a channel is to be told of an alert."""

    alert: Alert
    step: int
    channel: str


def tell_due(ground: Ground, now: Instant) -> bool:
    """Put what channels are to be told of into the outbox; False when there was nothing."""
    if not ground.database.read(lambda tx: any(_due(tx, now))):
        return False
    ground.database.write(lambda tx: _tell(tx, ground.settings, now))
    return True


def due(alert: Alert, told: Sequence[Notice], policy: Alerts, now: Instant) -> list[Due]:
    """Which channels are to be told of an alert now, at which step. Pure.

    Those that were told of it hear that it is over. An escalation waits from the first word on, or from the alert's
    opening where the file names no channel.
    """
    done = {(one.step, one.channel) for one in told}
    if alert.state == "resolved":
        heard = dict.fromkeys(one.channel for one in told if one.step >= 0)
        wanted = [(OVER, channel) for channel in heard]
    elif alert.state == "firing":
        since = min(
            (one.told_at for one in told if one.step == 0), default=None if policy.channels else alert.opened_at
        )
        wanted = [(0, channel) for channel in policy.channels]
        if since is not None:
            late = [(step, one) for step, one in enumerate(policy.escalate, 1) if now >= since + span_us(one.after)]
            wanted += [(step, one.to) for step, one in late]
    else:
        wanted = []
    return [Due(alert, step, channel) for step, channel in dict.fromkeys(wanted) if (step, channel) not in done]


def channels(tx: Transaction, settings: Settings) -> list[ChannelInfo]:
    """The channels that the operator named, by name, with what waits and what was sent last."""
    waiting = outbox.waiting(tx, channel=outbox.NOTICE)
    found = []
    for name, url in sorted(settings.alert_channels.items()):
        newest = outbox.log(tx, name, limit=1, channel=outbox.NOTICE)
        mail = url.startswith(("smtp://", "smtps://"))
        last = newest[0] if newest else None
        kind = "mail" if mail else "apprise"
        found.append(
            msgspec.convert({"name": name, "kind": kind, "waiting": waiting.get(name, 0), "last": last}, ChannelInfo)
        )
    return found


def try_out(tx: Transaction, settings: Settings, name: str, *, by: str, now: Instant) -> Trial:
    """Put an example into the outbox of a channel; its log says what became of it. Writes one audit event."""
    if name not in settings.alert_channels:
        known = ", ".join(sorted(settings.alert_channels)) or "none"
        raise NotFound(f"There is no channel {name!r}. The operator named {known} (`tenure serve --alert-channel`).")
    told = wordings.example(settings.shown_url)
    one = message(name, "alert.example", written("alert.example", msgspec.to_builtins(told), now), now)
    outbox.add(tx, [one], channel=outbox.NOTICE)
    audit.append(tx, "alert.channel_tried", subject=f"channels/{name}", by=by, at=now, detail={"channel": name})
    return Trial(channel=name, message_id=one.message_id)


def _due(tx: Transaction, now: Instant) -> Iterator[Due]:
    firing = stored.search(tx, state="firing", limit=MOST_AT_ONCE)
    over = [alert for one in notices.told_and_over(tx, limit=MOST_AT_ONCE) if (alert := stored.get(tx, one))]
    if not firing and not over:
        return
    told = notices.of_alerts(tx, [one.alert_id for one in (*firing, *over)])
    policies: dict[str, Alerts] = {}
    for alert in (*firing, *over):
        if alert.endpoint not in policies:
            policies[alert.endpoint] = _policy(tx, alert.endpoint)
        wanted = due(alert, told.get(alert.alert_id, []), policies[alert.endpoint], now)
        if wanted and not incidents.is_muted(alert, mutes.in_force(tx, alert.endpoint, now), now):
            yield from wanted


def _policy(tx: Transaction, endpoint: str) -> Alerts:
    about = endpoints.get(tx, endpoint)
    applied = model_files.current(tx, about.model) if about else None
    return applied.file.alerts if applied else NO_ALERTS


def _tell(tx: Transaction, settings: Settings, now: Instant) -> None:
    by_word: dict[tuple[str, int], list[Alert]] = {}
    for one in _due(tx, now):
        by_word.setdefault((one.channel, one.step), []).append(one.alert)
    for (channel, step), alerts in by_word.items():
        for incident in incidents.ranked(incidents.grouped(alerts, incidents.about(tx, alerts, now))):
            notices.add(tx, _told(tx, settings, channel, step, incident, now))


def _told(
    tx: Transaction, settings: Settings, channel: str, step: int, incident: Incident, now: Instant
) -> list[Notice]:
    """Put one message for a channel into the outbox, and say of which alerts it tells."""
    event: ToldOf = "resolved" if step == OVER else "escalated" if step else "firing"
    first = incident.alerts[0]
    told = wordings.told(event, incident, _series(tx, first), url=settings.shown_url, escalation=max(step, 0))
    body = written(f"alert.{event}", msgspec.to_builtins(told), now)
    problem, message_id = None, None
    try:
        message_id = _sent(tx, settings, channel, f"alert.{event}", body, now)
    except NotFound as missing:
        problem = missing.message
    return [
        Notice(alert_id=one.alert_id, step=step, channel=channel, told_at=now, message_id=message_id, problem=problem)
        for one in incident.alerts
    ]


def _series(tx: Transaction, alert: Alert) -> Series:
    """The alert's measure over the latest windows of its version, or over the clock for a budget."""
    if alert.monitor in service_levels.MONITORS.values():
        return service_series.burnt(tx, alert)
    endpoint, version, until_at = alert.endpoint, alert.evidence.version, alert.evidence.window_end_at
    seen = windows.search(tx, endpoint, version=version, role="champion", until_at=until_at, limit=DRAWN_WINDOWS)
    if not seen or not needs_reports(alert):
        return series_of(alert, seen)
    from_at = min(one.start_at for one in seen)
    return series_of(
        alert,
        seen,
        drift_reports.of_windows(tx, endpoint, version=version, role="champion", from_at=from_at, until_at=until_at),
    )


def _sent(tx: Transaction, settings: Settings, channel: str, event: str, body: str, now: Instant) -> str:
    """Put a message into the outbox, and its id. Raises NotFound for a channel that is not there."""
    if not channel.startswith(WEBHOOK):
        if channel not in settings.alert_channels:
            raise NotFound(f"The operator has named no channel {channel!r} (`tenure serve --alert-channel`).")
        one = message(channel, event, body, now)
        outbox.add(tx, [one], channel=outbox.NOTICE)
        return one.message_id
    name = channel.removeprefix(WEBHOOK)
    ids = [hook.webhook_id for hook in kept.named(tx, name) if hook.status == "ACTIVE"]
    if not ids:
        raise NotFound(f"There is no webhook {name!r} in service.")
    made = [message(webhook_id, event, body, now) for webhook_id in ids]
    outbox.add(tx, made)
    return made[0].message_id
