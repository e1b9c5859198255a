"""Incidents: alerts of one model that belong together, what is at stake, who wants no word of them, who was told."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.alerts import Alert, AlertState, MonitorKind, Severity
from tenure.records.base import Record
from tenure.records.changes import Reason
from tenure.records.model_files import Span
from tenure.records.webhooks import Delivery
from tenure.records.windows import Interval

Family = Literal["data", "service"]


class Stake(Record):
    """What an endpoint's decisions are worth: what an alert about it puts at stake, which is not what is lost.

    `per_day` is the value of one prediction, with its interval, times the predictions of a day; None when the model's
    file has no `value` or no outcome is known. Both are of the window [start_at, end_at), the latest that tells.
    """

    predictions_per_day: float
    start_at: int
    end_at: int
    outcomes: int = 0
    per_day: Interval | None = None


class Cause(Record):
    """One thing that alerts of an incident are about, such as a column, and which monitors say so."""

    subject: str
    monitors: list[MonitorKind]


class Incident(Record):
    """Alerts of one model whose windows overlap. `causes` begins with what lies furthest upstream, its likely root.

    Instants are event time, µs UTC. `muted`: every alert of it that is not over is muted.
    """

    incident_id: str
    model: str
    family: Family
    state: AlertState
    severity: Severity
    headline: str
    causes: list[Cause]
    alerts: list[Alert]
    start_at: int
    end_at: int
    endpoints: list[str]
    stake: Stake | None = None
    muted: bool = False


class NewMute(Record, forbid_unknown_fields=True):
    """Which alerts of an endpoint nobody is told of: of one monitor, of one subject, or all. `lasts`, such as `4h`, is
    real time from now on."""

    lasts: Span
    reason: Reason
    monitor: MonitorKind | None = None
    subject: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class Mute(Record):
    """Instants are real time. `ended_at`: somebody ended it before `until_at`."""

    mute_id: str
    endpoint: str
    monitor: MonitorKind | None
    subject: str | None
    reason: str
    until_at: int
    muted_by: str
    muted_at: int
    ended_at: int | None = None
    ended_by: str | None = None

    def holds(self, now: int) -> bool:
        """Whether it is in force at an instant."""
        return self.ended_at is None and self.muted_at <= now < self.until_at

    def covers(self, alert: Alert) -> bool:
        """Whether it is about an alert."""
        return (
            self.endpoint == alert.endpoint
            and self.monitor in (None, alert.monitor)
            and self.subject in (None, alert.subject)
        )


class Unmuting(Record, forbid_unknown_fields=True):
    reason: Reason


class Notice(Record):
    """That a channel was told of an alert. `step`: 0 that it fires, n its nth escalation, −1 that it is over.

    `message_id` is the message's in the outbox; None when the channel could not be told, which `problem` explains.
    """

    alert_id: str
    step: int
    channel: str
    told_at: int
    message_id: str | None = None
    problem: str | None = None


class Point(Record):
    """A measure in one window of event time; None where it could not be told."""

    start_at: int
    end_at: int
    value: float | None
    low: float | None = None
    high: float | None = None


class Series(Record):
    """The measure of an alert over the windows before it, the earliest first, and what it is held against."""

    alert_id: str
    measure: str
    threshold: float
    direction: Literal["above", "below"]
    points: list[Point]


ToldOf = Literal["firing", "escalated", "resolved"]


class Told(Record):
    """What a channel is told: some alerts of one incident. `text` is the whole of it in plain words.

    `series` is of the first alert. `escalation`: which of the model file's steps this is; 0 for none.
    """

    event: ToldOf
    model: str
    headline: str
    severity: Severity
    subject: str
    text: str
    url: str
    alerts: list[Alert]
    escalation: int = 0
    stake: Stake | None = None
    series: Series | None = None


class ChannelInfo(Record):
    """A channel as anybody may see it: its kind and nothing of its address, what waits for it, what was sent last."""

    name: str
    kind: Literal["mail", "apprise", "webhook"]
    waiting: int
    last: Delivery | None = None


class Trial(Record):
    """An example that was put into the outbox of a channel."""

    channel: str
    message_id: str
